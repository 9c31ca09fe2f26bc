"""What every source of conversations does, whatever system it reads: say which days changed, and read a day."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

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

    @abstractmethod
    def read(self, day: date) -> Iterator[RawRow | Rejected]:
        """All rows of a day, and what of that day cannot be a row, in the same order every time.

        Ids are stable: the source's own, or of the content (`content_id`). An id may come twice, the last one counts
        (`resolved`). SourceError when the source cannot be read; what was read until then must not be used.
        """
