from collections import Counter

import pytest
from support import article

from llmops_assets.data.feedback_examples import examples_of
from llmops_assets.lib.feedback.said import said_in
from llmops_assets.lib.judging import recent
from llmops_assets.lib.judging.recent import is_judged
from llmops_assets.lib.records import EvalItem

RETURNS = article("returns", "You can return any lamp within 45 days.", facts=(("45 days",),))
DELIVERY = article("delivery", "Delivery takes 3 to 5 days after packing.")
EXPRESS = article("express", "Express delivery costs 12 euros.", facts=(("12 euro",),), intent="delivery")
LOOK_UP = article("status", "I cannot look.").model_copy(update={"kind": "look_up"})
ARTICLES = [RETURNS, DELIVERY, EXPRESS, LOOK_UP]
JUDGED = [text for n in range(60) if is_judged(text := f"how late may lamp {n} go back?")]
TAUGHT = next(text for n in range(60) if not is_judged(text := f"how late may lamp {n} go back?"))


def row(question: str = JUDGED[0], **fields) -> dict:
    plain = {"id": f"i-{question}", "question": question, "answer": "No idea.", "path": "generated", "article": ""}
    return {**plain, "status": 200, "turn": 0, "rating": 0, "reason": "", "correction": "", **fields}


def known(*rows: dict, **labels: str) -> recent.Outcomes:
    return recent.outcomes(rows, ARTICLES, labels)


def only(found: recent.Outcomes) -> tuple:
    [one] = found.known
    return one.article.id if one.article else None, one.how, one.failed


def reason(*rows: dict, **labels: str) -> str:
    found = known(*rows, **labels)
    assert not found.known
    [why] = found.unknown
    return why


def test_praise_says_that_the_article_served_was_right():
    assert only(known(row(path="matched", article="returns", answer=RETURNS.answer, rating=1))) == (
        "returns",
        "praised",
        False,
    )
    generated = row(answer="Any lamp can return within 45 days.", rating=1)
    assert only(known(generated)) == ("returns", "praised", False)
    assert reason(row(answer="Any lamp can return within 54 days.", rating=1)).startswith("praised, but")
    assert reason(row(path="handover", rating=1)).startswith("praised, but")


def test_a_correction_to_what_an_article_says_makes_a_failure_known():
    assert only(known(row(correction=RETURNS.answer, rating=-1))) == ("returns", "corrected", True)
    assert reason(row(correction="We are closed on Sunday.", rating=-1)) == "corrected to what no article says"


def test_feedback_against_a_trusted_article_is_a_dispute_that_only_a_person_settles():
    """Otherwise who sends enough wrong corrections would decide what the suite calls right."""
    poisoned = row(path="matched", article="returns", answer=RETURNS.answer, correction=DELIVERY.answer, rating=-1)
    found = known(poisoned)
    assert (found.known, found.disputed) == ((), (poisoned["id"],))
    assert only(known(poisoned, **{poisoned["id"]: "returns"})) == ("returns", "labelled", False)
    assert only(known(poisoned, **{poisoned["id"]: ""})) == (None, "labelled", True)


def test_a_label_of_an_intent_with_several_articles_needs_words_of_one():
    asked = row(correction=EXPRESS.answer)
    assert only(known(asked, **{asked["id"]: "delivery"})) == ("express", "labelled", True)
    vague = row()
    assert reason(vague, **{vague["id"]: "delivery"}) == "its label names no one article"


def test_what_needs_a_look_up_is_right_when_handed_over():
    asked = row(path="handover", answer="I cannot look. A colleague will.")
    found = known(asked, **{asked["id"]: "status"})
    assert only(found) == ("status", "labelled", False)
    [item] = recent.items(found.known, (), ARTICLES, recent=5, failures=5)
    assert (item.slice, item.article, item.source) == ("recent", None, asked["id"])


@pytest.mark.parametrize(
    "changes",
    [{"status": 500}, {"path": "refused"}, {"path": "small_talk"}, {"turn": 1, "question": "and to Poland?"}],
)
def test_what_is_no_question_by_itself_judges_nothing(changes):
    assert reason(row(**{"rating": 1, **changes})) == "no question by itself"


def test_tellings_that_differ_cancel_each_other():
    one, other = row(correction=RETURNS.answer), row(id="other", correction=DELIVERY.answer)
    found = known(one, other)
    assert (found.known, found.unknown, len(found.disputed)) == ((), {"told differently": 2}, 2)
    assert len(known(one, row(id="again", correction=RETURNS.answer)).known) == 1


def test_a_corrected_question_is_either_judged_or_taught_and_stays_so():
    rows = [row(f"is lamp {n} blue?", correction=RETURNS.answer, rating=-1) for n in range(400)]
    judged = {one.question for one in known(*rows).known}
    asked = {"time": "2026-03-09T12:00:00+00:00", "subject": "anna", "conversation": "c"}
    said, left_out = said_in({**one, **asked} for one in rows)
    taught = {example["question"] for example in examples_of(said, (), {})[0]}
    assert not left_out
    assert judged.isdisjoint(taught)
    assert len(judged | taught) == 400
    assert 50 < len(judged) < 110
    assert is_judged(JUDGED[0].upper() + "!!")
    assert reason(row(TAUGHT, correction=RETURNS.answer)) == "corrected, and taught"


def outcome(question: str, *, failed: bool = False, of=RETURNS) -> recent.Known:
    return recent.Known(f"i-{question}", question, of, "corrected" if failed else "praised", failed)


def test_a_sample_keeps_the_share_of_failures_and_takes_every_article_in_turn():
    many = [outcome(f"a{n}") for n in range(60)] + [outcome(f"b{n}", of=DELIVERY) for n in range(2)]
    failing = [outcome(f"c{n}", failed=True) for n in range(31)]
    chosen = recent.sample([*many, *failing], 21)
    assert len(chosen) == 21
    assert sum(one.failed for one in chosen) == 7
    assert Counter(one.article.id for one in chosen if one.article and not one.failed)["delivery"] == 2
    assert recent.sample([*failing, *many[::-1]], 21) == chosen
    assert len(recent.sample(many, 100)) == 62
    assert recent.sample([], 5) == []


def slices(items: list[EvalItem]) -> dict[str, set[str]]:
    return {name: {i.question for i in items if i.slice == name} for name in {i.slice for i in items}}


def test_a_failure_is_asked_again_as_long_as_its_article_is_there_and_once_only():
    first = recent.items([outcome("a", failed=True), outcome("b")], (), ARTICLES, recent=9, failures=9)
    assert slices(first) == {"recent": {"a", "b"}}
    later = recent.items([outcome("c")], first, ARTICLES, recent=9, failures=9)
    assert slices(later) == {"recent": {"c"}, "failure_returns": {"a"}}
    moved = [RETURNS.model_copy(update={"answer": "Within 30 days.", "facts": (("30 days",),)})]
    assert [i.facts for i in recent.items([], later, moved, recent=9, failures=9)] == [(("30 days",),)]
    assert recent.items([], later, [DELIVERY], recent=9, failures=9) == []


def test_failures_beside_the_sample_are_kept_up_to_a_number_the_new_ones_first():
    before = recent.items([outcome("old", failed=True)], (), ARTICLES, recent=9, failures=9)
    fresh = [outcome(f"new {n}", failed=True) for n in range(3)]
    assert slices(recent.items(fresh, before, ARTICLES, recent=1, failures=2))["failure_returns"] < {
        one.question for one in fresh
    }
    everything = slices(recent.items(fresh, before, ARTICLES, recent=1, failures=9))
    assert "old" in everything["failure_returns"]
    assert everything["recent"].isdisjoint(everything["failure_returns"])
