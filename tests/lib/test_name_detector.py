"""Names that no cue announces: found by what was learned of words and their neighbours."""

import sys

import pytest

from llmops_assets.lib.redaction import Redactor, detector, gazetteer

FOUND = [
    ("the parcel is with tevita now", "tevita"),
    ("Was it ngozi who took the call?", "ngozi"),
    ("Zuzana wants the blue one", "Zuzana"),
    ("the lady was nice, marwa i think", "marwa"),
    ("Refund went to Lindqvist by mistake", "Lindqvist"),
]
CLEAN = [
    "the withdrawl faild twice",
    "What ATMs take this card?",
    "Does the Verona lamp dim?",
    "they recieved it yesturday",
    "i prefer the quinoa bowl",
    "The grace period ends in may",
    "Does contactless work in Gdansk?",
]


def names_of(redactor: Redactor, text: str) -> list[str]:
    return [text[s.start : s.end] for s in redactor.find(text) if s.entity == "PERSON"]


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor()


@pytest.mark.parametrize(("text", "name"), FOUND)
def test_a_name_without_a_cue_is_found(redactor, text, name):
    assert names_of(redactor, text) == [name]


@pytest.mark.parametrize("text", CLEAN)
def test_typing_errors_wares_and_places_are_no_names(redactor, text):
    assert names_of(redactor, text) == []


def test_a_family_name_that_is_a_word_belongs_to_the_name_before_it(redactor):
    assert names_of(redactor, "seller marwa stone says the box was empty") == ["marwa stone"]


def test_published_words_are_no_names():
    text = "Zuzana wants the blue one"
    assert detector.find(text, ()) == [(0, 6)]
    assert detector.find(text, {"zuzana"}) == []


def test_only_english_texts_are_read():
    assert detector.reads("where is it", "en")
    assert not detector.reads("where is it", "de")
    assert detector.reads("parcel lost again", "")
    assert not detector.reads("paczka zgubiona ponownie", "")


def test_lists_know_names_of_many_countries_and_no_words():
    known = gazetteer.names()
    assert {"zuzana", "siobhan", "thandiwe"} <= known.given
    assert {"lindqvist", "okonkwo"} <= known.family
    assert gazetteer.telling("Eero", "fi")
    assert not gazetteer.telling("Eero", "es")
    assert not gazetteer.telling("Rosa")
    assert all(gazetteer.LATIN.fullmatch(name) for name in known.given | known.family)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mi hija zuzana se dejó las llaves", "zuzana"),
        ("mein Schwager eero holt die Lampe ab", "eero"),
        ("Ich habe gestern mit der Friederike gesprochen.", "Friederike"),
    ],
)
def test_names_in_other_languages_are_found_behind_relations_and_inside_sentences(redactor, text, name):
    assert names_of(redactor, text) == [name]


@pytest.mark.slow
def test_the_stored_detector_is_the_one_that_todays_families_make(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    import name_detector

    rows = name_detector.learned_from()
    assert name_detector.digest(rows) == detector.model().rows, "run benchmarks/name_detector.py --write"
    weights, bias = name_detector.fitted(rows)
    stored = detector.model()
    assert weights == pytest.approx(stored.weights, abs=0.02)
    assert bias == pytest.approx(stored.bias, abs=0.02)
    sys.modules.pop("name_detector")


def test_a_threshold_holds_back_what_is_less_likely(monkeypatch):
    assert detector.find("Was it ngozi who took the call?", ())
    monkeypatch.setattr(detector, "model", lambda: detector.Model({}, 0.0, 0.6, ""))
    assert detector.find("Was it ngozi who took the call?", ()) == []
    monkeypatch.setattr(detector, "model", lambda: detector.Model({}, 0.0, 0.5, ""))
    assert detector.find("Was it ngozi who took the call?", ()) == [(7, 12)]


def test_a_typing_error_is_told_from_a_word_that_nobody_knows():
    tokens = detector.tokenized("the withdrawl went to quynhanh", (), gazetteer.names())
    assert {token.text: token.kind for token in tokens if token.candidate} == {"withdrawl": "lt", "quynhanh": "lx"}
