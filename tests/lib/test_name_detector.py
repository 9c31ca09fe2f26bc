"""Names that no cue announces: found by what was learned of words and their neighbours."""

import sys

import pytest

from llmops_assets.lib.redaction import Redactor, detector, gazetteer, listing, vocabulary
from llmops_assets.lib.redaction.spans import Span

FOUND = [
    ("the parcel is with tevita now", "tevita"),
    ("Was it ngozi who took the call?", "ngozi"),
    ("Zuzana wants the blue one", "Zuzana"),
    ("the lady was nice, marwa i think", "marwa"),
    ("Saoirse Lindqvist paid for it", "Saoirse Lindqvist"),
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


def test_words_of_other_languages_are_told_from_names_in_small_letters():
    def kinds(text: str, language: str) -> list[tuple[str, bool]]:
        return [(t.kind, t.candidate) for t in detector.tokenized(text, (), gazetteer.names(), language)]

    assert kinds("la caja efectivo", "es")[-1] == ("lv", False)
    assert kinds("Efectivo", "es") == [("Tv", True)]
    assert kinds("de buurman tadhgan", "nl")[-1] == ("lx", True), "a name that is in no list"
    assert kinds("tadhgan", "") == [("lx", False)], "not where no language is told"


def test_how_often_a_word_is_used_is_known_by_language_and_not_of_a_hidden_name():
    assert vocabulary.frequency("durch", "de") > vocabulary.frequency("zwiebel", "de") > 3
    assert vocabulary.frequency("durch", "es") < vocabulary.frequency("durch", "de")
    assert vocabulary.frequency("tadhgan", "de") == vocabulary.frequency("durch", "") == 0
    with gazetteer.without(frozenset({"durch"})):
        assert vocabulary.frequency("durch", "de") == 0


def test_published_words_are_no_names():
    text = "Zuzana wants the blue one"
    assert [s[:2] for s in detector.judged(text, (), "en", ())] == [(0, 6)]
    assert detector.judged(text, {"zuzana"}, "en", ()) == []


def test_a_text_is_read_in_the_language_of_its_conversation_or_as_english_where_most_of_its_words_are():
    assert detector.language_read("where is it", "en") == "en"
    assert detector.language_read("where is it", "de") == "de"
    assert detector.language_read("parcel lost again", "") == "en"
    assert detector.language_read("paczka zgubiona ponownie", "") == ""


def test_what_is_announced_is_not_judged_and_what_a_rule_only_guesses_is(monkeypatch):
    monkeypatch.setattr(detector, "model", lambda: detector.Model({}, 0.0, 0.9, 0.9, ""))
    text = "my name is Zuzana, ask Ngozi"
    told, guessed = Span(11, 17, "PERSON", 0.9, "strong"), Span(23, 28, "PERSON", 0.7, "done")
    assert detector.judged(text, (), "en", [told, guessed]) == [told]
    monkeypatch.setattr(detector, "model", lambda: detector.Model({"by done": 5.0}, 0.0, 0.9, 0.9, ""))
    assert [s[:3] for s in detector.judged(text, (), "en", [told, guessed])][:2] == [told[:3], (23, 28, "PERSON")]


def test_less_is_asked_of_a_full_name_than_of_a_word(monkeypatch):
    monkeypatch.setattr(detector, "model", lambda: detector.Model({}, 0.0, 0.9, 0.4, ""))
    assert [s[:2] for s in detector.judged("the box for Zuzana Lindqvist came", (), "en", ())] == [(12, 28)]
    assert detector.judged("the box for Zuzana came", (), "en", ()) == []


def test_of_a_proposed_name_stays_what_is_one_and_two_people_are_two(monkeypatch):
    weights = {"k Tg": 5.0, "k Th": 5.0}
    monkeypatch.setattr(detector, "model", lambda: detector.Model(weights, -3.0, 0.5, 0.5, ""))
    text = "ask Zuzana and Saoirse"
    whole = Span(0, len(text), "PERSON", 0.7, "done")
    assert {s[:2] for s in detector.judged(text, (), "en", [whole])} == {(4, 10), (15, 22)}


def test_lists_can_be_read_as_if_they_lacked_names():
    assert "zuzana" in gazetteer.names().given
    with gazetteer.without(frozenset({"zuzana"})):
        assert "zuzana" not in gazetteer.names().given
        assert gazetteer.spread("zuzana") == 0
    assert gazetteer.spread("zuzana") >= 1


def test_words_and_towns_of_other_countries_are_known():
    assert {"lampe", "nicht"} & gazetteer.words("de") | vocabulary.foreign("de") >= {"nicht"}
    assert vocabulary.foreign("en") == frozenset()
    assert "torino" in gazetteer.towns()


def test_lists_know_names_of_many_countries_and_no_words():
    known = gazetteer.names()
    assert {"zuzana", "siobhan", "thandiwe"} <= known.given
    assert {"lindqvist", "okonkwo"} <= known.family
    assert gazetteer.telling("Eero", "fi")
    assert not gazetteer.telling("Eero", "es")
    assert not gazetteer.telling("Rosa")
    assert all(listing.LATIN.fullmatch(name) for name in known.given | known.family)


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
    text = "Was it ngozi who took the call?"
    assert detector.judged(text, (), "en", ())
    monkeypatch.setattr(detector, "model", lambda: detector.Model({}, 0.0, 0.6, 0.6, ""))
    assert detector.judged(text, (), "en", ()) == []
    monkeypatch.setattr(detector, "model", lambda: detector.Model({}, 0.0, 0.5, 0.5, ""))
    assert detector.judged(text, (), "en", ()) == [Span(7, 12, "PERSON", 0.5)]


def test_a_typing_error_is_told_from_a_word_that_nobody_knows():
    tokens = detector.tokenized("the withdrawl went to quynhanh", (), gazetteer.names())
    assert {token.text: token.kind for token in tokens if token.candidate} == {"withdrawl": "lt", "quynhanh": "lx"}


def test_words_are_kept_as_numbers():
    known = vocabulary.Words(["lamp", "chair", "lamp"])
    assert len(known) == 2
    assert all(word in known for word in ("lamp", "chair"))
    assert not any(word in known for word in ("", "lam", "Lamp", "zebra", "aardvark"))
    assert "lamp" not in vocabulary.Words([])
