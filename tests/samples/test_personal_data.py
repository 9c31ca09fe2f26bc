import re
from collections import Counter

import pytest
from stdnum import luhn
from stdnum.iso7064 import mod_97_10

from llmops_assets.samples.personal_data import FAMILY_MAKERS, LOCALES, MAKERS, conversations, families, read_families

MADE = list(conversations(300))


def spans():
    return [(turn["full_text"], span) for row in MADE for turn in row["turns"] for span in turn["spans"]]


def test_every_span_names_the_place_of_its_value():
    assert all(text[s["start_position"] : s["end_position"]] == s["entity_value"] for text, s in spans())


def test_every_kind_and_every_locale_comes_and_clean_turns_too():
    assert {span["entity_type"] for _, span in spans()} == {entity for entity, _ in MAKERS.values()}
    assert {row["locale"] for row in MADE} == set(LOCALES)
    turns = [turn for row in MADE for turn in row["turns"]]
    assert 0.3 < sum(not turn["spans"] for turn in turns) / len(turns) < 0.7


def test_numbers_with_a_checksum_carry_a_right_one():
    found = Counter(span["entity_type"] for _, span in spans())
    assert found["IBAN_CODE"] > 5
    assert found["CREDIT_CARD"] > 5
    for _, span in spans():
        value = re.sub(r"[ -]", "", span["entity_value"])
        if span["entity_type"] == "IBAN_CODE":
            assert mod_97_10.is_valid(value[4:] + value[:4]), value
        if span["entity_type"] == "CREDIT_CARD":
            assert luhn.is_valid(value), value


def test_the_nth_conversation_does_not_depend_on_how_many_are_drawn():
    assert list(conversations(5)) == MADE[:5]
    assert list(conversations(5, seed=1)) != MADE[:5]


@pytest.mark.parametrize("part", ["tuned", "unseen"])
def test_families_are_of_many_voices_and_every_span_names_its_place(part):
    rows = list(families(part, 2))
    assert len({row["family"] for row in rows}) >= 12
    turns = [turn for row in rows for turn in row["turns"]]
    placed = [(turn["full_text"][s["start_position"] : s["end_position"]], s) for turn in turns for s in turn["spans"]]
    assert all(text == span["entity_value"] for text, span in placed)
    assert any(span["half"] for _, span in placed)
    assert 0.2 < sum(not turn["spans"] for turn in turns) / len(turns) < 0.7
    assert not re.search(r"\{\w", " ".join(turn["full_text"] for turn in turns))
    assert list(families(part, 1)) == [row for row in rows if row["conversation_id"].endswith("-0")]


def test_no_conversation_is_in_both_parts_and_every_maker_is_used():
    tuned, unseen = ({c for f in read_families(part) for c in f.conversations} for part in ("tuned", "unseen"))
    assert not tuned & unseen
    used = {name for c in tuned | unseen for turn in c for name in re.findall(r"\{(\w+)", turn)}
    assert used >= set(FAMILY_MAKERS) - {"lower", "spelled", "national"}


def test_both_halves_of_a_value_make_the_whole():
    for row in families("tuned", 2):
        halves = [s for turn in row["turns"] for s in turn["spans"] if s["half"] and s["entity_type"] == "IBAN_CODE"]
        if halves:
            whole = "".join(span["entity_value"] for span in halves).replace(" ", "")
            assert mod_97_10.is_valid(whole[4:] + whole[:4])
