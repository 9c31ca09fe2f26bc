import pytest

from llmops_assets.lib.answering.smalltalk import probe, small_talk


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Hiya", None),
        ("hello :)", "greeting"),
        ("Good evening, is anyone there?", "greeting"),
        ("Hola, buenos días", "greeting"),
        ("thx!!", "thanks"),
        ("Thank you so much for all your help <PERSON_1>", "thanks"),
        ("Vielen Dank!", "thanks"),
        ("Hi, thanks, bye", "goodbye"),
        ("ok great, have a lovely weekend", "goodbye"),
        ("au revoir et merci", "goodbye"),
        ("👍👍", "nod"),
        ("...", "nod"),
        ("Yep, understood", "nod"),
        ("Are you a robot?", "machine"),
        ("wait, am I chatting with a real person or a machine", "machine"),
        ("Hi, is this an AI?", "machine"),
        ("who am I speaking to?", "machine"),
        ("Sind Sie ein Mensch?", "machine"),
        ("C'est un robot ?", "machine"),
        ("¿Hablo con una persona real?", "machine"),
        ("Praat ik met een mens?", "machine"),
    ],
)
def test_what_is_only_small_talk_is_of_one_kind(text, kind):
    assert small_talk(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "Thanks, and which bulb fits the lamp?",
        "Hello, my parcel never came",
        "ok but what does it cost?",
        "Is it good for children?",
        "please",
        "Do you have a good night lamp?",
        "no refund yet",
        "is this a real leather bag",
        "are you a real person, then tell me where my parcel is",
        "is there a robot that mows",
        "is it a person who packs the parcels",
        "hi " * 30,
        "thanks for nothing, I want my money back",
    ],
)
def test_a_text_that_says_more_is_not_small_talk(text):
    assert small_talk(text) is None


@pytest.mark.parametrize("text", ["PING", "test 4711", "This is just a test.", "qwertz asdf", "zzzzzz", "health-check"])
def test_a_test_of_the_line_is_a_probe(text):
    assert probe(text)
    assert small_talk(text) is None


@pytest.mark.parametrize(
    "text", ["How do I test the alarm?", "status", "Is this a connection to the hub?", "", "thanks", "test my router"]
)
def test_a_question_with_a_probes_words_is_none(text):
    assert not probe(text)


def test_a_long_text_is_looked_at_in_no_time():
    """The phrases may follow each other in many ways: a text that fits until its last word must not try them all."""
    assert small_talk("thanks you " * 6 + "q") is None
    assert small_talk("good " * 13 + "goodby") is None
    assert not probe("abcabc" * 9 + "!dog")
    assert small_talk("hello " * 4000) is None
    assert not probe("test " * 4000)


def test_a_number_or_an_address_alone_is_an_answer_and_no_nod():
    assert small_talk("<ORDER_NUMBER_1>") is None
    assert small_talk("<EMAIL_1>!") is None
    assert small_talk("hi <PERSON_1>") == "greeting"
    assert small_talk("👍") == "nod"
