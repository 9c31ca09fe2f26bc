"""A rollout's statistics against values worked out here, and the decision on every state of a step."""

import itertools
import math

import numpy as np
import pytest

from llmops_assets.lib.records import TOLERATED, RolloutPolicy
from llmops_assets.lib.watching.rollout import EVENTS, Tally, decide, figure, tally, uneven
from llmops_assets.lib.watching.rollout_evidence import (
    RATIOS,
    always_valid_p,
    log_evidence,
    loss_interval,
    lower_end,
    upper_end,
)

POLICY = RolloutPolicy(steps=(0.1, 0.5, 1.0), minimum_conversations=50)
NEW, OLD = "r-new", "r-old"


def row(conversation: str, release: str = OLD, minute: int = 0, **parts) -> dict:
    usual = {
        "conversation": conversation,
        "release_id": release,
        "turn": 0,
        "time": f"2026-03-11T12:{minute:02}",
        "status": 200,
        "path": "matched",
        "guards": "",
        "latency_seconds": 0.5,
        "rating": 0,
        "correction": False,
        "said_at": "",
    }
    return {**usual, **parts}


def counted(mine: int, other: int, **events: tuple[int, int]) -> Tally:
    """Counts whose events come evenly: (candidate's, incumbent's) by metric."""
    found = Tally(mine, other, order=spread(mine, other))
    for metric, (some, others) in events.items():
        found.sides[metric] = spread(some, others)
    return found


def spread(some: int, others: int) -> list[bool]:
    order = sorted(
        [((n + 0.5) / some, True) for n in range(some)] + [((n + 0.5) / others, False) for n in range(others)]
    )
    return [side for _, side in order]


# -- evidence -------------------------------------------------------------------------------------------------------


def test_evidence_is_the_mean_of_likelihood_ratios():
    found = math.exp(log_evidence(2, 3, 0.1))
    chances = [0.1 * r / (0.1 * r + 0.9) for r in np.geomspace(*RATIOS)]
    assert found == pytest.approx(np.mean([(c / 0.1) ** 2 * ((1 - c) / 0.9) for c in chances]), rel=1e-12)


def test_evidence_is_a_martingale_where_nothing_is_worse():
    share, events = 0.3, 6
    for both in (False, True):
        mean = sum(
            math.comb(events, k)
            * share**k
            * (1 - share) ** (events - k)
            * math.exp(log_evidence(k, events, share, both=both))
            for k in range(events + 1)
        )
        assert mean == pytest.approx(1, abs=1e-12)


@pytest.mark.slow
def test_looked_at_after_every_event_it_errs_no_more_than_its_level():
    rng = np.random.default_rng(3)
    mine = (rng.random((2000, 400)) < 0.1).cumsum(axis=1)
    p = always_valid_p(log_evidence(mine, np.broadcast_to(np.arange(1, 401), mine.shape), 0.1))
    assert 0.005 < (p[:, -1] <= 0.05).mean() <= 0.05
    assert (np.diff(p, axis=1) <= 0).all()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_without_two_sides_there_is_no_evidence(share):
    with pytest.raises(ValueError, match="one side without conversations"):
        log_evidence(1, 2, share)


def test_a_share_lies_between_its_ends_at_every_time_also_where_it_drifts():
    rng = np.random.default_rng(5)
    chance = 0.1 + 0.09 * np.sin(np.arange(600) / 40)
    events = (rng.random((400, 600)) < chance).cumsum(axis=1)[:, 19::20]
    total, mean = np.arange(20, 601, 20), (chance.cumsum() / np.arange(1, 601))[19::20]
    missed = (mean > upper_end(events, total, 0.05)).any(axis=1).mean()
    assert missed <= 0.05
    assert (mean < lower_end(events, total, 0.05)).any(axis=1).mean() <= 0.05


def test_ends_are_ordered_close_with_more_conversations_and_know_nothing_of_none():
    assert (float(upper_end(0, 0, 0.05)), float(lower_end(0, 0, 0.05))) == (1.0, 0.0)
    few, many = (float(upper_end(n // 10, n, 0.05)) for n in (100, 10_000))
    assert 0.1 < many < 0.12 < few
    low, high = loss_interval(30, 100, 100, 1000, 0.05)
    assert low < 0.2 < high


# -- conversations --------------------------------------------------------------------------------------------------


def test_a_conversation_counts_once_with_the_side_that_began_it():
    rows = [
        row("a", NEW, path="handover"),
        row("a", NEW, 1, turn=1, path="handover"),
        row("b", OLD, 2, status=503),
        row("c", "r-preview", 3),
        row("d", NEW, 4, turn=3, path="handover"),
        row("b", NEW, 5, turn=1, path="handover"),
    ]
    found = tally(rows, NEW, OLD, 2.0)
    assert (found.candidate_of, found.incumbent_of) == (1, 1)
    assert found.sides["handovers"] == [True, False], "b is the incumbent's, whoever answered later"
    assert found.sides["errors"] == [False]


@pytest.mark.parametrize(
    ("metric", "parts"),
    [
        ("errors", {"status": 500}),
        ("slow", {"latency_seconds": 2.1}),
        ("guards", {"guards": "topics:question:note,injection:question:hand_over"}),
        ("handovers", {"path": "handover"}),
        ("bad_ratings", {"rating": -1, "said_at": "2026-03-11T13"}),
        ("corrections", {"correction": True, "said_at": "2026-03-11T13"}),
    ],
)
def test_each_metric_sees_its_event_and_no_other(metric, parts):
    found = tally([row("a", NEW, **parts)], NEW, OLD, 2.0)
    assert {name for name, sides in found.sides.items() if sides} == {metric}
    quiet = {"guards": "topics:question:note", "latency_seconds": 2.0, "status": 499, "rating": 1}
    assert not any(tally([row("a", NEW, **quiet)], NEW, OLD, 2.0).sides.values())
    assert set(EVENTS) == set(TOLERATED)


def test_events_stand_in_the_order_in_which_they_came():
    rated = {"rating": -1}
    rows = [row("a", NEW, 1, said_at="2026-03-11T15", **rated), row("b", OLD, 2, said_at="2026-03-11T14", **rated)]
    assert tally(rows, NEW, OLD, 2.0).sides["bad_ratings"] == [False, True]


# -- decisions ------------------------------------------------------------------------------------------------------


def test_a_candidate_that_is_as_good_goes_on_when_its_losses_are_shown_to_be_tolerable():
    few = decide(counted(49, 441), POLICY, 0.1, 1)
    assert (few.verdict, "50 are needed" in few.reason) == ("wait", True)
    enough = decide(counted(600, 5400, handovers=(60, 540)), POLICY, 0.1, 1)
    assert (enough.verdict, enough.metric) == ("advance", "")
    assert len(enough.figures) == len(TOLERATED)
    wide = decide(counted(100, 900, handovers=(20, 180)), POLICY, 0.1, 1)
    assert (wide.verdict, "handovers" in wide.reason) == ("wait", True)


def test_a_worse_one_is_taken_back_with_the_figure_that_tripped():
    found = decide(counted(100, 900, errors=(12, 3), handovers=(10, 90)), POLICY, 0.1, 1)
    assert (found.verdict, found.metric) == ("roll_back", "errors")
    assert (
        "errors in 12 of 100 conversations of the candidate and 3 of 900 of the incumbent: +11.7 points" in found.reason
    )
    assert decide(counted(100, 900, errors=(12, 3)), POLICY, 0.1, 1, held=True).verdict == "roll_back"


def test_evidence_once_shown_is_not_outweighed_by_what_comes_later():
    first = counted(100, 900, errors=(12, 3))
    first.sides["errors"] += [False] * 200
    assert figure("errors", first, 0.1, POLICY).p <= POLICY.level


def test_a_loss_that_is_shown_to_be_tolerable_takes_nothing_back():
    tolerant = POLICY.model_copy(update={"tolerated": {"handovers": 0.2}})
    worse = counted(4000, 36_000, handovers=(600, 3600))
    assert decide(worse, POLICY.model_copy(update={"tolerated": {"handovers": 0.05}}), 0.1, 1).verdict == "roll_back"
    assert decide(worse, tolerant, 0.1, 1).verdict == "advance"


@pytest.mark.parametrize(("on_timeout", "verdict"), [("ask", "ask"), ("roll_back", "roll_back"), ("go_on", "advance")])
def test_a_step_ends_in_time_as_the_policy_says(on_timeout, verdict):
    policy = POLICY.model_copy(update={"on_timeout": on_timeout})
    assert decide(counted(10, 90), policy, 0.1, policy.maximum_hours - 0.1).verdict == "wait"
    found = decide(counted(10, 90), policy, 0.1, policy.maximum_hours)
    assert (found.verdict, f"on_timeout: {on_timeout}" in found.reason) == (verdict, True)
    assert decide(counted(10, 90), policy, 0.1, policy.maximum_hours, held=True).verdict == "wait"


def test_a_candidate_whose_answers_are_missing_is_looked_at_by_a_person():
    lost = counted(20, 1800)
    assert uneven(lost, 0.1) < 0.001
    assert uneven(counted(180, 1620), 0.1) > 0.5
    found = decide(lost, POLICY, 0.1, 1)
    assert (found.verdict, "never logged" in found.reason) == ("ask", True)


def test_the_level_is_shared_by_metrics_and_steps():
    assert POLICY.level == pytest.approx(0.05 / 12)
    assert RolloutPolicy(steps=(0.5, 1)).level == pytest.approx(0.05 / 6)
    assert not RolloutPolicy().staged


@pytest.mark.parametrize("steps", [(0.05, 0.25), (0.0, 1.0), (0.25, 0.05, 1.0), (0.5, 0.5, 1.0), (0.5, 2.0)])
def test_steps_that_do_not_lead_to_all_customers_are_refused(steps):
    with pytest.raises(ValueError, match=r"rollout\.steps"):
        RolloutPolicy(steps=steps)


def test_a_conversation_never_comes_back_from_the_candidate_while_its_share_grows():
    from llmops_assets.gateway.releases import share_of

    names = [f"c{n}" for n in range(4000)]
    groups = [{name for name in names if share_of(name, NEW) < share} for share in (0.05, 0.25, 1.0)]
    assert all(smaller < larger for smaller, larger in itertools.pairwise(groups))
    assert [len(group) / 4000 for group in groups] == pytest.approx([0.05, 0.25, 1], abs=0.02)
    other = {name for name in names if share_of(name, "r-other") < 0.05}
    assert len(other & groups[0]) < 40, "another candidate draws anew"
