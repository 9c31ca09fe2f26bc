"""Money, energy and CO2 per release, over every logged day, with the assumptions behind the figures."""

import json
from collections.abc import Mapping
from datetime import date

import dagster as dg

from llmops_assets.handover import reading
from llmops_assets.handover.contents import read_rows
from llmops_assets.handover.display import table
from llmops_assets.handover.memory import inputs_digest, kept_file
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.lib import hosting
from llmops_assets.lib.records import CostLedger, DatasetRef, HostingPlan, UseCase
from llmops_assets.lib.watching import costs
from resources.lake.base import Lake

NAME = "cost_ledger"


@dg.asset(
    deps=["use_case", "hosting_plan", "interactions"], kinds={"python"}, owners=["team:product"], code_version="3"
)
def cost_ledger(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
    """What answers cost, per release: money, energy and CO2, from engine time or tokens at stated prices."""
    case = reading.read(context, "use_case", UseCase)
    option = hosting.chosen_option(case, reading.read(context, "hosting_plan", HostingPlan))
    # The days of other prices, or of another version, are counted anew.
    path = f"monitoring/{NAME}/days-{inputs_digest(context, option.content_hash)[:16]}.json"
    ledgers = by_day(lake, path, reading.days(context, "interactions"), lambda rows: costs.ledger(rows, option))
    stored = {day: [digest, ledger.model_dump(mode="json")] for day, (digest, ledger) in ledgers.items()}
    commit = publish(context, lake, {path: json.dumps(stored, sort_keys=True).encode()}, days=len(stored))
    record = costs.merged([ledger for _, ledger in ledgers.values()], option)
    return materialized(
        context,
        record,
        lake=lake,
        ref=lake.uri(commit, path),
        digest=record.content_hash,
        days=len(ledgers),
        answers=sum(c.answers for c in record.lines),
        money=float(sum(c.currency for c in record.lines)),
        ledger=table(line.model_dump() for line in record.lines),
        assumptions=dg.MetadataValue.json(record.assumptions),
    )


def by_day(
    lake: Lake, path: str, days: Mapping[date, DatasetRef], count: "costs.Count"
) -> dict[str, tuple[str, CostLedger]]:
    """Day to the digest of its interactions and their ledger; days that are unchanged are not read again."""
    stored = kept_file(lake, path)
    known: dict[str, list] = json.loads(stored[1]) if stored else {}
    result = {}
    for day, ref in days.items():
        digest, ledger = known.get(str(day), ("", None))
        if digest == ref.digest:
            result[str(day)] = digest, CostLedger.model_validate(ledger)
        else:
            result[str(day)] = ref.digest, count(read_rows(lake, ref.ref))
    return result
