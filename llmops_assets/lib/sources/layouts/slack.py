"""Slack: threads of a support channel, from an export's files of messages or from the API's list of a thread.

https://api.slack.com/reference/block-kit and https://slack.com/help/articles/220556107: an export has a file a day for
each channel, in which every record is one message; `thread_ts` joins them. Slack does not know who is an agent:
settings name them as `agents`. The customer is who began the thread.
"""

import re
from collections.abc import Collection, Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any

from llmops_assets.lib.sources.faults import RowFault
from llmops_assets.lib.sources.layouts import fields
from llmops_assets.lib.sources.layouts.base import Layout, Message, Speaker
from llmops_assets.lib.sources.times import Clock, time_of
from llmops_assets.lib.sources.visibility import visibility

_WRITTEN = frozenset(("", "thread_broadcast", "file_share", "me_message"))
"""Subtypes of messages that a person wrote; all others are events."""
_REFERENCE = re.compile(r"<(?P<to>[^<>|\s]+)(?:\|(?P<shown>[^<>]*))?>")
"""https://api.slack.com/reference/surfaces/formatting: links, people, channels."""


class Slack(Layout):
    """Messages with `ts`, alone or as a list."""

    name = "slack"
    mail = False

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """A message, or a list of them."""
        return _is_message(record) or any(_is_message(entry) for entry in fields.entries(record.get("messages")))

    def thread(self, record: Mapping[str, Any]) -> str:
        """The first message's time, which names the thread."""
        if "messages" in record:
            return ""
        return f"{fields.name_of(record.get('channel'))}{fields.name_of(record.get('thread_ts')) or record['ts']}"

    def sent(self, record: Mapping[str, Any], clock: Clock | None = None) -> datetime | None:
        """`ts` is seconds."""
        return time_of(_seconds(record), "ts", clock)

    def same(self, record: Mapping[str, Any]) -> Hashable:
        """A channel has one message at a `ts`; an edited one keeps it."""
        return str(record["ts"])

    def joined(self, records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """The messages of a thread as one conversation that has the thread's name."""
        return {"id": f"{self.thread(records[0])}", "messages": list(records)}

    def messages(
        self, record: Mapping[str, Any], agents: Collection[str] = (), clock: Clock | None = None
    ) -> list[Message]:
        """Every message that somebody wrote."""
        listed = fields.objects(record["messages"], "messages", "message")
        if not agents:
            raise RowFault("nobody knows who answers in this channel: name them as `agents` in the settings")
        found, customer = [], fields.name_of(_opening(record, agents).get("user"))
        for at, entry in listed:
            text = fields.content(entry.get("text"), at)
            if text:
                time = time_of(_seconds(entry), at, clock)
                found.append(
                    Message(_speaker(entry, agents, customer), _readable(text), time, visibility(_flags(entry)))
                )
        return found

    def subject(self, record: Mapping[str, Any], agents: Collection[str] = ()) -> str:
        """The id of the member who began the thread."""
        return str(_opening(record, agents).get("user") or "")

    def channel(self, record: Mapping[str, Any]) -> str:
        """Always slack."""
        return self.name


def _is_message(record: Mapping[str, Any]) -> bool:
    return record.get("type") == "message" and isinstance(record.get("ts"), (str, float)) and bool(record["ts"])


def _flags(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What may say that a message was not for everybody; types and subtypes are Slack's own."""
    return {"ephemeral": False, **{key: value for key, value in entry.items() if key.startswith("is_")}}


def _seconds(entry: Mapping[str, Any]) -> float | None:
    try:
        return float(entry["ts"])
    except (KeyError, TypeError, ValueError):
        return None


def _opening(record: Mapping[str, Any], agents: Collection[str]) -> Mapping[str, Any]:
    """The earliest message of a person who is no agent."""
    people = [
        one
        for one in fields.entries(record.get("messages"))
        if one.get("user") and _speaker(one, agents, "") == "third"
    ]
    return min(people, key=lambda one: _seconds(one) or 0.0, default={})


def _speaker(entry: Mapping[str, Any], agents: Collection[str], customer: str) -> Speaker:
    if entry.get("bot_id") or entry.get("subtype") == "bot_message":
        return "bot"
    if str(entry.get("subtype") or "") not in _WRITTEN:
        return "system"
    user = fields.name_of(entry.get("user"))
    if fields.is_agent(agents, user, fields.inner(entry, "user_profile", "email")):
        return "agent"
    return "customer" if user and user == customer else "third"


def _readable(text: str) -> str:
    """References as a person reads them: a link with its text, a person or channel without its id."""

    def shown(found: re.Match[str]) -> str:
        to, name = found["to"], found["shown"] or ""
        if to[0] in "@#!":
            return f"{to[0]}{name}" if name else ""
        if to.startswith("mailto:"):
            return name or to[7:]
        return f"{name} ({to})" if name and name != to else to

    return _REFERENCE.sub(shown, text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
