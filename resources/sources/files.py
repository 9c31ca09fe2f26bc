"""Conversations in files: one file or a folder, on this machine or in any object storage that fsspec knows.

A row lands on the day of its conversation, whatever file it is in. What is in which file is kept in a small index
(days and hashes, no text), so that only new and changed files are read to find what changed.
"""

import functools
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.sources import (
    NO_TIME,
    READERS,
    Block,
    Changes,
    RawRow,
    Rejected,
    Shape,
    Source,
    SourceError,
    block_items,
    changes,
    dated,
    pieces,
    scan,
    states_of,
    stem,
)

Item = RawRow | Rejected
_NOT_UTF8 = (b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff")
"""How gzip and UTF-16 begin."""
TOLERANCE = timedelta(days=2)
"""How far in the future a time may be: clocks and time zones differ."""


@dataclass(frozen=True)
class Spread:
    """How rows without a time get a day: evenly over `days` from `first_day` on, in the order of a hash.

    The order of a file without times says nothing of time (it is often sorted by topic, which would look like drift
    every day). With `replay` rows that carry a time are spread too, in the order of time where all have one. Rows of
    `new_intent` begin on `new_day`. `limit` takes so many rows of a file, evenly spaced,
    and an eighth of it of the new intent.
    """

    first_day: date | None = None
    days: int = 14
    replay: bool = False
    new_intent: str = ""
    new_day: date | None = None
    limit: int | None = None


class Files(Source):
    """Files of a folder or a single one (`url`: a path or any fsspec URL), in the order of their names.

    A file named after a day (`conversations-2026-03-02.jsonl`) gives it to its rows without a time. `index` is where
    the index is kept; without one every question reads all files. JSONL files of `blocks_from` bytes and more are
    indexed in blocks of about `block_bytes`, so that a day of many is read without the others.
    """

    blocks_from = 8 << 20
    block_bytes = 4 << 20

    def __init__(
        self,
        name: str,
        url: str,
        shape: Shape,
        *,
        form: str = "",
        encoding: str = "",
        spread: Spread | None = None,
        options: dict[str, Any] | None = None,
        index: Path | None = None,
    ) -> None:
        self.name = name
        self.url = url
        self._shape = shape
        self._form = form
        self._encoding = encoding
        self._spread = spread or Spread()
        self._options = options or {}
        self._index_file = index

    # -- the contract ---------------------------------------------------------------------------------------------

    def changed_since(self, cursor: str) -> Changes:
        """Days whose content differs from the cursor's. A day that has lost all its rows counts as changed."""
        parts: dict[str, list[str]] = {}
        for entry in self._index().values():
            for day, state in entry["days"].items():
                parts.setdefault(day, []).append(state)
        return changes({date.fromisoformat(day): hash_json(states)[:12] for day, states in parts.items()}, cursor)

    def read(self, day: date) -> Iterator[Item]:
        """Rows of the files that have some of that day; other files are not opened, and of a large JSONL file only the
        pieces that have some are read."""
        for file, entry in self._index().items():
            if str(day) not in entry["days"]:
                continue
            found = self._in_blocks(file, entry, str(day)) if "blocks" in entry else self.dated(file)
            yield from (item for its_day, item in found if its_day == day)

    # -- files ----------------------------------------------------------------------------------------------------

    def files(self) -> list[str]:
        """Full names of the files that are read, in order. SourceError when there is no such file or folder."""
        system, root = self._system
        if not system.exists(root):
            raise SourceError(f"{self.url}: no such file or folder")
        if system.isfile(root):
            return [root]
        names = [name for name in system.find(root) if _is_read(name[len(root) :].lstrip("/"), self._form)]
        return sorted(names)

    def dated(self, file: str) -> Iterator[tuple[date, Item]]:
        """Everything in a file, with its day. Rows that carry a time are streamed; the others are held until the end.

        SourceError when no row of the file tells a day.
        """
        spread, named = self._spread, day_in_name(file)
        if spread.replay or spread.limit is not None:
            yield from self._spread_over_days(file, list(self._items(file)))
            return
        untimed: list[Item] = []

        def streamed() -> Iterator[Item]:
            for item in self._items(file):
                if spread.first_day and not named and isinstance(item, RawRow) and item.day is None:
                    untimed.append(item)
                else:
                    yield item

        yield from dated(streamed(), self._label(file), named, spread.first_day)
        if untimed:
            yield from self._spread_over_days(file, untimed)

    def _items(self, file: str) -> Iterator[Item]:
        with self._open(file) as opened:
            yield from scan(opened, self._label(file), self._shape_of(file), self._form, self._encoding)

    def _shape_of(self, file: str) -> Shape:
        # No row is much younger than the file it is in. (The clock would judge the same file differently every day.)
        latest = self._system[0].modified(file).astimezone(UTC) + TOLERANCE
        channel = self._shape.channel or stem(file.rsplit("/", 1)[-1])
        return replace(self._shape, channel=channel, latest=latest)

    def _label(self, file: str) -> str:
        """A file's name in messages: below the folder that is read."""
        root = self._system[1]
        return file[len(root) :].lstrip("/") if file != root and file.startswith(root) else file.rsplit("/", 1)[-1]

    @functools.cached_property
    def _system(self) -> tuple[Any, str]:
        import fsspec

        try:
            return fsspec.core.url_to_fs(self.url, **self._options)
        except (ImportError, ValueError) as error:
            raise SourceError(f"{self.url}: this kind of storage is not there ({error})") from None

    def _open(self, file: str) -> AbstractContextManager[BinaryIO]:
        system = self._system[0]
        return open(file, "rb", buffering=1 << 20) if "file" in system.protocol else system.open(file, "rb")

    # -- days -----------------------------------------------------------------------------------------------------

    def _spread_over_days(self, file: str, items: Sequence[Item]) -> Iterator[tuple[date, Item]]:
        spread = self._spread
        rows = [item for item in items if isinstance(item, RawRow)]
        if spread.limit is not None:
            # The new topic comes on a few days only: thinned like the rest it would hardly be seen on any of them.
            arriving = [row for row in rows if self._arrives(row)]
            rows = _thinned([row for row in rows if not self._arrives(row)], spread.limit)
            rows += _thinned(arriving, spread.limit // 8)
        times = [row.time for row in rows if row.time is not None]
        timed = len(times) == len(rows)
        own_days = timed and not spread.replay
        first_day = min(times).date() if own_days and times else spread.first_day
        if first_day is None:
            number = next((row.number for row in rows if row.time is None), 1)
            label = self._label(file)
            raise SourceError(f"{label}, row {number}: {NO_TIME}")
        yield from ((first_day, item) for item in items if isinstance(item, Rejected))
        if own_days:
            yield from ((row.day, row) for row in rows if row.day is not None)
            return
        last = first_day + timedelta(days=spread.days - 1)
        new = [row for row in rows if self._arrives(row)]
        old = [row for row in rows if not self._arrives(row)]
        for group, first in ((old, first_day), (new, spread.new_day or first_day)):
            span = (last - first).days + 1
            ordered = sorted(group, key=_by_time if timed else _shuffled)
            for position, row in enumerate(ordered):
                day = first + timedelta(days=position * span // len(group))
                yield day, replace(row, day=day)

    def _arrives(self, row: RawRow) -> bool:
        """Whether a row is about the intent that only begins on `new_day`."""
        spread = self._spread
        return bool(spread.new_day and row.intent and row.intent == spread.new_intent)

    # -- the index ------------------------------------------------------------------------------------------------

    def _index(self) -> dict[str, dict[str, Any]]:
        """File -> its signature, and the hash of its content on each day. Only new and changed files are read."""
        system, _ = self._system
        known = json.loads(self._index_file.read_text()) if self._index_file and self._index_file.exists() else {}
        settings = hash_json([repr(self._shape), self._form, self._encoding, repr(self._spread)])
        found: dict[str, dict[str, Any]] = {}
        for file in self.files():
            signature = f"{settings[:12]}-{system.ukey(file)}"
            entry = known.get(file)
            if entry is None or entry["signature"] != signature:
                entry = {"signature": signature, **self._entry(file)}
            found[file] = entry
        if self._index_file and found != known:
            self._index_file.parent.mkdir(parents=True, exist_ok=True)
            unfinished = self._index_file.with_name(f".{uuid.uuid4().hex}")
            unfinished.write_text(json.dumps(found))
            unfinished.replace(self._index_file)
        return found

    def _entry(self, file: str) -> dict[str, Any]:
        """The days of a file with their states, and for a large JSONL file its blocks with the days in each."""
        name = file.lower() if not self._form else f".{self._form.lower()}"
        spread = self._spread
        moved = spread.replay or spread.limit is not None or (spread.first_day and not day_in_name(file))
        large = self._system[0].size(file) >= self.blocks_from
        if not large or moved or self._encoding or not name.endswith((".jsonl", ".ndjson")):
            return {"days": self._days(file)}
        blocks: list[Block] = []
        try:
            days = {str(day): state for day, state in states_of(self._cut(file, blocks)).items()}
        except SourceError:
            return {"days": self._days(file)}
        return {"days": days, "blocks": [asdict(block) for block in blocks]}

    def _cut(self, file: str, blocks: list[Block]) -> Iterator[tuple[date, Item]]:
        """Everything in a JSONL file with its day, block by block; `blocks` gets what there is to know of them."""
        label, shape, named = self._label(file), self._shape_of(file), day_in_name(file)
        offset, line, rows, after = 0, 1, 0, None
        with self._open(file) as opened:
            for data in pieces(opened, self.block_bytes):
                if offset == 0 and data.startswith(_NOT_UTF8):
                    raise SourceError(f"{label}: not plain UTF-8")
                last, number, days = after, rows, set()
                for its_day, item in block_items(data, label, shape, line=line, rows=rows, after=after, default=named):
                    last, number = its_day, number + 1
                    days.add(str(its_day))
                    yield its_day, item
                told = str(after) if after else ""
                blocks.append(Block(offset, len(data), line, rows, told, tuple(sorted(days))))
                offset, line, rows, after = offset + len(data), line + data.count(b"\n"), number, last

    def _in_blocks(self, file: str, entry: dict[str, Any], day: str) -> Iterator[tuple[date, Item]]:
        """What is in the blocks of a file that have some of a day. SourceError when the file has changed meanwhile."""
        label, shape, named = self._label(file), self._shape_of(file), day_in_name(file)
        with self._open(file) as opened:
            for block in entry["blocks"]:
                if day not in block["days"]:
                    continue
                opened.seek(block["offset"])
                data = opened.read(block["size"])
                after = date.fromisoformat(block["after"]) if block["after"] else None
                yield from block_items(
                    data, label, shape, line=block["line"], rows=block["rows"], after=after, default=named
                )
        if not entry["signature"].endswith(f"-{self._system[0].ukey(file)}"):
            raise SourceError(f"{label}: was changed while it was read; read it again when it is whole")

    def _days(self, file: str) -> dict[str, str]:
        try:
            return {str(day): state for day, state in states_of(self.dated(file)).items()}
        except SourceError:
            # Reading that day will say it; a file that may hold any day stops all of them.
            if (named := day_in_name(file)) is None:
                raise
            return {str(named): "broken"}


def day_in_name(file: str) -> date | None:
    """The day in a file name such as conversations-2026-03-02.jsonl.gz."""
    try:
        return date.fromisoformat(stem(file.rsplit("/", 1)[-1])[-10:])
    except ValueError:
        return None


def _is_read(name: str, form: str) -> bool:
    hidden = any(part.startswith((".", "_")) for part in name.split("/"))
    return not hidden and (bool(form) or Path(name.lower().removesuffix(".gz")).suffix in READERS)


def _thinned(rows: Sequence[RawRow], limit: int) -> list[RawRow]:
    """At most so many of the rows, evenly spaced."""
    count = min(limit, len(rows))
    return [rows[position * len(rows) // count] for position in range(count)]


def _by_time(row: RawRow) -> str:
    assert row.time is not None
    return f"{row.time.astimezone(UTC).isoformat(timespec='microseconds')} {row.number:012d}"


def _shuffled(row: RawRow) -> str:
    return hash_json([row.id, row.question])
