"""Every detector of the table under the same rules, and what their figures are worth."""

import numpy as np
import pytest

from llmops_assets.lib.watching.detection import DETECTORS, JUDGES, Reference
from llmops_assets.lib.watching.detection.calibration import (
    BUDGET_SHARE,
    LONGEST,
    Check,
    Tail,
    bounds,
    calibrate,
    draw_days,
    drawn_days,
    measure,
    plan,
)
from llmops_assets.lib.watching.detection.questions import Windows

ALL = pytest.mark.parametrize("name", DETECTORS)
LENGTH, WINDOW = 160, 40


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def questions(rng, count: int, centres: np.ndarray, spread: float = 0.08) -> tuple[np.ndarray, list[str]]:
    which = rng.integers(0, len(centres), count)
    return unit(centres[which] + rng.normal(0, spread, (count, centres.shape[1]))), [f"i{n}" for n in which]


@pytest.fixture(scope="module")
def centres():
    return unit(np.random.default_rng(3).normal(0, 1, (13, 24)))


@pytest.fixture(scope="module")
def known(centres):
    return Reference(*questions(np.random.default_rng(4), 300, centres[:12]))


@pytest.fixture(scope="module")
def drawn(known):
    return drawn_days(list(DETECTORS.values()), known, LENGTH, WINDOW, days=120)


@pytest.fixture(scope="module")
def calibration(drawn):
    return calibrate(drawn, LENGTH, 0.05)


def p_of(calibration, known, vectors, checks=None):
    checks = checks or calibration.checks
    order = np.arange(len(vectors))[None]
    return calibration.p(measure(list(DETECTORS.values()), known.see(vectors), order, checks), checks)


def test_the_judges_are_in_the_table():
    assert set(JUDGES) <= set(DETECTORS)
    assert all(DETECTORS[name].name == name for name in DETECTORS)


@pytest.mark.slow
@ALL
def test_on_clean_windows_every_p_comes_as_often_as_it_says(name, centres):
    rng, found = np.random.default_rng(11), []
    for _ in range(15):
        known = Reference(*questions(rng, 200, centres[:12]))
        calibration = calibrate(drawn_days([DETECTORS[name]], known, WINDOW, WINDOW, days=150), WINDOW, 0.05)
        for _ in range(20):
            seen, order = known.see(questions(rng, WINDOW, centres[:12])[0]), np.arange(WINDOW)[None]
            checks = [Check(WINDOW, 0)]
            found.append(calibration.p(measure([DETECTORS[name]], seen, order, checks), checks)[name][0, 0])
    assert 0.05 <= np.mean(np.array(found) <= 0.1) <= 0.16
    assert 0.3 <= np.mean(np.array(found) <= 0.5) <= 0.7


@ALL
def test_a_change_of_half_of_the_questions_is_seen_by_every_detector(name, centres, known, calibration):
    rng = np.random.default_rng(12)
    vectors = np.concatenate([questions(rng, 80, centres[:12])[0], questions(rng, 80, centres[12:])[0]])
    p = p_of(calibration, known, vectors[rng.permutation(160)])
    assert p[name].min() < 0.001


@ALL
def test_figures_depend_on_the_window_only_not_on_its_neighbours(name, centres, known):
    detector = DETECTORS[name]
    vectors, _ = questions(np.random.default_rng(13), LENGTH, centres)
    seen = known.see(vectors)
    if hasattr(detector, "path"):
        both = detector.path(np.stack([seen.rank, seen.rank[::-1]]))
        assert np.allclose(both[0], detector.path(seen.rank[None])[0])
        return
    members = np.arange(80).reshape(2, 40)
    left_out = np.stack([np.arange(40), np.arange(40, 80)])
    both = detector.statistic(Windows(seen, members, left_out))
    alone = detector.statistic(Windows(seen, members[1:], left_out[1:]))
    assert both.shape == (2,)
    assert both[1] == pytest.approx(alone[0], rel=1e-4)


def test_intents_notice_a_change_however_many_there_are_and_however_few_fall_into_a_window():
    rng = np.random.default_rng(14)
    centres = unit(rng.normal(0, 1, (150, 64)))
    known = Reference(*questions(rng, 600, centres, 0.03))
    calibration = calibrate(drawn_days([DETECTORS["intents"]], known, 60, 60, days=200), 60, 0.05)
    often = np.concatenate([questions(rng, 45, centres, 0.03)[0], questions(rng, 15, centres[:1], 0.03)[0]])
    checks = [Check(60, 0)]
    measured = measure([DETECTORS["intents"]], known.see(often), np.arange(60)[None], checks)
    assert calibration.p(measured, checks)["intents"][0, 0] < 0.001


def test_crowding_sees_a_topic_between_two_known_ones_that_novelty_does_not(known, centres, calibration):
    rng = np.random.default_rng(15)
    between = unit((centres[0] + 0.25 * centres[1])[None])
    vectors = np.concatenate([questions(rng, 30, centres[:12])[0], questions(rng, 10, between, 0.01)[0]])
    p = p_of(calibration, known, vectors, [Check(40, 0)])
    assert p["crowding"][0, 0] < 0.001
    assert p["novelty"][0, 0] > 0.05


def test_equal_texts_that_the_reference_has_do_not_crowd(known):
    same = np.repeat(known.vectors[:1], 10, axis=0)
    windows = Windows(known.see(same), np.arange(10)[None], np.arange(20, 30)[None])
    assert DETECTORS["crowding"].statistic(windows) == 0
    others = Windows(known.see(same), np.arange(10)[None], np.arange(10)[None])
    assert DETECTORS["crowding"].statistic(others) == 9


def test_a_day_is_looked_at_while_the_first_window_fills_then_every_quarter_of_one():
    assert [(c.start, c.end) for c in plan(100, 60)] == [(0, 30), (0, 45), (0, 60), (15, 75), (30, 90), (60, 100)]
    assert [(c.start, c.end) for c in plan(25, 60)] == [(0, 25)]
    assert set(bounds(500, 60)) <= set(plan(500, 60))
    assert [c.size for c in bounds(145, 60)] == [60, 85]


@pytest.mark.parametrize("length", [50, 100, 380])
def test_drawn_days_repeat_nothing_within_half_of_the_reference(length):
    days = draw_days(100, length, 20, np.random.default_rng(0))
    assert days.shape == (20, length)
    for day in days:
        for start in range(0, length - 49, 7):
            assert len(set(day[start : start + 50])) == min(50, length)
    assert len({tuple(day) for day in days}) == 20


def test_a_tails_p_are_shares_then_fall_exponentially():
    tail = Tail.of(np.arange(1000.0))
    assert tail.p(np.array([500.0]))[0] == pytest.approx(0.5, abs=0.002)
    far = tail.p(np.array([960.0, 1000.0, 1100.0]))
    assert (np.diff(far) < 0).all()
    assert far[0] < 0.05
    assert far[2] < 1e-3
    assert not tail.silent
    assert Tail.of(np.ones(50)).silent


def test_the_level_uses_the_budget_and_other_rules_share_it(drawn, calibration):
    assert (calibration.days <= calibration.level).sum() == int(BUDGET_SHARE * 0.05 * 120)
    few = calibrate(drawn, LENGTH, 0.05, fires=lambda flags, streams: np.arange(120) < 2)
    assert 0 < few.level <= calibration.level
    spent = calibrate(drawn, LENGTH, 0.05, fires=lambda flags, streams: np.arange(120) < 30)
    assert spent.level == 0.0
    seen = []
    calibrate(drawn, LENGTH, 0.05, fires=lambda flags, streams: seen.append((flags, streams)) or np.zeros(120, bool))
    flags, streams = seen[0]
    assert flags.shape == (120, len(bounds(LENGTH, WINDOW)))
    assert 0.02 <= flags.mean() <= 0.05
    assert streams.shape == (120, LENGTH)


def test_a_longer_day_than_is_drawn_has_its_level_scaled(known):
    novelty = [DETECTORS["novelty"]]
    short = calibrate(drawn_days(novelty, known, LONGEST * 40, 40, days=80), LONGEST * 40, 0.05)
    long = calibrate(drawn_days(novelty, known, 5 * LONGEST * 40, 40, days=80), 5 * LONGEST * 40, 0.05)
    assert (short.scale, long.scale) == (1.0, 5.0)
    assert long.level == pytest.approx(short.level / 5)
    assert long.day_p(long.level) == short.day_p(short.level)
