"""Gorgias: a ticket with its messages.

https://developers.gorgias.com/reference/the-ticketmessage-object: `public` false and the channel `internal-note` are
notes; a message with a `rule_id` was sent by a rule.
"""

from collections.abc import Collection, Mapping
from typing import Any

from llmops_assets.lib.sources.faults import RowFault
from llmops_assets.lib.sources.layouts import fields
from llmops_assets.lib.sources.layouts.base import Layout, Message, Speaker
from llmops_assets.lib.sources.layouts.roles import is_automatic
from llmops_assets.lib.sources.times import Clock
from llmops_assets.lib.sources.visibility import visibility


class Gorgias(Layout):
    """A ticket with `messages` that have `from_agent`."""

    name = "gorgias"

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """`from_agent` beside one of the names of a body."""
        return any(
            "from_agent" in entry and ("body_text" in entry or "body_html" in entry or "stripped_text" in entry)
            for entry in fields.entries(record.get("messages"))
        )

    def messages(
        self, record: Mapping[str, Any], agents: Collection[str] = (), clock: Clock | None = None
    ) -> list[Message]:
        """Every message."""
        found, customer = [], _customer(record)
        for at, entry in fields.objects(record["messages"], "messages", "message"):
            text, html = fields.body(entry, at, ("stripped_html", "body_html"), ("stripped_text", "body_text"))
            if not text:
                continue
            seen = visibility(entry)
            if seen == "public" and entry.get("public") is not True:
                seen = "unknown"
            speaker = _speaker(entry, at, agents, customer) if seen == "public" else "system"
            time = fields.moment(entry, at, clock, "created_datetime", "sent_datetime")
            found.append(Message(speaker, text, time, seen, html))
        return found

    def subject(self, record: Mapping[str, Any], agents: Collection[str] = ()) -> str:
        """The customer's address, or else id."""
        return fields.identity(_customer(record), "email", "id")

    def rating(self, record: Mapping[str, Any]) -> int | None:
        """The survey's one to five."""
        survey = record.get("satisfaction_survey")
        return fields.stars(survey.get("score")) if isinstance(survey, dict) else None

    def channel(self, record: Mapping[str, Any]) -> str:
        """`channel` of the ticket."""
        return fields.word(record.get("channel"))


def _customer(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The ticket's customer, or else who sent the first message that is no agent's."""
    stated = record.get("customer")
    if isinstance(stated, dict):
        return stated
    sent = [entry for entry in fields.entries(record.get("messages")) if entry.get("from_agent") is False]
    sender = sent[0].get("sender") if sent else None
    return sender if isinstance(sender, dict) else {}


def _speaker(entry: Mapping[str, Any], at: str, agents: Collection[str], customer: Mapping[str, Any]) -> Speaker:
    sender = entry.get("sender")
    if entry.get("rule_id") or entry.get("via") == "rule" or is_automatic(entry) or is_automatic(sender):
        return "bot"
    if fields.is_agent(agents, fields.inner(sender, "id"), fields.inner(sender, "email")):
        return "agent"
    if entry.get("channel") == "phone" or not isinstance(entry.get("from_agent"), bool):
        if entry.get("channel") == "phone":
            return "system"
        raise RowFault("nobody knows who wrote it: from_agent is neither true nor false", at)
    if entry["from_agent"]:
        return "agent"
    for key in ("id", "email"):
        known = fields.name_of(customer.get(key)), fields.name_of(fields.inner(sender, key))
        if all(known):
            return "customer" if known[0] == known[1] else "third"
    return "customer"
