"""A day in its weeks: when a KPI asks for somebody, what a week is, and how releases answered."""

from datetime import date, timedelta

import pytest

from llmops_assets.lib.records import Kpi, KpiReport, KpiValue
from llmops_assets.lib.watching import kpis

DAY = date(2026, 3, 11)  # a Wednesday
TARGET = Kpi(name="handover_share", description="", direction="at_most", target=0.2)


def report(day: date, value: float | None, interactions: int = 10) -> KpiReport:
    met = None if value is None else TARGET.met(value)
    return KpiReport(
        day=day,
        interactions=interactions,
        values=(KpiValue(name=TARGET.name, value=value, target=TARGET.target, met=met),),
    )


def history(*values: float | None) -> list[KpiReport]:
    """Days up to DAY, a value each; the last one is DAY's."""
    return [report(DAY - timedelta(days=len(values) - 1 - n), value) for n, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "state", "since"),
    [
        ((0.1,), "met", None),
        ((0.9,), "missed", None),
        ((0.1, 0.9, 0.9), "alarm", DAY - timedelta(days=1)),
        ((0.9, 0.1, 0.9), "alarm", DAY - timedelta(days=2)),
        ((0.9, 0.9, 0.1), "met", None),
        ((0.9, 0.1, 0.1, 0.9), "missed", None),
        ((0.9, 0.1, 0.1, 0.9, 0.9), "alarm", DAY - timedelta(days=1)),
        ((0.9, None, None, 0.9), "alarm", DAY - timedelta(days=3)),
        ((0.9, 0.9, None), "unmeasured", None),
    ],
)
def test_a_kpi_is_in_alarm_after_two_misses_of_three_and_says_since_when(values, state, since):
    *before, today = history(*values)
    [value] = kpis.judged(today, before).values
    assert (value.state, value.since) == (state, since)


def test_days_after_the_day_and_its_own_earlier_report_do_not_count():
    *before, today = history(0.1, 0.1, 0.9)
    later = [report(DAY + timedelta(days=1), 0.9), report(DAY, 0.9)]
    [value] = kpis.judged(today, [*later, *before]).values
    assert value.state == "missed"
    assert [week.days for week in kpis.judged(today, [*later, *before]).weeks] == [3]


def test_weeks_are_means_of_the_days_that_were_measured_and_reach_back_eight():
    days = [DAY - timedelta(days=n) for n in range(80)]
    found = kpis.judged(report(DAY, 0.3), [report(day, 0.1) for day in days[1:]]).weeks
    assert [week.monday.weekday() for week in found] == [0] * kpis.WEEKS
    assert (found[-1].monday, found[-1].days, found[-1].interactions) == (date(2026, 3, 9), 3, 30)
    assert found[-1].values == {"handover_share": pytest.approx(0.5 / 3, abs=1e-6)}
    assert found[0].values == {"handover_share": 0.1}
    empty = kpis.judged(report(DAY, None, 0), [])
    assert [(week.days, week.values) for week in empty.weeks] == [(1, {})]


def row(release: str, seconds: float, rating: int = 0, **more) -> dict:
    return {"release_id": release, "latency_seconds": seconds, "rating": rating, "status": 200, **more}


def test_each_release_has_its_own_latency_and_ratings():
    rows = [row("r-1", float(n)) for n in range(1, 21)]
    rows += [row("r-2", 1.0, 1), row("r-2", 1.0, -1), row("r-2", 1.0, 1, correction="no"), row("r-2", 9.0, status=502)]
    one, two = kpis.by_release(rows)
    assert (one.release_id, one.answers, one.p95_latency_seconds) == ("r-1", 20, 19.05)
    assert (one.rated, one.right, one.low, one.high) == (0, 0, 0.0, 1.0)
    assert (two.answers, two.p95_latency_seconds, two.rated, two.right) == (3, 1.0, 3, 1)
    assert 0 < two.low < 1 / 3 < two.high < 1
    assert kpis.by_release([]) == []
