"""Redaction of many conversations: batches, threads and processes find what one by one is found."""

import base64
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, count, islice

import pytest

from llmops_assets.lib.records import SubjectPattern
from llmops_assets.lib.redaction import Redactor, load_subject_keys
from llmops_assets.samples.personal_data import conversations

pytestmark = pytest.mark.slow

MADE = list(conversations(120, seed=3))
TEXTS = [[turn["full_text"] for turn in row["turns"]] for row in MADE]
KEY = b"0" * 32
MISSED = ["Madison", "Madison"]


@pytest.fixture(scope="module", params=[False, pytest.param(True, marks=pytest.mark.slow)], ids=["patterns", "names"])
def names(request) -> bool:
    """Whether the language model reads along."""
    return request.param


@pytest.fixture(scope="module")
def one_by_one(names):
    redactor = Redactor(key=KEY, names=names)
    return [tuple(redactor.redact(texts)) for texts in TEXTS]


def test_what_was_put_into_the_conversations_is_found_and_nothing_else(names, one_by_one):
    """What the other tests compare with is right by itself: they would agree on finding nothing, too."""
    turns = list(zip((t for row in MADE for t in row["turns"]), chain.from_iterable(one_by_one), strict=True))
    missed = [s for turn, text in turns for s in turn["spans"] if s["entity_value"] in text]
    assert sum(len(turn["spans"]) for turn, _ in turns) == 281
    # A first name that is a town's too, behind no cue: the language model tells them apart.
    assert [s["entity_value"] for s in missed] == ([] if names else MISSED)
    changed = [turn["full_text"] for turn, text in turns if not turn["spans"] and text != turn["full_text"]]
    assert changed == []


def test_what_the_prefilter_leaves_out_holds_nothing(names, one_by_one):
    everything = Redactor(key=KEY, names=names, prefilter=False)
    assert [tuple(everything.redact(texts)) for texts in TEXTS] == one_by_one


@pytest.mark.parametrize("batch", [1, 7, 500])
def test_batches_change_nothing_and_count_what_was_masked(names, one_by_one, batch):
    found = list(Redactor(key=KEY, names=names).redact_many(TEXTS, batch=batch))
    assert [one.texts for one in found] == one_by_one
    masked = [re.findall(r"<([A-Z_]+)_\d+>", " ".join(one.texts)) for one in found]
    assert [one.counts for one in found] == [Counter(entities) for entities in masked]
    assert sum(map(len, masked)) > 250


def test_processes_change_nothing(names, one_by_one):
    found = Redactor(key=KEY, names=names).redact_many(TEXTS, batch=20, processes=2)
    assert [one.texts for one in found] == one_by_one


def test_processes_know_the_use_cases_own_numbers_and_public_words():
    own = SubjectPattern(entity="LAMP", regex=r"\bLM-\d{3}\b", score=0.99)
    redactor = Redactor([own], KEY, allow=["help@lumora.example"], names=False)
    found = redactor.redact_many([["LM-482 and help@lumora.example and a@x.example"]] * 3, batch=1, processes=2)
    assert [one.texts for one in found] == [("<LAMP_1> and help@lumora.example and <EMAIL_1>",)] * 3


def test_threads_change_nothing(names, one_by_one):
    fresh = Redactor(key=KEY, names=names)
    with ThreadPoolExecutor(8) as pool:
        assert [tuple(texts) for texts in pool.map(fresh.redact, TEXTS)] == one_by_one


@pytest.mark.parametrize("sizes", [{"batch": 0}, {"processes": 0}])
def test_a_batch_or_a_process_is_the_least(sizes):
    with pytest.raises(ValueError, match="must be at least 1"):
        list(Redactor(names=False).redact_many(TEXTS, **sizes))


def test_an_endless_stream_is_read_a_batch_ahead():
    redactor, taken = Redactor(names=False), count()
    stream = ([f"Call me on +31 6 1234 {next(taken):04d}"] for _ in count())
    assert [one.texts[0] for one in islice(redactor.redact_many(stream, batch=10), 25)] == ["Call me on <PHONE_1>"] * 25
    assert next(taken) == 30


def test_a_key_comes_as_hex_or_base64_and_older_ones_stay_known(tmp_path):
    new, old = b"n" * 32, b"o" * 32
    given = f"{new.hex()},{base64.b64encode(old).decode()}"
    assert load_subject_keys(tmp_path / "key", given) == (new, old)
    assert not (tmp_path / "key").exists(), "a key that is kept elsewhere is not written"
    ring = Redactor(key=new, old_keys=[old])
    assert ring.subjects("Anna@Mail.example ") == (
        Redactor(key=new).subject("anna@mail.example"),
        Redactor(key=old).subject("anna@mail.example"),
    )
    with pytest.raises(ValueError, match="openssl rand -hex 32") as error:
        load_subject_keys(tmp_path / "key", "my secret word")
    assert "my secret word" not in str(error.value)
