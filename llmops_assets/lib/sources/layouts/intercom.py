"""Intercom: a conversation with its opening message and its parts, from the API or a webhook's `data.item`.

https://developers.intercom.com/docs/references/rest-api/api.intercom.io/conversations: `source` is the first message,
which an admin writes when the conversation is outbound; who the customer is, say `contacts`.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from llmops_assets.lib.sources.faults import RowFault
from llmops_assets.lib.sources.layouts import fields
from llmops_assets.lib.sources.layouts.base import Layout, Message, Speaker
from llmops_assets.lib.sources.layouts.roles import is_automatic, speaker_of
from llmops_assets.lib.sources.times import Clock
from llmops_assets.lib.sources.visibility import visibility, words

_REPLIES = frozenset("comment open close assignment assign_and_reopen assign_and_unsnooze quick_reply".split())
"""Parts whose text the customer was sent; a note is none, and other kinds are events."""
_CONTACTS = frozenset("user lead contact".split())


class Intercom(Layout):
    """A record with `conversation_parts`."""

    name = "intercom"
    mail = False

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """The key of the parts, in the record or in a webhook's item."""
        return "conversation_parts" in _conversation(record)

    def messages(
        self, record: Mapping[str, Any], agents: Collection[str] = (), clock: Clock | None = None
    ) -> list[Message]:
        """The opening message and the parts that have a text."""
        conversation = _conversation(record)
        parts = conversation["conversation_parts"]
        listed = parts.get("conversation_parts") if isinstance(parts, dict) else parts
        written = [("opening message", opening)] if (opening := _opening(conversation)) else []
        customer, contacts = _customer(conversation), {fields.name_of(one.get("id")) for one in _contacts(conversation)}
        found = []
        for at, part in [*written, *fields.objects(listed, "conversation_parts", "part")]:
            text = fields.content(part.get("body"), at)
            if not text:
                continue
            kind = str(part.get("part_type", "comment")).lower()
            seen = visibility(part)
            if kind not in _REPLIES and seen == "public":
                seen = "private" if "note" in words(kind) else "unknown"
            speaker: Speaker = "system"
            if seen == "public" and part.get("redacted") is not True:
                speaker = _speaker(part.get("author"), at, agents, fields.name_of(customer.get("id")), contacts)
            found.append(Message(speaker, text, fields.moment(part, at, clock, "created_at"), seen, True))
        return found

    def subject(self, record: Mapping[str, Any], agents: Collection[str] = ()) -> str:
        """The contact's address, or else id."""
        return fields.identity(_customer(_conversation(record)), "email", "id", "external_id", "user_id")

    def about(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """The conversation, in a webhook's notification too."""
        return _conversation(record)

    def rating(self, record: Mapping[str, Any]) -> int | None:
        """One to five."""
        rating = _conversation(record).get("conversation_rating")
        return fields.stars(rating.get("rating")) if isinstance(rating, dict) else None

    def channel(self, record: Mapping[str, Any]) -> str:
        """`source.type`: conversation, email, whatsapp."""
        channel = fields.word(fields.inner(_conversation(record), "source", "type"))
        return "" if "message" in channel else channel


def _conversation(record: Mapping[str, Any]) -> Mapping[str, Any]:
    item = fields.inner(record, "data", "item")
    return item if isinstance(item, dict) else record


def _opening(conversation: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first message; older versions of the API call it `conversation_message`."""
    opening = fields.first(conversation, "source", "conversation_message")
    if not isinstance(opening, dict):
        return None
    return {**opening, "created_at": conversation.get("created_at"), "type": "", "part_type": "comment"}


def _contacts(conversation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    listed = conversation.get("contacts")
    yield from fields.entries(listed.get("contacts") if isinstance(listed, dict) else listed)
    old = conversation.get("user")
    if isinstance(old, dict):
        yield old


def _customer(conversation: Mapping[str, Any]) -> Mapping[str, Any]:
    """Who began the conversation, if a contact did, or else the first contact, with what the parts tell of them."""
    opening = _opening(conversation)
    authors = [author] if isinstance(author := (opening or {}).get("author"), dict) else []
    if authors and fields.word(authors[0].get("type")) in _CONTACTS:
        return authors[0]
    parts = conversation.get("conversation_parts")
    listed = fields.entries(parts.get("conversation_parts") if isinstance(parts, dict) else parts)
    authors = [part["author"] for part in listed if fields.word(fields.inner(part, "author", "type")) in _CONTACTS]
    contact = next(_contacts(conversation), None)
    if contact is None:
        return authors[0] if authors else {}
    same = (author for author in authors if fields.name_of(author.get("id")) == fields.name_of(contact.get("id")))
    return {**next(same, {}), **{key: value for key, value in contact.items() if value}}


def _speaker(author: Any, at: str, agents: Collection[str], customer: str, contacts: set[str]) -> Speaker:
    if not isinstance(author, dict):
        raise RowFault("nobody knows who wrote it: the part has no author", at)
    if is_automatic(author) or author.get("type") == "team":
        # Campaigns and bots write in the name of a team.
        return "bot"
    if fields.is_agent(agents, author.get("id"), author.get("email")):
        return "agent"
    said = speaker_of(author.get("type"), at, agents)
    name = fields.name_of(author.get("id"))
    others = len(contacts) > 1 and name in contacts
    return "third" if said == "customer" and others and name != customer else said
