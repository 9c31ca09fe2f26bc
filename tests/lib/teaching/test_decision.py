"""What of an answer may teach: kinds, reasons, and the text that is left."""

import json

import pytest

from llmops_assets.lib.answering.embedding import Embedder, find_embedder_folder
from llmops_assets.lib.teaching import Judge, decide
from llmops_assets.lib.teaching.cuts import SENTENCES
from llmops_assets.lib.teaching.learned import Example, classifier, examples, parsed

GENERAL = [
    "You can bring the skis back until Sunday evening.",
    "Go to Profile, open Tickets and press Download.",
    "Passes above 90 francs include the bus.",
    "We refund unused days within two weeks.",
    "If your pass was lost, the desk prints a new one.",
    "Open your account page and choose a new password.",
    "When a payment has failed, your basket is kept for an hour.",
    "Rental skis cost 12, lockers 5 cents a minute.",
    "Hey it's open until ten, every day.",
    "Press Tracks and tap Restored.",
    "The first ride up is on the house.",
]
PERSONAL = {
    "I've cancelled the second pass.": "something done for a customer",
    "We refunded 45 francs yesterday.": "something done for a customer",
    "Refunded.": "something done for a customer",
    "Your skis are in the depot at the valley station now.": "the state of one case",
    "As agreed on the phone, the lesson starts at noon.": "something agreed",
    "The next lesson is on us.": "goodwill",
    "Your booking number is 7719042.": "an identifier",
    "As a gesture the locker is free for you this week.": "goodwill",
    "The pass was made out to <PERSON_1>.": "one person's data",
    "Your lesson is on 14 February at nine.": "a date of one case",
    "I'll ask the ski school and write to you.": "a promise",
    "Look for code 00481516 in the list.": "an identifier",
    "The helmet you returned is on invoice 8812345.": "an identifier",
}
EMPTY = {
    "Hello Lena,\nthank you for your message.\nKind regards\nTom": "sign-off",
    "One moment please, I am looking that up.": "hold line",
    "How did I do? Please rate our chat.": "rating request",
    "I am the virtual assistant of the ski school.": "bot line",
    "[image]": "attachment",
    "Request #5 was closed and merged into #7.": "notice",
    "Your ticket number is 88121.": "notice",
    "Your damage report 4471 was recorded.": "notice",
    "Which lift do you mean?": "question back",
    "Opening hours are {{hours}}.": "unfilled slot",
    "We are so sorry!": "apology",
}


@pytest.mark.parametrize("answer", GENERAL)
def test_rules_procedures_and_facts_are_general_and_stay_as_they_are(answer):
    found = decide(answer)
    assert (found.kind, found.text) == ("general", answer)


@pytest.mark.parametrize(("answer", "reason"), PERSONAL.items())
def test_answers_about_one_case_are_personal_and_leave_no_text(answer, reason):
    found = decide(answer)
    assert (found.kind, found.reason, found.text) == ("personal", reason, "")


@pytest.mark.parametrize(("answer", "reason"), EMPTY.items())
def test_what_says_nothing_is_empty_and_says_why(answer, reason):
    found = decide(answer)
    assert found.kind == "empty"
    assert reason in (found.reason, *found.cut)
    assert found.text == ""


def test_what_surrounds_an_answer_is_cut():
    answer = (
        "<p>Dear Ms Brunner,</p><p>thank you for writing to us!</p><p>Children under six ski for free.</p>"
        "<p>Let me know if you need anything else.</p><p>Kind regards,<br>Tom<br>Ski school<br>+41 900</p>"
        "<p>On Mon, 3 March Lena wrote:</p><blockquote>&gt; and what about my daughter?</blockquote>"
    )
    found = decide(answer)
    assert found.text == "Children under six ski for free."
    assert {"greeting", "thanks", "offer of help", "sign-off"} <= set(found.cut)


@pytest.mark.parametrize(
    "tail",
    [
        "\n\nVon: Lena\nGesendet: Montag\nBetreff: Pass\n\nmein Pass ist weg",
        "\n\n-----Original Message-----\nmein Pass ist weg",
        "\n> mein Pass ist weg",
        "\n\nThis e-mail is confidential and intended only for the addressee.",
        "\n--\nTom\nSki school",
        "\n\nMet vriendelijke groet,\nTom",
        "\nRate our service here: https://ski.example/r",
    ],
)
def test_history_footers_and_signatures_are_no_part_of_an_answer(tail):
    assert decide(f"Lockers are emptied every night.{tail}").text == "Lockers are emptied every night."


@pytest.mark.parametrize(
    "opening", ["I understand that you would like to swap pass 4471123.", "It sounds like you need another pass."]
)
def test_a_question_that_is_restated_is_no_case(opening):
    found = decide(f"{opening} Passes are swapped at the desk.")
    assert (found.kind, found.text) == ("general", "Passes are swapped at the desk.")


def test_of_a_mixed_answer_the_personal_sentences_go_and_what_leans_on_them():
    mixed = "I've moved your lesson. It starts at ten. Lessons can be moved for free until the evening before."
    assert decide(mixed).text == "Lessons can be moved for free until the evening before."
    assert "something done for a customer" in decide(mixed).cut


def test_a_rest_that_cannot_stand_alone_makes_the_answer_personal():
    assert decide("I've moved your lesson. Same teacher.").kind == "personal"


def test_a_list_with_a_step_that_is_cut_is_cut_as_a_whole():
    assert decide("Steps:\n1. Open {{page}}.\n2. Press Save.").kind == "empty"
    whole = "To change it:\n1. Open Settings.\n2. Press Save."
    assert decide(whole).text == whole


@pytest.mark.parametrize(
    "asking",
    ["To look it up, could you please share your booking number and:", "Please send us the following:"],
)
def test_a_list_of_what_the_customer_shall_send_goes_with_the_line_that_asks_for_it(asking):
    listed = "- The name on your pass\n- The day of your first lesson"
    assert decide(f"{asking}\n{listed}").kind == "empty"
    rule = "Passes are printed within two days."
    assert decide(f"{rule}\n{asking}\n{listed}").text == rule
    assert decide(f"To get a pass, bring:\n{listed}").text.endswith(listed)


def test_what_would_be_cut_as_a_sentence_is_a_step_among_steps():
    whole = "To rate a hut:\n1. Open the list of huts.\n2. Leave a review of our service.\n3. Press Send."
    assert decide(whole).text == whole


def test_yes_and_no_stay_with_what_they_are_said_of():
    assert decide("No. Passes cannot be lent.").text == "No. Passes cannot be lent."
    assert decide("No.").kind == "empty"


def test_what_the_tables_leave_open_is_learned(words):
    known = [
        *(Example("own", "line", "personal", f"The {thing} lies at the desk") for thing in ("glove", "scarf", "hat")),
        *(Example("own", "line", "general", f"The {thing} closes at five") for thing in ("lift", "desk", "shop")),
    ]
    judge = Judge(words, known)
    kinds = [found.kind for found in judge.decide(["The phone lies at the desk", "The hall closes at five"])]
    assert kinds == ["personal", "general"]
    assert [found.kind for found in Judge().decide(["The phone lies at the desk"])] == ["general"]


OPEN = [
    *(Example("own", "line", "empty", f"I have to ask the {who} about it") for who in ("guide", "teacher", "driver")),
    *(Example("own", "line", "empty", f"We are sorry about the {what}") for what in ("snow", "queue", "noise")),
    *(
        Example("own", "line", "personal", f"Sorry, the {what} is in another room")
        for what in ("boot", "sledge", "pole")
    ),
    *(Example("own", "line", "general", f"The {what} closes at five") for what in ("lift", "desk", "shop")),
]


@pytest.mark.parametrize(
    ("answer", "by_tables", "weighed"),
    [
        ("I have to ask the pilot about it", "personal", "empty"),
        ("Sorry, the helmet is in another room", "empty", "personal"),
        ("As agreed I have to ask the pilot about it", "personal", "personal"),
    ],
)
def test_whether_a_sentence_is_of_one_case_or_says_nothing_is_weighed_unless_its_cue_is_certain(
    answer, by_tables, weighed, words
):
    assert decide(answer).kind == by_tables
    assert Judge(words, OPEN).decide([answer])[0].kind == weighed


@pytest.mark.slow
def test_a_term_told_in_four_words_is_a_rule_and_what_is_left_of_one_a_case():
    embedder = Embedder(find_embedder_folder())
    found = Judge(embedder).decide(["You have 25 days.", "You get five weeks.", "You have 5 days left, I extended it."])
    assert [one.kind for one in found] == ["general", "general", "personal"]


def test_what_a_table_knows_is_never_made_general(words):
    known = [Example("own", "line", "general", f"I'll ask the {who} today") for who in ("guide", "teacher", "driver")]
    assert Judge(words, [*known, *OPEN]).decide(["I'll ask the pilot today"])[0].kind != "general"


def test_equal_examples_are_learned_once_in_a_process(words):
    assert classifier(words, OPEN) is classifier(words, list(OPEN))
    assert classifier(words, OPEN) is not classifier(words, OPEN[1:])


@pytest.mark.slow
def test_equal_answers_are_decided_alike_in_every_company(words):
    judge = Judge(words)
    alone, *others = (judge.decide([GENERAL[0], *more])[0] for more in ([], PERSONAL, EMPTY))
    assert all(found == alone for found in others)


def test_the_examples_that_ship_have_every_label_in_every_voice():
    labels = {(example.voice, example.label) for example in examples()}
    assert len(labels) == 3 * len({voice for voice, _ in labels})
    assert len(examples()) >= 400


def test_an_example_with_a_label_of_its_own_is_refused():
    line = json.dumps({"voice": "v", "kind": "k", "label": "public", "answer": "a"})
    with pytest.raises(ValueError, match="label 'public' of 'a': expected one of general, personal, empty"):
        list(parsed([line]))


def test_every_kind_of_cut_has_a_reason_of_its_own():
    assert len({cut.reason for cut in SENTENCES}) >= 10
