"""What tests of findings share: questions whose vectors say their topic, days of them, and a finding in one line."""

import functools
import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np

from llmops_assets.lib.records import DecisionPolicy, Finding, FindingDay, FindingsReport
from llmops_assets.lib.watching.findings.life import Articles, Day, Known, carried
from llmops_assets.lib.watching.findings.members import Case, Member

MONDAY = date(2026, 3, 9)
SIZE = 64
KNOWN = ("orders", "returns", "lamps")


@functools.cache
def axis(name: str) -> np.ndarray:
    """The direction of a topic; that of `a+b` lies between those of a and b."""
    if "+" in name:
        return unit(sum(axis(part) for part in name.split("+")))
    seed = int(hashlib.sha256(name.rstrip("'").encode()).hexdigest()[:8], 16)
    direction = unit(np.random.default_rng(seed).normal(size=SIZE))
    # A primed topic is near the one without: cosine 0.6.
    return unit(0.6 * direction + 0.8 * axis(f"beside {name.rstrip(chr(39))}")) if name.endswith("'") else direction


def unit(vector) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@functools.cache
def vector(text: str) -> np.ndarray:
    """A question's vector: its first word's direction, and something of its own."""
    seed = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
    own = unit(np.random.default_rng(seed).normal(size=SIZE))
    return unit(axis(text.split()[0]) + 0.55 * own)


class TopicEmbedder:
    """The vectors of `vector`, as the installed embedder hands them out."""

    digest = "topics"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([vector(text) for text in texts]) if texts else np.zeros((0, SIZE), np.float32)

    def vectors(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        return {text: vector(text) for text in texts}


def asked(topic: str, count: int, day: date = MONDAY, *, start: int = 0, **fields) -> list[Member]:
    """Different questions about a topic by different people over a day, answered badly unless said otherwise."""
    begin = datetime(day.year, day.month, day.day, 6, tzinfo=UTC)
    values = {"badly": True, "handed_over": True, **fields}
    return [
        Member(
            id=f"{day} {topic} {n}",
            time=begin + timedelta(minutes=n * 900 // max(count, 1)),
            question=f"{topic} question {n} of {day.day}",
            sender=f"sender {topic} {n}",
            **values,
        )
        for n in range(start, start + count)
    ]


def well(topic: str, count: int, day: date = MONDAY, **fields) -> list[Member]:
    """The same, answered well."""
    return asked(topic, count, day, badly=False, handed_over=False, **fields)


@functools.cache
def known(topics: tuple[str, ...] = KNOWN, each: int = 40, day: date = date(2026, 3, 1)) -> Known:
    """What was learned: questions about topics, by intent."""
    texts = [f"{topic} known {n}" for topic in topics for n in range(each)]
    vectors = np.stack([vector(text) for text in texts])
    gram = vectors @ vectors.T
    np.fill_diagonal(gram, -1)
    threshold = float(np.quantile(1 - gram.max(axis=1), 0.95))
    return Known(vectors, [text.split()[0] for text in texts], [day] * len(texts), threshold)


def a_day(members: Sequence[Member], day: date = MONDAY, before: Sequence[Case] = (), **fields) -> Day:
    """A day with everything that it is held against."""
    every = [*members, *(one for case in before for one in case.members)]
    texts = [text for one in every for text in (one.question, one.correction) if text]
    values = {"known": known(), "articles": Articles([], np.zeros((0, SIZE), np.float32)), "policy": DecisionPolicy()}
    return Day(day, members, {text: vector(text) for text in texts}, **{**values, **fields})


def after(members: Sequence[Member], day: date = MONDAY, before: Sequence[Case] = (), **fields) -> list[Case]:
    """The findings at the end of a day."""
    return carried(a_day(members, day, before, **fields), before)


def finding(name: str = "f-0000000001", **fields) -> Finding:
    """A new topic, asked about by thirty people on one day, answered badly, with corrections that agree."""
    day = fields.pop("day", MONDAY)
    counts = FindingDay(day=day, questions=30, senders=30, badly=30, handed_over=20, corrected=20)
    values = {
        "kind": "new",
        "action": "retrain",
        "why": "30 of 30 were answered badly, and 20 corrections agree",
        "first_seen": day,
        "since": day,
        "last_seen": day,
        "days": (counts,),
        "different": 25,
        "different_badly": 25,
        "senders": 30,
        "agreeing": 20,
    }
    return Finding(id=name, **{**values, **fields})


def report(*findings: Finding, day: date = MONDAY, members=None) -> FindingsReport:
    """A day's report."""
    from support import ref

    return FindingsReport(
        day=day, reference=ref(), findings=findings, questions=100, members=members or ref(), report=ref("f.html")
    )
