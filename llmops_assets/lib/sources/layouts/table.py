"""Tables with a message per row: conversation, speaker and text in columns of their own.

The rows of a conversation are joined in their order, or by time where each has one.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any

from llmops_assets.lib.sources.faults import RowFault
from llmops_assets.lib.sources.layouts import fields
from llmops_assets.lib.sources.layouts.chat import LISTS, ROLES, TEXTS, TIMES, Chat, is_message, speaker
from llmops_assets.lib.sources.times import Clock, time_of

_THREADS = (
    "conversation_id",
    "conversation",
    "thread_id",
    "ticket_id",
    "session_id",
    "chat_id",
    "case_id",
    "dialog_id",
)
_CUSTOMERS = ("customer_email", "customer_id", "customer", "email", "user_id", "user", "author_id", "sender_id")


class MessageTable(Chat):
    """A flat record with a conversation, a speaker and a text."""

    name = "table"
    chronological = True

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """A row of such a table."""
        return bool(_thread(record)) and is_message(record) and not any(name in record for name in LISTS)

    def thread(self, record: Mapping[str, Any]) -> str:
        """The conversation of a row."""
        return _thread(record)

    def sent(self, record: Mapping[str, Any], clock: Clock | None = None) -> datetime | None:
        """The row's time."""
        return time_of(fields.first(record, *TIMES), "time", clock)

    def stamped(self, record: Mapping[str, Any], time: datetime) -> Mapping[str, Any]:
        """The row with its time as one."""
        return {**record, next(name for name in TIMES if record.get(name) is not None): time}

    def same(self, record: Mapping[str, Any]) -> Hashable:
        """The message's own id, or who wrote what and when."""
        if named := fields.name_of(fields.first(record, "message_id", "msg_id")):
            return named
        when = fields.first(record, *TIMES)
        told = [str(fields.first(record, *names)) for names in (ROLES, TEXTS)]
        return (*told, str(when)) if when not in (None, "") else None

    def joined(self, records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """The rows of a conversation as its messages."""
        return {"id": _thread(records[0]), "messages": list(records)}

    def subject(self, record: Mapping[str, Any], agents: Collection[str] = ()) -> str:
        """Who is in a customer's column on the customer's own rows, if it is one person."""
        found = set()
        for row in record["messages"]:
            try:
                if speaker(row, "", agents) == "customer":
                    found.add(next(filter(None, (fields.identity(row, name) for name in _CUSTOMERS)), ""))
            except RowFault:
                continue
        return found.pop() if len(found) == 1 else ""


def _thread(record: Mapping[str, Any]) -> str:
    return fields.name_of(fields.first(record, *_THREADS))
