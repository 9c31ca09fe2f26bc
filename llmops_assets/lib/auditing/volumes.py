"""Whether a day brought an unusual number of rows, by the days before it."""

import statistics
from collections.abc import Sequence

MINIMUM_DAYS = 5
DEVIATIONS = 5.0
"""Robust standard deviations (1.4826 times the median absolute deviation) that are still usual."""
ALWAYS_USUAL = 0.3
"""Difference to the median, as a share of it, that is usual however even the days before were."""


def unusual(count: int, before: Sequence[int]) -> str | None:
    """Why a day's count is unusual against the days before it; None when it is not, or when they are too few."""
    if len(before) < MINIMUM_DAYS:
        return None
    median = statistics.median(before)
    spread = 1.4826 * statistics.median(abs(value - median) for value in before)
    allowed = max(DEVIATIONS * spread, ALWAYS_USUAL * median)
    if abs(count - median) <= allowed:
        return None
    side = "few" if count < median else "many"
    return f"{count} rows are {side}: the median of {len(before)} days before is {median:g}, {allowed:.0f} off is usual"
