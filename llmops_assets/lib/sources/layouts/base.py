"""What a layout says of a conversation: who wrote each message, who may see it, and which customer the row is about.

A layout is how one system exports conversations. Roles and visibility are allow-lists: what is not clearly public, or
not clearly a customer's or an agent's, is no part of an exchange. How exchanges are made of messages: sources/chats.py.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from llmops_assets.lib.sources.times import Clock
from llmops_assets.lib.sources.visibility import Visibility

Speaker = Literal["customer", "agent", "bot", "system", "third", "unknown"]
"""`third` is a person who is neither the customer whom the row is about nor an agent; `system` is what nobody wrote:
notices, events, records of a call; `unknown` may be anybody. Only a customer and an agent make an exchange."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation. `html` None: the text itself shows whether it is HTML."""

    speaker: Speaker
    text: str
    time: datetime | None = None
    visibility: Visibility = "public"
    html: bool | None = None


class Layout(ABC):
    """How one system exports a conversation. A record is one JSON object of a file."""

    name: str
    mail = True
    """Whether texts are mail: then a line that begins with > is quoted."""
    chronological = True
    """Whether messages are put in the order of their times; several systems export the newest first."""

    @abstractmethod
    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is a conversation of this system, by keys that other systems do not have."""

    @abstractmethod
    def messages(
        self, record: Mapping[str, Any], agents: Collection[str] = (), clock: Clock | None = None
    ) -> list[Message]:
        """All messages with a text, private ones too: they are counted.

        `agents` are ids, addresses (`anna@shop.example`, `@shop.example`) or roles that settings say are agents'. A
        time after the clock's `latest` is a fault. RowFault when a message cannot be attributed.
        """

    @abstractmethod
    def subject(self, record: Mapping[str, Any], agents: Collection[str] = ()) -> str:
        """The identity of the customer, never of an agent; "" when the record tells none."""

    def about(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """The object whose keys are the conversation's columns: its id, time and tags."""
        return record

    def rating(self, record: Mapping[str, Any]) -> int | None:
        """-1, 0 or 1; None where the layout has no rating of its own and a column may tell it."""
        return None

    def channel(self, record: Mapping[str, Any]) -> str:
        """How the customer wrote (email, chat), "" where the record does not say."""
        return ""

    def thread(self, record: Mapping[str, Any]) -> str:
        """Where a record is a single message: the name of the conversation that it belongs to. Otherwise ""."""
        return ""

    def sent(self, record: Mapping[str, Any], clock: Clock | None = None) -> datetime | None:
        """When a record that is a single message was written. RowFault as in `messages`."""
        return None

    def stamped(self, record: Mapping[str, Any], time: datetime) -> Mapping[str, Any]:
        """A record with its time in one way of writing: other files may write dates in another order."""
        return record

    def same(self, record: Mapping[str, Any]) -> Hashable:
        """Equal for records of one and the same message, of which the last counts; None where nothing tells it."""
        return None

    def joined(self, records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """The conversation of single messages with the same `thread`."""
        raise NotImplementedError(f"{self.name} has no records that are single messages")
