"""The KPIs of a day out of its logged interactions, beside their targets. Nothing measured is None, never zero.

What asks for somebody is a pattern of days, not one: `judged` puts a day into its weeks.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np

from llmops_assets.lib.records import Kpi, KpiReport, KpiValue, KpiWeek, ReleaseQuality
from llmops_assets.lib.statistics import wilson
from llmops_assets.lib.watching.trigger import n_of_m

ALARM = (2, 3)
"""A KPI is in alarm when it missed its target on so many of the last days that it was measured on, the newest among
them: Databricks' mlops-stacks retrains by the same rule."""
WEEKS = 8
"""Weeks of a trend, the running one included."""


def measure(
    day: date,
    interactions: Sequence[Mapping[str, Any]],
    targets: Sequence[Kpi],
    *,
    accuracy: float | None,
    leaks: int | None,
    cost_per_answer: float | None,
) -> KpiReport:
    """Values of the KPIs the use case names; a name that is not measured here stays None.

    `accuracy` is the serving release's share of right answers on its eval suite, `leaks` how many interactions of the
    day showed personal data in the gateway's log (None: nobody looked). Shares and latencies are of whole answers
    (status 200): what a customer broke off, or an engine failed at, says nothing of them.
    """
    answered = [row for row in interactions if row["status"] == 200]
    rated = [row["rating"] for row in interactions if row["rating"]]
    values: dict[str, float | None] = {
        "answer_accuracy": accuracy,
        "positive_rating_share": sum(r > 0 for r in rated) / len(rated) if rated else None,
        "handover_share": _share(row["path"] == "handover" for row in answered),
        "p95_latency_seconds": (
            float(np.quantile([row["latency_seconds"] for row in answered], 0.95)) if answered else None
        ),
        "cost_per_answer": cost_per_answer,
        "privacy_leaks": None if leaks is None else float(leaks),
    }
    rows = []
    for kpi in targets:
        value = values.get(kpi.name)
        met = None if value is None else kpi.met(value)
        rows.append(
            KpiValue(name=kpi.name, value=None if value is None else round(value, 6), target=kpi.target, met=met)
        )
    return KpiReport(
        day=day, interactions=len(interactions), values=tuple(rows), releases=tuple(by_release(interactions))
    )


def by_release(interactions: Sequence[Mapping[str, Any]]) -> list[ReleaseQuality]:
    """Latency and ratings by release. Only those who rate are heard: compare releases, do not read shares as accuracy.

    Right is what was rated well and not corrected; a correction counts as a rating.
    """
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in interactions:
        if row["status"] == 200:
            groups[row["release_id"]].append(row)
    found = []
    for release_id, rows in sorted(groups.items()):
        rated = [row for row in rows if row["rating"] or row.get("correction")]
        right = sum(row["rating"] > 0 and not row.get("correction") for row in rated)
        low, high = wilson(right, len(rated))
        found.append(
            ReleaseQuality(
                release_id=release_id,
                answers=len(rows),
                p95_latency_seconds=round(float(np.quantile([row["latency_seconds"] for row in rows], 0.95)), 6),
                rated=len(rated),
                right=right,
                low=round(low, 6),
                high=round(high, 6),
            )
        )
    return found


def judged(report: KpiReport, earlier: Iterable[KpiReport]) -> KpiReport:
    """A day's report with the state of each KPI, and the weeks up to it; `earlier` reports of other days, in any order.

    Days after the report's, and another report of its own day, do not count.
    """
    days = sorted((one for one in earlier if one.day < report.day), key=lambda one: one.day)
    values = tuple(_stated(value, days, report.day) for value in report.values)
    return report.model_copy(update={"values": values, "weeks": tuple(_weeks([*days, report], report.day))})


def _stated(value: KpiValue, days: Sequence[KpiReport], day: date) -> KpiValue:
    """A KPI of the day with its state: met or missed that day, or in alarm since the first of the run of misses."""
    if value.met is None:
        return value
    found = [(one.day, v.met) for one in days for v in one.values if v.name == value.name and v.met is not None]
    found.append((day, value.met))
    needed, of = ALARM
    if not n_of_m([not met for _, met in found], needed, of):
        return value.model_copy(update={"state": "met" if value.met else "missed"})
    since, kept = day, 0
    for at, met in reversed(found):
        kept = kept + 1 if met else 0
        if kept > of - needed:
            break
        since = since if met else at
    return value.model_copy(update={"state": "alarm", "since": since})


def _weeks(days: Sequence[KpiReport], until: date) -> list[KpiWeek]:
    first = monday_of(until) - timedelta(weeks=WEEKS - 1)
    groups: dict[date, list[KpiReport]] = defaultdict(list)
    for one in days:
        if one.day >= first:
            groups[monday_of(one.day)].append(one)
    return [week_of(monday, reports) for monday, reports in sorted(groups.items())]


def week_of(monday: date, reports: Sequence[KpiReport]) -> KpiWeek:
    """The mean of each KPI over the reports of a week."""
    measured: dict[str, list[float]] = defaultdict(list)
    for report in reports:
        for value in report.values:
            if value.value is not None:
                measured[value.name].append(value.value)
    return KpiWeek(
        monday=monday,
        days=len(reports),
        interactions=sum(report.interactions for report in reports),
        values={name: round(float(np.mean(values)), 6) for name, values in measured.items()},
    )


def monday_of(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def _share(flags: Any) -> float | None:
    values = list(flags)
    return sum(values) / len(values) if values else None
