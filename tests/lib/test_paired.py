"""Paired proportions: Tango's score, the exact tests on it, their intervals, power and sizes."""

import itertools

import numpy as np
import pytest

from llmops_assets.lib.statistics import (
    EXACT_UP_TO,
    paired_critical,
    paired_interval,
    paired_p,
    paired_power,
    paired_score,
    questions_needed,
    tolerated_power,
)


def score_interval(won: int, lost: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Tango's interval, by halving."""

    def lower(won: int, lost: int) -> float:
        low, high = -1.0, (won - lost) / total
        while high - low > 1e-7:
            middle = (low + high) / 2
            low, high = (middle, high) if paired_score(won, lost, total, middle) >= z else (low, middle)
        return low

    return lower(won, lost), -lower(lost, won)


@pytest.mark.parametrize(
    ("won", "lost", "total", "interval"),
    [
        # Airway hyper-responsiveness before and after stem cell transplantation (Bentur and others 2009), with the
        # interval of Fagerland, Lydersen and Laake 2014, https://doi.org/10.1002/sim.6148, table 8.
        (1, 7, 21, (-0.517, -0.026)),
    ],
)
def test_the_score_gives_the_published_interval(won, lost, total, interval):
    assert score_interval(won, lost, total) == pytest.approx(interval, abs=0.0006)


def test_without_differing_answers_the_interval_has_a_closed_form():
    """With nothing won or lost the score is n d / sqrt(n d (1 - d)) below its end: it solves n d = z² (1 - d)."""
    z = 1.959964
    assert score_interval(0, 0, 50)[1] == pytest.approx(z * z / (50 + z * z), abs=1e-5)


@pytest.mark.parametrize(("won", "lost"), [(3, 1), (0, 4), (5, 5), (9, 2)])
def test_at_no_difference_the_score_is_mcnemars(won, lost):
    assert float(paired_score(won, lost, 40, 0.0)) == pytest.approx((won - lost) / (won + lost) ** 0.5)


@pytest.mark.parametrize("margin", [0.0, 0.05, 0.1, 0.3])
def test_the_score_grows_with_what_is_won_and_falls_with_what_is_lost(margin):
    """What the exact test rests on: no larger loss than the margin can make its p larger."""
    for total in (7, 20):
        for won, lost in itertools.product(range(total), range(total)):
            if won + lost < total:
                pairs = ((won, lost), (won + 1, lost), (won, lost + 1))
                here, more, less = (float(paired_score(*pair, total, -margin)) for pair in pairs)
                assert more >= here - 1e-12
                assert less <= here + 1e-12


def test_with_equal_answers_the_exact_p_is_the_chance_that_none_of_so_many_is_lost():
    assert paired_p(0, 0, 28, 0.1) == pytest.approx(0.9**28)
    assert 0.9**28 > 0.05 > paired_p(0, 0, 29, 0.1)


def brute(won: int, lost: int, total: int, margin: float) -> float:
    """The exact test by adding up every outcome."""
    from scipy.stats import multinomial

    outcomes = [(w, c) for w in range(total + 1) for c in range(total + 1 - w)]
    observed = paired_score(won, lost, total, -margin)
    extreme = [o for o in outcomes if paired_score(*o, total, -margin) >= observed - 1e-9]
    rows = np.array([(w, c, total - w - c) for w, c in extreme])
    shares = np.linspace(margin, (1 + margin) / 2, 400)
    return max(multinomial.pmf(rows, total, [q - margin, q, 1 - 2 * q + margin]).sum() for q in shares)


@pytest.mark.parametrize(
    ("won", "lost", "total", "margin"), [(0, 2, 12, 0.1), (1, 1, 12, 0.2), (3, 0, 10, 0.0), (2, 4, 15, 0.15)]
)
def test_the_exact_p_is_that_of_all_outcomes_added_up(won, lost, total, margin):
    assert paired_p(won, lost, total, margin) == pytest.approx(brute(won, lost, total, margin), abs=2e-4)


def test_taken_as_normal_the_score_errs_more_often_than_it_says():
    """Why the p is exact: 30 questions, a margin of 10 points, 7.1 % at a nominal 5 %."""
    from scipy.stats import multinomial

    outcomes = [(w, c) for w in range(31) for c in range(31 - w)]
    rows = np.array([(w, c, 30 - w - c) for w, c in outcomes if paired_score(w, c, 30, -0.1) >= 1.644854])
    worst = max(multinomial.pmf(rows, 30, [q - 0.1, q, 1.1 - 2 * q]).sum() for q in np.linspace(0.1, 0.55, 200))
    assert worst == pytest.approx(0.071, abs=0.001)
    assert paired_power(30, 0.1, 0.05, 0.1, -0.1) <= 0.05


@pytest.mark.parametrize("differing", [0.1, 0.15, 0.3])
@pytest.mark.parametrize(("total", "margin"), [(12, 0.1), (31, 0.1), (57, 0.05), (140, 0.1)])
def test_a_candidate_at_the_margin_is_shown_to_be_not_worse_in_at_most_five_per_cent(total, margin, differing):
    assert paired_power(total, margin, 0.05, differing, -margin) <= 0.05


@pytest.mark.slow
def test_the_interval_covers_the_true_difference_at_least_as_often_as_it_says():
    """By simulation: 90 % intervals of what 30 questions measure, for three true differences."""
    from scipy.stats import binom

    rng, runs = np.random.default_rng(17), 400
    for win, loss in ((0.02, 0.02), (0.05, 0.15), (0.2, 0.1)):
        drawn = rng.multinomial(30, [win, loss, 1 - win - loss], size=runs)[:, :2]
        known = {pair: paired_interval(*pair, 30) for pair in {(int(b), int(c)) for b, c in drawn}}
        covered = [known[(int(b), int(c))] for b, c in drawn]
        hits = sum(low <= win - loss <= high for low, high in covered)
        assert hits >= binom.ppf(0.001, runs, 0.9), (win, loss, hits / runs)


@pytest.mark.slow
@pytest.mark.parametrize(("total", "margin"), [(9, 0.2), (14, 0.1)])
def test_interval_p_and_critical_score_say_the_same_of_every_outcome(total, margin):
    critical = paired_critical(total, margin, 0.05)
    for won in range(total + 1):
        for lost in range(total + 1 - won):
            shown = paired_p(won, lost, total, margin) <= 0.05
            assert (float(paired_score(won, lost, total, -margin)) >= critical) is shown, (won, lost)
            assert (paired_interval(won, lost, total)[0] > -margin) is shown, (won, lost)


def test_above_the_exact_sizes_the_score_is_taken_as_normal():
    total = EXACT_UP_TO + 1
    assert paired_critical(total, 0.05, 0.05) == pytest.approx(1.6449, abs=1e-4)
    assert paired_p(100, 100, total, 0.05) < 1e-6
    assert paired_p(100, 200, total, 0.05) == pytest.approx(0.5, abs=0.02)


def test_counts_that_cannot_be_are_refused_and_no_questions_prove_nothing():
    for won, lost, total in ((-1, 0, 5), (3, 3, 5), (0, -2, 5)):
        with pytest.raises(ValueError, match="no such comparison"):
            paired_p(won, lost, total, 0.1)
    assert paired_p(0, 0, 0, 0.1) == 1.0
    assert paired_interval(0, 0, 0) == (-1.0, 1.0)
    assert paired_power(0, 0.1, 0.05, 0.1) == 0.0
    assert paired_critical(20, 0.1, 0.05) == float("inf") or paired_p(20, 0, 20, 0.1) <= 0.05


def test_where_no_outcome_is_significant_nothing_is_ever_shown():
    """Two questions can never show that 10 points are not lost: even two won have a p above .0025."""
    assert paired_critical(1, 0.0, 0.05) == float("inf")
    assert paired_power(1, 0.0, 0.05, 0.5) == 0.0


def test_power_is_what_a_simulation_finds():
    rng, total, runs = np.random.default_rng(5), 81, 4000
    drawn = rng.multinomial(total, [0.05, 0.05, 0.9], size=runs)
    critical = paired_critical(total, 0.12, 0.05)
    found = float((paired_score(drawn[:, 0], drawn[:, 1], total, -0.12) >= critical).mean())
    assert paired_power(total, 0.12, 0.05, 0.1) == pytest.approx(found, abs=4 * (0.92 * 0.08 / runs) ** 0.5)


def test_so_many_questions_are_needed_and_a_few_less_are_not_enough():
    needed = questions_needed(0.1, 0.05, 0.1, 0.9)
    assert needed is not None
    assert paired_power(needed, 0.1, 0.05, 0.1) >= 0.9
    assert paired_power(int(needed * 0.93), 0.1, 0.05, 0.1) < 0.9
    assert questions_needed(0.05, 0.05, 0.1, 0.9) > 3 * needed
    assert questions_needed(0.2, 0.05, 0.1, 0.9) < needed
    assert questions_needed(0.0, 0.05, 0.1) is None
    assert questions_needed(0.01, 0.05, 0.3, most=1000) is None


def test_a_measured_loss_within_a_tolerance_is_a_matter_of_chance():
    from scipy.stats import binom

    assert tolerated_power(10, 0.1, 0.2, -0.2) == pytest.approx(binom.cdf(1, 10, 0.2))
    assert tolerated_power(10, 0.1, 0.0) == pytest.approx(1.0)
