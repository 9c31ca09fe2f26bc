"""What every source of conversations does, whatever system it reads: say which days changed, and read a day."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from llmops_assets.lib.sources.rows import RawRow, Rejected


@dataclass(frozen=True)
class Changes:
    """Days that are new or changed, each with a name of its state (equal names: equal content), and the new cursor."""

    days: Mapping[date, str]
    cursor: str


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

    @abstractmethod
    def read(self, day: date) -> Iterator[RawRow | Rejected]:
        """All rows of a day, and what of that day cannot be a row, in the same order every time.

        Ids are stable: the source's own, or of the content (`content_id`). An id may come twice, the last one counts
        (`resolved`). SourceError when the source cannot be read; what was read until then must not be used.
        """


def states_of(items: Iterable[tuple[date, RawRow | Rejected]]) -> dict[date, str]:
    """A hash (16 hex digits) of what each day holds, for sources that can only be read as a whole."""
    hashes: dict[date, Any] = {}
    for day, item in items:
        if day not in hashes:
            hashes[day] = hashlib.blake2b(digest_size=8)
        hashes[day].update(_content(item))
    return {day: hashes[day].hexdigest() for day in sorted(hashes)}


def changes(states: Mapping[date, str], cursor: str) -> Changes:
    """Days whose state differs from the cursor's, which this function gave. A day that is gone has the state ""."""
    known: dict[str, str] = json.loads(cursor) if cursor else {}
    gone = {day: "" for day in map(date.fromisoformat, known) if day not in states}
    found = dict(sorted({**states, **gone}.items()))
    days = {day: state for day, state in found.items() if known.get(str(day), "") != state}
    return Changes(days, json.dumps({str(day): state for day, state in found.items()}))


def _content(item: RawRow | Rejected) -> bytes:
    if isinstance(item, Rejected):
        text = (item.id, item.reason, item.text)
    else:
        time = item.time.isoformat() if item.time else ""
        place = (item.conversation, str(item.turn))
        told = (
            *place,
            item.id,
            item.question,
            item.answer,
            item.correction,
            item.intent,
            item.subject,
            item.source,
            time,
        )
        text = (*told, str(item.rating), item.lawful_basis, item.purpose, item.licence, item.region, item.retain_until)
    return "\x1f".join(text).encode("utf-8", "replace") + b"\n"
