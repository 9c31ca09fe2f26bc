"""Money, energy and CO2 per release, over every logged day, with the assumptions behind the figures."""

from datetime import date

import dagster as dg

from llmops_assets.data.labelled_conversations import read_days
from llmops_assets.lib import costs
from llmops_assets.monitoring.interactions import interactions
from llmops_assets.monitoring.kpi_report import chosen_option
from llmops_assets.provenance import materialized
from resources.lake.base import Lake


@dg.asset(deps=[interactions, "hosting_plan"], kinds={"python"}, owners=["team:product"], code_version="1")
def cost_ledger(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
    """What answers cost, per release: money, energy and CO2, from engine time or tokens at stated prices."""
    rows = read_days(context, lake, "interactions", date.max)
    record = costs.ledger(rows, chosen_option(context))
    lines = "\n".join(
        f"| {c.release_id} | {c.answers} | {c.generated} | {c.currency:.6f} | {c.energy_kwh:.7f} | {c.co2_grams:.4f} |"
        for c in record.lines
    )
    head = "| release | answers | generated | money | kWh | g CO2 |\n|---|---|---|---|---|---|\n"
    return materialized(
        context,
        record,
        answers=sum(c.answers for c in record.lines),
        money=float(sum(c.currency for c in record.lines)),
        ledger=dg.MetadataValue.md(head + lines),
        assumptions=dg.MetadataValue.json(record.assumptions),
    )
