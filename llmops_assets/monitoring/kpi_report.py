"""The day's KPIs beside the targets of the use case, in their weeks, and by release."""

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg

from llmops_assets.handover import reading, serving
from llmops_assets.handover.contents import read_rows
from llmops_assets.handover.days import run_day
from llmops_assets.handover.display import lines, table
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.lib import hosting, html
from llmops_assets.lib.records import HostingPlan, KpiReport, KpiValue, QualityReport, UseCase
from llmops_assets.lib.watching import costs, digest
from llmops_assets.partitions import DAILY
from resources.lake.base import Lake

NAME = "kpi_report"
MET = {True: "yes", False: "no", None: "-"}


@dg.asset(
    deps=["use_case", "hosting_plan", "interactions", "deployment"],
    partitions_def=DAILY,
    kinds={"html"},
    owners=["team:product"],
    code_version="3",
)
def kpi_report(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
    """One day's KPIs against their targets, with their weeks and state; what was not measured is unmeasured."""
    from llmops_assets.lib.watching import kpis

    day, case = run_day(context), reading.read(context, "use_case", UseCase)
    option = hosting.chosen_option(case, reading.read(context, "hosting_plan", HostingPlan))
    days = reading.days(context, "interactions", until=day)
    if day not in days:
        raise dg.Failure(f"interactions has no {day}: materialize it for that day first")
    rows = read_rows(lake, days[day].ref)
    release = serving.read(context, lake).release
    quality = QualityReport.model_validate_json(lake.read(release.gate)).candidate
    measured = kpis.measure(
        day,
        rows,
        case.kpis,
        accuracy=quality.overall.accuracy,
        leaks=days[day].counts.get("leaking"),
        cost_per_answer=costs.per_answer(costs.ledger(rows, option)),
    )
    first = kpis.monday_of(day) - timedelta(weeks=kpis.WEEKS - 1)
    earlier = reading.earlier_records(context, KpiReport, after=first - timedelta(days=1), until=day)
    record = kpis.judged(measured, earlier.values())
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
        alarms=[v.name for v in record.values if v.state == "alarm"],
        unmeasured=[v.name for v in record.values if v.value is None],
        kpis=table(
            {"KPI": v.name, "value": v.value, "target": v.target, "met": MET[v.met], "state": told(v)}
            for v in record.values
        ),
        by_release=table(one.model_dump() for one in record.releases),
        by_week=lines("KPIs by week, each over its target", trends(record)),
        inputs={"release": release.release_id, "interactions": days[day].ref},
    )


def told(value: KpiValue) -> str:
    """The state of a KPI in words."""
    return f"alarm since {value.since}" if value.state == "alarm" else value.state


def trends(record: KpiReport) -> Mapping[str, list[float]]:
    """KPI to its weeks as multiples of its target, so that they fit one picture; those with a target of 0 do not."""
    targets = {v.name: v.target for v in record.values if v.target}
    found = {
        name: [w.values[name] / target for w in record.weeks if name in w.values] for name, target in targets.items()
    }
    return {name: values for name, values in found.items() if len(values) > 1}


def page(record: KpiReport) -> str:
    """A page with a line per KPI, one per week, and one per release."""
    rows = [
        [v.name, "unmeasured" if v.value is None else v.value, v.target, MET[v.met], told(v)] for v in record.values
    ]
    weeks = [[v.name, *(w.values.get(v.name, "-") for w in record.weeks)] for v in record.values]
    weeks += [["interactions", *(w.interactions for w in record.weeks)], ["days", *(w.days for w in record.weeks)]]
    releases = [
        [r.release_id, r.answers, r.p95_latency_seconds, r.rated, r.right, f"{r.low:.2f} to {r.high:.2f}"]
        for r in record.releases
    ]
    return html.page(
        f"KPIs of {record.day}",
        html.table(["KPI", "value", "target", "met", "state"], rows),
        html.heading("By week"),
        html.paragraph("Means over the days that were measured; a week begins on the day that is named."),
        html.table(["week", *(str(w.monday) for w in record.weeks)], weeks),
        *(digest.figure(v.name, record.weeks, v.name, v.target) for v in record.values),
        html.heading("By release"),
        html.paragraph("Right: rated well and not corrected, of those that were rated, with the 95 % Wilson interval."),
        html.table(["release", "answers", "p95 latency, s", "rated", "right", "share right"], releases),
    )
