"""The few statistics that decisions here rest on, each with its source; exact where samples are small."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def mcnemar_exact(won: int, lost: int) -> float:
    """Two-sided exact p of McNemar's test on paired outcomes that differ (https://doi.org/10.1007/BF02295996)."""
    from scipy.stats import binomtest

    return 1.0 if won + lost == 0 else float(binomtest(won, won + lost, 0.5).pvalue)


EXACT_UP_TO = 2000
"""Questions up to which the paired tests are exact; above, the score statistic is taken as normal."""
SHARES = 64
"""Values of the unknown share of lost questions over which an exact test looks for its largest p."""


def paired_score(won: "float | np.ndarray", lost: "float | np.ndarray", total: int, difference: float) -> "np.ndarray":
    """Tango's score statistic of paired proportions: how far won - lost lies above `difference` of `total` questions.

    About standard normal where the true difference (candidate minus incumbent, -1 to 1) is `difference`; at 0 it is
    McNemar's z. It grows with `won` and falls with `lost` (Tango 1998, Statistics in Medicine 17, 891-908).
    """
    import numpy as np

    b, c, n, d = np.asarray(won, float), np.asarray(lost, float), float(total), difference
    linear = (2 * n - b + c) * d - b - c
    # The likelihood's estimate of the share lost where the difference is given.
    root = np.sqrt(np.maximum(linear * linear + 8 * n * c * d * (1 - d), 0.0))
    share = np.maximum((root - linear) / (4 * n), max(0.0, -d))
    variance = n * (2 * share + d * (1 - d))
    gap = b - c - n * d
    certain = np.where(gap > 1e-9, np.inf, np.where(gap < -1e-9, -np.inf, 0.0))
    return np.where(variance > 1e-12, gap / np.sqrt(np.maximum(variance, 1e-12)), certain)


def paired_p(won: int, lost: int, total: int, margin: float) -> float:
    """One-sided p that the candidate loses `margin` (0 to 1) or more: small is evidence that it does not.

    Margin 0 is the test of being better; with `won` and `lost` exchanged, that of being worse. It is the exact
    unconditional test ordered by Tango's score: the largest p over all shares of lost questions (Hsueh, Liu and Chen
    2001, https://doi.org/10.1111/j.0006-341X.2001.00478.x). 1 of no questions. ValueError for counts that cannot be.
    """
    if min(won, lost) < 0 or won + lost > total:
        raise ValueError(f"{won} won and {lost} lost of {total} questions: no such comparison")
    if total == 0:
        return 1.0
    observed = float(paired_score(won, lost, total, -margin))
    if total > EXACT_UP_TO:
        return 0.5 * math.erfc(observed / math.sqrt(2))
    return _largest(_frontier(total, margin, observed), total, margin)


def paired_interval(won: int, lost: int, total: int, alpha: float = 0.05) -> tuple[float, float]:
    """The differences that neither one-sided test of `paired_p` refuses at `alpha`: a 1 - 2 alpha interval.

    (-1, 1) of no questions. So a lower end above -margin and a p at that margin of at most `alpha` say the same.
    """
    return _lower_end(won, lost, total, alpha), -_lower_end(lost, won, total, alpha)


def paired_power(total: int, margin: float, alpha: float, differing: float, difference: float = 0.0) -> float:
    """Chance that `paired_p` at `margin` is at most `alpha`, of a candidate whose true difference is `difference`.

    `differing`: share of the questions that exactly one of the two answers right; at least |difference|.
    """
    if total == 0:
        return 0.0
    differing = min(1.0, max(differing, abs(difference)))
    frontier = _frontier(total, margin, paired_critical(total, margin, alpha))
    return float(_chance(frontier, total, (differing + difference) / 2, [(differing - difference) / 2])[0])


def tolerated_power(total: int, tolerance: float, differing: float, difference: float = 0.0) -> float:
    """Chance that a candidate's measured loss is at most `tolerance`, whatever may be said with confidence."""
    import numpy as np

    differing = min(1.0, max(differing, abs(difference)))
    frontier = np.maximum(0, np.arange(total + 1) - math.floor(tolerance * total + 1e-9))
    return float(_chance(frontier, total, (differing + difference) / 2, [(differing - difference) / 2])[0])


@functools.lru_cache(maxsize=512)
def paired_critical(total: int, margin: float, alpha: float) -> float:
    """The score from which `paired_p` is at most `alpha`; infinity where no outcome of so many questions gets there."""
    from statistics import NormalDist

    normal = NormalDist().inv_cdf(1 - alpha)
    if total > EXACT_UP_TO:
        return normal

    def significant(score: float) -> bool:
        return _largest(_frontier(total, margin, score), total, margin) <= alpha

    most = float(paired_score(total, 0, total, -margin))
    if not significant(most):
        return math.inf
    # It lies a little above the normal one, further off only with few questions.
    low = next(score for score in (normal, normal - 0.5, 0.0) if score <= 0 or not significant(score))
    high = next(score for score in (normal + 0.25, normal + 1, most) if score >= most or significant(score))
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if significant(middle) else (middle, high)
    return high


@functools.lru_cache(maxsize=64)
def questions_needed(margin: float, alpha: float, differing: float, power: float = 0.9, most: int = 5000) -> int | None:
    """How many questions show an equal candidate to be not worse by `margin`, with the chance `power`.

    None where more than `most` are needed. By exact power, to within 1 %: halved from the normal approximation (Liu and
    others 2002, https://doi.org/10.1002/sim.1012) on, since power goes up with the questions but for small steps.
    """
    from statistics import NormalDist

    if margin <= 0:
        return None
    reach = NormalDist().inv_cdf(1 - alpha) + NormalDist().inv_cdf(power)
    fewest = math.log(alpha) / math.log1p(-min(margin, 0.999))
    low, high = 0, max(1, math.ceil(max(fewest, differing * (reach / margin) ** 2)))
    while paired_power(high, margin, alpha, differing) < power:
        low, high = high, high + max(1, high // 8)
        if low >= most:
            return None
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        enough = paired_power(middle, margin, alpha, differing) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high


def _lower_end(won: int, lost: int, total: int, alpha: float) -> float:
    """The smallest difference that is not refused: p falls from 1/2 and more at the observed difference to 0 at -1."""
    low, high = -1.0, (won - lost) / total if total else -1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if paired_p(won, lost, total, -middle) <= alpha else (low, middle)
    return low


def _frontier(total: int, margin: float, score: float) -> "np.ndarray":
    """For 0, 1 … `total` lost questions the fewest won ones that reach a score; one more than there are: none does."""
    import numpy as np

    lost = np.arange(total + 1)
    low, high = np.zeros(total + 1, int), total - lost + 1
    while (low < high).any():
        middle = (low + high) // 2
        reached = paired_score(middle, lost, total, -margin) >= score - 1e-9
        low, high = (
            np.where(reached | (low >= high), low, middle + 1),
            np.where(reached, np.minimum(high, middle), high),
        )
    return low


def _largest(frontier: "np.ndarray", total: int, margin: float) -> float:
    """The largest chance to reach a frontier over all shares of lost questions, where the loss is exactly `margin`.

    The score grows with won and falls with lost, so a larger loss cannot make the chance larger.
    """
    import numpy as np

    best, low, high = 0.0, max(margin, 0.0), (1 + margin) / 2
    for _ in range(2):
        shares = np.linspace(low, high, SHARES)
        found = _chance(frontier, total, shares - margin, shares)
        at = int(np.argmax(found))
        best = max(best, float(found[at]))
        low, high = float(shares[max(0, at - 1)]), float(shares[min(SHARES - 1, at + 1)])
    return min(1.0, best)


def _chance(frontier: "np.ndarray", total: int, win: Any, loss: Any) -> "np.ndarray":
    """Chances to reach a frontier, for pairs of shares of won and lost questions: lost is binomial, won is among the
    rest."""
    import numpy as np
    from scipy.special import betainc, gammaln, xlog1py, xlogy

    lost = np.arange(total + 1)
    loss = np.asarray(loss, float)[:, None]
    among = np.clip(np.asarray(win, float).reshape(-1, 1) / np.maximum(1 - loss, 1e-12), 0.0, 1.0)
    ways = gammaln(total + 1) - gammaln(lost + 1) - gammaln(total - lost + 1)
    weights = np.exp(ways + xlogy(lost, loss) + xlog1py(total - lost, -loss))
    rest = total - lost
    inside = (frontier >= 1) & (frontier <= rest)
    tail = betainc(np.where(inside, frontier, 1), np.where(inside, rest - frontier + 1, 1), among)
    return (weights * np.where(inside, tail, frontier == 0)).sum(axis=1)


def binomial_tail(hits: int, total: int, share: float) -> float:
    """Chance of at least `hits` of `total`, each with the chance `share`; exact."""
    return sum(math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(hits, total + 1))


def hypergeometric_tail(hits: int, drawn: int, marked: int, total: int) -> float:
    """Chance of at least `hits` marked ones among `drawn` of `total`, `marked` of which are (Fisher's exact test)."""
    ways = sum(math.comb(marked, k) * math.comb(total - marked, drawn - k) for k in range(hits, min(drawn, marked) + 1))
    return ways / math.comb(total, drawn)


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


def share_fell(before: tuple[int, int], after: tuple[int, int], z: float = 1.96) -> tuple[float, float]:
    """95 % interval of the fall of a share between two independent samples, each as (hits, of).

    Newcombe's hybrid of Wilson's intervals (1998, Statistics in Medicine 17, 873-890, method 10); (-1, 1) where either
    sample is empty.
    """
    if not before[1] or not after[1]:
        return -1.0, 1.0
    first, second = before[0] / before[1], after[0] / after[1]
    (low1, high1), (low2, high2) = wilson(*before, z), wilson(*after, z)
    fall = first - second
    return (
        fall - math.sqrt((first - low1) ** 2 + (high2 - second) ** 2),
        fall + math.sqrt((high1 - first) ** 2 + (second - low2) ** 2),
    )
