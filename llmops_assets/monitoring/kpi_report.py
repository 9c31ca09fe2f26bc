"""The day's KPIs beside the targets of the use case."""

import dagster as dg

from llmops_assets.data.labelled_conversations import read_days
from llmops_assets.deployment.release import read_release
from llmops_assets.lib import costs, html, kpis
from llmops_assets.lib.records import Deployment, HostingOption, HostingPlan, QualityReport, UseCase
from llmops_assets.monitoring.interactions import interactions
from llmops_assets.partitions import DAILY
from llmops_assets.provenance import Context, materialized, publish, read_record, run_day
from resources.lake.base import Lake
from resources.workspace import Workspace

NAME = "kpi_report"


def chosen_option(context: Context) -> HostingOption:
    """The hosting option the plan chose."""
    plan = read_record(context, "hosting_plan", HostingPlan)
    case = read_record(context, "use_case", UseCase)
    return next(option for option in case.hosting_options if option.name == plan.chosen)


@dg.asset(
    deps=[interactions, "deployment", "hosting_plan"],
    partitions_def=DAILY,
    kinds={"html"},
    owners=["team:product"],
    code_version="1",
)
def kpi_report(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult:
    """One day's KPIs against their targets; what was not measured is said to be unmeasured."""
    day = run_day(context)
    case = read_record(context, "use_case", UseCase)
    rows = [row for row in read_days(context, lake, "interactions", day, 1) if row["time"][:10] == str(day)]
    serving = read_release(lake, read_record(context, "deployment", Deployment).release_id)
    judged = QualityReport.model_validate_json(lake.read(serving.gate)).candidate
    redactor = workspace.redactor()
    leaks = sum(bool(redactor.leaks(row[c])) for row in rows for c in ("question", "answer"))
    record = kpis.measure(
        day,
        rows,
        case.kpis,
        accuracy=judged.overall.accuracy,
        leaks=leaks,
        cost_per_answer=costs.per_answer(costs.ledger(rows, chosen_option(context))),
    )
    table = [[v.name, "unmeasured" if v.value is None else v.value, v.target, _met(v.met)] for v in record.values]
    page = html.page(f"KPIs of {day}", html.table(["KPI", "value", "target", "met"], table))
    path = f"monitoring/{NAME}/{day}.html"
    commit = publish(context, lake, {path: page.encode()}, interactions=len(rows))
    return materialized(
        context,
        record,
        lake=lake,
        ref=lake.uri(commit, path),
        interactions=len(rows),
        figures={v.name: v.value for v in record.values if v.value is not None},
        missed=[v.name for v in record.values if v.met is False],
    )


def _met(met: bool | None) -> str:
    return {True: "yes", False: "no", None: "-"}[met]
