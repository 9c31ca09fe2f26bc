import os
import stat
import subprocess
import sys
import time

import pytest

from llmops_assets.lib.records import SubjectPattern
from llmops_assets.lib.redaction import Redactor, Span, load_subject_key, models, public_words
from llmops_assets.lib.redaction.spans import resolve

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


@pytest.mark.parametrize(
    ("conversation", "redacted"),
    [
        (
            ["My name is Tavrik Osmelin", "Hello Tavrik, I see Osmelin here", "so TAVRIK waits, tavrik osmelin"],
            ["My name is <PERSON_1>", "Hello <PERSON_1>, I see <PERSON_1> here", "so <PERSON_1> waits, <PERSON_1>"],
        ),
        (
            ["Mr Osmelin and Mr Pelgro wait", "Osmelin called", "Pelgro called, then Osmelin"],
            ["Mr <PERSON_1> and Mr <PERSON_2> wait", "<PERSON_1> called", "<PERSON_2> called, then <PERSON_1>"],
        ),
        (
            ["I am Tavrik Osmelin.", "My wife Belva Osmelin knows.", "Osmelin, Belva, Tavrik"],
            ["I am <PERSON_1>.", "My wife <PERSON_2> knows.", "<PERSON_3>, <PERSON_2>, <PERSON_1>"],
        ),
        (
            ["Is 48213-ab there? No, 48213-abc", "my order 48213-AB is late"],
            ["Is <ORDER_NUMBER_1> there? No, 48213-abc", "my order <ORDER_NUMBER_1> is late"],
        ),
        (
            ["my order no. 482 is ours", "we have 482 lamps"],
            ["my order no. <ORDER_NUMBER_1> is ours", "we have 482 lamps"],
        ),
        (
            ["call +31 6 1234 5678 or 06 1234 5678", "0612345678 +31612345678"],
            ["call <PHONE_1> or <PHONE_2>", "<PHONE_2> <PHONE_1>"],
        ),
        (["NL91ABNA0417164300", "nl91 abna 0417 1643 00"], ["<IBAN_1>", "<IBAN_1>"]),
        (
            ["my name is May Green", "we came in may, and May too"],
            ["my name is <PERSON_1>", "we came in may, and <PERSON_1> too"],
        ),
        (
            ["I am <PERSON_2>, at <EMAIL_7>", "my name is Tavrik Osmelin, a@x.example"],
            ["I am <PERSON_2>, at <EMAIL_7>", "my name is <PERSON_3>, <EMAIL_8>"],
        ),
    ],
)
def test_what_one_turn_tells_is_masked_in_all_under_one_pseudonym(patterns, conversation, redacted):
    assert patterns.redact(conversation) == redacted


def test_pseudonyms_count_each_kind_in_the_order_of_its_values_and_start_anew_with_a_conversation(patterns):
    conversation = ["b@x.example a@x.example +31 6 1234 5678", "a@x.example c@x.example b@x.example"]
    masked = ["<EMAIL_1> <EMAIL_2> <PHONE_1>", "<EMAIL_2> <EMAIL_3> <EMAIL_1>"]
    assert patterns.redact(conversation) == masked
    assert patterns.redact(["c@x.example"]) == ["<EMAIL_1>"]
    (first, second) = patterns.redact_many([conversation, ["c@x.example", "nothing"]])
    assert (first.texts, first.counts) == (tuple(masked), {"EMAIL": 5, "PHONE": 1})
    assert (second.texts, second.counts) == (("<EMAIL_1>", "nothing"), {"EMAIL": 1})


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("\u200banna.k\u200beller\uff20mail.example!", "\u200b<EMAIL_1>!"),
        ("+31\u00a06\u00a01234\u20115678", "<PHONE_1>"),
        ("caf\u00e9 4111\u20091111\u20091111\u20091111", "caf\u00e9 <CARD_1>"),
        ("I am Jose\u0301 Osmelin.", "I am <PERSON_1>."),
        ("i\u2019m\tTom Osmelin.", "i\u2019m\t<PERSON_1>."),
        ("\uff14\uff11\uff11\uff11111111111111", "<CARD_1>"),
    ],
)
def test_typography_hides_nothing_and_stands_where_it_stood(patterns, text, redacted):
    assert patterns.redact([text]) == [redacted]


def test_of_overlapping_findings_the_surer_stands_and_what_is_left_of_the_other(patterns):
    text = "abcdefghij"
    low, high = Span(0, 10, "LOW", 0.5), Span(3, 6, "HIGH", 0.9)
    assert resolve([low, high], text) == [Span(0, 3, "LOW", 0.5), high, Span(6, 10, "LOW", 0.5)]
    assert resolve([low, Span(0, 9, "SHORT", 0.5)], text) == [low]
    assert resolve([Span(0, 5, "LOW", 0.5), Span(1, 5, "HIGH", 0.9)], text) == [Span(1, 5, "HIGH", 0.9)]
    assert patterns.redact(["tom.keller@gmx.example.IBAN"])[0].startswith("<EMAIL_1>")


def test_public_numbers_are_allowed_however_they_are_written():
    redactor = Redactor(names=False, allow=["+31 20 123 45 67", "Help@Lumora.example"])
    text = "call +31201234567 or write to help@lumora.example"
    assert redactor.redact([text]) == [text]
    assert redactor.leaks(text) == []
    assert redactor.redact(["call +31201234568"]) == ["call <PHONE_1>"]


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        ("a@x.example", "EMAIL"),
        ("nl91 abna 0417 1643 00", "IBAN"),
        ("4111111111111111", "CARD"),
        ("203.0.113.7", "IP"),
        ("+31 6 12345678", "PHONE"),
        ("1Z999AA10123456784", "TRACKING"),
        ("123-45-6789", "SOCIAL_SECURITY"),
    ],
)
def test_what_is_certain_leaks_whatever_the_length_and_what_may_be_something_else_does_not(text, entity):
    redactor = Redactor(names=False)
    assert redactor.leaks(f"it is {text} then") == [entity]
    assert redactor.leaks(f"{'word ' * 500}{text} then") == [entity]
    assert redactor.leaks("it is 48213771 in 1017 AB, or 4111 1111 1111 1112, said Mr Osmelin") == []


def test_the_digest_tells_other_settings_and_keys_apart_and_shows_neither(patterns):
    made = [
        patterns,
        Redactor([ORDER], KEY),
        Redactor([], KEY),
        Redactor([], b"j" * 32),
        Redactor([], KEY, names=False),
    ]
    assert len({redactor.digest for redactor in made}) == len(made)
    assert Redactor([], KEY).digest == Redactor([], KEY).digest
    assert "lumora" not in patterns.digest


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
def test_redaction_loads_no_more_than_it_needs_and_leaves_the_rest_to_be_imported():
    code = """
import sys
from llmops_assets.lib.redaction import Redactor
assert Redactor(key=b"k" * 32).redact(["My name is Anna Keller"]) == ["My name is <PERSON_1>"]
unused = ("torch", "transformers", "faker", "typer", "rich", "weasel", "httpx", "spacy.cli")
print(sorted(name for name in unused if name in sys.modules))
import spacy.cli
assert callable(spacy.cli.download)
import torch
from llmops_assets.lib.redaction.models import hidden
with hidden("torch"):
    assert sys.modules["torch"] is torch
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == ("[]\n", 0), ran.stderr


LONG = {
    "letters": "a" * 20_000,
    "digits": "7" * 20_000,
    "hyphens": "a-" * 10_000,
    "mixed": "Ab1" * 6_600,
    "numbers": "1234567890 " * 1_800,
    "names": "Anna Keller Street 12, " * 900,
    "cues": "I gave it that " * 1_300,
    "mail": "a.b_c-d@" * 2_500,
    "passwords": "password " * 2_200,
}


@pytest.mark.slow
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_long_text_takes_time_in_proportion_to_its_length(text):
    """Four times the text in at most eight times the time, and a floor that noise stays below; squared it is 16."""

    def seconds(piece: str) -> float:
        redactor, started = Redactor(names=False), time.thread_time()
        redactor.find(piece)
        return time.thread_time() - started

    seconds(text[:1_000])
    assert seconds(text[:20_000]) < max(8 * seconds(text[:5_000]), 2.0)


def test_a_folder_that_holds_no_pipeline_is_refused_with_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="en_lamps holds no spaCy pipeline"):
        Redactor(model=str(tmp_path / "en_lamps"))
    (tmp_path / "config.cfg").touch()
    assert Redactor(key=KEY, model=str(tmp_path)).digest != Redactor(key=KEY).digest


@pytest.mark.slow
def test_a_pipeline_that_is_named_reads_as_the_installed_one_does():
    text = ["Yesterday Julia Brandt told Tavrik Osmelin to wait."]
    folder = models.installed_models()["en"]
    assert Redactor(model=str(folder)).redact(text) == Redactor().redact(text)
