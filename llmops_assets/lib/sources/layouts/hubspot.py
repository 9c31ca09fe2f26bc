"""HubSpot: a conversations thread with its messages.

https://developers.hubspot.com/docs/api-reference/conversations-conversations-inbox-&-messages-v3/guide: a COMMENT is
written among agents, a MESSAGE goes in or out, other types are events. The letter before an actor's id says what it is.
"""

from collections.abc import Collection, Mapping
from typing import Any

from llmops_assets.lib.sources.faults import RowFault
from llmops_assets.lib.sources.layouts import fields
from llmops_assets.lib.sources.layouts.base import Layout, Message, Speaker, Visibility
from llmops_assets.lib.sources.times import Clock
from llmops_assets.lib.sources.visibility import visibility

_TYPES = frozenset("MESSAGE COMMENT WELCOME_MESSAGE ASSIGNMENT THREAD_STATUS_CHANGE THREAD_INBOX_CHANGE".split())
_PEOPLE = ("V", "E", "C")
"""Actors who are customers: visitors and contacts, addresses. A is an agent; others are bots, apps and the system."""


class HubSpot(Layout):
    """A thread with `messages` that have a direction or one of HubSpot's types."""

    name = "hubspot"

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """A type of HubSpot's beside an actor."""
        return any(
            fields.word(entry.get("type")) in _TYPES
            and ("senders" in entry or "createdBy" in entry or "direction" in entry)
            for entry in fields.entries(_listed(record))
        )

    def messages(
        self, record: Mapping[str, Any], agents: Collection[str] = (), clock: Clock | None = None
    ) -> list[Message]:
        """Every message and comment."""
        found, customer = [], _customer(record)
        for at, entry in fields.objects(_listed(record), "messages", "message"):
            text, html = fields.body(entry, at, ("richText",), ("text",))
            if not text:
                continue
            kind = fields.word(entry.get("type"))
            seen: Visibility = visibility({**entry, "type": ""})
            if kind == "COMMENT":
                seen = "private"
            elif kind not in _TYPES:
                seen = "unknown"
            speaker: Speaker = "system"
            if seen == "public" and kind == "WELCOME_MESSAGE":
                speaker = "bot"
            elif seen == "public" and kind == "MESSAGE":
                speaker = _speaker(entry, at, agents, customer)
            found.append(Message(speaker, text, fields.moment(entry, at, clock, "createdAt"), seen, html))
        return found

    def subject(self, record: Mapping[str, Any], agents: Collection[str] = ()) -> str:
        """The customer's address, or the contact's or visitor's id."""
        customer = _customer(record)
        mail = fields.identity(customer.get("deliveryIdentifier"), "value")
        contact = fields.identity(record, "associatedContactId")
        actor = str(customer.get("actorId") or "")
        return (mail if "@" in mail else "") or contact or mail or actor.partition("-")[2]

    def channel(self, record: Mapping[str, Any]) -> str:
        """`originalChannelType`, where the export has it."""
        return fields.word(record.get("originalChannelType")).lower()


def _listed(record: Mapping[str, Any]) -> Any:
    """The messages, as the list or as the API's page."""
    found = record.get("messages", record.get("results"))
    return found.get("results") if isinstance(found, dict) else found


def _sender(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return next(iter(fields.entries(entry.get("senders"))), {"actorId": entry.get("createdBy")})


def _customer(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The sender of the earliest message that came in, of the thread's contact where it names one."""
    came = [entry for entry in fields.entries(_listed(record)) if entry.get("direction") == "INCOMING"]
    came.sort(key=lambda entry: str(entry.get("createdAt") or ""))
    senders = [_sender(entry) for entry in came]
    contact = fields.identity(record, "associatedContactId")
    own = (sender for sender in senders if contact and str(sender.get("actorId")) == f"V-{contact}")
    return next(own, senders[0] if senders else {})


def _speaker(entry: Mapping[str, Any], at: str, agents: Collection[str], customer: Mapping[str, Any]) -> Speaker:
    sender = _sender(entry)
    actor, mail = (
        fields.name_of(sender.get("actorId")),
        fields.name_of(fields.inner(sender, "deliveryIdentifier", "value")),
    )
    if fields.is_agent(agents, actor, mail):
        return "agent"
    if entry.get("direction") == "OUTGOING":
        return "agent" if actor.startswith("a-") else "bot"
    if entry.get("direction") != "INCOMING":
        raise RowFault("nobody knows who wrote it: direction is neither INCOMING nor OUTGOING", at)
    if actor and not actor.startswith(tuple(f"{letter.lower()}-" for letter in _PEOPLE)):
        return "third"
    same = actor == fields.name_of(customer.get("actorId")) or (
        mail != "" and mail == fields.name_of(fields.inner(customer, "deliveryIdentifier", "value"))
    )
    return "customer" if same else "third"
