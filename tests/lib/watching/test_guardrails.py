"""A release that serves everybody against the level it had before: what takes it back, and how often by chance."""

import numpy as np
import pytest

from llmops_assets.lib.records import RolloutPolicy
from llmops_assets.lib.watching.guardrails import judge
from llmops_assets.lib.watching.rollout import Tally

POLICY = RolloutPolicy(minimum_conversations=100)


def counted(mine: int, other: int = 0, **events: tuple[int, int]) -> Tally:
    """So many conversations of both sides; `events` has for a metric those of the release and of the one before."""
    made = Tally(mine, other)
    for metric, (own, before) in events.items():
        made.sides[metric] = [True] * own + [False] * before
    return made


@pytest.mark.parametrize(
    ("before", "since", "verdict", "metric"),
    [
        (counted(400, 400), counted(400, errors=(60, 0)), "roll_back", "errors"),
        (counted(400, 400), counted(400, slow=(90, 0)), "roll_back", "slow"),
        (counted(400, 400, slow=(90, 0)), counted(400, slow=(90, 0)), "wait", ""),
        (counted(400, 400, slow=(0, 90)), counted(400, slow=(90, 0)), "roll_back", "slow"),
        (counted(0, 400, slow=(0, 90)), counted(400, slow=(90, 0)), "wait", ""),
        (counted(0, 400), counted(400, slow=(90, 0)), "roll_back", "slow"),
        (counted(400, 400), counted(400, handovers=(160, 0)), "ask", "handovers"),
        (counted(400, 400), counted(400, handovers=(160, 0), errors=(60, 0)), "roll_back", "errors"),
        (counted(400, 400), counted(400, errors=(8, 0)), "wait", ""),
        (counted(50, 50), counted(400, errors=(400, 0)), "wait", ""),
    ],
)
def test_what_follows(before, since, verdict, metric):
    found = judge(before, since, POLICY)
    assert (found.verdict, found.metric) == (verdict, metric)
    assert any(character.isdigit() for character in found.reason), "it says the figures"


def test_a_release_that_keeps_its_level_is_seldom_taken_back_however_often_one_looks():
    rng, level, streams, length, taken = np.random.default_rng(4), 0.2, 60, 600, 0
    for _ in range(streams):
        before = counted(200, slow=(int(rng.binomial(200, level)), 0))
        slow = rng.random(length) < level + POLICY.tolerance("slow")
        looks = range(100, length + 1, 100)
        taken += any(judge(before, counted(n, slow=(int(slow[:n].sum()), 0)), POLICY).verdict != "wait" for n in looks)
    assert taken <= POLICY.alpha * streams
