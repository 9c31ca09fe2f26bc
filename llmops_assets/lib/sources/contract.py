"""What every source of conversations does, whatever system it reads: say which days changed, and read a day."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from llmops_assets.lib.sources.reading import Item, Part, resolved
from llmops_assets.lib.sources.rows import RawRow, Rejected


@dataclass(frozen=True)
class Changes:
    """Days that are new or changed, each with a name of its state (equal names: equal content), and the new cursor."""

    days: Mapping[date, str]
    cursor: str


@dataclass(frozen=True)
class Fault:
    """A part of a source, such as a file of a folder, that was left out as a whole, and why."""

    place: str
    reason: str

    def __str__(self) -> str:
        return self.reason if self.reason.startswith(self.place) else f"{self.place}: {self.reason}"


def told(faults: Sequence[Fault], shown: int = 5) -> str:
    """What to say of faults: how many there are, and the first of them; "" when there are none."""
    if not faults:
        return ""
    first = "; ".join(str(fault) for fault in faults[:shown])
    return f"{len(faults)} files are left out: {first}{' …' if len(faults) > shown else ''}"


class Source(ABC):
    """A system that conversations come from. `name` is unique among an installation's sources."""

    name: str

    @abstractmethod
    def changed_since(self, cursor: str) -> Changes:
        """Days that are new or changed since a cursor that this source gave ("" for: since ever).

        Asking again with the new cursor gives no days unless something happened. SourceError when the source cannot be
        read.
        """

    def state(self, day: date) -> str:
        """The name of a day's state (equal names: equal content), "" for a day without any.

        Override it where that is cheaper than looking at all days.
        """
        return self.changed_since("").days.get(day, "")

    def faults(self) -> tuple[Fault, ...]:
        """Parts that cannot be used now and stop nothing else; their rows are missing from all days."""
        return ()

    @abstractmethod
    def read(self, day: date) -> Iterator[RawRow | Rejected]:
        """All rows of a day, and what of that day cannot be a row, in the same order every time.

        Ids are stable: the source's own, or of the content (`content_id`). An id may come twice, the last one counts
        (`resolved`). SourceError when the source cannot be read; what was read until then must not be used.
        """

    def conversations(self, day: date) -> Iterator[RawRow | Rejected]:
        """A day as it is ingested: what `read` gives, every row once, and the rows of a conversation together."""
        return resolved(lambda: self.read(day))


def states_of(items: Iterable[tuple[date, Item]], channel: str = "") -> dict[date, str]:
    """A name (32 hex digits) of what each day holds, whatever the order: the sum of its items' hashes.

    `channel` is the `source` of rows that name none; it does not count, since it is often a file's name.
    """
    sums: dict[date, int] = {}
    for day, item in items:
        digest = hashlib.blake2b(_content(item, channel), digest_size=16).digest()
        sums[day] = (sums.get(day, 0) + int.from_bytes(digest)) % _STATES
    return {day: f"{sums[day]:032x}" for day in sorted(sums)}


def joined(states: Iterable[str]) -> str:
    """The state of a day out of those of its parts: the same as reading the parts as one gives."""
    return f"{sum(int(state, 16) for state in states) % _STATES:032x}"


_STATES = 1 << 128


def changes(states: Mapping[date, str], cursor: str) -> Changes:
    """Days whose state differs from the cursor's, which this function gave. A day that is gone has the state ""."""
    known: dict[str, str] = json.loads(cursor) if cursor else {}
    gone = {day: "" for day in map(date.fromisoformat, known) if day not in states}
    found = dict(sorted({**states, **gone}.items()))
    days = {day: state for day, state in found.items() if known.get(str(day), "") != state}
    return Changes(days, json.dumps({str(day): state for day, state in found.items()}))


def _content(item: Item, channel: str) -> bytes:
    if isinstance(item, Rejected):
        text = (item.id, item.reason, item.text)
    elif isinstance(item, Part):
        text = (item.conversation, json.dumps(item.record, sort_keys=True, ensure_ascii=False, default=str))
    else:
        time = item.time.isoformat() if item.time else ""
        # What continues a conversation has its turn, and maybe its id, from the rows beside it.
        turn = "" if item.continues else str(item.turn)
        name = "" if item.continues and item.id == f"{item.conversation}#{item.turn}" else item.id
        said = (item.question, item.answer, item.correction, item.intent, item.subject)
        source = "" if item.source == channel else item.source
        told = (item.conversation, turn, name, *said, source, time)
        text = (*told, str(item.rating), item.lawful_basis, item.purpose, item.licence, item.region, item.retain_until)
    return "\x1f".join(text).encode("utf-8", "replace")
