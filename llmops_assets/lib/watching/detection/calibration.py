"""What a detector's figure is worth: how often windows and whole days drawn from the reference reach it.

Days are drawn from the reference without a repetition inside a window, as long as the day that is judged, and looked
at as often: the alarm's level is the one that so many of them reach as the budget says (the smallest p of several
tests, calibrated as one: Westfall and Young 1993, ISBN 978-0-471-55761-6). What may happen on such a day besides (the
rule on windows, the fixed CUSUM) is part of the same budget.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from llmops_assets.lib.watching.detection.base import Detector, PathDetector, WindowDetector
from llmops_assets.lib.watching.detection.questions import INFLATION, Questions, Reference, Windows

DRAWN = 300
"""Days that are drawn from the reference."""
SMALLEST = 30
"""Questions after which a day is looked at for the first time."""
LOOKS = 4
"""How often a day is looked at while a window fills."""
LONGEST = 12
"""Windows of the longest day that is drawn; a longer one has its level scaled by its length."""
BUDGET_SHARE = 0.8
"""Share of the budget that drawn days may use: the reference is a sample itself, of which drawn days know only a part.
Chosen on clean days of banking77 and clinc150: docs/decisions/drift-detector.md."""
TAIL = 0.05
"""Share of the largest figures whose tail is taken for exponential; smaller p are read off it."""
CHUNK = 1_500_000


@dataclass(frozen=True, order=True)
class Check:
    """The questions from `start` to before `end` are looked at together."""

    end: int
    start: int

    @property
    def size(self) -> int:
        """Questions that are looked at."""
        return self.end - self.start


def bounds(count: int, window: int) -> list[Check]:
    """A day's windows one after the other; a rest of less than half a window joins the one before it."""
    found = [Check(min(start + window, count), start) for start in range(0, count, window)]
    if len(found) > 1 and found[-1].size < window / 2:
        last = found.pop()
        found[-1] = Check(last.end, found[-1].start)
    return found


def plan(count: int, window: int) -> list[Check]:
    """When a day is looked at: while the first window fills, then a window that moves on by a quarter, and `bounds`."""
    step = max(1, window // LOOKS)
    filling = [Check(end, 0) for end in range(step, min(window, count), step) if end >= SMALLEST]
    moving = [Check(start + window, start) for start in range(0, count - window + 1, step)]
    return sorted({*filling, *moving, *bounds(count, window)})


def measure(
    detectors: Sequence[Detector], questions: Questions, streams: np.ndarray, checks: Sequence[Check], *, seed: int = 0
) -> dict[str, np.ndarray]:
    """Each detector's figures (b, checks) of streams (b, n) of indices of questions."""
    found = {detector.name: np.empty((len(streams), len(checks))) for detector in detectors}
    rng = np.random.default_rng(seed)
    by_window = [detector for detector in detectors if isinstance(detector, WindowDetector)]
    for size in sorted({check.size for check in checks}) if by_window else ():
        columns = [number for number, check in enumerate(checks) if check.size == size]
        members = np.stack([streams[:, checks[n].start : checks[n].end] for n in columns], axis=1).reshape(-1, size)
        parts: dict[str, list[np.ndarray]] = {detector.name: [] for detector in by_window}
        step = max(1, CHUNK // size**2)
        for start in range(0, len(members), step):
            part = members[start : start + step]
            windows = Windows(questions, part, part if questions.drawn else _left_out(rng, questions.known, part))
            for detector in by_window:
                parts[detector.name].append(detector.statistic(windows))
        for name, figures in parts.items():
            found[name][:, columns] = np.concatenate(figures).reshape(len(streams), len(columns))
    for detector in detectors:
        if isinstance(detector, PathDetector):
            path = detector.path(_ranks(rng, questions, streams))
            for number, check in enumerate(checks):
                found[detector.name][:, number] = path[:, check.start : check.end].max(axis=1)
    return found


def _ranks(rng: np.random.Generator, questions: Questions, streams: np.ndarray) -> np.ndarray:
    """The ranks (b, n) of streams; for drawn ones among ranks that are drawn, too, as a reference is a sample."""
    ranks = questions.rank[streams]
    if not questions.drawn:
        return ranks
    # Drawn without repetition, a stream varies by one reference's share less than a new one.
    size = max(1, round(len(questions.rank) / (1 + INFLATION)))
    samples = np.sort(rng.choice(questions.rank, (len(streams), size)), axis=1)
    found = np.stack([np.searchsorted(sample, row) for sample, row in zip(samples, ranks, strict=True)])
    return (found + 0.5) / (size + 1)


def _left_out(rng: np.random.Generator, known: Reference, members: np.ndarray) -> np.ndarray:
    count, size = members.shape
    return np.stack([rng.choice(len(known), size, replace=False) for _ in range(count)])


@dataclass(frozen=True)
class Tail:
    """The distribution of a figure among windows drawn from the reference."""

    figures: np.ndarray
    from_: float
    mean_excess: float

    @classmethod
    def of(cls, figures: np.ndarray) -> "Tail":
        """Of all figures, with the mean excess over their quantile where the tail begins."""
        ordered = np.sort(figures)
        begin = float(np.quantile(ordered, 1 - TAIL))
        over = ordered[ordered > begin] - begin
        return cls(ordered, begin, float(over.mean()) if len(over) else 0.0)

    @property
    def silent(self) -> bool:
        """Whether every drawn window has the same figure, so that none is unusual."""
        return self.figures[0] == self.figures[-1]

    def p(self, figures: np.ndarray) -> np.ndarray:
        """Share of drawn windows with such a figure or a larger one; beyond the tail's begin an exponential's."""
        reached = len(self.figures) - np.searchsorted(self.figures, figures, side="left")
        shares = (1 + reached) / (1 + len(self.figures))
        if not self.mean_excess:
            return shares
        beyond = figures > self.from_
        over = np.where(beyond, figures - self.from_, 0.0)
        return np.where(beyond, np.minimum(TAIL, TAIL * np.exp(-over / self.mean_excess)), shares)


@dataclass(frozen=True)
class Calibration:
    """What figures of a day of this length are worth against this reference.

    `level`: the day's smallest p, at or below which it alarms. `cannot`: reasons of detectors that are not counted.
    """

    checks: tuple[Check, ...]
    tails: Mapping[tuple[str, int], Tail]
    windows: Mapping[int, np.ndarray]
    days: np.ndarray
    level: float
    cannot: Mapping[str, str]
    scale: float = 1.0
    """Length of the day over that of the drawn ones."""

    def p(self, measured: Mapping[str, np.ndarray], checks: Sequence[Check]) -> dict[str, np.ndarray]:
        """Each detector's p (b, checks); one that cannot fire is left out."""
        return {
            name: np.column_stack([self.tails[name, c.size].p(figures[:, n]) for n, c in enumerate(checks)])
            for name, figures in measured.items()
            if name not in self.cannot
        }

    def window_level(self, size: int, alpha: float) -> float:
        """The smallest p of its detectors that so many drawn windows of a size reach."""
        drawn = self.windows[size]
        position = int(alpha * len(drawn))
        return float(drawn[position - 1]) if position else 0.0

    def window_p(self, smallest: float, size: int) -> float:
        """p of a window from the smallest p of its detectors."""
        drawn = self.windows[size]
        return float((1 + np.searchsorted(drawn, smallest, side="right")) / (1 + len(drawn)))

    def day_p(self, smallest: float) -> float:
        """Share of drawn days, made as long as the day, whose smallest p is as small."""
        return float((1 + (self.days <= smallest * self.scale * (1 + 1e-9)).sum()) / (1 + len(self.days)))


def draw_days(count: int, length: int, days: int, rng: np.random.Generator) -> np.ndarray:
    """(days, length) indices of a reference of `count`, none twice within `count // 2` questions of one another."""
    found = np.empty((days, -(-length // count) * count), int)
    for start in range(0, found.shape[1], count):
        for day in found:
            order = rng.permutation(count)
            if start:
                # What came in the second half of the round before comes in the second half of this one.
                late = np.isin(order, day[start - count // 2 : start])
                order = np.concatenate([order[~late], order[late]])
            day[start : start + count] = order
    return found[:, :length]


@dataclass(frozen=True)
class Drawn:
    """Days (days, length) of indices into a reference, and what detectors measured at each look at them."""

    known: Reference
    detectors: tuple[Detector, ...]
    window: int
    checks: tuple[Check, ...]
    streams: np.ndarray
    figures: Mapping[str, np.ndarray]


def drawn_days(
    detectors: Sequence[Detector], known: Reference, length: int, window: int, *, days: int = DRAWN, seed: int = 0
) -> Drawn:
    """Draw days of `length` questions from the reference and measure them. `window`: at most half of the reference."""
    shorter = min(length, LONGEST * window + length % window)
    checks = plan(shorter, window)
    streams = draw_days(len(known), shorter, days, np.random.default_rng(seed))
    return Drawn(
        known, tuple(detectors), window, tuple(checks), streams, measure(detectors, known.own, streams, checks)
    )


def calibrate(
    drawn: Drawn,
    length: int,
    alpha: float,
    *,
    fires: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> Calibration:
    """Set the level for false alarms on `alpha` of days of `length` questions.

    `fires(flags, streams)` says which drawn days (b,) call for an alarm by other rules: from the flags (b, windows) of
    the day's windows whose p is at most alpha, and the streams (b, n) of indices into the reference.
    """
    checks, days = drawn.checks, len(drawn.streams)
    own = drawn.known.own
    cannot = {detector.name: reason for detector in drawn.detectors if (reason := detector.cannot(own))}
    tails: dict[tuple[str, int], Tail] = {}
    sizes = np.array([check.size for check in checks])
    for detector in drawn.detectors:
        name, figures = detector.name, drawn.figures[detector.name]
        for size in sorted(set(sizes.tolist())):
            tails[name, size] = tail = Tail.of(figures[:, sizes == size].ravel())
            if tail.silent:
                cannot.setdefault(name, f"every window of {size} drawn from the reference gives the same figure")
    scale = length / drawn.streams.shape[1]
    p = Calibration(checks, tails, {}, np.ones(0), 0.0, cannot, scale).p(drawn.figures, checks)
    smallest = np.minimum.reduce(list(p.values())) if p else np.ones((days, len(checks)))
    windows = {int(size): np.sort(smallest[:, sizes == size].ravel()) for size in set(sizes.tolist())}
    least = smallest.min(axis=1)
    found = Calibration(checks, tails, windows, np.sort(least), 0.0, cannot, scale)
    fired = np.zeros(days, bool)
    if fires is not None:
        whole = [checks.index(check) for check in bounds(drawn.streams.shape[1], drawn.window)]
        flags = smallest[:, whole] <= np.array([found.window_level(checks[n].size, alpha) for n in whole])
        fired = fires(flags, drawn.streams)
    left, rest = int(BUDGET_SHARE * alpha * days) - int(fired.sum()), np.sort(least[~fired])
    level = float(rest[min(left, len(rest)) - 1]) if left > 0 and len(rest) and p else 0.0
    return replace(found, level=level / scale)
