"""Multi-turn conversations as exchanges: what the customer wrote, and the agent's answer to it.

Reads tickets with comments (Zendesk's export), conversations with parts (Intercom's) and lists of messages with a role
(OpenAI's and the like). Private notes and system messages are never part of an exchange.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from llmops_assets.lib.sources.documents import plain_text
from llmops_assets.lib.sources.rows import (
    MAX_TEXT,
    TAGS,
    RawRow,
    Rejected,
    RowFault,
    Shape,
    content_id,
    rating_of,
    text_of,
    time_of,
    too_long,
)
from llmops_assets.lib.sources.times import Clock

Role = Literal["customer", "agent"]
CUSTOMER = frozenset(
    "user human customer client consumer end-user end_user enduser visitor lead contact requester guest buyer".split()
)
AGENT = frozenset(
    "assistant agent gpt bot chatbot model admin support operator representative staff team_member advisor".split()
)
IGNORED = frozenset("system developer tool function note internal event".split())
MESSAGES = ("messages", "turns", "dialog", "dialogue", "conversation", "conversations")
"""Names of the list in a generic conversation."""


@dataclass(frozen=True, slots=True)
class Message:
    """One public message of a conversation."""

    role: Role
    text: str
    time: datetime | None


def layout(names: Sequence[Any]) -> str:
    """The key of a record's list of messages; "" when it has none."""
    return next((key for key in ("comments", "conversation_parts", *MESSAGES) if key in names), "")


def rows_of(record: Mapping[str, Any], key: str, number: int, place: str, shape: Shape) -> Iterator[RawRow | Rejected]:
    """The exchanges of one conversation, numbered from `number`; RowFault when the conversation cannot be used.

    The texts between two answers are one question. What a customer wrote after the last answer, and an agent before
    the first question, belongs to no exchange.
    """
    columns = shape.columns(list(record), required=())
    if key == "comments":
        messages = _ticket(record, shape.clock)
    elif key == "conversation_parts":
        messages = _parts(record, shape.clock)
    else:
        messages = _turns(record[key], shape.clock)
    if not any(message.role == "customer" for message in messages):
        raise RowFault("no customer message: only the agent wrote")
    exchanges = _exchanges(messages)
    if not exchanges:
        raise RowFault("no answer: no public message of an agent follows a customer's")

    def text(name: str) -> str:
        value = record.get(columns[name]) if name in columns else None
        return "" if isinstance(value, (dict, list)) else text_of(value, columns.get(name, name)).strip()

    started = next((message.time for message in messages if message.time), None)
    if started is None and "time" in columns:
        started = time_of(record.get(columns["time"]), f"column {columns['time']}", shape.clock)
    day = shape.clock.day(started) if started else None
    subject = text("subject") if key in MESSAGES else _subject(record, key)
    tags = [text(name) or (shape.tags or {}).get(name, "") for name in TAGS]
    rating = _rating(record, columns)
    name = text("id") or text("conversation") or content_id(*exchanges[0][:2], subject, started)
    conversation = f"{shape.name}/{name}" if shape.name else name
    for turn, (question, answer, time) in enumerate(exchanges):
        if max(len(question), len(answer)) > MAX_TEXT:
            fault = too_long(max(question, answer, key=len), "")
            where = f"{place}, turn {turn}"
            yield Rejected(shape.name, where, fault.reason, f"{conversation}#{turn}", (question + answer)[:MAX_TEXT])
            continue
        yield RawRow(
            number + turn,
            f"{conversation}#{turn}",
            question,
            answer,
            text("intent"),
            time or started,
            subject,
            _channel(record) or text("source") or shape.channel,
            rating if turn == len(exchanges) - 1 else 0,
            "",
            conversation,
            turn,
            day,
            *tags,
        )


def _exchanges(messages: Sequence[Message]) -> list[tuple[str, str, datetime | None]]:
    """(question, answer, time of the question) of every exchange."""
    found: list[tuple[list[str], list[str], datetime | None]] = []
    for message in messages:
        if message.role == "customer":
            if not found or found[-1][1]:
                found.append(([], [], message.time))
            found[-1][0].append(message.text)
        elif found:
            found[-1][1].append(message.text)
    return [("\n".join(asked), "\n".join(said), time) for asked, said, time in found if said]


def _turns(value: Any, clock: Clock) -> list[Message]:
    messages = []
    for number, entry in enumerate(_list(value, "messages")):
        at = f"message {number}"
        if not isinstance(entry, dict):
            raise RowFault(f"a {type(entry).__name__}; every message is an object with role and text", at)
        role = _role(_first(entry, "role", "from", "speaker", "author", "sender"), at)
        text = _content(_first(entry, "content", "text", "value", "message", "body"), at)
        if role is not None and text:
            messages.append(Message(role, text, time_of(_time(entry), at, clock)))
    return messages


def _role(value: Any, at: str) -> Role | None:
    """None for messages that are no part of what was said. The value itself, maybe a name, is not repeated."""
    if isinstance(value, dict):
        value = _first(value, "role", "type")
    name = value.strip().lower() if isinstance(value, str) else ""
    if name in CUSTOMER:
        return "customer"
    if name in AGENT:
        return "agent"
    if name in IGNORED:
        return None
    raise RowFault("the role is none that is known: write user or assistant", at)


def _content(value: Any, at: str) -> str:
    """The text of a message; of OpenAI's content parts, the texts."""
    if isinstance(value, list):
        parts = [part.get("text") for part in value if isinstance(part, dict)]
        value = "\n".join(part for part in parts if isinstance(part, str))
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowFault(f"a {type(value).__name__} is no text", at)
    return value.strip()


def _ticket(ticket: Mapping[str, Any], clock: Clock) -> list[Message]:
    """The public comments of a ticket. Its requester is the customer, all others answer, unless roles are given."""
    requester, messages = ticket.get("requester_id"), []
    for number, comment in enumerate(_list(ticket["comments"], "comments")):
        at = f"comment {number}"
        if not isinstance(comment, dict):
            raise RowFault(f"a {type(comment).__name__}; every comment is an object", at)
        text = comment.get("plain_body") or comment.get("body")
        if not text and comment.get("html_body"):
            text = plain_text(_content(comment["html_body"], at))
        author = comment.get("author")
        stated = comment.get("author_role") or (_first(author, "role", "type") if isinstance(author, dict) else None)
        if comment.get("public", True) is not True or not (text := _content(text, at)):
            continue
        if stated:
            role = _role(stated, at)
        elif requester is None or comment.get("author_id") is None:
            raise RowFault("nobody knows who wrote it: requester_id and author_id, or author_role, are missing", at)
        else:
            role = "customer" if comment["author_id"] == requester else "agent"
        if role is not None:
            messages.append(Message(role, text, time_of(_time(comment), at, clock)))
    described = _content(ticket.get("description"), "description")
    if described and (not messages or messages[0].role == "agent"):
        messages.insert(0, Message("customer", described, time_of(_time(ticket), "created_at", clock)))
    return messages


def _parts(conversation: Mapping[str, Any], clock: Clock) -> list[Message]:
    """The opening message and the comments of a conversation; notes, assignments and other events are left out."""
    opening, parts = conversation.get("source"), conversation["conversation_parts"]
    entries = [dict(opening, created_at=conversation.get("created_at"))] if isinstance(opening, dict) else []
    entries += _list(parts.get("conversation_parts") if isinstance(parts, dict) else parts, "conversation_parts")
    messages = []
    for number, part in enumerate(entries):
        at = f"part {number}"
        if not isinstance(part, dict):
            raise RowFault(f"a {type(part).__name__}; every part is an object", at)
        text = plain_text(_content(part.get("body"), at))
        if part.get("part_type", "comment") not in ("comment", "open", "close") or not text:
            continue
        role = _role(part.get("author"), at)
        if role is not None:
            messages.append(Message(role, text, time_of(_time(part), at, clock)))
    return messages


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise RowFault(f"{name} is a {type(value).__name__}, not a list")
    return value


def _time(entry: Mapping[str, Any]) -> Any:
    return _first(entry, "created_at", "time", "timestamp", "date", "datetime")


def _first(entry: Mapping[str, Any], *names: str) -> Any:
    return next((entry[name] for name in names if entry.get(name) is not None), None)


def _subject(record: Mapping[str, Any], key: str) -> str:
    """Who asked: the requester of a ticket (whose `subject` is its title), the author of a conversation."""
    if key == "comments":
        return text_of(record.get("requester_id"), "requester_id")
    author = record["source"].get("author") if isinstance(record.get("source"), dict) else None
    return text_of(_first(author, "email", "id"), "author") if isinstance(author, dict) else ""


def _channel(record: Mapping[str, Any]) -> str:
    via = record.get("via")
    return via["channel"] if isinstance(via, dict) and isinstance(via.get("channel"), str) else ""


def _rating(record: Mapping[str, Any], columns: Mapping[str, str]) -> int:
    """A ticket's good or bad, a conversation's 1 to 5, or our own -1, 0, 1."""
    satisfaction, stars = record.get("satisfaction_rating"), record.get("conversation_rating")
    if isinstance(satisfaction, dict):
        return {"good": 1, "bad": -1}.get(str(satisfaction.get("score")), 0)
    if isinstance(stars, dict):
        rating = stars.get("rating")
        return 0 if not isinstance(rating, int) or rating == 3 else (1 if rating > 3 else -1)
    return rating_of(record.get(columns["rating"]), f"column {columns['rating']}") if "rating" in columns else 0
