import pytest

from llmops_assets.lib.answering.wordings import BUILT_IN, KINDS, knows, wording


def test_english_has_every_kind_and_no_text_is_empty():
    assert set(BUILT_IN["en"]) == set(KINDS)
    assert all(text.strip() for known in BUILT_IN.values() for text in known.values())
    assert all(set(known) <= set(KINDS) for known in BUILT_IN.values())


@pytest.mark.parametrize(
    ("language", "default", "own", "said"),
    [
        ("de", "en", {}, BUILT_IN["de"]["thanks"]),
        ("de", "en", {"de": {"thanks": "Bitte!"}}, "Bitte!"),
        ("sv", "de", {}, BUILT_IN["de"]["thanks"]),
        ("sv", "fi", {}, BUILT_IN["en"]["thanks"]),
        ("sv", "fi", {"fi": {"thanks": "Ole hyvä!"}}, "Ole hyvä!"),
        ("en", "en", {"de": {"thanks": "Bitte!"}}, BUILT_IN["en"]["thanks"]),
    ],
)
def test_a_text_is_the_use_cases_own_or_the_built_in_one_in_the_nearest_language(language, default, own, said):
    assert wording("thanks", language, own, default) == said


def test_whether_a_text_is_known_in_a_language_itself():
    assert knows("notice", "pl", {})
    assert not knows("notice", "sv", {})
    assert knows("notice", "sv", {"sv": {"notice": "Det här är en maskin."}})
