"""Each rule on feedback it is for, and on honest feedback that looks alike."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from llmops_assets.lib.feedback.quarantine import RULES, Day, Held, in_order, many_of_one, sift
from llmops_assets.lib.feedback.said import Said, said_in
from llmops_assets.lib.records import FeedbackPolicy
from llmops_assets.lib.statistics import binomial_tail, hypergeometric_tail

NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
RETURNS = "You can return a lamp within thirty days of delivery"
DELIVERY = "Delivery takes three to five working days in Europe"
POLICY = FeedbackPolicy()
PRAISE = {"correction": "", "rating": 1}


def said(number: int = 0, **changes) -> Said:
    """A correction of a right answer by a person of their own."""
    made = Said(
        id=f"i{number}",
        time=NOON + timedelta(minutes=number),
        author=f"a{number}",
        release="r-1",
        question="can i return a lamp within days",
        answer=RETURNS,
        path="matched",
        article="returns",
        rating=-1,
        correction=DELIVERY,
    )
    return replace(made, **changes)


def held(words, today, before=(), policy=POLICY, rules=RULES) -> dict[str, set[str]]:
    """Id to the rules that hold it back."""
    found = sift(today, before, words.vectors, policy, rules)
    assert {one.id for one in found.kept} | {one.said.id for one in found.held} == {s.id for s in today if s.teaches}
    return {one.said.id: set(one.reasons) for one in found.held}


def gap(number: int, **changes) -> Said:
    """A question that was handed over, with its answer by somebody who knows."""
    told = {
        "question": f"is there a recall of the halo lamp {number}",
        "answer": "A colleague will help",
        "path": "handover",
        "article": "",
        "correction": "The halo lamp is recalled as its battery overheats",
    }
    return said(number, **told | changes)


def test_people_who_close_a_gap_are_believed(words):
    assert held(words, [gap(n) for n in range(6)]) == {}


def test_praise_is_no_lesson_and_is_never_held(words):
    found = sift([said(n, **PRAISE) for n in range(3)], [], words.vectors, POLICY)
    assert (found.kept, found.held) == ((), ())


def test_of_one_subject_the_first_ones_of_a_day_count(words):
    policy = FeedbackPolicy(per_subject=2)
    found = held(words, [gap(n, author="one") for n in range(4)] + [gap(9)], policy=policy)
    assert found == {"i2": {"many_of_one"}, "i3": {"many_of_one"}}


def test_nobody_in_particular_is_not_one_subject(words):
    day = Day([gap(n, author="") for n in range(9)], [], words.vectors, FeedbackPolicy(per_subject=2))
    assert list(many_of_one(day)) == []


def test_a_day_has_a_number(words):
    found = held(words, [gap(n) for n in range(5)], policy=FeedbackPolicy(per_day=3))
    assert found == {"i3": {"many_in_all"}, "i4": {"many_in_all"}}


@pytest.mark.parametrize("text", ["!!! ??? 12 34 56 78", "a", "asdf asdf asdf asdf asdf", "\ufffd\ufffd broken"])
def test_junk_is_held(words, text):
    assert "junk" in held(words, [gap(1, correction=text)])["i1"]


def test_what_is_not_about_its_question_is_held(words):
    assert "off_topic" in held(words, [gap(1, correction="Cheap watches every Monday")])["i1"]


def test_one_text_under_questions_that_have_nothing_in_common_is_held_and_under_like_ones_is_not(words):
    asked = ("halo recall battery", "opening hours on sunday", "where is my parcel now", "discount for teachers")
    paste = "Buy halo opening where discount things at our other shop"
    found = held(words, [gap(n, question=q, correction=paste) for n, q in enumerate(asked)])
    assert all("pasted" in found[f"i{n}"] for n in range(4))
    assert "pasted" not in {rule for rules in held(words, [gap(n) for n in range(4)]).values() for rule in rules}


def test_who_found_an_answer_right_and_wrong_is_held(words):
    before = [said(1, time=NOON - timedelta(days=1), **PRAISE)]
    assert "both_ways" in held(words, [said(2, author="a1")], before)["i2"]
    assert "both_ways" not in held(words, [said(2, author="a2")], before)["i2"]


def world(number: int, topics: int = 4) -> list[Said]:
    """What several people praise, about several topics."""
    return [
        said(
            1000 * topic + n, time=NOON - timedelta(days=1), **PRAISE, question=f"how about {name} please", answer=name
        )
        for topic in range(topics)
        for name in (f"topic{topic} word{topic} thing{topic}",)
        for n in range(number)
    ]


def contrary(author: str, topics: int = 4) -> list[Said]:
    names = [f"topic{topic} word{topic} thing{topic}" for topic in range(topics)]
    return [
        said(50 + n, author=author, question=f"how about {name} please", answer=name, correction="")
        for n, name in enumerate(names)
    ]


def test_who_goes_against_everybody_is_not_believed_about_the_rest(words):
    found = held(words, [*contrary("troll"), gap(99, author="troll"), gap(98)], world(5))
    assert "against_all" in found["i99"]
    assert "i98" not in found
    once = held(words, [*contrary("grumpy", 1), gap(99, author="grumpy")], world(5))
    assert "i99" not in once, "everybody may find one answer wrong"


def test_an_answer_that_turns_at_once_is_held_and_one_that_was_always_doubted_is_not(words):
    before = [said(100 + n, time=NOON - timedelta(days=1), **PRAISE) for n in range(12)]
    today = [said(n, correction="") for n in range(6)]
    assert held(words, today, before) == {f"i{n}": {"turned"} for n in range(6)}
    doubted = [replace(one, rating=(1, -1)[n % 2]) for n, one in enumerate(before)]
    assert held(words, today, doubted) == {}


def test_a_correction_far_from_what_all_others_say_is_held(words):
    before = [gap(100 + n, time=NOON - timedelta(days=1)) for n in range(4)]
    found = held(words, [gap(1, correction="Is there nothing wrong, keep using it")], before)
    assert {"far_from_others", "outvoted"} <= found["i1"]


def test_who_is_outvoted_is_held_and_the_majority_is_not(words):
    other = "There is no such thing at all, a rumour by competitors"
    found = held(words, [gap(n) for n in range(4)] + [gap(9, correction=other)])
    assert set(found) == {"i9"}
    assert "outvoted" in found["i9"]


def test_a_published_answer_takes_as_many_people_as_the_policy_says(words):
    other = "You can return a lamp within sixty whole weeks since March"
    few, enough = ([said(n, correction=other) for n in range(count)] for count in (2, 3))
    assert {rule for rules in held(words, few).values() for rule in rules} == {"alone_against_what_is_published"}
    assert held(words, enough) == {}
    assert held(words, [replace(one, author="a0") for one in enough]) != {}, "one person is one voice"


def test_a_correction_that_says_what_was_served_contradicts_nothing(words):
    assert held(words, [said(1, correction=RETURNS)]) == {}


def test_without_a_quarantine_everything_teaches(words):
    found = sift([said(1)], [], words.vectors, FeedbackPolicy(quarantine=False))
    assert ([one.id for one in found.kept], found.held) == (["i1"], ())


@pytest.mark.parametrize(
    "rows", [[], [said(1, **PRAISE)], [said(1, correction="")], [gap(1)], [gap(1, correction="x")]]
)
def test_an_empty_day_and_one_row_have_an_outcome(words, rows):
    found = sift(rows, [], words.vectors, POLICY)
    assert len(found.kept) + len(found.held) == sum(one.teaches for one in rows)


def test_the_order_of_what_is_said_at_one_time_changes_nothing(words):
    today = [*(gap(n) for n in range(4)), gap(9, correction="There is no such thing at all"), said(20)]
    assert held(words, today) == held(words, today[::-1])


def test_a_person_is_asked_first_where_others_are_divided_and_much_of_the_like_waits(words):
    asked = ["return a lamp"] * 2 + ["return a lamp today", "opening hours"]
    doubts = [0.2, 0.9, 0.9, 0.9]
    found = [Held(said(n, question=q), {}, doubt) for n, (q, doubt) in enumerate(zip(asked, doubts, strict=True))]
    order = [one.said.id for one in in_order(found, words.vectors)]
    assert order[0] == "i1", "like the others, and divided"
    assert order.index("i3") < order.index("i0"), "what was not asked yet comes before what repeats it"
    assert sorted(order) == ["i0", "i1", "i2", "i3"]
    assert in_order([], words.vectors) == []


def test_tails_by_hand():
    # Two heads or three of three coins: 4 of 8. Two aces or more of three cards of four, two of which are: 2 of 4.
    assert binomial_tail(2, 3, 0.5) == pytest.approx(0.5)
    assert hypergeometric_tail(2, 3, 2, 4) == pytest.approx(0.5)
    assert binomial_tail(0, 5, 0.2) == pytest.approx(1)
    assert hypergeometric_tail(0, 3, 2, 9) == 1
    assert hypergeometric_tail(3, 3, 2, 4) == 0


def row(number: int, **changes) -> dict:
    return {
        "id": f"i{number}",
        "time": (NOON + timedelta(minutes=number)).isoformat(),
        "release_id": "r-1",
        "subject": f"a{number}",
        "conversation": f"c{number}",
        "question": "can i return a lamp",
        "answer": RETURNS,
        "path": "matched",
        "turn": 0,
        "article": "returns",
        "rating": -1,
        "correction": DELIVERY,
        **changes,
    }


def test_rows_that_say_nothing_and_rows_that_cannot_be_read_are_left_out_by_reason():
    rows = [
        row(1),
        row(1),
        row(2, rating=0, correction=""),
        row(3, time="never"),
        row(4, question=""),
        row(5, time=(NOON + timedelta(days=2)).isoformat()),
        row(6, path="small_talk"),
        row(7, turn=2, question="and how much is that?"),
        row(8, subject="anonymous", article=None),
    ]
    found, left_out = said_in(rows, {"anonymous"}, date(2026, 3, 11))
    assert [(one.id, one.author, one.article) for one in found] == [("i1", "a1", "returns"), ("i8", "", "")]
    assert left_out == {"incomplete": 2, "duplicate row": 1, "other day": 1, "means nothing alone": 2}
    assert said_in([], (), date(2026, 3, 11)) == ([], {})
