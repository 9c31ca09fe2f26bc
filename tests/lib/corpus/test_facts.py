import pytest

from llmops_assets.lib.corpus.facts import changed_fact, facts, negates


@pytest.mark.parametrize(
    ("text", "variant", "expected"),
    [
        ("Refund within 30 days?", "refund in 30 days", None),
        ("Refund within 30 days?", "refund within 3 days", "a number changed"),
        ("It costs 4.90", "it costs 490", "a number changed"),
        ("Come before noon", "come b4 noon", None),
        ("Where is <ORDER_NUMBER_1>?", "where is it", "a placeholder changed"),
        ("How do I cancel Glow?", "how do i cancel glow", None),
        ("How do I cancel Glow?", "how do i cancel gow", "a name changed"),
        ("Does it need 5GHz?", "does it need 5ghz", None),
        ("It does not work", "it dont work", None),
        ("It does not work", "it works", "a negation changed"),
        ("Kann ich zahlen?", "Kann ich nicht zahlen?", "a negation changed"),
        ("HELP ME NOW", "help", None),
    ],
)
def test_what_survives_another_wording(text, variant, expected):
    assert changed_fact(text, variant) == expected


def test_names_are_capitals_inside_a_sentence_and_words_with_digits():
    found = facts("Where is it? My Halo and I wait. Does the XR-20 work, PayPal too?")
    assert found.names == {"halo", "xr-20", "paypal"}
    assert not found.negated


@pytest.mark.parametrize("text", ["I can't", "I cant", "w/o a receipt", "kein Licht", "sin recibo", "ne marche pas"])
def test_negations_in_their_spellings(text):
    assert negates(text)


@pytest.mark.parametrize("text", ["a note on the notice", "knot", "passport", "since when"])
def test_words_that_only_look_like_negations(text):
    assert not negates(text)
