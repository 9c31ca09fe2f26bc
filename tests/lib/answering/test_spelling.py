import pytest

from llmops_assets.lib.answering.spelling import Speller

SPELLER = Speller(["How long is the warranty?", "Delivery takes three days", "Where is the delivery", "Lumiva lamp"])


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("delviery", "delivery"),
        ("how lnog is the warrnaty", "how long is the warranty"),
        ("wher is teh lmap", "where is the lamp"),
        ("lumvia", "lumiva"),
        ("deliveryyy", "delivery"),
        ("xqzvw", "xqzvw"),
        ("ab", "ab"),
    ],
)
def test_an_unknown_word_becomes_the_nearest_one_of_the_articles(written, read):
    assert SPELLER.corrected(written).lower() == read


@pytest.mark.parametrize("word", ["cartons", "damp", "clamps", "deliver", "helpers", "tales", "LED", "long-lived"])
def test_a_word_that_english_knows_is_right_as_it_is(word):
    assert SPELLER.corrected(word) == word


def test_a_swap_is_likelier_than_another_letter():
    assert Speller(["thief", "thief", "their"]).corrected("thier") == "their"


def test_what_is_no_word_stays():
    assert Speller(["bic", "big", "person"]).corrected("<BIC_1> <PERSOM_2>") == "<BIC_1> <PERSOM_2>"
    assert SPELLER.corrected("<PERSON_1>, 3x: warrnaty?!") == "<PERSON_1>, 3x: warranty?!"
