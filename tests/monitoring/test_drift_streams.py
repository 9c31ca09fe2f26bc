"""Streams of a day that call for an alarm or for none, on the sample's questions with the real embedder."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from support import dataset

from llmops_assets.lib.watching.trigger import decide
from llmops_assets.monitoring.drift_report import Judged, judged, make_record
from llmops_assets.samples import generator
from resources.embedder import InstalledEmbedder

pytestmark = pytest.mark.slow
DAY = generator.START + timedelta(days=7)
QUERIES = 240
SEEDS = (11, 12)
Change = Callable[[list[dict], random.Random], list[dict]]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory):
    return InstalledEmbedder(tmp_path_factory.mktemp("embedder") / "vectors.db")


@pytest.fixture(scope="module")
def known():
    return [row for row in generator.conversations(1500) if row["time"][:10] < str(DAY)]


def ordinary(seed: int, new_topic: float = 0.0) -> list[dict]:
    """A day's interactions that were answered well."""
    return [
        {
            "id": f"{seed}-{number}",
            "time": query.time.isoformat(),
            "subject": query.subject,
            "conversation": query.conversation,
            "question": query.question,
            "path": "matched",
            "rating": 0,
            "correction": "",
        }
        for number, query in enumerate(generator.live_traffic(DAY, QUERIES, seed, new_topic))
    ]


def among(rows: list[dict], texts: list[str], rng: random.Random, **fields) -> list[dict]:
    """The rows with further messages at random times between them."""
    more = [
        {**rng.choice(rows), "id": f"more {n}", "conversation": f"more {n}", "subject": f"more {n}", "question": text}
        | {name: value(n) if callable(value) else value for name, value in fields.items()}
        for n, text in enumerate(texts)
    ]
    return sorted([*rows, *more], key=lambda row: row["time"])


def look(rows: list[dict], known: list[dict], embedder: InstalledEmbedder) -> tuple[bool, Judged]:
    """Whether a day calls for retraining, as the sensor decides it, and the judgement."""
    policy = generator.load_use_case().drift
    found = judged(known, rows, policy, embedder, unnamed=("nobody",))
    reference = dataset()
    report = make_record(DAY, reference, found, len(rows), policy.alpha, reference.ref)
    return decide([report], None, policy).fire, found


def pings(rows, rng):
    return among(rows, ["ping"] * 60, rng, subject="uptime")


def junk_of_one(rows, rng):
    texts = [f"{rng.choice('win grab get take'.split())} {rng.randrange(999)} coins at wheel {n}" for n in range(120)]
    return among(rows, texts, rng, subject="spam")


def repeated_by_one(rows, rng):
    return among(rows, ["asdf hjkl nothing works here 123"] * 120, rng, subject="spam")


def burst_of_nobody(rows, rng):
    at = rows[len(rows) // 2]["time"]
    return among(rows, ["crypto gains await you, click"] * 300, rng, subject="nobody", time=at)


def small_talk(rows, rng):
    texts = [rng.choice(["hi!", "thank you so much", "ok, bye", "👍", "good morning", "great"]) for _ in range(90)]
    return among(rows, texts, rng)


def follow_ups(rows, rng):
    texts = ["and how long does that take?", "is it also there in blue?", "what about the other one?"]
    later = [{**row, "id": f"{row['id']} later", "question": rng.choice(texts)} for row in rows if rng.random() < 0.4]
    return sorted([*rows, *later], key=lambda row: row["time"])


def a_form(rows, rng):
    return [
        {**row, "question": f"Topic: {rng.choice(['Order', 'Product', 'Other'])}\nPage: /contact\n"
         f"Newsletter: {rng.choice(['yes', 'no'])}\nMessage: {row['question']}"}
        for row in rows
    ]  # fmt: skip


def campaign(known: list[dict]) -> Change:
    pool = [row["question"] for row in known if row["intent"] == sorted({row["intent"] for row in known})[1]]
    return lambda rows, rng: [row if rng.random() > 0.5 else {**row, "question": rng.choice(pool)} for row in rows]


QUIET = {
    "an ordinary day": lambda rows, rng: rows,
    "an uptime monitor": pings,
    "one sender's junk": junk_of_one,
    "one sender's one text": repeated_by_one,
    "a burst of nobody": burst_of_nobody,
    "small talk": small_talk,
    "follow-ups": follow_ups,
    "a contact form": a_form,
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stream", QUIET)
def test_what_is_no_question_of_a_customer_calls_for_nothing(known, embedder, stream, seed):
    fires, found = look(QUIET[stream](ordinary(seed), random.Random(seed)), known, embedder)
    assert not fires
    assert len(found.rows) >= 0.9 * QUERIES, "an alarm that counts nothing is quiet, too"


@pytest.mark.parametrize("seed", SEEDS)
def test_more_of_a_known_topic_calls_for_retraining_only_where_it_is_answered_poorly(known, embedder, seed):
    rows = campaign(known)(ordinary(seed), random.Random(seed))
    fires, found = look(rows, known, embedder)
    assert not fires
    assert sum(window.volume for window in found.day.windows) >= 2, "it is reported as volume"
    fires, found = look([{**row, "path": "handover"} for row in rows], known, embedder)
    assert fires
    assert not any(window.volume for window in found.day.windows)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stream", QUIET)
def test_a_new_topic_fires_whatever_else_comes(known, embedder, stream, seed):
    fires, _ = look(QUIET[stream](ordinary(seed, 0.4), random.Random(seed)), known, embedder)
    assert fires
