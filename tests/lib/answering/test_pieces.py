import pytest

from llmops_assets.lib.answering.pieces import asks, asks_again, leans, questions_in, tidied, wanted, without_courtesy


@pytest.mark.parametrize(
    ("message", "questions"),
    [
        ("How long is the warranty and where do I claim it?", ["How long is the warranty", "where do I claim it?"]),
        ("What does it cost? And do you ship to Malta?", ["What does it cost?", "And do you ship to Malta?"]),
        ("when do you open\nis there parking near you", ["when do you open", "is there parking near you"]),
        ("My desk broke. Can it be mended?", []),
        ("Is it black and white?", []),
        ("Really? Why?", []),
        ("", []),
    ],
)
def test_a_message_is_split_into_the_questions_it_asks(message, questions):
    assert questions_in(message) == questions


@pytest.mark.parametrize(
    ("message", "rest"),
    [
        ("Hi there, when do you open?", "when do you open?"),
        ("thanks! and the price?", "and the price?"),
        ("Good morning. Thank you. Where is the shop?", "Where is the shop?"),
        ("hello", "hello"),
        ("thanks, bye!", "bye!"),
        ("My lamp, it hums", "My lamp, it hums"),
        ("hello ", "hello "),
    ],
)
def test_courtesy_before_what_is_said_is_taken_off(message, rest):
    assert without_courtesy(message) == rest


def test_taking_courtesy_off_ends_soon_on_long_texts():
    assert without_courtesy("hello, " * 3000 + "where is it?") == "where is it?"


@pytest.mark.parametrize(
    ("message", "rest"),
    [
        ("please don't cancel it, I want another colour", "I want another colour"),
        ("no need to send a new one, how do I get my money back", "how do I get my money back"),
        ("I do not want a refund but a repair of the chair", "a repair of the chair"),
        ("do not call me", ""),
        ("how do I cancel", ""),
        ("Can I return a lamp without the receipt? How much is delivery?", ""),
        ("why do you not send it? i want to know the price", ""),
        ("don’t stop it, ok", ""),
    ],
)
def test_what_is_wanted_stands_beside_what_is_not(message, rest):
    assert wanted(message) == rest


@pytest.mark.parametrize(
    "message", ["and the blue one?", "how much is it then", "why", "what about to Crete", "und die?"]
)
def test_a_message_leans_on_the_one_before(message):
    assert leans(message)


@pytest.mark.parametrize("message", ["how long is the warranty of a lamp", "can I pay an invoice by card"])
def test_a_message_that_names_all_it_means_stands_alone(message):
    assert not leans(message)


def test_a_message_is_tidied_and_says_the_same():
    assert tidied("  a  \t b ...  really??\n\n \n c!?! ") == "a b . really?\nc!"
    assert tidied("3.50 euros, or 4,20?") == "3.50 euros, or 4,20?"


def test_what_is_asked_again_and_what_asks_at_all():
    assert asks_again("sorry, what was it again?")
    assert not asks_again("what does shipping cost?")
    assert all(asks(text) for text in ("where is it", "Hello, can you help", "black or white?", "and how long"))
    assert not any(asks(text) for text in ("it is broken", "you are useless", "thanks"))
