import pytest
from support import article

from llmops_assets.lib.evalsuite import item_of
from llmops_assets.lib.judging.replay import Logged, Pair, Said, compared, disagreements, logged
from llmops_assets.lib.records import GatePolicy

RETURNS = article("returns", "You can return any lamp within 45 days.", facts=(("45 days",),))
RIGHT, WRONG = Said(RETURNS.answer, "matched", "returns", 0.9), Said("Ask a colleague.", "handover", None, 0.9)
POLICY = GatePolicy(margins={"recent": 0.2})


def row(number: int, question: str, **fields) -> dict:
    plain = {"id": f"i{number}", "time": f"2026-03-08T10:0{number}:00", "question": question, "answer": f"A{number}"}
    return {
        **plain,
        "conversation": "c",
        "turn": 0,
        "path": "matched",
        "status": 200,
        "article": "",
        "similarity": 0.9,
    } | fields


def pair(number: int, mine: Said = RIGHT, other: Said = RIGHT, *, known: bool = True) -> Pair:
    one = Logged(f"i{number}", "2026-03-08", f"question {number}", (), "returns", 0.9)
    return Pair(one, mine, other, item_of("recent", one.question, RETURNS) if known else None)


def test_a_follow_up_is_asked_with_the_turns_before_it_as_they_were_logged():
    rows = [row(1, "Do you ship to Malta?"), row(2, "and how much is that?", turn=1), row(3, "and to Poland?", turn=3)]
    first, second, third = logged(rows)
    assert isinstance(first, Logged)
    assert isinstance(second, Logged)
    assert (first.history, second.history) == ((), (("Do you ship to Malta?", "A1"),))
    assert third == "the turns before it are not in the window"
    whole = row(4, "Do you ship to Malta?", turn=7)
    assert [one.history for one in logged([whole]) if isinstance(one, Logged)] == [()]


@pytest.mark.parametrize("fields", [{"status": 500}, {"path": "refused"}])
def test_what_got_no_answer_is_not_asked_again(fields):
    assert list(logged([row(1, "x", **fields)])) == ["got no answer"]


def test_the_comparison_is_the_gates_on_questions_whose_answer_is_known():
    pairs = [*(pair(n) for n in range(20)), pair(20, RIGHT, WRONG), pair(21, WRONG, RIGHT), pair(22, known=False)]
    found = compared(pairs, POLICY)
    assert (found.asked, found.known, found.candidate, found.incumbent) == (23, 22, 21, 21)
    assert (found.won, found.lost, found.margin, found.alpha) == (1, 1, 0.2, 0.05)
    assert found.low < 0 < found.high
    assert found.verdict == "not worse"
    assert compared(pairs[:5], POLICY).verdict == "undecided"
    assert compared([pair(n, WRONG, RIGHT) for n in range(9)], POLICY).verdict == "worse"
    assert compared([pair(n, RIGHT, WRONG) for n in range(9)], POLICY).verdict == "better"
    nothing = compared([pair(1, known=False)], POLICY)
    assert (nothing.known, nothing.low, nothing.high, nothing.verdict) == (0, -1.0, 1.0, "undecided")


def test_an_answer_that_no_scorer_can_grade_counts_for_neither_side():
    broken = pair(1)
    assert broken.item is not None
    broken = Pair(broken.logged, RIGHT, RIGHT, broken.item.model_copy(update={"scorer": "nothing"}))
    found = compared([broken, pair(2)], POLICY)
    assert (found.known, found.ungraded) == (1, 1)


def test_retrieval_that_differs_from_the_recorded_one_is_counted():
    farther, elsewhere = Said("x", "generated", None, 0.7), Said("x", "matched", "other", 0.9)
    unknown = Said("x", "generated", None, None)
    found = compared([pair(1, farther, RIGHT), pair(2, elsewhere, RIGHT), pair(3, unknown, RIGHT)], POLICY)
    assert found.moved == {"candidate": 2, "incumbent": 0}


def test_a_person_sees_first_what_decides_most():
    pairs = [
        pair(1),
        pair(2, RIGHT, WRONG),
        pair(3, WRONG, RIGHT),
        pair(4, WRONG, RIGHT, known=False),
        pair(5, known=False),
        pair(6, known=False),
        pair(7, Said("You can return any lamp, within 45 days!", "matched", "returns", 0.9), RIGHT, known=False),
    ]
    listed = disagreements(pairs, ["i5"], [RETURNS])
    assert [(one["row_id"], one["reason"]) for one in listed] == [
        ("i3", "only the incumbent is right"),
        ("i2", "only the candidate is right"),
        ("i4", "they say different things"),
        ("i5", "feedback against a trusted article"),
    ]
    assert listed[1]["answer"] == f"candidate: {RIGHT.answer}\n\nincumbent: {WRONG.answer}"
    assert (listed[1]["suggested_intent"], listed[1]["given_intent"]) == ("returns", "returns")
