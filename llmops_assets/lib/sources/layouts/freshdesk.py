"""Freshdesk and Freshservice: a ticket with its conversations.

https://developers.freshdesk.com/api/#conversations: the ticket's description is the first message and no conversation;
`incoming` is what came from outside, `private` a note among agents.
"""

from collections.abc import Collection, Mapping
from typing import Any

from llmops_assets.lib.sources.faults import RowFault
from llmops_assets.lib.sources.layouts import fields
from llmops_assets.lib.sources.layouts.base import Layout, Message, Speaker
from llmops_assets.lib.sources.layouts.roles import is_automatic
from llmops_assets.lib.sources.rows import text_of
from llmops_assets.lib.sources.times import Clock
from llmops_assets.lib.sources.visibility import visibility

CHANNELS = {1: "email", 2: "portal", 3: "phone", 7: "chat", 9: "feedback widget", 10: "outbound email"}
"""`source` of a ticket."""
_BY_AGENT = (3, 10)
"""Sources of tickets whose description an agent writes."""
_SURVEY, _FORWARDED = 6, 8
"""`source` of conversations that nobody answers with, and of those that went to somebody else."""


class Freshdesk(Layout):
    """A record with `conversations` that have `incoming`."""

    name = "freshdesk"

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """`incoming` beside `body`, or a ticket's description without any conversation."""
        listed = record.get("conversations")
        found = any(
            "incoming" in entry and ("body" in entry or "body_text" in entry) for entry in fields.entries(listed)
        )
        return found or (listed == [] and "description_text" in record)

    def messages(
        self, record: Mapping[str, Any], agents: Collection[str] = (), clock: Clock | None = None
    ) -> list[Message]:
        """The description, and every conversation."""
        found = []
        text, html = fields.body(record, "description", ("description",), ("description_text",))
        if text and record.get("source") not in _BY_AGENT:
            asked = fields.moment(record, "created_at", clock, "created_at")
            found.append(Message("customer", text, asked, "public", html or None))
        for at, entry in fields.objects(record["conversations"], "conversations", "conversation"):
            text, html = fields.body(entry, at, ("body",), ("body_text",))
            if not text:
                continue
            seen = visibility(entry) if isinstance(entry.get("private"), bool) else "unknown"
            speaker = _speaker(record, entry, at, agents) if seen == "public" else "system"
            found.append(Message(speaker, text, fields.moment(entry, at, clock, "created_at"), seen, html))
        return found

    def subject(self, record: Mapping[str, Any], agents: Collection[str] = ()) -> str:
        """The requester's id."""
        if record.get("requester_id") is not None:
            return text_of(record["requester_id"], "requester_id")
        return fields.identity(record.get("requester"), "id", "email") or fields.identity(record, "email")

    def channel(self, record: Mapping[str, Any]) -> str:
        """How the ticket came."""
        source = record.get("source")
        return CHANNELS.get(source, "") if isinstance(source, int) else ""


def _speaker(ticket: Mapping[str, Any], entry: Mapping[str, Any], at: str, agents: Collection[str]) -> Speaker:
    if is_automatic(entry) or entry.get("source") == _SURVEY:
        return "system"
    if fields.is_agent(agents, entry.get("user_id"), entry.get("from_email")):
        return "agent"
    incoming = entry.get("incoming")
    if not isinstance(incoming, bool):
        raise RowFault("nobody knows who wrote it: incoming is neither true nor false", at)
    if not incoming:
        return "third" if entry.get("source") == _FORWARDED else "agent"
    requester = ticket.get("requester")
    person = requester if isinstance(requester, dict) else {}
    known = (
        fields.name_of(ticket.get("requester_id")) or fields.name_of(person.get("id")),
        fields.name_of(entry.get("user_id")),
    )
    if all(known):
        return "customer" if known[0] == known[1] else "third"
    mails = (
        fields.name_of(person.get("email")) or fields.name_of(ticket.get("email")),
        _address(entry.get("from_email")),
    )
    return "third" if all(mails) and mails[0] != mails[1] else "customer"


def _address(value: Any) -> str:
    """The address in `Anna <anna@mail.example>`."""
    return fields.name_of(value).rpartition("<")[2].rstrip("> ")
