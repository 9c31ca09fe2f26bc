import os
import stat
import subprocess
import sys

import pytest

from llmops_assets.lib.records import SubjectPattern
from llmops_assets.lib.redaction import Redactor, load_subject_key, public_words

ORDER = SubjectPattern(entity="ORDER_NUMBER", regex=r"\bLM-?\d{6,8}\b", score=0.95)
KEY = b"k" * 32


@pytest.fixture(scope="module")
def patterns() -> Redactor:
    """Without the language model: what the patterns alone find."""
    return Redactor([ORDER], KEY, allow=["help@lumora.example"], names=False)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("write to anna.keller+shop@mail.example please", "write to <EMAIL_1> please"),
        ("order LM-1234567 is late", "order <ORDER_NUMBER_1> is late"),
        ("pay to NL91 ABNA 0417 1643 00 now", "pay to <IBAN_1> now"),
        ("card 4111 1111 1111 1111 was charged", "card <CARD_1> was charged"),
        ("call +31 6 12345678 tonight", "call <PHONE_1> tonight"),
        ("from 192.168.10.20 it fails", "from <IP_1> it fails"),
        ("my ssn is 123-45-6789", "my ssn is <SOCIAL_SECURITY_1>"),
        ("track 1Z999AA10123456784", "track <TRACKING_1>"),
        ("I live at 14 Maple Street.", "I live at <ADDRESS_1>"),
        ("my name is Anna Keller", "my name is <PERSON_1>"),
        ("born on 12 May 1980", "born on <DATE_OF_BIRTH_1>"),
    ],
)
def test_identifiers_are_replaced_by_their_type(patterns, text, redacted):
    assert patterns.redact([text])[0].rstrip(".") == redacted.rstrip(".")


@pytest.mark.parametrize(
    "text",
    [
        "Standard delivery takes 3 to 5 working days.",
        "Shipping is free for orders above 60 euros; below that it costs 4.90 euros.",
        "The lamp has 16 million colours and 25000 hours of life.",
        "Write to help@lumora.example.",
    ],
)
def test_what_is_not_personal_stays(patterns, text):
    assert patterns.redact([text]) == [text]


def test_pseudonyms_are_consistent_within_a_conversation_and_tell_two_apart(patterns):
    question, answer = patterns.redact(
        ["a@x.example and B@y.example wrote about LM-1234567", "b@y.example asked first, then a@x.example: lm-1234567"]
    )
    assert question == "<EMAIL_1> and <EMAIL_2> wrote about <ORDER_NUMBER_1>"
    assert answer.startswith("<EMAIL_2> asked first, then <EMAIL_1>")


def test_leaks_names_what_is_certainly_personal_and_allows_public_words(patterns):
    assert patterns.leaks("mail anna@x.example, order LM-1234567") == ["ORDER_NUMBER", "EMAIL"]
    assert patterns.leaks("mail help@lumora.example") == []
    assert patterns.leaks(patterns.redact(["mail anna@x.example"])[0]) == []


def test_a_subject_has_one_pseudonym_per_key_and_none_without(patterns):
    assert patterns.subject("Anna@x.example ") == patterns.subject("anna@x.example")
    assert patterns.subject("anna@x.example") != patterns.subject("tom@x.example")
    assert patterns.subject("anna@x.example") != Redactor([], b"j" * 32).subject("anna@x.example")
    assert "anna" not in patterns.subject("anna@x.example")
    with pytest.raises(ValueError, match="without a key"):
        Redactor().subject("anna")


def test_the_key_is_made_once_for_its_owner_only_and_a_damaged_one_is_refused(tmp_path):
    file = tmp_path / "keys" / "subject.key"
    key = load_subject_key(file)
    assert load_subject_key(file) == key
    assert len(key) == 32
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    file.write_bytes(b"short")
    with pytest.raises(ValueError, match="not a 32-byte key"):
        load_subject_key(file)


def test_public_words_are_names_and_addresses_of_published_answers():
    assert set(public_words(["Write to help@lumora.example in Utrecht, please."])) == {
        "write",
        "help@lumora.example",
        "utrecht",
    }


@pytest.mark.slow
def test_names_are_found_by_the_language_model_and_products_are_not():
    redactor = Redactor([ORDER], KEY, allow=["lumora", "halo"])
    assert redactor.redact(["Yesterday Julia Brandt told me to wait."]) == ["Yesterday <PERSON_1> told me to wait."]
    assert redactor.redact(["hi, my name is tom verbeek and my lamp is broken"]) == [
        "hi, my name is <PERSON_1> and my lamp is broken"
    ]
    assert redactor.redact(["Is the Halo from Lumora safe?"]) == ["Is the Halo from Lumora safe?"]


@pytest.mark.slow
def test_redaction_loads_neither_torch_nor_transformers_and_leaves_them_to_be_imported():
    code = """
import sys
from llmops_assets.lib.redaction import Redactor
assert Redactor(key=b"k" * 32).redact(["My name is Anna Keller"]) == ["My name is <PERSON_1>"]
print(sorted(name for name in ("torch", "transformers") if name in sys.modules))
import torch
from llmops_assets.lib.redaction.models import hidden
with hidden("torch"):
    assert sys.modules["torch"] is torch
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == ("[]\n", 0), ran.stderr
