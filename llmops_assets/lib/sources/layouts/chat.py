"""Lists of messages with roles: OpenAI's, ShareGPT's, Chatwoot's and whatever else names speaker and text.

What a message calls its speaker, and any flag of who may see it, is read in all usual spellings.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from llmops_assets.lib.sources.faults import RowFault
from llmops_assets.lib.sources.layouts import fields
from llmops_assets.lib.sources.layouts.base import Layout, Message, Speaker
from llmops_assets.lib.sources.layouts.roles import MODEL, is_automatic, speaker_of
from llmops_assets.lib.sources.times import Clock, time_of
from llmops_assets.lib.sources.visibility import visibility

LISTS = ("messages", "turns", "dialog", "dialogue", "conversation", "conversations")
"""Names of the list."""
ROLES = ("role", "from", "speaker", "author_role", "sender_role", "author_type", "sender_type", "author", "sender")
TEXTS = ("content", "text", "value", "message", "body")
TIMES = ("created_at", "time", "timestamp", "date", "datetime", "sent_at")
_IN = frozenset("incoming inbound in received from_customer".split())
_OUT = frozenset("outgoing outbound out sent to_customer".split())
_PEOPLE = ("customer", "requester", "contact", "end_user", "client", "user", "visitor")
_CHATWOOT: dict[Any, Speaker] = {0: "customer", 1: "agent", 2: "system", 3: "bot"}
"""Chatwoot's `message_type`: incoming, outgoing, activity, template."""


class Chat(Layout):
    """A record with a list of messages under one of LISTS."""

    name = "chat"
    mail = False
    chronological = False

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """The name of the list is enough: what is wrong in it is told. Under another name its objects tell."""
        return any(name in record for name in LISTS) or _list(record) is not None

    def messages(
        self, record: Mapping[str, Any], agents: Collection[str] = (), clock: Clock | None = None
    ) -> list[Message]:
        """Every message with a text."""
        found: list[tuple[str, Message]] = []
        for number, entry in enumerate(fields.listed(_list(record), "messages")):
            at = f"message {number}"
            if not isinstance(entry, dict):
                raise RowFault(f"a {type(entry).__name__}; every message is an object with role and text", at)
            text = fields.content(fields.first(entry, *TEXTS), at)
            seen = visibility(entry)
            role, said = _speaker(entry, at, agents) if seen == "public" else ("", "system")
            if text:
                found.append((role, Message(said, text, time_of(fields.first(entry, *TIMES), at, clock), seen)))
        # Where people answer, what calls itself assistant is the bot in front of them.
        staffed = any(message.speaker == "agent" and role not in MODEL for role, message in found)
        return [
            Message("bot", message.text, message.time, message.visibility)
            if staffed and role in MODEL and not fields.is_agent(agents, role)
            else message
            for role, message in found
        ]

    def subject(self, record: Mapping[str, Any], agents: Collection[str] = ()) -> str:
        """Who the record says the customer is, or else the one author of all the customer's messages."""
        for name in _PEOPLE:
            if known := fields.identity(record.get(name), "email", "id", "external_id", "identifier"):
                return known
        meta = record.get("meta")
        if isinstance(meta, dict) and (known := fields.identity(meta.get("sender"), "email", "id")):
            return known
        authors: Counter[str] = Counter()
        for entry in fields.entries(_list(record)):
            author = fields.first(entry, "author", "sender")
            if not isinstance(author, dict) or not (name := fields.identity(author, "email", "id")):
                continue
            try:
                if speaker(entry, "", agents) == "customer":
                    authors[name] += 1
            except RowFault:
                continue
        return next(iter(authors)) if len(authors) == 1 else ""


def _list(record: Mapping[str, Any]) -> Any:
    """The list under one of LISTS, or else the first whose objects have a speaker and a text."""
    named = next((record[name] for name in LISTS if name in record), None)
    return named if named is not None else next((value for value in record.values() if _are_messages(value)), None)


def _are_messages(value: Any) -> bool:
    said = list(fields.entries(value))
    return bool(said) and all(map(is_message, said))


def is_message(entry: Mapping[str, Any]) -> bool:
    """Whether an object has a speaker and a text."""
    told = any(name in entry for name in ROLES) or _heading(entry) is not None
    return told and any(name in entry for name in TEXTS)


def speaker(entry: Mapping[str, Any], at: str, agents: Collection[str] = ()) -> Speaker:
    """Who wrote a message. RowFault when nobody can tell."""
    return _speaker(entry, at, agents)[1]


def _speaker(entry: Mapping[str, Any], at: str, agents: Collection[str]) -> tuple[str, Speaker]:
    """(the role's own word, who it is)."""
    if is_automatic(entry):
        return "", "bot"
    if isinstance(entry.get("message_type"), int):
        return "", _CHATWOOT.get(entry["message_type"], "unknown")
    value = fields.first(entry, *ROLES)
    if value is None and (heading := _heading(entry)):
        return "", heading
    word = fields.name_of(fields.first(value, "role", "type") if isinstance(value, dict) else value)
    return word, speaker_of(value, at, agents)


def _heading(entry: Mapping[str, Any]) -> Speaker | None:
    """Who wrote a message that names no role but says which way it went."""
    for name, yes, no in (
        ("incoming", "customer", "agent"),
        ("is_incoming", "customer", "agent"),
        ("inbound", "customer", "agent"),
        ("from_customer", "customer", "agent"),
        ("is_customer", "customer", "agent"),
        ("is_agent", "agent", "customer"),
    ):
        if isinstance(entry.get(name), bool):
            return yes if entry[name] else no
    way = fields.name_of(fields.first(entry, "direction", "message_type"))
    return "customer" if way in _IN else ("agent" if way in _OUT else None)
