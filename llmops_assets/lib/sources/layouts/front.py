"""Front: a conversation with its messages, and its comments, which are written among teammates.

https://dev.frontapp.com/reference/messages: `is_inbound` is what came from outside. An outbound message without an
author was sent by a rule or an app.
"""

from collections.abc import Collection, Mapping
from typing import Any

from llmops_assets.lib.sources.faults import RowFault
from llmops_assets.lib.sources.layouts import fields
from llmops_assets.lib.sources.layouts.base import Layout, Message, Speaker
from llmops_assets.lib.sources.layouts.roles import is_automatic
from llmops_assets.lib.sources.times import Clock
from llmops_assets.lib.sources.visibility import visibility


class Front(Layout):
    """A conversation with `messages` that have `is_inbound`."""

    name = "front"

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """`is_inbound` is Front's."""
        return any("is_inbound" in entry for entry in fields.entries(_listed(record)))

    def messages(
        self, record: Mapping[str, Any], agents: Collection[str] = (), clock: Clock | None = None
    ) -> list[Message]:
        """Every message, and the comments as private ones."""
        found, customer = [], _customer(record)
        for at, entry in fields.objects(_listed(record), "messages", "message"):
            text, html = fields.body(entry, at, ("body",), ("text",))
            if not text:
                continue
            seen = visibility(entry)
            speaker = _speaker(entry, at, agents, customer) if seen == "public" else "system"
            found.append(Message(speaker, text, fields.moment(entry, at, clock, "created_at"), seen, html))
        for comment in fields.entries(_list(record.get("comments"))):
            if text := fields.content(comment.get("body"), "comment"):
                found.append(Message("system", text, None, "private"))
        return found

    def subject(self, record: Mapping[str, Any], agents: Collection[str] = ()) -> str:
        """The handle (an address, a number) that the customer wrote from."""
        return _customer(record)

    def about(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """The conversation, beside or around its messages."""
        conversation = record.get("conversation")
        return conversation if isinstance(conversation, dict) else record

    def channel(self, record: Mapping[str, Any]) -> str:
        """`type` of the first message."""
        kinds = [entry.get("type") for entry in fields.entries(_listed(record))]
        return fields.word(kinds[0]) if kinds else ""


def _list(value: Any) -> Any:
    return value.get("_results") if isinstance(value, dict) else value


def _listed(record: Mapping[str, Any]) -> Any:
    return _list(record.get("messages"))


def _from(entry: Mapping[str, Any]) -> str:
    """The handle a message came from."""
    found = (one for one in fields.entries(entry.get("recipients")) if one.get("role") == "from")
    return fields.name_of(next(found, {}).get("handle"))


def _customer(record: Mapping[str, Any]) -> str:
    """The conversation's main recipient where they wrote, or else who wrote first."""
    came = [entry for entry in fields.entries(_listed(record)) if entry.get("is_inbound") is True and _from(entry)]
    came.sort(key=lambda entry: float(entry["created_at"]) if isinstance(entry.get("created_at"), (int, float)) else 0)
    handles = [_from(entry) for entry in came]
    main = fields.name_of(fields.inner(Front().about(record), "recipient", "handle"))
    if main and (main in handles or not handles):
        return main
    return handles[0] if handles else ""


def _speaker(entry: Mapping[str, Any], at: str, agents: Collection[str], customer: str) -> Speaker:
    handle, author = _from(entry), entry.get("author")
    if entry.get("type") == "call":
        return "system"
    if fields.is_agent(agents, handle, fields.identity(author, "email"), fields.identity(author, "id")):
        return "agent"
    inbound = entry.get("is_inbound")
    if not isinstance(inbound, bool):
        raise RowFault("nobody knows who wrote it: is_inbound is neither true nor false", at)
    if inbound:
        return "third" if handle and customer and handle != customer else "customer"
    return "agent" if isinstance(author, dict) and not is_automatic(author) and not is_automatic(entry) else "bot"
