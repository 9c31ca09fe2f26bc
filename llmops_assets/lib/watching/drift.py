"""Have customers' questions changed? A day's windows against the reference of the training data.

Which messages count is decided in counting.py. Novelty (distance to the nearest reference question, against a
calibration set that is disjoint from the reference) with Fisher's exact and the Mann-Whitney test, predicted intents
with chi-square, Bonferroni over the three; a CUSUM on the novelty indicator for the fastest alarm. Why these:
docs/decisions/drift-detector.md, figures: benchmarks/drift.py.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import DriftPolicy, DriftWindow
from llmops_assets.lib.statistics import chi_square, cusum, fisher_more, more_distant
from llmops_assets.lib.watching.trigger import n_of_m

NOVEL_QUANTILE = 0.95
CALIBRATION_SHARE = 0.4
MINIMUM_REFERENCE = 60
EXAMPLES = 8
POOR_SHARE = 0.25
"""Share of poorly answered questions among the intents that grew, up to which more of them is a matter of volume."""


class DriftError(LlmopsError, ValueError):
    """Drift cannot be judged on these data; the message says why and what to do."""


@dataclass(frozen=True)
class DriftReference:
    """What a window is compared with: reference vectors, the calibration's distances to them, and its intents."""

    vectors: np.ndarray
    distances: np.ndarray
    threshold: float
    intents: tuple[str, ...]

    @property
    def base_rate(self) -> float:
        """Share of calibration questions beyond the threshold."""
        return float((self.distances > self.threshold).mean())

    def distance(self, vectors: np.ndarray) -> np.ndarray:
        """Cosine distance (n,) of each row to its nearest reference question."""
        return 1.0 - (vectors @ self.vectors.T).max(axis=1)


@dataclass(frozen=True)
class DayJudgement:
    """A day's windows, the running sum and which questions were novel (indices, most novel first)."""

    windows: tuple[DriftWindow, ...]
    cusum: float
    cusum_alarm_at: int | None
    drifted: bool
    novel: tuple[int, ...]
    distances: np.ndarray


def fit_reference(vectors: np.ndarray, intents: Sequence[str], *, seed: int = 0) -> DriftReference:
    """Split the training questions at random into reference and calibration (40 %) and measure the latter.

    Duplicates count: how often a question comes is part of the distribution, and a window has duplicates of the
    reference just as often as the calibration has. DriftError below 60 questions.
    """
    count = len(vectors)
    if count < MINIMUM_REFERENCE:
        raise DriftError(f"the reference has {count} questions; drift needs at least {MINIMUM_REFERENCE}")
    order = np.random.default_rng(seed).permutation(count)
    calibration, reference = np.split(order, [int(count * CALIBRATION_SHARE)])
    distances = 1.0 - (vectors[calibration] @ vectors[reference].T).max(axis=1)
    threshold = float(np.quantile(distances, NOVEL_QUANTILE))
    return DriftReference(vectors[reference], distances, threshold, tuple(intents[i] for i in calibration))


def judge_day(
    reference: DriftReference,
    times: Sequence[datetime],
    vectors: np.ndarray,
    intents: Sequence[str],
    policy: DriftPolicy,
    *,
    poor: Sequence[bool] | None = None,
) -> DayJudgement:
    """Judge a day's questions in order of time. The day has drifted when n of its last m windows have, or on an alarm.

    `poor` says which were answered poorly: known topics that are asked more often and answered well are a matter of
    volume, which nothing is to be learned from. Without it every change of the intents' shares is drift. A rest of at
    least half a window is a window of its own; a smaller one joins the window before it.
    """
    answered = [True] * len(times) if poor is None else list(poor)
    if not len(times) == len(vectors) == len(intents) == len(answered):
        raise ValueError("times, vectors, intents and poor must have one row per question")
    distances = reference.distance(vectors) if len(vectors) else np.zeros(0)
    novel = distances > reference.threshold
    windows = tuple(
        _window(reference, times[start:end], distances[start:end], intents[start:end], answered[start:end], policy)
        for start, end in _bounds(len(times), policy.window)
    )
    running = cusum([bool(x) for x in novel], reference.base_rate, policy.cusum_threshold)
    drifted = n_of_m([w.drifted for w in windows], *policy.n_of_m) or running.alarm_at is not None
    ranked = [int(i) for i in np.argsort(-distances, kind="stable") if novel[i]]
    return DayJudgement(windows, round(running.value, 4), running.alarm_at, drifted, tuple(ranked), distances)


def _window(
    reference: DriftReference,
    times: Sequence[datetime],
    distances: np.ndarray,
    intents: Sequence[str],
    poor: Sequence[bool],
    policy: DriftPolicy,
) -> DriftWindow:
    hits, size = int((distances > reference.threshold).sum()), len(distances)
    base_hits, base = int((reference.distances > reference.threshold).sum()), len(reference.distances)
    novelty = fisher_more(hits, size, base_hits, base)
    shifted = more_distant(distances, reference.distances)
    changed = chi_square(reference.intents, list(intents))
    level = policy.alpha / 3
    served = changed < level and _answered_well(reference.intents, intents, poor)
    return DriftWindow(
        start=times[0],
        end=times[-1],
        size=size,
        novelty_share=round(hits / size, 4),
        novelty_p=round(min(1.0, 2 * min(novelty, shifted)), 6),
        intents_p=round(changed, 6),
        drifted=min(novelty, shifted) < level or (changed < level and not served),
        volume=served,
    )


def _answered_well(reference: Sequence[str], intents: Sequence[str], poor: Sequence[bool]) -> bool:
    """Whether the questions of intents that are asked more often than before were answered well."""
    before, now = Counter(reference), Counter(intents)
    grown = {i for i in now if now[i] / len(intents) > before[i] / len(reference)}
    badly = [bad for intent, bad in zip(intents, poor, strict=True) if intent in grown]
    return sum(badly) <= POOR_SHARE * len(badly)


def _bounds(count: int, window: int) -> list[tuple[int, int]]:
    bounds = [(start, min(start + window, count)) for start in range(0, count, window)]
    if len(bounds) > 1 and bounds[-1][1] - bounds[-1][0] < window / 2:
        last = bounds.pop()
        bounds[-1] = (bounds[-1][0], last[1])
    return bounds
