"""Halving between good and bad: the right change, no more votes than needed, and what narrow votes say."""

import math

import pytest

from llmops_assets.lib.bisection import Vote, first_hurt, lost, vote


@pytest.mark.parametrize("changes", range(1, 40))
def test_every_planted_change_is_found_in_as_many_votes_as_halving_needs(changes):
    for planted in range(1, changes + 1):
        asked: list[int] = []

        def answers(state: int, planted=planted, asked=asked) -> Vote:
            asked.append(state)
            return Vote(10 if state < planted else 0, 10)

        search = first_hurt(changes, answers)
        assert search.change == planted
        assert len(asked) <= math.ceil(math.log2(changes))
        assert 0 not in asked
        assert changes not in asked
        assert not search.doubtful
        assert list(search.votes) == asked


def test_one_of_sixteen_takes_four_votes():
    most = [len(first_hurt(16, lambda s, p=p: Vote(int(s < p), 1)).votes) for p in range(1, 17)]
    assert max(most) == 4


def test_a_narrow_vote_beside_the_change_is_doubtful_and_one_far_from_it_is_not():
    votes = {2: Vote(10, 10), 3: Vote(6, 10)}
    near = first_hurt(4, votes.__getitem__)
    assert (near.change, near.doubtful) == (4, True)
    votes = {4: Vote(6, 10), 6: Vote(9, 10), 7: Vote(1, 10)}
    far = first_hurt(8, votes.__getitem__)
    assert (far.change, far.doubtful) == (7, False)


def test_half_is_still_good_and_less_is_not():
    assert not Vote(5, 10).hurt
    assert Vote(4, 10).hurt
    assert Vote(1, 4).doubtful is False
    assert Vote(3, 8).doubtful is True
    assert str(Vote(5, 10)) == "5 of 10 (doubtful)"
    assert str(Vote(10, 10)) == "10 of 10"


def test_where_hurting_ends_before_the_bad_state_a_change_that_hurts_is_found_nevertheless():
    hurt = {3, 4, 8}
    search = first_hurt(8, lambda state: Vote(int(state not in hurt), 1))
    assert search.change in hurt
    assert search.change - 1 not in hurt


def test_lost_are_those_that_only_the_good_one_answers():
    good = {"a": True, "b": True, "c": False, "d": True}
    bad = {"a": False, "b": True, "c": False, "e": False}
    assert lost(good, bad) == ["a"]
    assert vote(["a", "b"], {"a": True, "b": False, "c": True}) == Vote(1, 2)
    with pytest.raises(KeyError):
        vote(["a"], {})


def test_equal_states_have_no_change():
    with pytest.raises(ValueError, match="no change"):
        first_hurt(0, lambda _: Vote(1, 1))
