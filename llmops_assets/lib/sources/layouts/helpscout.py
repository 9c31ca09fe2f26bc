"""Help Scout: a conversation with its threads.

https://developer.helpscout.com/mailbox-api/endpoints/conversations/threads/list/: `type` says whose a thread is; a
thread that is not published was never sent.
"""

from collections.abc import Collection, Mapping
from typing import Any

from llmops_assets.lib.sources.faults import RowFault
from llmops_assets.lib.sources.layouts import fields
from llmops_assets.lib.sources.layouts.base import Layout, Message, Speaker
from llmops_assets.lib.sources.layouts.roles import is_automatic
from llmops_assets.lib.sources.times import Clock
from llmops_assets.lib.sources.visibility import visibility

_TYPES = frozenset("beaconchat chat customer forwardchild forwardparent lineitem message note phone reply".split())
_CHATS = ("beaconchat", "chat")


class HelpScout(Layout):
    """A record with `threads`, in the API under `_embedded`."""

    name = "helpscout"

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Threads of Help Scout's types."""
        return any(
            fields.word(entry.get("type")) in _TYPES and "body" in entry for entry in fields.entries(_listed(record))
        )

    def messages(
        self, record: Mapping[str, Any], agents: Collection[str] = (), clock: Clock | None = None
    ) -> list[Message]:
        """Every thread with a text."""
        found, customer = [], _customer(record)
        for at, thread in fields.objects(_listed(record), "threads", "thread"):
            text = fields.content(thread.get("body"), at)
            if not text:
                continue
            seen = visibility(thread)
            state = thread.get("state", "published")
            if seen == "public" and state != "published":
                seen = "private" if state in ("draft", "hidden", "review", "underreview") else "unknown"
            if seen == "public" and fields.word(thread.get("type")) not in _TYPES:
                seen = "unknown"
            speaker = _speaker(thread, at, agents, customer) if seen == "public" else "system"
            found.append(Message(speaker, text, fields.moment(thread, at, clock, "createdAt"), seen, True))
        return found

    def subject(self, record: Mapping[str, Any], agents: Collection[str] = ()) -> str:
        """The customer's address, or else id."""
        return fields.identity(_customer(record), "email", "id")

    def channel(self, record: Mapping[str, Any]) -> str:
        """`type` of the conversation: email, chat or phone."""
        return fields.word(record.get("type"))


def _listed(record: Mapping[str, Any]) -> Any:
    return fields.first(record, "threads") or fields.inner(record, "_embedded", "threads")


def _customer(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """`primaryCustomer`, or `customer` in older exports, or who wrote the first customer thread."""
    stated = fields.first(record, "primaryCustomer", "customer")
    if isinstance(stated, dict):
        return stated
    threads = [thread for thread in fields.entries(_listed(record)) if thread.get("type") == "customer"]
    threads.sort(key=lambda thread: str(thread.get("createdAt") or ""))
    author = fields.first(threads[0], "createdBy", "customer") if threads else None
    return author if isinstance(author, dict) else {}


def _speaker(thread: Mapping[str, Any], at: str, agents: Collection[str], customer: Mapping[str, Any]) -> Speaker:
    kind, author = thread.get("type"), thread.get("createdBy")
    author = author if isinstance(author, dict) else {}
    if kind in ("lineitem", "phone"):
        return "system"
    if kind in ("forwardparent", "forwardchild"):
        return "third"
    if (
        is_automatic(thread)
        or is_automatic(author)
        or "automatic" in str(fields.inner(thread, "action", "type")).lower()
    ):
        return "bot"
    if fields.is_agent(agents, author.get("id"), author.get("email")):
        return "agent"
    by = author.get("type") or ("customer" if kind == "customer" else "user" if kind in ("message", "reply") else "")
    if kind in _CHATS and by not in ("customer", "user"):
        raise RowFault("nobody knows who wrote it: createdBy has no type", at)
    if kind == "customer" or (kind in _CHATS and by == "customer"):
        if by == "user":
            # An agent entered what the customer is said to have asked.
            return "third"
        known = fields.name_of(customer.get("id")), fields.name_of(author.get("id"))
        mails = fields.name_of(customer.get("email")), fields.name_of(author.get("email"))
        if all(known):
            return "customer" if known[0] == known[1] else "third"
        return "third" if all(mails) and mails[0] != mails[1] else "customer"
    return "agent" if by == "user" else "bot"
