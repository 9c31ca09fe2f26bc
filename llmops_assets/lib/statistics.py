"""The few statistics that decisions here rest on, each with its source; exact where samples are small."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def mcnemar_exact(won: int, lost: int) -> float:
    """Two-sided exact p of McNemar's test on paired outcomes that differ (https://doi.org/10.1007/BF02295996)."""
    from scipy.stats import binomtest

    return 1.0 if won + lost == 0 else float(binomtest(won, won + lost, 0.5).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of several tests, in their order (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def wilson(right: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927); (0, 1) of nothing."""
    if total == 0:
        return 0.0, 1.0
    share = right / total
    scale = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / scale
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / scale
    return max(0.0, centre - half), min(1.0, centre + half)


def more_distant(window: "np.ndarray", base: "np.ndarray") -> float:
    """One-sided p that distances of a window are not larger than the base's (Mann-Whitney)."""
    from scipy.stats import mannwhitneyu

    if len(window) == 0 or len(base) == 0:
        return 1.0
    return float(mannwhitneyu(window, base, alternative="greater").pvalue)


@dataclass(frozen=True)
class Cusum:
    """A cumulative sum over indicators: its last value, and after how many of them it first alarmed (None: never)."""

    value: float
    alarm_at: int | None


def cusum(indicators: Sequence[bool], base_rate: float, threshold: float) -> Cusum:
    """One-sided CUSUM for a rise of a Bernoulli rate (Page 1954, https://doi.org/10.1093/biomet/41.1-2.100).

    Each hit adds (1 - k), each miss subtracts k, not below 0; k is the base rate plus half of the rise to notice,
    here 0.15. An alarm is a sum above `threshold`.
    """
    k = min(0.9, base_rate + 0.075)
    value, alarm = 0.0, None
    for position, hit in enumerate(indicators, start=1):
        value = max(0.0, value + float(hit) - k)
        if alarm is None and value > threshold:
            alarm = position
    return Cusum(value, alarm)
