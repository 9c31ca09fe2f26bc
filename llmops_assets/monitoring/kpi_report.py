"""The day's KPIs beside the targets of the use case."""

import dagster as dg

from llmops_assets.handover import reading, serving
from llmops_assets.handover.contents import read_rows
from llmops_assets.handover.days import run_day
from llmops_assets.handover.display import table
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.lib import hosting, html
from llmops_assets.lib.records import HostingPlan, KpiReport, QualityReport, UseCase
from llmops_assets.lib.watching import costs
from llmops_assets.partitions import DAILY
from resources.lake.base import Lake

NAME = "kpi_report"
MET = {True: "yes", False: "no", None: "-"}


@dg.asset(
    deps=["use_case", "hosting_plan", "interactions", "deployment"],
    partitions_def=DAILY,
    kinds={"html"},
    owners=["team:product"],
    code_version="2",
)
def kpi_report(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
    """One day's KPIs against their targets; what was not measured is said to be unmeasured."""
    from llmops_assets.lib.watching import kpis

    day, case = run_day(context), reading.read(context, "use_case", UseCase)
    option = hosting.chosen_option(case, reading.read(context, "hosting_plan", HostingPlan))
    days = reading.days(context, "interactions", until=day)
    if day not in days:
        raise dg.Failure(f"interactions has no {day}: materialize it for that day first")
    rows = read_rows(lake, days[day].ref)
    release = serving.read(context, lake).release
    judged = QualityReport.model_validate_json(lake.read(release.gate)).candidate
    record = kpis.measure(
        day,
        rows,
        case.kpis,
        accuracy=judged.overall.accuracy,
        leaks=days[day].counts.get("leaking"),
        cost_per_answer=costs.per_answer(costs.ledger(rows, option)),
    )
    path = f"monitoring/{NAME}/{day}.html"
    commit = publish(context, lake, {path: page(record).encode()}, interactions=len(rows))
    return materialized(
        context,
        record,
        lake=lake,
        ref=lake.uri(commit, path),
        interactions=len(rows),
        figures={v.name: v.value for v in record.values if v.value is not None},
        missed=[v.name for v in record.values if v.met is False],
        unmeasured=[v.name for v in record.values if v.value is None],
        kpis=table({"KPI": v.name, "value": v.value, "target": v.target, "met": MET[v.met]} for v in record.values),
        inputs={"release": release.release_id, "interactions": days[day].ref},
    )


def page(record: KpiReport) -> str:
    """A page with a line per KPI."""
    rows = [[v.name, "unmeasured" if v.value is None else v.value, v.target, MET[v.met]] for v in record.values]
    return html.page(f"KPIs of {record.day}", html.table(["KPI", "value", "target", "met"], rows))
