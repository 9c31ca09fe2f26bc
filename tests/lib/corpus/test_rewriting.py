"""What is asked of a model that rewords, and what of its reply is taken."""

import pytest

from llmops_assets.lib.corpus.rewriting import instruction, rewriter, rewritten

QUESTION = "Where is my parcel?"


@pytest.mark.parametrize(
    ("reply", "taken"),
    [
        ("Can you tell me where my parcel is?", "Can you tell me where my parcel is?"),
        ('\n"Where did my parcel go?"\n\nI reworded it.', "Where did my parcel go?"),
        ("New question: Where did my parcel go?", "Where did my parcel go?"),
        ("Your parcel is on its way. " * 10, ""),
        ("  \n ", ""),
    ],
)
def test_of_a_reply_the_question_is_taken(reply, taken):
    assert rewritten(QUESTION, reply) == taken


def test_a_colon_of_the_question_is_no_label():
    assert rewritten("My parcel: where is it?", "My parcel: where did it go?") == "My parcel: where did it go?"


def test_questions_are_asked_side_by_side_and_come_back_in_order():
    asked = []

    def ask(messages):
        asked.append(messages)
        return messages[-1]["content"].upper()

    questions = [f"question number {n}" for n in range(20)]
    reword = rewriter(ask, lambda text: True, language="German", parallel=4)
    assert reword(questions) == [question.upper() for question in questions]
    assert all(messages[0]["content"] == instruction("German") for messages in asked)


def test_what_is_not_cleared_is_never_sent():
    sent = []

    def ask(messages):
        sent.append(messages[-1]["content"])
        return "reworded"

    reword = rewriter(ask, lambda text: "@" not in text)
    assert reword(["mail me at a@b.example", QUESTION]) == ["", "reworded"]
    assert sent == [QUESTION]


def test_an_error_of_the_model_ends_it():
    def ask(messages):
        raise RuntimeError("no answer")

    with pytest.raises(RuntimeError, match="no answer"):
        rewriter(ask, lambda text: True)([QUESTION])
