import pytest
from support import dataset, item

from llmops_assets.lib.judging.grading import Graded, grade, report
from llmops_assets.lib.judging.texts import has_facts, rouge_l


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("It takes 3 to 5 working days.", True),
        ("It takes 3–5 days", True),
        ("Three  To\nFive days", True),
        ("It takes 13 to 5 days", False),
        ("It takes 3 to 50 days", False),
        ("It takes 3 to 5.5 days", False),
        ("soon", False),
    ],
)
def test_a_fact_counts_in_any_accepted_wording_as_whole_words_only(answer, right):
    assert has_facts(answer, [["3 to 5", "3-5", "three to five"]]) is right


def test_every_fact_is_needed():
    facts = (("12 euro",), ("14:00", "2 pm"))
    assert grade(item("q", facts=facts), "12 euros before 2 pm", "generated", None)
    assert not grade(item("q", facts=facts), "12 euros", "generated", None)


def test_out_of_scope_is_right_only_when_handed_over_and_a_handover_is_wrong_elsewhere():
    assert grade(item("q", article_=None), "any", "handover", None)
    assert not grade(item("q", article_=None), "Paris", "generated", None)
    assert not grade(item("q", facts=(("a",),)), "a", "handover", None)


def test_an_answer_to_several_questions_holds_something_of_each():
    both = item("q", article_="a", reference="We open at nine on weekdays.\n\nReturns are free.")
    both = both.model_copy(update={"several": True})
    assert grade(both, "We open at nine on weekdays.\n\nReturns are free.", "matched", None)
    assert not grade(both, "We open at nine on weekdays.", "matched", "a")
    assert not grade(both, "Returns are free.", "matched", "b")


def test_small_talk_wants_a_kind_word_and_nothing_else_does():
    courtesy = item("hello", article_=None).model_copy(update={"small_talk": True})
    assert grade(courtesy, "Hello!", "small_talk", None)
    assert not grade(courtesy, "A colleague will help.", "handover", None)
    assert not grade(courtesy, "Hello!", "generated", None)
    assert not grade(item("who wrote Hamlet?", article_=None), "Hello!", "small_talk", None)
    assert not grade(item("q", facts=(("hello",),)), "hello", "small_talk", None)


def test_an_answer_in_another_language_is_never_right():
    german = item("wo ist das Geschäft?", article_=None).model_copy(update={"language": "de"})
    assert grade(german, "Ich übergebe an eine Kollegin, die Ihnen weiterhilft.", "handover", None)
    assert not grade(german, "I am handing you over to a colleague who will help you.", "handover", None)
    answered = item("q", facts=(("neun",),)).model_copy(update={"language": "de"})
    assert grade(answered, "Wir öffnen um neun und schließen um sieben.", "generated", None)


def test_without_facts_the_article_or_likeness_to_the_reference_decides():
    known = item("q", article_="returns", reference="You can send it back within thirty days.")
    assert grade(known, "anything", "matched", "returns")
    assert grade(known, "Send it back within thirty days please.", "generated", None)
    assert not grade(known, "Our lamps shine in sixteen colours.", "generated", None)


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence():
    assert rouge_l("the cat sat", "the cat sat") == 1.0
    assert rouge_l("the cat", "the big cat") == pytest.approx(2 * 2 / 5)
    assert rouge_l("", "x") == 0.0
    assert rouge_l("b a", "a b") == pytest.approx(0.5)


def test_a_report_counts_by_slice_and_path():
    graded = [
        Graded(item("1"), "x", "matched", "a", True, 0.1),
        Graded(item("2"), "x", "generated", None, False, 1.0),
        Graded(item("3", "slang"), "x", "matched", "a", True, 0.1),
    ]
    made = report("r-1", dataset(), graded, None)
    assert (made.overall.right, made.overall.total) == (2, 3)
    assert {name: (s.right, s.total) for name, s in made.slices.items()} == {"faq": (1, 2), "slang": (1, 1)}
    assert {name: (s.right, s.total) for name, s in made.paths.items()} == {"matched": (2, 2), "generated": (0, 1)}
    assert made.seconds == pytest.approx(1.2)
