import numpy as np
import pytest

from llmops_assets.lib.statistics import cusum, holm, mcnemar_exact, more_distant, share_fell, wilson


@pytest.mark.parametrize(("won", "lost", "p"), [(0, 0, 1.0), (5, 5, 1.0), (0, 6, 0.03125), (1, 9, 0.021484375)])
def test_mcnemar_is_the_two_sided_binomial_on_discordant_pairs(won, lost, p):
    assert mcnemar_exact(won, lost) == pytest.approx(p)
    assert mcnemar_exact(lost, won) == pytest.approx(p)


def test_holm_adjusts_in_order_and_never_decreases():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert max(holm([0.9, 0.8])) == 1.0


def test_wilson_contains_the_share_and_is_known_for_a_textbook_case():
    low, high = wilson(8, 10)
    assert (low, high) == pytest.approx((0.490, 0.943), abs=0.001)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 5)[0] == 0.0
    assert wilson(5, 5)[1] == 1.0


def test_share_fell_is_newcombes_interval():
    # Newcombe 1998, table II, column (a): 56/70 - 48/80, and (g): 10/10 - 0/20.
    assert share_fell((56, 70), (48, 80)) == pytest.approx((0.0524, 0.3339), abs=0.0001)
    assert share_fell((10, 10), (0, 20)) == pytest.approx((0.6791, 1.0), abs=0.0001)
    assert share_fell((3, 4), (0, 0)) == share_fell((0, 0), (1, 2)) == (-1.0, 1.0)


def test_more_distant_is_one_sided():
    rng = np.random.default_rng(0)
    base = rng.uniform(0, 0.4, 300)
    assert more_distant(base[:60] + 0.2, base) < 1e-6
    assert more_distant(base[:60] - 0.2, base) > 0.5
    assert more_distant(np.zeros(0), base) == 1.0


def test_cusum_alarms_on_a_rise_once_and_stays_quiet_at_the_base_rate():
    rng = np.random.default_rng(1)
    quiet = cusum([bool(x) for x in rng.random(5000) < 0.05], 0.05, 8.0)
    assert quiet.alarm_at is None
    risen = cusum([False] * 100 + [True, False] * 50, 0.05, 8.0)
    assert risen.alarm_at is not None
    assert 100 < risen.alarm_at < 130
    assert cusum([], 0.05, 8.0).value == 0.0
