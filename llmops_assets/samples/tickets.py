"""The sample's customers as a ticket system exports them: mail with history and signatures, HTML, private notes, system
notices, people in copy, and agents who mostly write about one case.

What agents say about one case is drawn from templates whose fixed words are known, so that a test can tell whether any
of it reached another customer. Seeded, in constant memory. The layout is that of Zendesk's ticket export with comments:
https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/
"""

import functools
import html
import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from llmops_assets.samples import generator

PERSONAL_SHARE = 0.45
"""Share of the tickets on one's own order or account."""
NOTE_SHARE, HTML_SHARE, HISTORY_SHARE, COPY_SHARE, PHONE_SHARE = 0.2, 0.4, 0.35, 0.05, 0.08


class Case(BaseModel):
    """What a customer asks about the own case, and what the agent answered to that one customer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    answer: str


class Tickets(BaseModel):
    """What the tickets are made of (`tickets.yaml`); `personal` by topic."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    personal: dict[str, tuple[Case, ...]]
    notes: tuple[str, ...]
    notices: tuple[str, ...]
    disclaimer: str
    towns: tuple[str, ...]
    weekdays: tuple[str, ...]
    agents: tuple[str, ...]


@functools.cache
def load_tickets() -> Tickets:
    """Templates of the tickets."""
    return Tickets.model_validate(yaml.safe_load((generator.FOLDER / "tickets.yaml").read_text()))


def tickets(count: int, seed: int = 7) -> Iterator[dict[str, Any]]:
    """`count` tickets in order of time over the sample's two weeks: not redacted. `topic` is the intent of some."""
    for number, row in enumerate(generator.conversations(count, seed)):
        yield _ticket(number, row, random.Random(f"ticket {seed} {number}"))


def write_export(path: Path, count: int, seed: int = 7) -> Path:
    """Write `tickets` as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for ticket in tickets(count, seed):
            file.write(json.dumps(ticket, ensure_ascii=False) + "\n")
    return path


def personal_questions(count: int, seed: int = 7) -> list[tuple[str, str]]:
    """(topic, question) of customers about their own case, as they may ask the assistant."""
    personal, found = load_tickets().personal, []
    for number in range(count):
        rng = random.Random(f"personal {seed} {number}")
        topic = rng.choice(sorted(personal))
        found.append((topic, rng.choice(personal[topic]).question.format_map(_values(rng))))
    return found


def _values(rng: random.Random) -> dict[str, Any]:
    customer = generator.customer(rng)
    return {
        **customer,
        "first": customer["name"].split()[0],
        "town": rng.choice(load_tickets().towns),
        "weekday": rng.choice(load_tickets().weekdays),
        "date": f"{rng.randrange(1, 28)} February",
        "hour": f"{rng.randrange(7, 19)}:{rng.randrange(10, 59)}",
        "sum": f"{rng.randrange(8, 240)}.{rng.randrange(10, 99)}",
        "pin": rng.randrange(1000, 9999),
    }


def _ticket(number: int, row: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    book, values = load_tickets(), _values(rng)
    agent = rng.randrange(len(book.agents))
    requester, agent_id = 700_000 + number, 900 + agent
    started = datetime.fromisoformat(row["time"])
    if rng.random() < PERSONAL_SHARE:
        topic = rng.choice(sorted(book.personal))
        case = rng.choice(book.personal[topic])
        question, answer = case.question.format_map(values), case.answer.format_map(values)
    else:
        topic, question, answer = row["intent"], row["question"], row["answer"]
    asked = _mail(question, values["name"], rng)
    phone = rng.random() < PHONE_SHARE
    channel = "voice" if phone else "email"
    comments = [_comment(agent_id if phone else requester, asked, started, rng, public=not phone, channel=channel)]
    minute = 0

    def later() -> datetime:
        nonlocal minute
        minute += rng.randrange(1, 50)
        return started + timedelta(minutes=minute)

    if phone:
        comments.append(_comment(requester, asked, later(), rng))
    if rng.random() < 0.3:
        notice = rng.choice(book.notices).format(number=number, other=number + 40_000)
        comments.append(_comment(-1, notice, later(), rng, channel="rule"))
    if rng.random() < NOTE_SHARE:
        comments.append(_comment(agent_id, rng.choice(book.notes).format_map(values), later(), rng, public=False))
    if rng.random() < COPY_SHARE:
        comments.append(
            _comment(500_000 + number, f"I am {values['name']}'s flatmate, same problem here.", later(), rng)
        )
    comments.append(_comment(agent_id, _reply(answer, values, book.agents[agent], asked, rng), later(), rng))
    if rng.random() < 0.25:
        comments.append(_comment(requester, "Thank you!\n\nSent from my phone", later(), rng))
    return {
        "id": 300_000 + number,
        "subject": f"Question no. {number}",
        "description": asked,
        "created_at": row["time"],
        "requester_id": requester,
        "submitter_id": agent_id if phone else requester,
        "assignee_id": agent_id,
        "via": {"channel": channel},
        "topic": topic if rng.random() < 0.8 else "",
        "satisfaction_rating": {"score": {1: "good", -1: "bad"}.get(row["rating"], "unoffered")},
        "comments": comments,
    }


def _comment(
    author: int, text: str, moment: datetime, rng: random.Random, *, public: bool = True, channel: str = "email"
) -> dict[str, Any]:
    comment = {
        "id": rng.randrange(10**9),
        "type": "Comment",
        "author_id": author,
        "public": public,
        "created_at": moment.isoformat(),
        "via": {"channel": channel},
        "html_body": f'<div class="zd-comment" dir="auto"><p>{_markup(text)}</p></div>',
    }
    if rng.random() > HTML_SHARE:
        comment["body"] = comment["plain_body"] = text
    return comment


def _markup(text: str) -> str:
    paragraphs = [html.escape(part).replace("\n", "<br>") for part in text.split("\n\n")]
    return "</p><p>".join(paragraphs) + '<img src="https://track.lumora.example/o.gif" width="1" height="1">'


def _mail(question: str, name: str, rng: random.Random) -> str:
    if rng.random() < 0.4:
        return question
    greeting = rng.choice(("Hello,", "Dear support team,", "Hi there,"))
    closing = rng.choice(("Kind regards,", "Best,", "Thanks in advance"))
    return f"{greeting}\n\n{question}\n\n{closing}\n{name}"


def _reply(answer: str, values: dict[str, Any], agent: str, asked: str, rng: random.Random) -> str:
    greeting = rng.choice(
        (f"Hi {values['first']},", f"Dear {values['name']},", "Hello {{ticket.requester.first_name}},")
    )
    parts = [greeting, answer]
    if rng.random() < 0.3:
        parts.append(rng.choice(("Is there anything else I can do for you?", "How did I do? Please rate this answer.")))
    closing = rng.choice(("Kind regards,", "Best wishes,", "Cheers,"))
    parts.append(f"{closing}\n{agent}\nLumora Support | +31 20 555 0{rng.randrange(100, 999)}")
    if rng.random() < 0.5:
        parts.append(load_tickets().disclaimer)
    if rng.random() < HISTORY_SHARE:
        quoted = "\n".join(f"> {line}" for line in asked.splitlines())
        parts.append(f"On 3 Mar 2026 at 09:14, {values['name']} <{values['email']}> wrote:\n{quoted}")
    return "\n\n".join(parts)
