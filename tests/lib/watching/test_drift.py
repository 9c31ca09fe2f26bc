from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from llmops_assets.lib.records import DriftPolicy
from llmops_assets.lib.watching import drift

POLICY = DriftPolicy(window=60)
START = datetime(2026, 3, 11, 6, tzinfo=UTC)
TOPICS = 8


def questions(rng: np.random.Generator, count: int, centres: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Unit vectors around centres, as questions of some intents are."""
    which = rng.integers(0, len(centres), count)
    vectors = centres[which] + rng.normal(0, 0.05, (count, centres.shape[1]))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), [f"intent {n}" for n in which]


def mixed(rng, centres, count: int, new: int, others: np.ndarray | None = None) -> np.ndarray:
    """A day with so many questions of other topics (a ninth one) among those of the known ones."""
    known, _ = questions(rng, count - new, centres[:TOPICS])
    strange, _ = questions(rng, new, centres[TOPICS:] if others is None else others)
    return np.concatenate([known, strange])[rng.permutation(count)]


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(5)
    centres = rng.normal(0, 1, (TOPICS + 1, 32))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return centres, drift.fit_reference(*questions(rng, 600, centres[:TOPICS]))


@pytest.fixture
def rng():
    return np.random.default_rng(8)


@pytest.fixture(scope="module")
def calibration(world):
    return drift.calibrated(world[1], 240, POLICY)


def judge(reference, vectors, calibration=None, **options):
    times = [START + timedelta(minutes=n) for n in range(len(vectors))]
    return drift.judge_day(reference, times, vectors, POLICY, calibration=calibration, **options)


@pytest.mark.slow
def test_clean_days_use_the_budget_and_keep_it(world, rng):
    # Each reference has its own luck: the budget is that of many.
    centres, _ = world
    days, windows = [], []
    for _ in range(12):
        reference = drift.fit_reference(*questions(rng, 300, centres[:TOPICS]))
        known = drift.calibrated(reference, 240, POLICY)
        found = [judge(reference, questions(rng, 240, centres[:TOPICS])[0], known) for _ in range(20)]
        days += [day.drifted for day in found]
        windows += [w.drifted for day in found for w in day.windows]
    assert 0 < sum(days) <= 0.08 * len(days)
    assert 0 < sum(windows) <= 0.08 * len(windows)


@pytest.mark.slow
@pytest.mark.parametrize(("share", "least", "most"), [(0.05, 0, 20), (0.2, 20, 20), (0.4, 20, 20)])
def test_the_larger_the_share_of_a_new_topic_the_surer_the_day_drifts(world, rng, calibration, share, least, most):
    centres, reference = world
    days = [judge(reference, mixed(rng, centres, 240, int(240 * share)), calibration) for _ in range(20)]
    assert least <= sum(day.drifted for day in days) <= most
    assert all(day.alarm_at is not None and day.alarm_at <= 90 for day in days if share > 0.1)


def test_a_new_topic_names_its_questions_and_its_detectors(world, rng, calibration):
    centres, reference = world
    vectors = mixed(rng, centres, 240, 60)
    day = judge(reference, vectors, calibration)
    assert day.drifted
    assert day.by
    assert all(day.p_values[name] <= day.level for name in day.by)
    new = set(np.flatnonzero(vectors @ centres[TOPICS] > 0.9))
    assert len(new) == 60
    assert set(day.novel[:40]) <= new


def test_more_of_a_known_topic_is_volume_only_where_it_is_answered_well(world, rng, calibration):
    centres, reference = world
    vectors = mixed(rng, centres, 240, 100, centres[:1])
    spiked = vectors @ centres[0] > 0.9
    assert judge(reference, vectors, calibration).drifted
    well = judge(reference, vectors, calibration, poor=[False] * 240)
    assert (well.drifted, well.alarm_at) == (False, None)
    assert sum(w.volume for w in well.windows) >= 3
    assert not any(w.drifted for w in well.windows)
    badly = judge(reference, vectors, calibration, poor=[bool(x) for x in spiked])
    assert badly.drifted
    assert badly.alarm_at is not None
    # A quarter of the questions of the topic that grew is the most that may be answered poorly.
    few = np.flatnonzero(spiked)[::5]
    assert not judge(reference, vectors, calibration, poor=[n in few for n in range(240)]).drifted


def test_a_new_topic_that_nobody_complains_about_is_no_volume(world, rng, calibration):
    centres, reference = world
    day = judge(reference, mixed(rng, centres, 240, 60), calibration, poor=[False] * 240)
    assert day.drifted
    assert not any(w.volume for w in day.windows)


def test_a_topic_close_to_a_known_one_is_seen_though_none_of_its_questions_is_novel(world, rng, calibration):
    centres, reference = world
    near = centres[0] + 0.03 * rng.normal(0, 1, (1, 32))
    vectors = mixed(rng, centres, 240, 90, near / np.linalg.norm(near))
    day = judge(reference, vectors, calibration)
    assert day.drifted
    assert day.p_values["crowding"] <= day.level


@pytest.mark.slow
def test_the_whole_day_alarms_when_windows_drift_or_the_cusum_is_above_its_threshold(world, rng, calibration):
    centres, reference = world
    vectors = mixed(rng, centres, 240, 100)
    low = drift.judge_day(
        reference, [START] * 240, vectors, DriftPolicy(window=60, cusum_threshold=0.5), calibration=calibration
    )
    high = drift.judge_day(
        reference, [START] * 240, vectors, DriftPolicy(window=60, cusum_threshold=500), calibration=calibration
    )
    assert low.cusum_alarm_at is not None
    assert low.cusum_alarm_at < 20
    assert high.cusum_alarm_at is None
    assert high.drifted


@pytest.mark.slow
def test_a_small_rest_joins_the_window_before_it(world, rng):
    centres, reference = world
    sizes = [w.size for w in judge(reference, questions(rng, 145, centres[:8])[0]).windows]
    assert sizes == [60, 85]
    sizes = [w.size for w in judge(reference, questions(rng, 155, centres[:8])[0]).windows]
    assert sizes == [60, 60, 35]


@pytest.mark.slow
def test_a_long_day_is_judged_by_days_as_long_as_are_drawn(world, rng):
    centres, reference = world
    length = 60 * 12 * 2 + 25
    known = drift.calibrated(reference, length, POLICY)
    assert known.scale == pytest.approx(length / (60 * 12 + 25))
    quiet = [judge(reference, questions(rng, length, centres[:8])[0], known) for _ in range(5)]
    assert sum(day.drifted for day in quiet) <= 1
    assert judge(reference, mixed(rng, centres, length, length // 5), known).drifted


def test_a_small_reference_allows_smaller_windows_only_and_the_day_says_so(world, rng):
    centres, _ = world
    reference = drift.fit_reference(*questions(rng, 60, centres[:8]))
    day = judge(reference, mixed(rng, centres, 120, 60))
    assert day.window == 30
    assert [w.size for w in day.windows] == [30] * 4
    assert day.drifted


@pytest.mark.slow
def test_a_test_that_cannot_fire_says_so_and_is_not_counted(world, rng):
    centres, _ = world
    vectors, _ = questions(rng, 300, centres[:8])
    reference = drift.fit_reference(vectors, ["everything"] * 300)
    day = judge(reference, mixed(rng, centres, 240, 60))
    assert day.cannot == {"intents": "the reference has one intent only"}
    assert "intents" not in day.p_values
    assert day.drifted


@pytest.mark.parametrize(("count", "outcome"), [(0, "no traffic"), (1, "too few questions"), (19, "too few questions")])
def test_a_day_that_cannot_be_judged_says_why(world, rng, count, outcome):
    centres, reference = world
    day = judge(reference, questions(rng, count, centres[8:])[0] if count else np.zeros((0, 32), np.float32))
    assert (day.outcome, day.windows, day.drifted, day.cusum) == (outcome, (), False, 0.0)
    assert len(day.novel) == count


def test_twenty_questions_are_judged(world, rng):
    centres, reference = world
    day = judge(reference, questions(rng, 20, centres[8:])[0])
    assert (day.outcome, len(day.windows), day.drifted) == ("judged", 1, True)


def test_vectors_that_are_no_numbers_are_refused_with_their_row(world, rng):
    centres, reference = world
    vectors, intents = questions(rng, 100, centres[:8])
    vectors[[7, 9], 3] = np.nan
    with pytest.raises(drift.DriftError, match="2 of 100 vectors of the day are no numbers, the first is row 7"):
        judge(reference, vectors)
    with pytest.raises(drift.DriftError, match="2 of 100 vectors of the reference are no numbers"):
        drift.fit_reference(vectors, intents)


def test_another_embedders_reference_is_refused(world, rng):
    centres, reference = world
    vectors, intents = questions(rng, 100, centres[:8])
    with pytest.raises(drift.DriftError, match="an unknown embedder, the day with b"):
        judge(reference, vectors, embedder="b" * 64)
    with pytest.raises(drift.DriftError, match="16 dimensions, the reference's 32"):
        judge(reference, vectors[:, :16])
    named = drift.fit_reference(vectors, intents, embedder="a" * 64)
    assert judge(named, vectors, embedder="a" * 64).outcome == "judged"


def test_too_small_a_reference_is_refused():
    with pytest.raises(drift.DriftError, match="at least 60"):
        drift.fit_reference(np.eye(59, 64, dtype=np.float32), ["a"] * 59)


def test_of_a_large_reference_a_sample_is_compared_with(world, rng):
    centres, _ = world
    vectors, intents = questions(rng, 150, centres[:8])
    first, second = (drift.fit_reference(vectors, intents, most=100) for _ in range(2))
    assert len(first.known) == len(first.intents) == 100
    assert np.array_equal(first.known.vectors, second.known.vectors)


@pytest.mark.slow
def test_the_same_day_is_judged_the_same_every_time(world, rng):
    centres, reference = world
    vectors = mixed(rng, centres, 240, 20)
    first, second = judge(reference, vectors), judge(reference, vectors)
    assert (first.p, first.level, first.p_values) == (second.p, second.level, second.p_values)
    assert reference.base_rate == pytest.approx(0.05)
