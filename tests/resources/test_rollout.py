"""The table of moves: what each changes of the state, and what it refuses."""

import pytest

from llmops_assets.gateway.state import ServingState
from resources.deployment_target.rollout import MOVES, MoveRefusedError, Wanted, moved

BEFORE = ServingState(
    generation=7, live="a", previous="z", canary="c", canary_share=0.2, shadow="s", shadow_share=0.4, preview="p"
)
NOTHING = {"canary": None, "canary_share": 0.0, "shadow": None, "shadow_share": 0.0}


@pytest.mark.parametrize(
    ("move", "wanted", "changes"),
    [
        ("preview", Wanted("n"), {"preview": "n"}),
        ("end_preview", Wanted(), {"preview": None}),
        ("shadow", Wanted("n", 0.2), {"shadow": "n", "shadow_share": 0.2}),
        ("end_shadow", Wanted(), {"shadow": None, "shadow_share": 0.0}),
        ("canary", Wanted("n", 0.3), {"canary": "n", "canary_share": 0.3}),
        ("canary", Wanted("s", 1.0), {"canary": "s", "canary_share": 1.0, "shadow": None, "shadow_share": 0.0}),
        ("live", Wanted("n"), {"live": "n", "previous": "a", **NOTHING}),
        ("live", Wanted("c"), {"live": "c", "previous": "a", **NOTHING}),
        ("live", Wanted("a"), NOTHING),
        ("abort", Wanted(), NOTHING),
        ("roll_back", Wanted(), {"live": "z", "previous": "a", **NOTHING}),
        ("roll_back", Wanted("y"), {"live": "y", "previous": "a", **NOTHING}),
    ],
)
def test_a_move_changes_this_and_nothing_else(move, wanted, changes):
    assert moved(BEFORE, move, wanted) == BEFORE.model_copy(update={**changes, "generation": 8})


@pytest.mark.parametrize(
    ("move", "wanted"),
    [("preview", Wanted("p")), ("shadow", Wanted("s", 0.4)), ("canary", Wanted("c", 0.2)), ("roll_back", Wanted("a"))],
)
def test_a_move_that_changes_nothing_is_no_new_state(move, wanted):
    assert moved(BEFORE, move, wanted) is BEFORE


@pytest.mark.parametrize(
    ("state", "move", "wanted", "reason"),
    [
        (BEFORE, "canary", Wanted("n", 0.0), "not 0.0"),
        (BEFORE, "canary", Wanted("n", 1.01), "not 1.01"),
        (BEFORE, "shadow", Wanted("n", 1.01), "not 1.01"),
        (ServingState(live="a"), "roll_back", Wanted(), "no previous release"),
    ],
)
def test_a_move_that_is_not_possible_says_why(state, move, wanted, reason):
    with pytest.raises(MoveRefusedError, match=reason):
        moved(state, move, wanted)


def test_a_release_goes_the_whole_way_and_back():
    state = ServingState(live="old")
    for move, wanted in (("preview", Wanted("new")), ("end_preview", Wanted()), ("shadow", Wanted("new"))):
        state = moved(state, move, wanted)
        assert state.live == "old"
    state = moved(state, "canary", Wanted("new", 0.1))
    state = moved(state, "live", Wanted("new"))
    assert state == ServingState(generation=5, live="new", previous="old")
    assert moved(state, "roll_back", Wanted()) == ServingState(generation=6, live="old", previous="new")


def test_every_move_of_the_table_is_tested_here():
    assert set(MOVES) == {"preview", "end_preview", "shadow", "end_shadow", "canary", "live", "abort", "roll_back"}
