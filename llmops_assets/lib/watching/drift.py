"""Have customers' questions changed? A day's questions in order of time against the reference of the training data.

Which messages count is decided in counting.py, what is measured in `detection`, and what of it is unusual is learned
from days that are drawn from the reference (detection/calibration.py), so that the day alarms falsely about as often as
the policy says. Why so: docs/decisions/drift-detector.md, figures: benchmarks/drift.py.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import DriftPolicy, DriftWindow
from llmops_assets.lib.statistics import cusum, more_distant
from llmops_assets.lib.watching.detection import DETECTORS, JUDGES, Reference
from llmops_assets.lib.watching.detection.calibration import (
    Calibration,
    Check,
    Drawn,
    bounds,
    calibrate,
    drawn_days,
    measure,
    plan,
)
from llmops_assets.lib.watching.trigger import n_of_m

NOVEL_QUANTILE = 0.95
MINIMUM_REFERENCE = 60
MOST_REFERENCE = 3000
"""Of a larger reference a sample is compared with: memory grows with its square."""
MINIMUM_DAY = 20
"""Fewer questions say nothing about a day."""
EXAMPLES = 8
POOR_SHARE = 0.25
"""Share of poorly answered questions among the intents that grew, up to which more of them is a matter of volume."""
GROWN = 2.0
"""Standard deviations by which an intent is asked more than expected when it counts as grown."""
FARTHER = 0.01
"""p below which the questions of grown intents are farther from the reference than its own: not known topics."""
DISTANT = ("novelty", "sums")
"""Detectors that see questions far from everything known: what they see is never a matter of volume."""


Outcome = Literal["judged", "no traffic", "too few questions"]


class DriftError(LlmopsError, ValueError):
    """Drift cannot be judged on these data; the message says why and what to do."""


@dataclass(frozen=True)
class DriftReference:
    """What a day is compared with: questions, their distances to the nearest other one, their intents, the embedder."""

    known: Reference
    distances: np.ndarray
    threshold: float
    intents: tuple[str, ...]
    embedder: str = ""

    @property
    def base_rate(self) -> float:
        """Share of the reference's questions beyond the threshold."""
        return float((self.distances > self.threshold).mean())


@dataclass(frozen=True)
class DayJudgement:
    """What was found on a day.

    `outcome` is "judged", "no traffic" or "too few questions". `alarm_at` is the number of questions after which the
    calibrated alarm came, `by` are the detectors that gave it, `p` is the share of clean days that look as unusual.
    `p_values` are each detector's smallest, `level` is the one at or below which the day alarms, `cannot` says which
    detectors could not fire and why. `novel` are indices of questions, most novel first; `distances` and `intents` are
    those of the nearest reference question.
    """

    windows: tuple[DriftWindow, ...]
    cusum: float
    cusum_alarm_at: int | None
    drifted: bool
    novel: tuple[int, ...]
    distances: np.ndarray
    intents: tuple[str, ...] = ()
    outcome: Outcome = "judged"
    alarm_at: int | None = None
    by: tuple[str, ...] = ()
    p: float = 1.0
    window: int = 0
    p_values: Mapping[str, float] | None = None
    level: float = 0.0
    cannot: Mapping[str, str] | None = None


def fit_reference(
    vectors: np.ndarray, intents: Sequence[str], *, embedder: str = "", most: int = MOST_REFERENCE, seed: int = 0
) -> DriftReference:
    """The reference of the training questions, unit vectors (n, d) with their intents; of more than `most` a sample.

    Duplicates count: how often a question comes is part of the distribution, and a day has duplicates of the reference
    just as often as the reference itself. `embedder` is the digest of what made the vectors. DriftError below 60
    questions, or where vectors are no numbers.
    """
    count = len(vectors)
    if count < MINIMUM_REFERENCE:
        raise DriftError(f"the reference has {count} questions; drift needs at least {MINIMUM_REFERENCE}")
    if count != len(intents):
        raise ValueError("vectors and intents must have one row per question")
    _whole("the reference", vectors)
    chosen = np.arange(count)
    if count > most:
        chosen = np.sort(np.random.default_rng(seed).permutation(count)[:most])
    names = tuple(intents[n] for n in chosen)
    known = Reference(vectors[chosen], names)
    distances = 1.0 - known.own.similarity[:, 0]
    return DriftReference(known, distances, float(np.quantile(distances, NOVEL_QUANTILE)), names, embedder)


def judge_day(
    reference: DriftReference,
    times: Sequence[datetime],
    vectors: np.ndarray,
    policy: DriftPolicy,
    *,
    poor: Sequence[bool] | None = None,
    embedder: str = "",
    calibration: Calibration | None = None,
) -> DayJudgement:
    """Judge a day's questions, unit vectors (n, d) in order of time.

    The day has drifted on a calibrated alarm, when n of its last m windows have drifted, or when the CUSUM exceeds the
    policy's threshold; together they do so falsely on at most about `alpha` of days. `poor` says which questions were
    answered poorly: known topics that are asked more often and answered well are a matter of volume, which nothing is
    to be learned from. Without it every change of the intents' shares is drift. `calibration` is that of another day as
    long as this one. DriftError where the vectors are of
    another embedder than the reference, or no numbers.
    """
    count = len(times)
    if not count == len(vectors) == (count if poor is None else len(poor)):
        raise ValueError("times, vectors and poor must have one row per question")
    _comparable(reference, vectors, embedder)
    if count == 0:
        return DayJudgement((), 0.0, None, False, (), np.zeros(0), outcome="no traffic")
    seen = reference.known.see(vectors)
    distances = 1.0 - seen.similarity[:, 0]
    intents = tuple(reference.known.names[code] for code in seen.intents)
    ranked = tuple(int(i) for i in np.argsort(-distances, kind="stable") if distances[i] > reference.threshold)
    if count < MINIMUM_DAY:
        return DayJudgement((), 0.0, None, False, ranked, distances, intents, outcome="too few questions")
    window = window_of(reference, policy)
    asked = [DETECTORS[name] for name in JUDGES]
    calibration = calibration or calibrated(reference, count, policy)
    checks = plan(count, window)
    p = {n: x[0] for n, x in calibration.p(measure(asked, seen, np.arange(count)[None], checks), checks).items()}
    day = _Day(reference, checks, p, distances, intents, poor)
    windows = tuple(_window(day, calibration, check, times, policy.alpha) for check in bounds(count, window))
    running = cusum([bool(d > reference.threshold) for d in distances], reference.base_rate, policy.cusum_threshold)
    alarm = next(
        (n for n in range(len(checks)) if day.by(n, calibration.level) and not day.volume(n, calibration.level)), None
    )
    least = float(day.smallest.min())
    return DayJudgement(
        windows,
        round(running.value, 4),
        running.alarm_at,
        n_of_m([w.drifted for w in windows], *policy.n_of_m) or running.alarm_at is not None or alarm is not None,
        ranked,
        distances,
        intents,
        alarm_at=None if alarm is None else checks[alarm].end,
        by=() if alarm is None else day.by(alarm, calibration.level),
        p=round(calibration.day_p(least), 6),
        window=window,
        p_values={name: float(found.min()) for name, found in p.items()},
        level=calibration.level,
        cannot=dict(calibration.cannot),
    )


def window_of(reference: DriftReference, policy: DriftPolicy) -> int:
    """Questions per window: the policy's, or half of a small reference, of which windows must be drawn."""
    return min(policy.window, len(reference.known) // 2)


def calibrated(
    reference: DriftReference, count: int, policy: DriftPolicy, *, drawn: Drawn | None = None
) -> Calibration:
    """What a day of `count` questions is judged by; the rules on windows and on the CUSUM are part of its budget.

    `drawn`: days of this length that the detectors have measured.
    """
    hits = reference.distances > reference.threshold
    judges = [DETECTORS[name] for name in JUDGES]

    def fires(flags: np.ndarray, streams: np.ndarray) -> np.ndarray:
        windows = np.array([n_of_m(row.tolist(), *policy.n_of_m) for row in flags])
        sums = [cusum(row, reference.base_rate, policy.cusum_threshold).alarm_at for row in hits[streams].tolist()]
        return windows | np.array([alarm is not None for alarm in sums])

    drawn = drawn or drawn_days(judges, reference.known, count, window_of(reference, policy))
    return calibrate(drawn, count, policy.alpha, fires=fires)


@dataclass(frozen=True)
class _Day:
    """The p of every look at a day, and what it takes to tell a new topic from more of a known one."""

    reference: DriftReference
    checks: Sequence[Check]
    p: Mapping[str, np.ndarray]
    distances: np.ndarray
    intents: Sequence[str]
    poor: Sequence[bool] | None

    @property
    def smallest(self) -> np.ndarray:
        """The smallest p of each look."""
        return np.minimum.reduce(list(self.p.values())) if self.p else np.ones(len(self.checks))

    def by(self, number: int, level: float) -> tuple[str, ...]:
        """The detectors whose p is at or below a level."""
        return tuple(name for name, found in self.p.items() if found[number] <= level)

    def volume(self, number: int, level: float) -> bool:
        """Whether what was seen is more of known topics that are answered well.

        No detector of distance saw it, the questions of the intents that grew are no farther from the reference than
        its own, and few of them were answered poorly.
        """
        if self.poor is None or set(self.by(number, level)) & set(DISTANT):
            return False
        start, end = self.checks[number].start, self.checks[number].end
        grown = _grown(self.reference.intents, self.intents[start:end])
        of_them = [n for n in range(start, end) if self.intents[n] in grown]
        if more_distant(self.distances[of_them], self.reference.distances) <= FARTHER:
            return False
        return sum(self.poor[n] for n in of_them) <= POOR_SHARE * len(of_them)


def _window(day: _Day, calibration: Calibration, check: Check, times: Sequence[datetime], alpha: float) -> DriftWindow:
    number = day.checks.index(check)
    level = calibration.window_level(check.size, alpha)
    unusual = bool(day.smallest[number] <= level)
    served = unusual and day.volume(number, level)
    novel = day.distances[check.start : check.end] > day.reference.threshold
    p = {name: round(float(found[number]), 6) for name, found in day.p.items()}
    return DriftWindow(
        start=times[check.start],
        end=times[check.end - 1],
        size=check.size,
        novelty_share=round(float(novel.mean()), 4),
        novelty_p=p.get("novelty", 1.0),
        intents_p=p.get("intents", 1.0),
        p=round(calibration.window_p(float(day.smallest[number]), check.size), 6),
        drifted=unusual and not served,
        volume=served,
    )


def _grown(before: Sequence[str], now: Sequence[str]) -> set[str]:
    """Intents that are asked clearly more often than before; of none, the one that grew most."""
    counted, usual = Counter(now), Counter(before)
    expected = {intent: usual[intent] * len(now) / len(before) for intent in counted}
    rise = {intent: (counted[intent] - expected[intent]) / (expected[intent] + 0.5) ** 0.5 for intent in counted}
    return {intent for intent in rise if rise[intent] >= min(GROWN, max(rise.values()))}


def _comparable(reference: DriftReference, vectors: np.ndarray, embedder: str) -> None:
    if reference.embedder != embedder:
        raise DriftError(
            f"the reference was embedded with {reference.embedder[:12] or 'an unknown embedder'}, the day with "
            f"{embedder[:12] or 'an unknown one'}: embed both with the same"
        )
    dimensions = reference.known.vectors.shape[1]
    if len(vectors) and vectors.shape[1] != dimensions:
        raise DriftError(
            f"the day's vectors have {vectors.shape[1]} dimensions, the reference's {dimensions}: "
            "embed both with the same embedder"
        )
    _whole("the day", vectors)


def _whole(what: str, vectors: np.ndarray) -> None:
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1)) if len(vectors) else []
    if len(broken):
        raise DriftError(
            f"{len(broken)} of {len(vectors)} vectors of {what} are no numbers, the first is row {broken[0]}: "
            "embed these questions again"
        )
