"""Whether drift calls for retraining: a pure decision on the last days' reports, with a stable name for the cause."""

from collections.abc import Sequence
from datetime import date

from llmops_assets.lib.records import DriftReport, TriggerDecision


def decide(reports: Sequence[DriftReport], trained_until: date | None, *, days: int = 3) -> TriggerDecision:
    """Fire when the newest day drifted; the cause is the first day of the unbroken run of drifted days since training.

    `reports` in any order; days on or before `trained_until` (the last day in the serving release's training data)
    no longer count. `days` is how many days back the counts look. The same cause keeps its name from day to day, so a
    cause is acted on once.
    """
    fresh = sorted((r for r in reports if trained_until is None or r.day > trained_until), key=lambda r: r.day)
    recent = fresh[-days:]
    violated = sum(r.drifted for r in recent)
    if not recent:
        return TriggerDecision(fire=False, cause="", reasons=("no day since the last training",), violated=0, of=0)
    newest = recent[-1]
    if not newest.drifted:
        reason = f"{newest.day}: no drift in {len(newest.windows)} windows, CUSUM {newest.cusum:.1f}"
        return TriggerDecision(fire=False, cause="", reasons=(reason,), violated=violated, of=len(recent))
    start = newest.day
    for report in reversed(fresh):
        if not report.drifted:
            break
        start = report.day
    drifted = sum(w.drifted for w in newest.windows)
    alarm = f", CUSUM alarm after {newest.cusum_alarm_at} interactions" if newest.cusum_alarm_at else ""
    reason = f"{newest.day}: {drifted} of {len(newest.windows)} windows drifted{alarm}"
    return TriggerDecision(fire=True, cause=f"drift-{start}", reasons=(reason,), violated=violated, of=len(recent))
