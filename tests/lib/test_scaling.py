from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from llmops_assets.lib.scaling import AHEAD, ScalingPlan, Slot, planned

NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
TEN = timedelta(minutes=10)


def plan(*replicas: int, valid: timedelta = timedelta(hours=1)) -> ScalingPlan:
    slots = tuple(
        Slot(start=NOON + n * TEN, replicas=count, requests={"0.9": count * 2.0}) for n, count in enumerate(replicas)
    )
    return ScalingPlan(made=NOON, valid_until=NOON + valid, slots=slots)


@pytest.mark.parametrize(
    ("minutes", "replicas", "forecast"),
    [
        (-6, 0, {}),
        (-5, 2, {}),  # the first slot begins within the time that a replica takes to serve
        (0, 2, {"0.9": 4.0}),
        (4.9, 2, {"0.9": 4.0}),
        (5, 6, {"0.9": 4.0}),
        (19.9, 6, {"0.9": 12.0}),  # none less before the slot that wants them is over
        (20, 1, {"0.9": 2.0}),
        (29.9, 1, {"0.9": 2.0}),
        (30, 0, {}),
    ],
)
def test_replicas_are_there_before_the_slot_that_wants_them(minutes, replicas, forecast):
    found = planned(plan(2, 6, 1), NOON + timedelta(minutes=minutes))
    assert (found.replicas, found.requests) == (replicas, forecast)


def test_an_expired_plan_asks_for_nothing_from_the_second_on():
    short = plan(3, 3, 3, valid=timedelta(minutes=7))
    assert planned(short, short.valid_until - timedelta(seconds=1)).replicas == 3
    assert planned(short, short.valid_until).replicas == 0
    assert planned(short, short.valid_until + timedelta(days=1)).valid_until == short.valid_until


@given(st.lists(st.integers(0, 9), max_size=6), st.integers(-60, 90), st.integers(0, 30))
def test_it_never_asks_for_more_than_a_slot_does_and_for_no_less_when_looking_further(counts, minutes, further):
    made, moment = plan(*counts), NOON + timedelta(minutes=minutes)
    near, far = planned(made, moment, timedelta(0)), planned(made, moment, timedelta(minutes=further))
    assert near.replicas <= far.replicas <= max(counts, default=0)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"slots": [Slot(start=NOON, replicas=1), Slot(start=NOON + AHEAD, replicas=1)]}, "overlap"),
        ({"slots": [Slot(start=NOON + TEN, replicas=1), Slot(start=NOON, replicas=1)]}, "not in order"),
        ({"valid_until": NOON}, "expires before"),
        ({"valid_until": datetime(2026, 3, 12)}, "timezone"),
    ],
)
def test_a_plan_that_is_none_is_refused(change, told):
    with pytest.raises(ValidationError, match=told):
        ScalingPlan(**{**dict(plan(1)), **change})
