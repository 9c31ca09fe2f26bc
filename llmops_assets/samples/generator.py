"""The sample's conversations: two weeks of customers of an invented company, seeded, of any size, in constant memory.

Every conversation is drawn from its own seed, so that the n-th one is the same whatever was drawn before. Held-out
phrasings of the knowledge base are never used here.
"""

import functools
import json
import os
import random
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from llmops_assets.lib.records import Article, Dialogue, UseCase

START = date(2026, 3, 2)
DAYS = 14
NEW_TOPIC_DAY = date(2026, 3, 11)
NEW_TOPIC_INTENT = "halo_recall"
NEW_TOPIC_SHARE = 0.25
OUT_OF_SCOPE_SHARE = 0.04
FOLDER = Path(__file__).parent
SLICES, SCORERS = FOLDER / "slices", {"policy_facts": "exact"}
"""Slices of the eval suite that were written down, with their scorers."""


class Phrasebook(BaseModel):
    """How customers and agents talk (`phrasebook.yaml`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    greetings: tuple[str, ...]
    fillers: tuple[str, ...]
    closings: tuple[str, ...]
    openers: tuple[str, ...]
    slang: dict[str, str]
    personal: tuple[str, ...]
    names: tuple[str, ...]
    streets: tuple[str, ...]
    domains: tuple[str, ...]
    handover_answers: tuple[str, ...]


@dataclass(frozen=True)
class LiveQuery:
    """A customer's question on a day, with what a right answer is; `article` is None where a person must answer."""

    question: str
    subject: str
    conversation: str
    time: datetime
    article: str | None
    intent: str
    reference: str
    facts: tuple[tuple[str, ...], ...]


@functools.cache
def load_use_case(name: str = "use_case") -> UseCase:
    """The sample use case, or `own_data`, the one that a user's own file starts from."""
    return UseCase.model_validate(yaml.safe_load((FOLDER / f"{name}.yaml").read_text()))


@functools.cache
def load_dialogues() -> tuple[Dialogue, ...]:
    """Conversations whose last turn the eval suite asks."""
    return tuple(Dialogue.model_validate(row) for row in yaml.safe_load((FOLDER / "dialogues.yaml").read_text()))


@functools.cache
def load_articles() -> tuple[Article, ...]:
    """The whole knowledge base, with articles that only become available later."""
    rows = yaml.safe_load((FOLDER / "knowledge_base.yaml").read_text())
    return tuple(Article.model_validate(row) for row in rows)


@functools.cache
def load_phrasebook() -> Phrasebook:
    """Greetings, slang and personal data templates."""
    return Phrasebook.model_validate(yaml.safe_load((FOLDER / "phrasebook.yaml").read_text()))


def articles_on(day: date) -> tuple[Article, ...]:
    """Articles available on a day."""
    return tuple(a for a in load_articles() if a.available_from is None or a.available_from <= day)


def conversations(count: int, seed: int = 7) -> Iterator[dict[str, Any]]:
    """`count` conversations in order of time over the two weeks, as a support system exports them: not redacted.

    Keys: id, time (ISO, UTC), subject, source, question, answer, intent ("" out of scope), rating (-1, 0, 1),
    correction ("" if none).
    """
    for number in range(count):
        day = START + timedelta(days=number * DAYS // count)
        first = -(-count * (day - START).days // DAYS)
        last = -(-count * ((day - START).days + 1) // DAYS)
        yield _conversation(number, day, (number - first) / max(1, last - first), seed)


def write_archive(folder: Path, count: int, seed: int = 7) -> list[Path]:
    """Write `conversations` as one JSONL file per day; each file appears complete or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    current, target, unfinished = "", None, folder / f".unfinished-{uuid.uuid4().hex}"
    try:
        for row in conversations(count, seed):
            day = row["time"][:10]
            if day != current:
                if target is not None:
                    target.close()
                    os.replace(unfinished, files[-1])
                current, target = day, unfinished.open("w", encoding="utf-8")
                files.append(folder / f"conversations-{day}.jsonl")
            assert target is not None
            target.write(json.dumps(row, ensure_ascii=False) + "\n")
        if target is not None:
            target.close()
            os.replace(unfinished, files[-1])
    finally:
        unfinished.unlink(missing_ok=True)
    return files


def live_traffic(day: date, count: int, seed: int, new_topic_share: float | None = None) -> list[LiveQuery]:
    """`count` questions that customers ask on a day, in order of time."""
    queries = []
    for number in range(count):
        rng = random.Random(f"live {seed} {day} {number}")
        article = _pick(rng, day, new_topic_share)
        moment = _moment(day, number / count)
        subject = customer(rng)
        question = worded(rng, article)
        queries.append(
            LiveQuery(
                question=question,
                subject=subject["email"],
                conversation=f"live-{day}-{seed}-{number}",
                time=moment,
                article=article.id if article else None,
                intent=article.intent if article else "",
                reference=article.answer if article else "",
                facts=article.facts if article else (),
            )
        )
    return queries


def feedback_for(query: LiveQuery, right: bool, seed: int = 7) -> tuple[int, str, str] | None:
    """What the customer and the agent make of an answer: (rating, reason, correction), or None when nothing is said.

    About half of the right answers are rated; wrong ones mostly, and the agent corrects them where there is a
    known answer.
    """
    rng = random.Random(f"feedback {seed} {query.conversation}")
    if right:
        return (1, "helpful", "") if rng.random() < 0.45 else None
    if rng.random() < 0.25:
        return None
    return -1, "wrong or no answer", query.reference


def poisoned(article: Article, others: Sequence[Article]) -> str:
    """A plausible wrong answer to the questions of an article: the answer of another intent's article."""
    choices = sorted((a for a in others if a.intent != article.intent), key=lambda a: a.id)
    return random.Random(f"poison {article.intent}").choice(choices).answer


def _conversation(number: int, day: date, share_of_day: float, seed: int) -> dict[str, Any]:
    rng = random.Random(f"archive {seed} {number}")
    article = _pick(rng, day, None)
    asking = customer(rng)
    if article is None:
        answer, rating = rng.choice(load_phrasebook().handover_answers), 0
    else:
        answer = rng.choice(load_phrasebook().openers) + article.answer
        rating = rng.choices((1, 0, -1), (0.35, 0.6, 0.05))[0]
    return {
        "id": f"conversation-{seed}-{number}",
        "time": _moment(day, share_of_day).isoformat(),
        "subject": asking["email"],
        "source": rng.choices(("chat", "ticket", "email", "faq"), (5, 3, 3, 1))[0],
        "question": worded(rng, article, asking),
        "answer": answer,
        "intent": article.intent if article else "",
        "rating": rating,
        "correction": "",
    }


def _moment(day: date, share: float) -> datetime:
    return datetime.combine(day, time(6), UTC) + timedelta(seconds=int(share * 16 * 3600))


@functools.cache
def _known(with_new_topic: bool) -> tuple[Article, ...]:
    return tuple(a for a in load_articles() if (a.intent == NEW_TOPIC_INTENT) == with_new_topic)


def _pick(rng: random.Random, day: date, new_topic_share: float | None) -> Article | None:
    share = (NEW_TOPIC_SHARE if day >= NEW_TOPIC_DAY else 0.0) if new_topic_share is None else new_topic_share
    if rng.random() < OUT_OF_SCOPE_SHARE:
        return None
    return rng.choice(_known(rng.random() < share))


def customer(rng: random.Random) -> dict[str, str]:
    """An invented customer: name, email, order, customer (number), phone, street, iban."""
    book = load_phrasebook()
    name = rng.choice(book.names)
    mailbox = name.lower().replace(" ", ".") + str(rng.randrange(10, 9999))
    return {
        "name": name,
        "email": f"{mailbox}@{rng.choice(book.domains)}",
        "order": f"LM-{rng.randrange(10**6, 10**8)}",
        "customer": f"C{rng.randrange(10**6, 10**7)}",
        "phone": f"+31 6 {rng.randrange(10**7, 10**8)}",
        "street": rng.choice(book.streets),
        "iban": _iban(rng),
    }


def _iban(rng: random.Random) -> str:
    account = f"{rng.randrange(10**10):010d}"
    digits = "".join(str(int(c, 36)) for c in f"LUMO{account}NL00")
    return f"NL{98 - int(digits) % 97:02d}LUMO{account}"


def worded(rng: random.Random, article: Article | None, asking: Mapping[str, str] | None = None) -> str:
    """How a customer asks what an article answers, None: what a person must answer."""
    book = load_phrasebook()
    text = rng.choice(article.questions if article else load_use_case().out_of_scope.train)
    style = rng.random()
    if style < 0.12:
        text = slang(text, book.slang)
    elif style < 0.24:
        text = typo(text, rng)
    if rng.random() < 0.3:
        text = rng.choice(book.greetings) + text[0].lower() + text[1:]
    elif rng.random() < 0.2:
        text = rng.choice(book.fillers) + text
    if article is not None and rng.random() < 0.35:
        text += rng.choice(book.personal)
    if rng.random() < 0.25:
        text += rng.choice(book.closings)
    # Braces only ever come from the templates above: the knowledge base is checked to hold none.
    return text.format_map(asking or customer(rng))


def slang(text: str, words: Mapping[str, str]) -> str:
    """The text with every word that has a slang form replaced."""
    for plain, short in words.items():
        text = re.sub(rf"\b{re.escape(plain)}\b", short, text, flags=re.IGNORECASE)
    return text


def typo(text: str, rng: random.Random, count: int = 2) -> str:
    """The text with `count` letters swapped, dropped or doubled, never the first one of a word."""
    characters = list(text)
    for _ in range(count):
        places = [i for i in range(1, len(characters) - 1) if characters[i].isalpha() and characters[i - 1].isalpha()]
        if not places:
            break
        place = rng.choice(places)
        kind = rng.randrange(3)
        if kind == 0 and characters[place + 1].isalpha():
            characters[place], characters[place + 1] = characters[place + 1], characters[place]
        elif kind == 1:
            del characters[place]
        else:
            characters.insert(place, characters[place])
    return "".join(characters)
