import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops_assets.lib.corpus.deduplication import near_duplicate_groups
from llmops_assets.lib.corpus.splits import HELD_BACK, TRAINING, Splitter, identity, split

WORDS = "how do i return my lamp when will the parcel arrive can you send an invoice where is your shop".split()
SHARES = {"held_out": 0.3, "test": 0.2}
ROWS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(WORDS), min_size=2, max_size=5).map(" ".join),
        st.sampled_from(["", "", "s1", "s2", "s3", "s4"]),
        st.sampled_from(["a", "b"]),
    ),
    max_size=25,
).map(
    lambda found: [
        {"row_id": f"r{n}", "question": question, "subject": subject, "intent": intent}
        for n, (question, subject, intent) in enumerate(found)
    ]
)


def assert_apart(rows, placed):
    side = {p.row_id: p.side for p in placed if p.side != HELD_BACK}
    kept = [row for row in rows if row["row_id"] in side]
    by_subject = {}
    for row in kept:
        if row["subject"]:
            assert by_subject.setdefault(row["subject"], side[row["row_id"]]) == side[row["row_id"]]
    for group in near_duplicate_groups(kept):
        for match in group.matches:
            assert side[match.row_id] == side[group.row_id]


@pytest.mark.slow
@given(ROWS)
@settings(max_examples=150, deadline=None)
def test_growth_never_moves_a_row(rows):
    whole, _ = split(rows, SHARES, b"k")
    for length in range(len(rows)):
        assert split(rows[:length], SHARES, b"k")[0] == whole[:length]


@pytest.mark.slow
@given(ROWS, st.data())
@settings(max_examples=150, deadline=None)
def test_a_late_row_among_earlier_ones_moves_none_of_them(rows, data):
    cut = data.draw(st.integers(0, len(rows)))
    early, _ = split(rows[:cut], SHARES, b"k")
    known = {placed.identity: placed.side for placed in early}
    mixed = data.draw(st.permutations(rows))
    late, _ = split(mixed, SHARES, b"k", known=known)
    assert all(placed.side == known[placed.identity] for placed in late if placed.identity in known)
    assert_apart(sorted(mixed, key=lambda row: identity(row) not in known), late)


@pytest.mark.slow
@given(ROWS)
@settings(max_examples=150, deadline=None)
def test_no_subject_and_no_near_duplicate_is_on_two_sides(rows):
    assert_apart(rows, split(rows, SHARES, b"k")[0])


def test_a_row_that_ties_two_sides_together_is_held_back_and_says_so():
    splitter = Splitter({"held_out": 0.5}, b"k")
    one = {"row_id": "one", "question": "how do i return my lamp", "subject": "s1", "intent": "x"}
    two = {"row_id": "two", "question": "where is the parcel now please", "subject": "s2", "intent": "x"}
    first, second = splitter.place([one, two])
    assert {first.side, second.side} == {TRAINING, "held_out"}, "an even share of two rows is one each"
    bridge = {"row_id": "b", "question": one["question"], "subject": "s2", "intent": "x"}
    after = {"row_id": "c", "question": "something else altogether", "subject": "s2", "intent": "x"}
    held, free = splitter.place([bridge, after])
    assert held.side == HELD_BACK
    assert "one (" in held.reason
    assert "two (" in held.reason
    assert free.side == second.side


def test_every_intent_keeps_close_to_the_shares_even_with_few_rows():
    rows = [
        {
            "row_id": f"{intent}{n}",
            "question": f"{intent} {n * 7919} {n * n}",
            "subject": f"{intent}{n}",
            "intent": intent,
        }
        for intent, count in (("many", 400), ("few", 20), ("rare", 10))
        for n in range(count)
    ]
    _, splitter = split(rows, {"held_out": 0.1}, b"k")
    held = {intent: counted["held_out"] for intent, counted in splitter.counts.items()}
    assert abs(held["many"] - 40) <= 1
    assert abs(held["few"] - 2) <= 1
    assert abs(held["rare"] - 1) <= 1
    achieved = splitter.achieved()
    assert achieved[""][TRAINING] == pytest.approx(0.9, abs=0.01)
    assert set(achieved) == {"", "many", "few", "rare"}


def test_the_key_decides_and_another_answer_changes_no_identity():
    rows = [{"row_id": str(n), "question": f"q {n * 7919}", "subject": f"s{n}", "intent": ""} for n in range(60)]
    sides = [[p.side for p in split(rows, SHARES, key)[0]] for key in (b"a", b"b", b"a")]
    assert sides[0] == sides[2]
    assert sides[0] != sides[1]
    assert identity({**rows[0], "answer": "x"}) == identity({**rows[0], "question": "Q  0!", "answer": "y"})
    assert identity(rows[0]) != identity({**rows[0], "subject": "other"})


def test_variants_take_their_parents_side_and_need_one():
    origin = {"row_id": "o", "question": "how do i return my lamp", "subject": "", "intent": "x"}
    variant = {**origin, "row_id": "v", "question": "wie geht das", "parent": "o"}
    for seed in range(20):
        placed, _ = split([variant, origin], {"held_out": 0.5}, str(seed).encode())
        assert placed[0].side == placed[1].side
    with pytest.raises(ValueError, match="variant of o"):
        split([variant], {}, b"k")


@pytest.mark.parametrize("shares", [{"held_out": 1.1}, {"held_out": -0.1}, {TRAINING: 0.5}, {HELD_BACK: 0.1}])
def test_shares_that_cannot_be_are_refused(shares):
    with pytest.raises(ValueError, match="shares"):
        Splitter(shares, b"k")
