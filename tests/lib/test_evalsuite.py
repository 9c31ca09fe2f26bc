from datetime import date

import pytest
from pydantic import ValidationError
from support import article

from llmops_assets.lib import evalsuite
from llmops_assets.lib.judging.grading import grade
from llmops_assets.lib.records import Dialogue
from llmops_assets.samples import generator

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


def asked(*dialogues):
    articles = [article("a", "A.", facts=(("one",),)), article("b", "B.", facts=(("two",),))]
    look_up = article("c", "I cannot look.").model_copy(update={"kind": "look_up"})
    given = [Dialogue.model_validate({"slice": "follow_up", "question": "and then?", **d}) for d in dialogues]
    return evalsuite.build_suite([*articles, look_up], (), new_since=None, dialogues=given)


def test_a_dialogue_is_asked_with_its_history_and_wants_every_fact_of_what_it_expects():
    [item] = asked({"history": [("is it blue?", "Yes.")], "expect": ["a", "b"]})
    assert (item.slice, item.article, item.facts) == ("follow_up", "a", (("one",), ("two",)))
    assert item.history == (("is it blue?", "Yes."),)
    assert evalsuite.from_jsonl(evalsuite.to_jsonl([item])) == [item]


def test_facts_of_some_articles_say_nothing_of_the_others_and_nothing_expected_is_refused():
    articles = [article("a", "A.", facts=(("one",),)), article("b", "B.")]
    both = Dialogue(slice="several", question="x?", expect=("a", "b"))
    [item] = evalsuite.build_suite(articles, (), new_since=None, dialogues=[both])
    assert (item.facts, item.several, item.reference) == ((), True, "A.\n\nB.")
    with pytest.raises(ValidationError):
        Dialogue(slice="several", question="x?", expect=())


def test_a_dialogue_may_expect_a_person_or_a_kind_word():
    wanted = [("handover", False), ("small_talk", True), ("sorry", True)]
    for expect, courtesy in wanted:
        [item] = asked({"expect": expect, "language": "de"})
        assert (item.article, item.small_talk, item.language) == (None, courtesy, "de")


def test_a_dialogue_whose_article_is_missing_or_needs_a_look_up_is_left_out():
    assert asked({"expect": "z"}, {"expect": ["a", "z"]}, {"expect": "c"}) == []


def test_equal_questions_after_other_turns_are_different_items():
    items = asked({"expect": "a"}, {"expect": "a", "history": [("x", "y")]}, {"expect": "a", "slice": "own_case"})
    assert len({item.id for item in items}) == 3


def test_the_samples_dialogues_name_articles_that_are_there():
    ids = {article.id for article in generator.load_articles()}
    known = {*ids, evalsuite.HANDOVER, *evalsuite.SMALL_TALK}
    for dialogue in generator.load_dialogues():
        expected = {dialogue.expect} if isinstance(dialogue.expect, str) else set(dialogue.expect)
        assert expected <= known, dialogue.question
    assert sum(dialogue.slice == "follow_up" for dialogue in generator.load_dialogues()) >= 40
