"""Language, sentiment, resolution and answer quality: what can be said of a text by itself."""

import pytest

from llmops_assets.lib.labelling.answers import answer_quality
from llmops_assets.lib.labelling.languages import language
from llmops_assets.lib.labelling.resolution import hands_over, resolution
from llmops_assets.lib.labelling.sentiment import sentiment, sentiment_score


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Where is my parcel?", "en"),
        ("Wo ist meine Bestellung <ORDER_NUMBER_1>?", "de"),
        ("Comment puis-je annuler ma commande ?", "fr"),
        ("¿Cómo puedo cancelar mi pedido?", "es"),
        ("Где мой заказ?", "ru"),
        ("注文はどこですか", "ja"),
        ("", "nl"),
        ("ok", "nl"),
        ("12345 <EMAIL_ADDRESS_1> https://lumora.example/fr", "nl"),
        ("refund 160 dollars", "en"),
    ],
)
def test_language_with_the_use_cases_own_for_short_texts(text, code):
    default = "en" if "refund" in text else "nl"
    assert language(text, default) == code


@pytest.mark.parametrize(
    ("text", "mood"),
    [
        ("Where can I find my invoice?", "neutral"),
        ("I would like to return one item, please", "neutral"),
        ("I love this lamp", "positive"),
        ("I do not love this lamp", "negative"),
        ("The lamp is not bad", "neutral"),
        ("This is terrible", "negative"),
        ("no complaints", "positive"),
        ("still waiting for my parcel 😡", "negative"),
        ("Ich bin sehr enttäuscht", "negative"),
        ("C’est parfait", "positive"),
        ("", "neutral"),
    ],
)
def test_sentiment_with_negation(text, mood):
    assert sentiment(text) == mood


def test_intensity_counts():
    assert sentiment_score("very bad") < sentiment_score("bad") < sentiment_score("slightly bad") < 0


HANDOVER = "I am handing you over."


@pytest.mark.parametrize(
    ("answer", "handed"),
    [
        ("I will pass this on to a colleague.", True),
        ("Let me forward this to the right team.", True),
        ("A colleague will come back to you.", True),
        ("Ich leite Ihre Anfrage an einen Kollegen weiter.", True),
        ("Sorry. I AM  handing you over.", True),
        ("Our team works in Utrecht.", False),
        ("You can pass the cable through the hole.", False),
        ("Delivery takes three days.", False),
    ],
)
def test_handovers_are_recognised(answer, handed):
    assert hands_over(answer, HANDOVER) is handed


@pytest.mark.parametrize(
    ("question", "more", "outcome"),
    [
        ("It still does not work", {}, "unknown"),
        ("It still does not work", {"follow_up": True}, "unresolved"),
        ("That worked, thanks", {"follow_up": True}, "resolved"),
        ("That worked, thanks", {"follow_up": True, "rating": -1}, "unresolved"),
        ("It still does not work", {"follow_up": True, "rating": 1}, "unresolved"),
        ("Where is it?", {"rating": 1}, "resolved"),
        ("Where is it?", {"correction": "In the shop."}, "unresolved"),
        ("Where is it?", {}, "unknown"),
    ],
)
def test_resolution_by_rules_in_order(question, more, outcome):
    assert resolution(question, "On its way.", **more) == outcome


def test_a_handover_is_one_whatever_the_rating():
    assert resolution("q", "A colleague will call you.", rating=1) == "handed over"


def test_an_answer_to_the_point_is_better_than_one_beside_it_and_says_why():
    good, bad = (answer_quality("Open the app and choose Returns to get a label.", s) for s in (0.7, 0.1))
    assert good.score == 1.0
    assert good.reasons == ()
    assert bad.score == 0.0
    assert bad.reasons == ("beside the question",)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Sign in to your {{Website Name}} account and open the invoices.", "placeholder left"),
        ("Dear [Your Name], the parcel comes on Monday or Tuesday.", "placeholder left"),
        ("Hello %{first_name}, the parcel comes on Monday or Tuesday.", "placeholder left"),
        ("The parcel comes on Monday, TODO check with the depot.", "placeholder left"),
        ("I am so sorry for the inconvenience.", "apology without content"),
        ("Yes.", "too short"),
        ("word " * 400, "very long"),
        ("I will pass your question on to a colleague.", "hands over"),
    ],
)
def test_each_fault_lowers_the_score_with_its_reason(answer, reason):
    found = answer_quality(answer, 0.7)
    assert found.reasons == (reason,)
    assert found.score < 1.0


def test_redacted_values_are_no_leftover_placeholders():
    assert answer_quality("Dear <PERSON_1>, order <ORDER_NUMBER_1> comes on Monday.", 0.7).reasons == ()
