import re
from collections import Counter

from stdnum import luhn
from stdnum.iso7064 import mod_97_10

from llmops_assets.samples.personal_data import LOCALES, MAKERS, conversations

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
