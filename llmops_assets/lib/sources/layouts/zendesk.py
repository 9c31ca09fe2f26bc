"""Zendesk: a ticket with its comments, from the JSON export or the Tickets API with comments put beside the ticket.

https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/: the first comment is the ticket's
description once more. Followers are agents; who is copied in (`email_cc_ids`, `collaborator_ids`) may be anybody.
"""

from collections.abc import Collection, Mapping
from typing import Any

from llmops_assets.lib.sources.faults import RowFault
from llmops_assets.lib.sources.layouts import fields
from llmops_assets.lib.sources.layouts.base import Layout, Message, Speaker
from llmops_assets.lib.sources.layouts.roles import speaker_of
from llmops_assets.lib.sources.rows import text_of
from llmops_assets.lib.sources.times import Clock
from llmops_assets.lib.sources.visibility import visibility

_RULES = frozenset("rule trigger automation macro_rule system".split())
_WRITTEN_BY_RULES = frozenset("trigger automation merge problem_incident chat_transcript".split())
_CALLS = frozenset("voice phone phone_call phone_call_inbound phone_call_outbound voicemail".split())

NOBODY_KNOWS = (
    "nobody knows who of the authors is an agent: export the tickets with users, collaborator_ids or assignee_id, or "
    "name the agents as `agents` in the settings"
)


class Zendesk(Layout):
    """A record with `comments`, its ticket around them or beside them under `ticket`."""

    name = "zendesk"

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """A list of comments; of other layouts' records, only those without messages."""
        return "comments" in record

    def messages(
        self, record: Mapping[str, Any], agents: Collection[str] = (), clock: Clock | None = None
    ) -> list[Message]:
        """Every comment, and the description where no comment repeats it."""
        ticket = _ticket(record)
        listed = record["comments"]
        comments = fields.objects(listed.get("comments") if isinstance(listed, dict) else listed, "comments", "comment")
        people = _People(record, ticket, [comment for _, comment in comments], agents)
        found = []
        for number, (at, comment) in enumerate(comments):
            text, html = fields.body(comment, at, ("html_body",), ("plain_body", "body"))
            if not text:
                continue
            seen = visibility(comment)
            if ticket.get("is_public") is False:
                seen = "private"
            # Who wrote what nobody may see is of no interest, and often not told.
            speaker = people.speaker(comment, at, first_one=number == 0) if seen == "public" else "system"
            found.append(Message(speaker, text, fields.moment(comment, at, clock, "created_at", "time"), seen, html))
        found = self._described(ticket, comments, people, clock) + found
        speakers = [message.speaker for message in found if message.visibility == "public"]
        if "unknown" in speakers and "agent" not in speakers:
            raise RowFault(NOBODY_KNOWS)
        return found

    def _described(
        self, ticket: Mapping[str, Any], comments: list[tuple[str, Mapping[str, Any]]], people: "_People", clock: Any
    ) -> list[Message]:
        """The description as the customer's first message, only where it is certainly that and nothing else."""
        text = fields.content(ticket.get("description"), "description")
        if not text or people.submitted_by_agent or _was_called(ticket) or ticket.get("is_public") is False:
            return []
        written = [comment for _, comment in comments if any(comment.get(key) for key in _TEXTS)]
        if written:
            opening = written[0]
            if people.asks(opening) or visibility(opening) != "public" or any(_repeats(text, one) for one in written):
                return []
            if ticket.get("created_at") and ticket.get("created_at") == opening.get("created_at"):
                return []
        return [Message("customer", text, fields.moment(ticket, "created_at", clock, "created_at"))]

    def subject(self, record: Mapping[str, Any], agents: Collection[str] = ()) -> str:
        """The requester; a ticket's own `subject` is its title."""
        ticket = _ticket(record)
        if ticket.get("requester_id") is not None:
            return text_of(ticket["requester_id"], "requester_id")
        return fields.identity(ticket.get("requester"), "id", "email")

    def about(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """The ticket."""
        return _ticket(record)

    def rating(self, record: Mapping[str, Any]) -> int | None:
        """Good or bad."""
        satisfaction = _ticket(record).get("satisfaction_rating")
        if not isinstance(satisfaction, dict):
            return None
        score = str(satisfaction.get("score")).partition("_")[0]
        return {"good": 1, "bad": -1}.get(score, 0)

    def channel(self, record: Mapping[str, Any]) -> str:
        """`via.channel` of the ticket."""
        return fields.word(fields.inner(_ticket(record), "via", "channel"))


_TEXTS = ("html_body", "plain_body", "body")


class _People:
    """Who of a ticket's authors is known to be what."""

    def __init__(
        self,
        record: Mapping[str, Any],
        ticket: Mapping[str, Any],
        comments: list[Mapping[str, Any]],
        agents: Collection[str],
    ) -> None:
        self._agents = agents
        self.requester = fields.name_of(ticket.get("requester_id")) or fields.name_of(
            fields.inner(ticket, "requester", "id")
        )
        users = [*fields.entries(record.get("users")), *fields.entries(ticket.get("users"))]
        self._roles = {fields.name_of(user.get("id")): str(user.get("role", "")).lower() for user in users}
        self._emails = {fields.name_of(user.get("id")): user.get("email") for user in users}
        submitter = fields.name_of(ticket.get("submitter_id")) or fields.name_of(
            fields.inner(ticket, "submitter", "id")
        )
        self.submitted_by_agent = bool(submitter and self.requester and submitter != self.requester)
        known = {fields.name_of(ticket.get("assignee_id")), fields.name_of(fields.inner(ticket, "assignee", "id"))}
        known |= _ids(ticket, "follower_ids", "followers")
        if self.submitted_by_agent:
            known.add(submitter)
        self._known = known - {"", self.requester}
        copied = ("collaborator_ids", "email_cc_ids", "collaborators", "collaborator", "email_ccs")
        self._copied = _ids(ticket, *copied)
        self._lists_copied = any(isinstance(ticket.get(name), list) for name in copied)
        self._called = _was_called(ticket)
        authors = {_author(comment) for comment in comments if visibility(comment) == "public"}
        self._others = authors - {"", "-1", self.requester}

    def asks(self, comment: Mapping[str, Any]) -> bool:
        """Whether the requester wrote a comment."""
        return _author(comment) == self.requester != ""

    def speaker(self, comment: Mapping[str, Any], at: str, *, first_one: bool) -> Speaker:
        """Who wrote a comment. RowFault when nobody can tell."""
        via = comment.get("via")
        relation = str(fields.inner(via, "source", "rel") or "").lower()
        channel = str(fields.inner(via, "channel") or "").lower()
        author = _author(comment)
        if author == "-1" or channel in _RULES or relation in _WRITTEN_BY_RULES:
            return "system"
        if "voice" in str(comment.get("type", "")).lower() or (first_one and self._called and self.submitted_by_agent):
            return "system"
        person = comment.get("author")
        stated = comment.get("author_role") or (
            fields.first(person, "role", "type") if isinstance(person, dict) else self._roles.get(author)
        )
        if fields.is_agent(self._agents, author, self._emails.get(author), fields.inner(person, "email")):
            return "agent"
        if author and author == self.requester:
            return "customer"
        if stated:
            said = speaker_of(stated, at, self._agents)
            return "third" if said == "customer" and author and self.requester else said
        if not self.requester or not author:
            raise RowFault("nobody knows who wrote it: requester_id and author_id, or author_role, are missing", at)
        if channel.startswith("answer_bot"):
            return "bot"
        if author in self._known:
            return "agent"
        if author in self._copied:
            return "third"
        if self._lists_copied and not self._roles:
            return "agent"
        if not self._known and not self._roles and len(self._others) == 1 and not self._agents:
            return "agent"
        return "unknown"


def _ticket(record: Mapping[str, Any]) -> Mapping[str, Any]:
    ticket = record.get("ticket")
    return ticket if isinstance(ticket, dict) else record


def _author(comment: Mapping[str, Any]) -> str:
    return fields.name_of(comment.get("author_id")) or fields.name_of(fields.inner(comment, "author", "id"))


def _ids(ticket: Mapping[str, Any], *names: str) -> set[str]:
    """Ids in lists of ids or of people."""
    values = [value for name in names if isinstance(ticket.get(name), list) for value in ticket[name]]
    return {fields.name_of(value.get("id") if isinstance(value, dict) else value) for value in values} - {""}


def _was_called(ticket: Mapping[str, Any]) -> bool:
    return str(fields.inner(ticket, "via", "channel") or "").lower() in _CALLS


def _repeats(text: str, comment: Mapping[str, Any]) -> bool:
    """Whether a comment is the description."""
    return any(fields.repeats(text, comment[name]) for name in _TEXTS if isinstance(comment.get(name), str))
