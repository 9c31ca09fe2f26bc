from datetime import date

from support import article

from llmops_assets.lib import evalsuite
from llmops_assets.lib.judging.grading import grade

NEW = date(2026, 3, 11)
HELD_OUT = [f"held out question number {n}, what do you say?" for n in range(40)]


def suite(articles, out=("Will it rain?",)):
    return evalsuite.build_suite(articles, out, new_since=NEW)


def test_every_held_out_question_stands_in_its_slice_and_known_ones_in_none():
    articles = [
        article("a", "x", "known question", held_out=HELD_OUT),
        article("b", "y", held_out=["why so late?"], intent="complaint_late"),
        article("c", "z", held_out=["is the halo safe?"]).model_copy(update={"available_from": NEW}),
    ]
    items = suite(articles)
    by_slice = {name: {i.question for i in items if i.slice == name} for name in evalsuite.SLICES}
    assert by_slice["faq"] == set(HELD_OUT)
    assert by_slice["complaint"] == {"why so late?"}
    assert by_slice["new_topic"] == {"is the halo safe?"}
    assert by_slice["out_of_scope"] == {"Will it rain?"}
    assert 4 <= len(by_slice["slang"]) <= 18
    assert 4 <= len(by_slice["typos"]) <= 18
    assert "known question" not in {i.question for i in items}
    assert len({i.id for i in items}) == len(items)


def test_equal_articles_give_equal_bytes_whatever_their_order():
    articles = [article(f"a{n}", f"x{n}", held_out=[f"what about {n}?", f"and {n}?"]) for n in range(9)]
    assert evalsuite.to_jsonl(suite(articles)) == evalsuite.to_jsonl(suite(articles[::-1]))
    assert evalsuite.from_jsonl(evalsuite.to_jsonl(suite(articles))) == suite(articles)


def test_a_sample_takes_the_same_items_of_every_slice():
    items = suite([article("a", "x", held_out=HELD_OUT)])
    few = evalsuite.sample(items, 5)
    assert evalsuite.counts(few) == {"faq": 5, "slang": 5, "typos": 5, "out_of_scope": 1}
    assert evalsuite.sample(items, 5) == few


def test_a_question_that_needs_a_look_up_must_be_handed_over():
    looked_up = article("status", "I cannot look.", held_out=["where is mine?"]).model_copy(update={"kind": "look_up"})
    [item] = suite([looked_up], out=())
    assert (item.slice, item.intent, item.article, item.reference) == ("faq", "status", None, "")
    assert grade(item, "I cannot look. A colleague will.", "handover", None)
    assert not grade(item, "It takes 3 days.", "matched", "delivery")
