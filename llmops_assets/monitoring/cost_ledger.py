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
from llmops_assets.lib.records import (
    CostLedger,
    DatasetRef,
    HostingOption,
    HostingPlan,
    QualityReport,
    TrainingCost,
    TunedModel,
    UseCase,
)
from llmops_assets.lib.watching import costs
from resources.lake.base import Lake

NAME = "cost_ledger"


@dg.asset(
    deps=["use_case", "hosting_plan", "interactions", "adapter", "quality_report"],
    kinds={"python"},
    owners=["team:product"],
    code_version="4",
)
def cost_ledger(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
    """What answers cost, per release, and retrainings: money, energy and CO2, from time or tokens at stated prices."""
    case = reading.read(context, "use_case", UseCase)
    option = hosting.chosen_option(case, reading.read(context, "hosting_plan", HostingPlan))
    # The days of other prices, or of another version, are counted anew.
    path = f"monitoring/{NAME}/days-{inputs_digest(context, option.content_hash)[:16]}.json"
    ledgers = by_day(lake, path, reading.days(context, "interactions"), lambda rows: costs.ledger(rows, option))
    stored = {day: [digest, ledger.model_dump(mode="json")] for day, (digest, ledger) in ledgers.items()}
    commit = publish(context, lake, {path: json.dumps(stored, sort_keys=True).encode()}, days=len(stored))
    record = costs.merged([ledger for _, ledger in ledgers.values()], option)
    record = record.model_copy(update={"trainings": trainings(context, option)})
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
        retrainings=table(one.model_dump() for one in record.trainings),
        assumptions=dg.MetadataValue.json(record.assumptions),
    )


def trainings(context: dg.AssetExecutionContext, option: HostingOption) -> tuple[TrainingCost, ...]:
    """What every retraining took that was there when the ledger was written, at today's price."""
    known = reading.previous(context, CostLedger)
    seconds = {one.adapter: one.seconds for one in known.trainings} if known else {}
    tuned = reading.find(context, "adapter", TunedModel)
    if tuned is not None and tuned.digest not in seconds:
        judged = reading.find(context, "quality_report", QualityReport)
        asked = [judged.candidate, *([judged.incumbent] if judged.incumbent else [])] if judged else []
        seconds[tuned.digest] = tuned.metrics.get("seconds", 0.0) + sum(report.seconds for report in asked)
    return tuple(costs.training(adapter, took, option) for adapter, took in seconds.items())


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
