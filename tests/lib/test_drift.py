from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from llmops_assets.lib import drift
from llmops_assets.lib.records import DriftPolicy

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
    days = [judge(reference, *questions(rng, 240, centres[:8])) for _ in range(10)]
    assert sum(day.drifted for day in days) == 0
    assert sum(w.drifted for day in days for w in day.windows) <= 4


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
