"""What a candidate in the shadow would have done where the live release answered: figures of paired questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmops_assets.lib.statistics import mcnemar_exact, paired_interval
from llmops_assets.lib.watching.rollout import EVENTS

PAIRED = ("errors", "slow", "guards", "handovers")
"""Metrics of rollout.EVENTS that need nobody's feedback: to what nobody was sent there is none."""


@dataclass(frozen=True)
class PairedFigure:
    """Questions on which one side alone had an event, of `total`; the interval is of the candidate's share more.

    `low` to `high` hold with 90 % when they are looked at once, so does `p` (McNemar, two-sided).
    """

    metric: str
    shadow_only: int
    live_only: int
    total: int
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Pairs:
    """Figures, how many answers are the same text, how many take the same path, and the rows where the path differs."""

    total: int
    same_answer: int
    same_path: int
    figures: tuple[PairedFigure, ...]
    differing: tuple[Mapping[str, Any], ...]


def compare(rows: Sequence[Mapping[str, Any]], slow_seconds: float) -> Pairs:
    """Compare rows of `InteractionLog.shadowed`."""
    sides = [({**row}, {**row, **_shadow(row)}) for row in rows]
    figures = []
    for metric in PAIRED:
        happened = [
            (EVENTS[metric](live, slow_seconds), EVENTS[metric](shadow, slow_seconds)) for live, shadow in sides
        ]
        mine, other = happened.count((False, True)), happened.count((True, False))
        low, high = paired_interval(mine, other, len(rows))
        p = mcnemar_exact(mine, other)
        figures.append(PairedFigure(metric, mine, other, len(rows), round(low, 4), round(high, 4), p))
    return Pairs(
        total=len(rows),
        same_answer=sum(row["answer"] == row["shadow_answer"] for row in rows),
        same_path=sum(row["path"] == row["shadow_path"] for row in rows),
        figures=tuple(figures),
        differing=tuple(row for row in rows if row["answer"] != row["shadow_answer"]),
    )


def _shadow(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("shadow_"): value for name, value in row.items() if name.startswith("shadow_")}
