"""Multi-turn conversations as exchanges: what the customer wrote, and the agent's answer to it.

Who wrote a message and who may see it, say the layouts; here only public messages of the customer and of agents become
exchanges, and what is left out is counted by its reason.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from llmops_assets.lib.sources import mail
from llmops_assets.lib.sources.layouts import Layout, Message
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

LEFT_OUT = {"bot": "bot", "system": "system", "third": "third person", "unknown": "unknown author"}
"""Why public messages of these speakers are in no exchange."""


def rows_of(
    record: Mapping[str, Any], layout: Layout, number: int, place: str, shape: Shape
) -> Iterator[RawRow | Rejected]:
    """The exchanges of one conversation, numbered from `number`; RowFault when the conversation cannot be used.

    The texts between two answers are one question. What a customer wrote after the last answer, and an agent before
    the first question, belongs to no exchange. The first row carries what was left out of the whole conversation.
    """
    about = layout.about(record)
    columns = shape.columns(list(about), required=())
    messages = layout.messages(record, shape.agents, shape.latest)
    if layout.chronological:
        messages = _in_order(messages)
    left_out: Counter[str] = Counter()
    said = list(_said(messages, layout, left_out))
    counts = tuple(sorted(left_out.items()))
    exchanges = _exchanges(said)
    if not exchanges:
        # Only what was public may be kept of a conversation that cannot be used.
        shown = "\n".join(message.text for message in said)
        raise RowFault(_why_none(said, left_out), text=shown[:MAX_TEXT], left_out=counts)

    def text(name: str) -> str:
        value = about.get(columns[name]) if name in columns else None
        return "" if isinstance(value, (dict, list)) else text_of(value, columns.get(name, name)).strip()

    started = next((message.time for message in said if message.time), None)
    if started is None and "time" in columns:
        started = time_of(about.get(columns["time"]), f"column {columns['time']}", shape.latest)
    day = started.date() if started else None
    subject = _subject(record, layout, shape, columns)
    tags = [text(name) or (shape.tags or {}).get(name, "") for name in TAGS]
    rating = layout.rating(record)
    if rating is None:
        rating = rating_of(about.get(columns["rating"]), f"column {columns['rating']}") if "rating" in columns else 0
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
            layout.channel(record) or text("source") or shape.channel,
            rating if turn == len(exchanges) - 1 else 0,
            "",
            conversation,
            turn,
            day,
            *tags,
            left_out=counts if turn == 0 else (),
        )


def _said(messages: Sequence[Message], layout: Layout, left_out: Counter[str]) -> Iterator[Message]:
    """What the customer and agents wrote to each other; everything else is counted."""
    for message in messages:
        if message.visibility != "public":
            left_out["private" if message.visibility == "private" else "unknown visibility"] += 1
        elif message.speaker in LEFT_OUT:
            left_out[LEFT_OUT[message.speaker]] += 1
        else:
            customer = message.speaker == "customer"
            found = mail.written(message.text, html=message.html, mail=layout.mail, customer=customer)
            left_out.update(found.cut)
            if found.text:
                yield Message(message.speaker, found.text, message.time)


def _exchanges(messages: Sequence[Message]) -> list[tuple[str, str, datetime | None]]:
    """(question, answer, time of the question) of every exchange."""
    found: list[tuple[list[str], list[str], datetime | None]] = []
    for message in messages:
        if message.speaker == "customer":
            if not found or found[-1][1]:
                found.append(([], [], message.time))
            found[-1][0].append(message.text)
        elif found:
            found[-1][1].append(message.text)
    return [("\n".join(asked), "\n".join(said), time) for asked, said, time in found if said]


def _why_none(said: Sequence[Message], left_out: Mapping[str, int]) -> str:
    """Why a conversation has no exchange."""
    told = ", ".join(sorted(left_out))
    left = f"; left out: {told}" if told else ""
    if not any(message.speaker == "customer" for message in said):
        return f"no customer message: only the agent wrote{left}" if said else f"no customer message{left}"
    if left_out.get("bot") and not any(message.speaker == "agent" for message in said):
        return f"no answer: only a bot answered{left}"
    return f"no answer: no public message of an agent follows a customer's{left}"


def _in_order(messages: Sequence[Message]) -> Sequence[Message]:
    """Messages by time where all that count have one; several systems export the newest first."""
    times = [message.time for message in messages if message.visibility == "public"]
    if not times or any(time is None for time in times):
        return messages
    known = [time for time in times if time]
    backwards = known[0] > known[-1] and all(before >= after for before, after in itertools.pairwise(known))
    earliest = min(known)
    return sorted(reversed(messages) if backwards else messages, key=lambda message: message.time or earliest)


def _subject(record: Mapping[str, Any], layout: Layout, shape: Shape, columns: Mapping[str, str]) -> str:
    """The customer: as the settings map it, as the layout finds it, or in a column that only a person can be in."""
    named = columns.get("subject", "")
    value = layout.about(record).get(named)
    told = text_of(value, named).strip() if isinstance(value, (str, int, float)) and value is not True else ""
    if shape.mapping and "subject" in shape.mapping:
        return told
    found = layout.subject(record, shape.agents)
    if found or layout.name != "chat":
        return found
    for name in ("customer", "customer_id", "user", "user_id", "email", "requester_id", "customer_email", "user_email"):
        other = record.get(name)
        if isinstance(other, (str, int)) and not isinstance(other, bool) and str(other).strip():
            return str(other).strip()
    # A subject of several words is a title.
    return told if len(told.split()) == 1 else ""
