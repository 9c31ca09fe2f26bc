"""HubSpot: a ticket of the CRM with the e-mails, notes and calls that are associated with it.

https://developers.hubspot.com/docs/api-reference/crm-tickets-v3/guide and crm-emails-v3/guide: texts stand in
`properties`. The direction of an e-mail says whose it is; a note and a call's summary are written among agents. The
ticket's `content` is the first message again, or what an agent entered: `source_type` tells.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from llmops_assets.lib.sources.faults import RowFault
from llmops_assets.lib.sources.layouts import fields
from llmops_assets.lib.sources.layouts.base import Layout, Message, Speaker, Visibility
from llmops_assets.lib.sources.times import Clock

_ACTIVITIES = ("emails", "notes", "calls", "communications", "engagements", "activities")
"""Under which names, beside the properties or in `associations`, a ticket has its activities."""
_OF_A_TICKET = frozenset("hs_ticket_id hs_pipeline_stage hs_ticket_category hs_ticket_priority source_type".split())
_BY_CUSTOMERS = frozenset("EMAIL FORM CHAT".split())
"""`source_type` of tickets whose content the customer wrote."""
_WITHIN = ("hs_note_body", "hs_call_body", "hs_communication_body", "hs_task_body", "hs_meeting_body")
"""Texts among agents, or records of what was said; nobody can tell whether the customer saw them."""
_SENT = frozenset(("", "SENT", "SENDING"))


class HubSpotTicket(Layout):
    """A record with a ticket's `properties`."""

    name = "hubspot_tickets"

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """A ticket's property, or a content beside associations."""
        found = record.get("properties")
        if not isinstance(found, dict):
            return False
        return bool(_OF_A_TICKET & set(found)) or ("content" in found and "associations" in record)

    def messages(
        self, record: Mapping[str, Any], agents: Collection[str] = (), clock: Clock | None = None
    ) -> list[Message]:
        """The content where it is the customer's, every e-mail, and what agents wrote among themselves."""
        found, customer = [], _customer(record)
        named = False
        for at, entry in _activities(record):
            told = entry.get("properties")
            if not isinstance(told, dict):
                named = True
                continue
            if text := fields.content(fields.first(told, *_WITHIN), at):
                found.append(Message("system", text, fields.moment(told, at, clock, "hs_timestamp"), "private"))
            text, html = fields.body(told, at, ("hs_email_html",), ("hs_email_text",))
            if text:
                seen = _seen(told, customer)
                speaker = _speaker(told, at, agents, customer) if seen == "public" else "system"
                time = fields.moment({"at": fields.first(told, "hs_timestamp", "hs_createdate")}, at, clock, "at")
                found.append(Message(speaker, text, time, seen, html))
        if named and not found:
            raise RowFault("its e-mails are named by their ids alone: export them with the ticket, under `emails`")
        return self._described(record, found, clock) + found

    def _described(self, record: Mapping[str, Any], written: list[Message], clock: Clock | None) -> list[Message]:
        """The content as the customer's first message, only where it is that and no e-mail repeats it."""
        told = record["properties"]
        text = fields.content(told.get("content"), "content")
        if not text or any(m.speaker == "customer" and fields.repeats(text, m.text) for m in written):
            return []
        mine = fields.word(told.get("source_type")).upper() in _BY_CUSTOMERS
        time = fields.moment(told, "createdate", clock, "createdate")
        return [Message("customer", text, time) if mine else Message("system", text, time, "unknown")]

    def subject(self, record: Mapping[str, Any], agents: Collection[str] = ()) -> str:
        """The customer's address, or else the contact's id; a ticket's own `subject` is its title."""
        return _customer(record) or next((fields.identity(one, "id") for one in _contacts(record)), "")

    def about(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """The ticket's properties by our names."""
        told = record["properties"]
        own = {"id": fields.first(told, "hs_ticket_id", "hs_object_id"), "time": told.get("createdate")}
        category = {"category": told["hs_ticket_category"]} if told.get("hs_ticket_category") else {}
        return {**told, **own, **category, "id": fields.first(record, "id") or own["id"]}

    def channel(self, record: Mapping[str, Any]) -> str:
        """`source_type` of the ticket."""
        return fields.word(record["properties"].get("source_type")).lower()


def _listed(record: Mapping[str, Any], *names: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place, object) of lists under some names, also as the API's `results`, in the record or its associations."""
    for name in names:
        for holder in (record, record.get("associations")):
            value = fields.inner(holder, name)
            for number, entry in enumerate(fields.entries(value.get("results") if isinstance(value, dict) else value)):
                yield f"{name} {number}", entry


def _activities(record: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return _listed(record, *_ACTIVITIES)


def _contacts(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (entry for _, entry in _listed(record, "contacts"))


def _customer(record: Mapping[str, Any]) -> str:
    """The address of the ticket's contact where it is given, or of who wrote the first e-mail that came in."""
    for contact in _contacts(record):
        if mail := fields.name_of(fields.inner(contact, "properties", "email")):
            return mail
    came = [told for _, entry in _activities(record) if isinstance(told := entry.get("properties"), dict)]
    came = [told for told in came if fields.word(told.get("hs_email_direction")) == "INCOMING_EMAIL"]
    came.sort(key=lambda told: str(told.get("hs_timestamp") or ""))
    return fields.name_of(came[0].get("hs_email_from_email")) if came else ""


def _seen(told: Mapping[str, Any], customer: str) -> Visibility:
    """Whether the customer saw an e-mail: wrote it, or was sent it. What failed or is planned was not sent."""
    if fields.word(told.get("hs_email_direction")) != "EMAIL":
        return "public"
    if fields.word(told.get("hs_email_status")).upper() not in _SENT:
        return "private"
    to = [
        fields.name_of(part)
        for part in fields.word(told.get("hs_email_to_email")).replace(",", ";").split(";")
        if part.strip()
    ]
    return "public" if not to or not customer or customer in to else "unknown"


def _speaker(told: Mapping[str, Any], at: str, agents: Collection[str], customer: str) -> Speaker:
    direction, sender = fields.word(told.get("hs_email_direction")), fields.name_of(told.get("hs_email_from_email"))
    if fields.is_agent(agents, sender):
        return "agent"
    if direction == "EMAIL":
        return "bot" if "AUTOMATION" in str(told.get("hs_object_source")).upper() else "agent"
    if direction == "INCOMING_EMAIL":
        return "customer" if not sender or not customer or sender == customer else "third"
    if direction == "FORWARDED_EMAIL":
        return "third"
    raise RowFault("nobody knows who wrote it: hs_email_direction is none that is known", at)
