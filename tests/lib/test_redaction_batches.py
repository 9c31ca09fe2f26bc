"""Redaction of many conversations: batches, threads and processes find what one by one is found."""

import base64
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice

import pytest

from llmops_assets.lib.redaction import Redactor, load_subject_keys
from llmops_assets.samples.personal_data import conversations

pytestmark = pytest.mark.slow

MADE = [[turn["full_text"] for turn in row["turns"]] for row in conversations(120, seed=3)]


@pytest.fixture(scope="module")
def redactor():
    return Redactor(key=b"0" * 32)


@pytest.fixture(scope="module")
def one_by_one(redactor):
    return [tuple(redactor.redact(texts)) for texts in MADE]


def test_what_the_prefilter_leaves_out_holds_nothing(one_by_one):
    everything = Redactor(key=b"0" * 32, prefilter=False)
    assert [tuple(everything.redact(texts)) for texts in MADE] == one_by_one


@pytest.mark.parametrize("batch", [1, 7, 500])
def test_batches_change_nothing_and_count_what_was_masked(one_by_one, batch):
    found = list(Redactor(key=b"0" * 32).redact_many(MADE, batch=batch))
    assert [one.texts for one in found] == one_by_one
    masked = [re.findall(r"<([A-Z_]+)_\d+>", " ".join(one.texts)) for one in found]
    assert [one.counts for one in found] == [Counter(entities) for entities in masked]


def test_processes_change_nothing(one_by_one):
    found = Redactor(key=b"0" * 32).redact_many(MADE, batch=20, processes=2)
    assert [one.texts for one in found] == one_by_one


def test_threads_change_nothing(redactor, one_by_one):
    fresh = Redactor(key=b"0" * 32)
    with ThreadPoolExecutor(8) as pool:
        assert [tuple(texts) for texts in pool.map(fresh.redact, MADE)] == one_by_one


def test_an_endless_stream_is_read_a_batch_ahead(redactor):
    taken = count()
    stream = ([f"Call me on +31 6 1234 {next(taken):04d}"] for _ in count())
    assert [one.texts[0] for one in islice(redactor.redact_many(stream, batch=10), 25)] == ["Call me on <PHONE_1>"] * 25
    assert next(taken) <= 40


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
