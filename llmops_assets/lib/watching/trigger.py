"""Whether drift calls for retraining: a pure N-of-M decision on the reported windows, with a stable name for the cause.

The rule (at least N of the last M windows, and the latest one) is that of Databricks' mlops-stacks; a calibrated
alarm of the newest day fires as well. Why: docs/decisions/drift-detector.md.
"""

from collections.abc import Sequence
from datetime import date

from llmops_assets.lib.records import DriftPolicy, DriftReport, TriggerDecision


def n_of_m(flags: Sequence[bool], needed: int, of: int) -> bool:
    """Whether at least `needed` of the last `of` flags are set, the very last one included."""
    latest = flags[-of:]
    return bool(latest) and latest[-1] and sum(latest) >= needed


def alarm(report: DriftReport) -> str:
    """What of a day's alarms stands in a sentence."""
    told = ""
    if report.alarm_at is not None:
        told += f", alarm of {' and '.join(report.by)} after {report.alarm_at} interactions (p {report.p:.3f})"
    if report.cusum_alarm_at is not None:
        told += f", CUSUM alarm after {report.cusum_alarm_at} interactions"
    return f"{told}, CUSUM {report.cusum:.1f}"


def decide(reports: Sequence[DriftReport], trained_until: date | None, policy: DriftPolicy) -> TriggerDecision:
    """Fire when the windows since the last training drifted, n of the last m, or the newest day alarmed.

    `reports` in any order, one per day; days on or before `trained_until` (the last day in the serving release's
    training data) do not count. The cause is the first day of the unbroken run of drifted days that ends with the
    newest one: it keeps its name from day to day, so that a cause is acted on once.

    A topic that was just learned is still asked more often than in the data it was learned from. So within the policy's
    `settle_days` of the last learned day, a day on which at most `settled_share` of the questions were answered poorly
    calls for nothing.
    """
    fresh = sorted((r for r in reports if trained_until is None or r.day > trained_until), key=lambda r: r.day)
    needed, of = policy.n_of_m
    windows = [window.drifted for report in fresh for window in report.windows][-of:]
    violated = sum(windows)
    if not fresh:
        return TriggerDecision(fire=False, cause="", reasons=("no day since the last training",), violated=0, of=0)
    newest = fresh[-1]
    reason = f"{newest.day}: {violated} of the last {len(windows)} windows drifted{alarm(newest)}"
    if newest.outcome != "judged":
        counts = newest.interactions - sum(newest.left_out.values())
        reason = f"{newest.day} was not judged: {newest.outcome} ({counts} of {newest.interactions} interactions count)"
    alarmed = newest.cusum_alarm_at is not None or newest.alarm_at is not None
    fire = bool(newest.windows) and (n_of_m(windows, needed, of) or alarmed)
    if not fire:
        return TriggerDecision(fire=False, cause="", reasons=(reason,), violated=violated, of=len(windows))
    if trained_until is not None and _settled(newest, trained_until, policy):
        told = (
            f"{reason}; learned until {trained_until}, and {newest.poor_share:.0%} is answered poorly, so it can settle"
        )
        return TriggerDecision(fire=False, cause="", reasons=(told,), violated=violated, of=len(windows))
    start = newest.day
    for report in reversed(fresh[:-1]):
        if not report.drifted:
            break
        start = report.day
    return TriggerDecision(fire=True, cause=f"drift-{start}", reasons=(reason,), violated=violated, of=len(windows))


def alarmed_days(reports: Sequence[DriftReport], trained_until: date | None, policy: DriftPolicy) -> list[date]:
    """The days since the last training on which `decide` fires, with what was known by then."""
    ordered = sorted(reports, key=lambda report: report.day)
    return [
        newest.day
        for number, newest in enumerate(ordered, start=1)
        if (trained_until is None or newest.day > trained_until)
        and decide(ordered[:number], trained_until, policy).fire
    ]


def _settled(newest: DriftReport, trained_until: date, policy: DriftPolicy) -> bool:
    """Whether a day comes soon after what the release learned from, and is answered well; a report that does not say
    how it was answered is none."""
    soon = (newest.day - trained_until).days <= policy.settle_days
    return soon and newest.poor_share is not None and newest.poor_share <= policy.settled_share
