"""Help Scout: a conversation with its threads.

https://developer.helpscout.com/mailbox-api/endpoints/conversations/threads/list/: `type` says whose a thread is; a
thread that is not published was never sent.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from llmops_assets.lib.sources.layouts.base import (
    Layout,
    Message,
    Speaker,
    content,
    entries,
    first,
    identity,
    inner,
    is_agent,
    moment,
    name_of,
    objects,
    word,
)
from llmops_assets.lib.sources.layouts.roles import is_automatic
from llmops_assets.lib.sources.layouts.visibility import visibility
from llmops_assets.lib.sources.rows import RowFault

_TYPES = frozenset("beaconchat chat customer forwardchild forwardparent lineitem message note phone reply".split())
_CHATS = ("beaconchat", "chat")


class HelpScout(Layout):
    """A record with `threads`, in the API under `_embedded`."""

    name = "helpscout"

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Threads of Help Scout's types."""
        return any(word(entry.get("type")) in _TYPES and "body" in entry for entry in entries(_listed(record)))

    def messages(
        self, record: Mapping[str, Any], agents: Collection[str] = (), latest: datetime | None = None
    ) -> list[Message]:
        """Every thread with a text."""
        found, customer = [], _customer(record)
        for at, thread in objects(_listed(record), "threads", "thread"):
            text = content(thread.get("body"), at)
            if not text:
                continue
            seen = visibility(thread)
            state = thread.get("state", "published")
            if seen == "public" and state != "published":
                seen = "private" if state in ("draft", "hidden", "review", "underreview") else "unknown"
            if seen == "public" and word(thread.get("type")) not in _TYPES:
                seen = "unknown"
            speaker = _speaker(thread, at, agents, customer) if seen == "public" else "system"
            found.append(Message(speaker, text, moment(thread, at, latest, "createdAt"), seen, True))
        return found

    def subject(self, record: Mapping[str, Any], agents: Collection[str] = ()) -> str:
        """The customer's address, or else id."""
        return identity(_customer(record), "email", "id")

    def channel(self, record: Mapping[str, Any]) -> str:
        """`type` of the conversation: email, chat or phone."""
        return word(record.get("type"))


def _listed(record: Mapping[str, Any]) -> Any:
    return first(record, "threads") or inner(record, "_embedded", "threads")


def _customer(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """`primaryCustomer`, or `customer` in older exports, or who wrote the first customer thread."""
    stated = first(record, "primaryCustomer", "customer")
    if isinstance(stated, dict):
        return stated
    threads = [thread for thread in entries(_listed(record)) if thread.get("type") == "customer"]
    threads.sort(key=lambda thread: str(thread.get("createdAt") or ""))
    author = first(threads[0], "createdBy", "customer") if threads else None
    return author if isinstance(author, dict) else {}


def _speaker(thread: Mapping[str, Any], at: str, agents: Collection[str], customer: Mapping[str, Any]) -> Speaker:
    kind, author = thread.get("type"), thread.get("createdBy")
    author = author if isinstance(author, dict) else {}
    if kind in ("lineitem", "phone"):
        return "system"
    if kind in ("forwardparent", "forwardchild"):
        return "third"
    if is_automatic(thread) or is_automatic(author) or "automatic" in str(inner(thread, "action", "type")).lower():
        return "bot"
    if is_agent(agents, author.get("id"), author.get("email")):
        return "agent"
    by = author.get("type") or ("customer" if kind == "customer" else "user" if kind in ("message", "reply") else "")
    if kind in _CHATS and by not in ("customer", "user"):
        raise RowFault("nobody knows who wrote it: createdBy has no type", at)
    if kind == "customer" or (kind in _CHATS and by == "customer"):
        if by == "user":
            # An agent entered what the customer is said to have asked.
            return "third"
        known = name_of(customer.get("id")), name_of(author.get("id"))
        mails = name_of(customer.get("email")), name_of(author.get("email"))
        if all(known):
            return "customer" if known[0] == known[1] else "third"
        return "third" if all(mails) and mails[0] != mails[1] else "customer"
    return "agent" if by == "user" else "bot"
