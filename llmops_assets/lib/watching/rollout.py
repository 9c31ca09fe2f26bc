"""Whether a candidate goes on to more customers, is taken back, or waits: a pure decision on a step's conversations.

Beside each other candidate and incumbent answer conversations by the hash of their names; a conversation counts once,
for each metric by its first event. What may be said of the counts at any time is in rollout_evidence.py, why it is
decided so in docs/decisions/rollout.md.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from llmops_assets.lib.records import (
    TOLERATED,
    Metric,
    RolloutDecision,
    RolloutFigure,
    RolloutPolicy,
)
from llmops_assets.lib.watching import rollout_evidence

Row = Mapping[str, Any]
"""An answer as the interaction log keeps it: release_id, conversation, turn, time, status, path, guards,
latency_seconds, rating, correction, and said_at, the time of its feedback."""
UNEVEN = 0.001
"""Level of the test whether the candidate got its share of conversations at all."""


def _slow(row: Row, seconds: float) -> bool:
    return row["status"] == 200 and row["latency_seconds"] > seconds


def _guarded(row: Row, _: float) -> bool:
    """Whether a guard changed what was said; what was only noted did not."""
    return any(not found.endswith(":note") for found in row["guards"].split(",") if found)


EVENTS: Mapping[Metric, Callable[[Row, float], bool]] = {
    "errors": lambda row, _: row["status"] >= 500,
    "slow": _slow,
    "guards": _guarded,
    "handovers": lambda row, _: row["path"] == "handover",
    "bad_ratings": lambda row, _: row["rating"] < 0,
    "corrections": lambda row, _: bool(row["correction"]),
}
"""Metric to whether an answer is its event, given the seconds from which on one is slow."""
LATER_ON: frozenset[Metric] = frozenset(("bad_ratings", "corrections"))
"""Metrics whose event comes with feedback, at its time."""


@dataclass
class Tally:
    """Counts of a step. `sides` has for each metric, in the order of the events, whether the candidate had it."""

    candidate_of: int = 0
    incumbent_of: int = 0
    sides: dict[Metric, list[bool]] = field(default_factory=lambda: {metric: [] for metric in TOLERATED})
    order: list[bool] = field(default_factory=list)
    """Whose each conversation was, in the order in which they began."""


def tally(rows: Iterable[Row], candidate: str, incumbent: str, slow_seconds: float) -> Tally:
    """Count the conversations that began with the candidate or the incumbent; `rows` in order of time.

    One that had begun before is nobody's: it was answered by another side then. A conversation is its first answer's.
    """
    counted, side_of = Tally(), dict[str, bool | None]()
    first: dict[tuple[Metric, str], tuple[datetime | str, int, bool]] = {}
    for number, row in enumerate(rows):
        name = row["conversation"]
        if name not in side_of:
            known = row["release_id"] in (candidate, incumbent) and row["turn"] == 0
            side_of[name] = row["release_id"] == candidate if known else None
            if known:
                counted.order.append(row["release_id"] == candidate)
        if (side := side_of[name]) is None:
            continue
        for metric, happened in EVENTS.items():
            if happened(row, slow_seconds):
                moment = row["said_at"] if metric in LATER_ON else row["time"]
                key = metric, name
                first[key] = min(first.get(key, (moment, number, side)), (moment, number, side))
    for (metric, _), (_, _, side) in sorted(first.items(), key=lambda item: item[1][:2]):
        counted.sides[metric].append(side)
    counted.candidate_of = sum(counted.order)
    counted.incumbent_of = len(counted.order) - counted.candidate_of
    return counted


def figure(metric: Metric, counted: Tally, share: float, policy: RolloutPolicy) -> RolloutFigure:
    """What may be said of a metric now; the evidence is looked at after every event."""
    import numpy as np

    sides = np.array(counted.sides[metric], int)
    mine, other = int(sides.sum()), int(len(sides) - sides.sum())
    p = 1.0
    if len(sides):
        path = rollout_evidence.log_evidence(sides.cumsum(), np.arange(1, len(sides) + 1), share)
        p = float(rollout_evidence.always_valid_p(path)[-1])
    total, beside = counted.candidate_of, counted.incumbent_of
    low, high = rollout_evidence.loss_interval(mine, total, other, beside, policy.alpha)
    loss = mine / total - other / beside if total and beside else 0.0
    return RolloutFigure(
        metric=metric,
        candidate=mine,
        candidate_of=total,
        incumbent=other,
        incumbent_of=beside,
        loss=round(loss, 6),
        low=round(float(low), 6),
        high=round(float(high), 6),
        tolerated=policy.tolerance(metric),
        p=p,
        level=policy.level,
    )


def uneven(counted: Tally, share: float) -> float:
    """Always-valid p that the candidate gets its share of conversations: answers that are lost before they are logged
    show here (Lindon and Malek's test of a sample ratio mismatch)."""
    import numpy as np

    if not counted.order:
        return 1.0
    path = rollout_evidence.log_evidence(
        np.cumsum(counted.order), np.arange(1, len(counted.order) + 1), share, both=True
    )
    return float(rollout_evidence.always_valid_p(path)[-1])


def decide(counted: Tally, policy: RolloutPolicy, share: float, hours: float, *, held: bool = False) -> RolloutDecision:
    """What follows from a step that has been served for `hours`.

    Taken back: a metric shown to be worse, unless its loss is shown to be within what is tolerated. Gone on: enough
    conversations, and on every metric an interval that excludes the tolerated loss. `held` by a person it only waits or
    is taken back.
    """
    figures = tuple(figure(metric, counted, share, policy) for metric in EVENTS)
    tripped = [f for f in figures if f.p <= f.level and f.high > f.tolerated]
    if tripped:
        worst = min(tripped, key=lambda f: f.p)
        return RolloutDecision(verdict="roll_back", metric=worst.metric, reason=worst.told(), figures=figures)
    missing = _missing(counted, figures, policy)
    about = f"{counted.candidate_of} conversations of the candidate at {share:.0%}, nothing is shown to be worse"
    if held:
        return RolloutDecision(verdict="wait", reason=f"{about}; a person holds it", figures=figures)
    if (p := uneven(counted, share)) <= UNEVEN:
        whole = counted.candidate_of + counted.incumbent_of
        told = f"the candidate has {counted.candidate_of} of {whole} conversations, which {share:.0%} does not explain"
        reason = f"{told} (p {p:.2g}): look for answers that were never logged"
        return RolloutDecision(verdict="ask", reason=reason, figures=figures)
    if not missing:
        return RolloutDecision(
            verdict="advance", reason=f"{about}; every loss is shown to be tolerable", figures=figures
        )
    waits = f"{about}; {missing}"
    if hours < policy.maximum_hours:
        return RolloutDecision(verdict="wait", reason=waits, figures=figures)
    verdicts = {"ask": "ask", "roll_back": "roll_back", "go_on": "advance"}
    reason = f"{waits}, after {hours:.0f} hours (on_timeout: {policy.on_timeout})"
    return RolloutDecision.model_validate(
        {"verdict": verdicts[policy.on_timeout], "reason": reason, "figures": figures}
    )


def _missing(counted: Tally, figures: Sequence[RolloutFigure], policy: RolloutPolicy) -> str:
    """What is not shown yet, in a sentence; "": nothing."""
    told = []
    if counted.candidate_of < policy.minimum_conversations:
        told.append(f"{policy.minimum_conversations} are needed")
    wide = [f"{f.metric} {100 * f.high:.1f} of {100 * f.tolerated:.1f}" for f in figures if f.high > f.tolerated]
    if wide:
        told.append(f"losses may be as large as, in points of those tolerated: {', '.join(wide)}")
    return "; ".join(told)
