from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from llmops_assets.lib.records import DriftPolicy
from llmops_assets.lib.watching import drift

POLICY = DriftPolicy(window=60)


def questions(rng: np.random.Generator, count: int, centres: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Unit vectors around centres, as questions of some intents are."""
    which = rng.integers(0, len(centres), count)
    vectors = centres[which] + rng.normal(0, 0.05, (count, centres.shape[1]))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), [f"intent {n}" for n in which]


@pytest.fixture
def world():
    rng = np.random.default_rng(5)
    centres = rng.normal(0, 1, (9, 32))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors, intents = questions(rng, 600, centres[:8])
    return rng, centres, drift.fit_reference(vectors, intents)


def judge(reference, vectors, intents):
    start = datetime(2026, 3, 11, 6, tzinfo=UTC)
    return drift.judge_day(
        reference, [start + timedelta(minutes=n) for n in range(len(vectors))], vectors, intents, POLICY
    )


def test_days_like_the_reference_do_not_drift(world):
    rng, centres, reference = world
    days = [judge(reference, *questions(rng, 240, centres[:8])) for _ in range(50)]
    windows = [w for day in days for w in day.windows]
    assert sum(day.drifted for day in days) == 0
    # The policy's false-alarm rate is kept, and not by judging nothing.
    assert 0 < sum(w.drifted for w in windows) <= POLICY.alpha * len(windows) == 10


@pytest.mark.parametrize(("share", "drifted"), [(0.0, 0), (0.05, 0), (0.2, 20), (0.4, 20)])
def test_the_larger_the_share_of_a_new_topic_the_surer_the_day_drifts(world, share, drifted):
    rng, centres, reference = world
    new = int(240 * share)
    days = []
    for _ in range(20):
        parts = questions(rng, 240 - new, centres[:8]), questions(rng, new, centres[8:])
        order = rng.permutation(240)
        vectors, intents = np.concatenate([p[0] for p in parts])[order], parts[0][1] + parts[1][1]
        days.append(judge(reference, vectors, [intents[i] for i in order]))
    assert sum(day.drifted for day in days) == drifted


def test_a_window_drifts_when_one_of_its_three_tests_is_below_a_third_of_alpha(world):
    rng, centres, reference = world
    windows = []
    for new in (0, 6, 12, 18, 24):
        for _ in range(20):
            parts = questions(rng, 60 - new, centres[:8]), questions(rng, new, centres[8:])
            vectors, intents = np.concatenate([p[0] for p in parts]), ["intent 0"] * 60
            intents[:55] = (parts[0][1] + parts[1][1])[:55]
            windows += judge(reference, vectors, intents).windows
    # What is recorded of novelty is the smaller p of its two tests, doubled.
    least = [min(w.novelty_p / 2, w.intents_p) for w in windows]
    assert [w.drifted for w in windows] == [p < 0.05 / 3 for p in least]
    assert any(0.05 / 3 < p < 0.05 for p in least), "no window tells a third of alpha from all of it"
    assert all(w.novelty_share * w.size == pytest.approx(round(w.novelty_share * w.size), abs=0.01) for w in windows)


def test_a_new_topic_drifts_names_its_questions_and_alarms_early(world):
    rng, centres, reference = world
    old, old_intents = questions(rng, 180, centres[:8])
    new, new_intents = questions(rng, 60, centres[8:])
    order = rng.permutation(240)
    vectors = np.concatenate([old, new])[order]
    intents = [(old_intents + new_intents)[i] for i in order]
    day = judge(reference, vectors, intents)
    assert day.drifted
    assert day.cusum_alarm_at is not None
    assert day.cusum_alarm_at < 120
    most_novel = set(day.novel[:40])
    assert len(most_novel & {int(np.flatnonzero(order == i)[0]) for i in range(180, 240)}) == 40


def test_a_spike_of_a_known_topic_is_seen_by_the_intents_not_by_novelty(world):
    rng, centres, reference = world
    vectors, intents = questions(rng, 240, centres[:1])
    day = judge(reference, vectors, intents)
    assert day.drifted
    assert min(w.intents_p for w in day.windows) < 0.001


def test_questions_that_move_away_are_seen_before_one_of_them_is_novel():
    near = np.array([[1.0, 0.0]], np.float32)
    reference = drift.DriftReference(near, np.linspace(0, 0.4, 201), 0.39, ("a",) * 201)
    for distance, drifted in ((0.2, False), (0.3, True)):
        vectors = np.tile(np.array([1 - distance, 0.0], np.float32), (60, 1))
        (window,) = judge(reference, vectors, ["a"] * 60).windows
        assert (window.novelty_share, window.intents_p, window.drifted) == (0.0, 1.0, drifted)


def test_a_small_rest_joins_the_window_before_it(world):
    rng, centres, reference = world
    sizes = [w.size for w in judge(reference, *questions(rng, 145, centres[:8])).windows]
    assert sizes == [60, 85]
    sizes = [w.size for w in judge(reference, *questions(rng, 155, centres[:8])).windows]
    assert sizes == [60, 60, 35]


def test_a_day_without_traffic_has_no_windows_and_no_drift(world):
    _, _, reference = world
    day = judge(reference, np.zeros((0, 32), np.float32), [])
    assert (day.windows, day.drifted, day.cusum) == ((), False, 0.0)


def test_too_small_a_reference_is_refused():
    with pytest.raises(drift.DriftError, match="at least 60"):
        drift.fit_reference(np.eye(59, 64, dtype=np.float32), ["a"] * 59)


def test_reference_and_calibration_are_disjoint_and_the_same_every_time(world):
    rng = np.random.default_rng(2)
    vectors, intents = questions(rng, 100, rng.normal(0, 1, (3, 16)))
    first, second = drift.fit_reference(vectors, intents), drift.fit_reference(vectors, intents)
    assert np.array_equal(first.distances, second.distances)
    assert (len(first.vectors), len(first.distances)) == (60, 40)
    assert first.base_rate == pytest.approx(0.05)
