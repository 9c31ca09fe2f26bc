"""Conversations in files: one file or a folder, on this machine or in any object storage that fsspec knows.

A row lands on the day of its conversation, whatever file it is in. What is in which file is kept in a small index
(days and hashes, no text), so that only new and changed files are read to find what changed. What is wrong with one
file of a folder is told and stops no other file.
"""

import functools
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
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
    Fault,
    Item,
    Part,
    RawRow,
    Rejected,
    RowFault,
    Shape,
    Source,
    SourceError,
    UnfinishedError,
    block_items,
    changes,
    conversations_of,
    dated,
    dated_by,
    joined,
    joined_parts,
    pieces,
    records_of,
    resolved,
    scan_items,
    states_of,
    stem,
)
from resources.sources.talks import Talks, first_days, key_of, load_talks, save_talks

_NOT_UTF8 = (b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff")
"""How gzip and UTF-16 begin."""
TOLERANCE = timedelta(days=2)
"""How far in the future a time may be: clocks and time zones differ."""
_VERSION = 3
"""Of what is kept of a file: another number has all files looked into again."""
HIDDEN = (".", "_", "~$")
"""How the names of files and folders begin that belong to a system or a program."""
SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})
COPYING = (".part", ".partial", ".filepart", ".tmp", ".crdownload", ".download")
"""Endings of files that another program is still writing."""
ABOUT = frozenset({"readme", "license", "licence", "changelog", "contributing"})
"""Names of documents about a folder, not of questions and answers."""


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
    indexed in blocks of about `block_bytes`, so that a day of many is read without the others. A day reads whole
    blocks, twice: small ones hold few rows of the days beside it, and cost the index a line each.
    """

    blocks_from = 8 << 20
    block_bytes = 512 << 10

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
        return changes({date.fromisoformat(day): joined(states) for day, states in parts.items()}, cursor)

    def faults(self) -> tuple[Fault, ...]:
        """Files of the folder that cannot be used, or not yet."""
        return tuple(
            Fault(self.label(file), entry["fault"]) for file, entry in self._index().items() if "fault" in entry
        )

    def read(self, day: date) -> Iterator[RawRow | Rejected]:
        """Rows of the files that have some of that day; other files are not opened, and of a large JSONL file only the
        pieces that have some are read. SourceError when a file had some that cannot be read any more: without them the
        day would lose what it holds."""
        index = self._index()
        if any(entry.get("talks") and str(day) in entry["days"] for entry in index.values()):
            # Turns and identity of rows that continue a conversation come from the rows beside them, in all files.
            return resolved(lambda: self._read(day, index))
        return self._read(day, index)

    def conversations(self, day: date) -> Iterator[RawRow | Rejected]:
        """A day as it is ingested: every row once, and the rows of a conversation together."""
        index = self._index()
        return resolved(lambda: self._read(day, index))

    def _read(self, day: date, index: dict[str, dict[str, Any]]) -> Iterator[RawRow | Rejected]:
        parts: list[Part] = []
        last = ""
        for file, entry in index.items():
            if str(day) not in entry["days"]:
                continue
            if "fault" in entry:
                told = Fault(self.label(file), entry["fault"])
                raise SourceError(f"{told}. It had rows of {day}, which must not get lost: mend it, or take it away")
            apart = entry.get("apart", False)
            if "blocks" in entry:
                found = self._in_blocks(file, entry, str(day))
            else:
                found = self._settled(file, entry["moved"], apart=apart)
            for its_day, item in found:
                if its_day != day:
                    continue
                if isinstance(item, Part):
                    parts.append(item)
                    last = file
                else:
                    yield item
        if parts:
            # A time is not in the future that the last of the files can tell.
            for item in conversations_of(parts, self._shape_of(last)):
                yield replace(item, day=day)

    # -- files ----------------------------------------------------------------------------------------------------

    def files(self) -> list[str]:
        """Full names of the files that are read, in order. SourceError when there is no such file or folder."""
        return [file for file, reason in self.listing().items() if not reason]

    def listing(self) -> dict[str, str]:
        """Every file by its full name, in order, to why it is not even opened ("": it is); a system's own are left out.

        SourceError when there is no such file or folder.
        """
        system, root = self._system
        if not system.exists(root):
            raise SourceError(f"{self.url}: no such file or folder")
        if self._is_single():
            return {root: ""}
        names = {name: name[len(root) :].lstrip("/") for name in sorted(system.find(root))}
        return {name: _not_read(inner, self._form) for name, inner in names.items() if not _is_hidden(inner)}

    def _is_single(self) -> bool:
        system, root = self._system
        return bool(system.isfile(root))

    def dated(self, file: str) -> Iterator[tuple[date, RawRow | Rejected]]:
        """Everything in a file, with its day. Rows that carry a time are streamed; the others are held until the end.

        SourceError when no row of the file tells a day.
        """
        spread, named = self._spread, day_in_name(file)
        items = joined_parts(self._items(file), self._shape_of(file))
        if spread.replay or spread.limit is not None:
            yield from self._spread_over_days(file, list(items))
            return
        untimed: list[RawRow | Rejected] = []

        def streamed() -> Iterator[RawRow | Rejected]:
            for item in items:
                if spread.first_day and not named and isinstance(item, RawRow) and item.day is None:
                    untimed.append(item)
                else:
                    yield item

        yield from dated(streamed(), self.label(file), named, spread.first_day)
        if untimed:
            yield from self._spread_over_days(file, untimed)

    def _apart(self, file: str) -> Iterator[tuple[date, Item]]:
        """Everything in a file of single messages, with its day."""
        return dated(self._items(file), self.label(file), day_in_name(file), self._spread.first_day)

    def records(self, file: str) -> Iterator[tuple[str, Mapping[str, Any] | RowFault]]:
        """The records of a file as they stand there."""
        with self._open(file) as opened:
            yield from records_of(opened, self.label(file), self._form, self._encoding)

    @property
    def shape(self) -> Shape:
        """How rows become ours."""
        return self._shape

    def _items(self, file: str) -> Iterator[Item]:
        with self._open(file) as opened:
            yield from scan_items(opened, self.label(file), self._shape_of(file), self._form, self._encoding)

    def dated_together(self, files: Sequence[str]) -> Iterator[tuple[date, RawRow | Rejected]]:
        """Everything in several files of messages with its day, their conversations joined; all are held for it."""
        parts: list[Part] = []
        for file in files:
            for day, item in self._apart(file):
                if isinstance(item, Part):
                    parts.append(item)
                else:
                    yield day, item
        if parts:
            found = conversations_of(parts, self._shape_of(files[-1]))
            yield from dated(found, self.label(files[0]), fallback=parts[0].day)

    def is_of_messages(self, file: str) -> bool:
        """Whether the records of a file are single messages that say when they were written.

        Their conversations may go on in other blocks and files. Without times a file's own order is all there is.
        """
        spread = self._spread
        if spread.replay or spread.limit is not None:
            return False
        first = next((item for item in self._items(file) if not isinstance(item, Rejected)), None)
        return isinstance(first, Part) and first.day is not None

    def _shape_of(self, file: str) -> Shape:
        # No row is much younger than the file it is in. (The clock would judge the same file differently every day.)
        latest = self._system[0].modified(file).astimezone(UTC) + TOLERANCE
        shape = replace(self._shape, channel=self._channel(file), latest=latest)
        return dated_by(shape, lambda: self._open(file), self.label(file), self._form, self._encoding)

    def _channel(self, file: str) -> str:
        return self._shape.channel or stem(file.rsplit("/", 1)[-1])

    def label(self, file: str) -> str:
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

    def _spread_over_days(
        self, file: str, items: Sequence[RawRow | Rejected]
    ) -> Iterator[tuple[date, RawRow | Rejected]]:
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
            label = self.label(file)
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
        """File -> its signature, and the hash of its content on each day. Only new and changed files are read.

        A file that cannot be used has a `fault`, and the days that it had before. `moved` are the conversations that
        began on another day than they have in this file.
        """
        system, _ = self._system
        known = json.loads(self._index_file.read_text()) if self._index_file and self._index_file.exists() else {}
        settings = hash_json([_VERSION, repr(self._shape), self._form, self._encoding, repr(self._spread)])[:12]
        found: dict[str, dict[str, Any]] = {}
        talks: dict[str, Talks] = {}
        for file, reason in self.listing().items():
            before, signature = known.get(file, {}), f"{settings}-{system.ukey(file)}"
            if reason:
                found[file] = {"signature": "", "days": {}, "fault": reason}
            elif before.get("signature") == signature:
                found[file] = before
            else:
                found[file] = {"signature": signature, **self._looked_into(file, talks, before)}
        if found != known:
            self._move(found, talks)
            if self._index_file:
                self._index_file.parent.mkdir(parents=True, exist_ok=True)
                unfinished = self._index_file.with_name(f".{uuid.uuid4().hex}")
                unfinished.write_text(json.dumps(found))
                unfinished.replace(self._index_file)
        return found

    def _looked_into(self, file: str, talks: dict[str, Talks], before: dict[str, Any]) -> dict[str, Any]:
        """The entry of a new or changed file. SourceError when it is the only one and cannot be used."""
        system, key = self._system[0], self._system[0].ukey(file)
        talks[file] = Talks()
        try:
            entry = self._entry(file, {}, talks[file])
            if system.ukey(file) != key:
                raise UnfinishedError(f"{self.label(file)}: is still growing; it is taken when it is complete")
            return {**entry, "talks": bool(talks[file].keys)}
        except SourceError as error:
            if self._is_single():
                raise
            del talks[file]
            return {"days": before.get("days", {}), "fault": str(error)}

    def _move(self, found: dict[str, dict[str, Any]], talks: dict[str, Talks]) -> None:
        """Put every row of a conversation on the day on which the conversation began, in whatever file that was."""
        folder = self._index_file.with_suffix("") if self._index_file else None
        if folder is not None:
            save_talks(folder, talks)
            talks = load_talks(folder, found)
        for file, moved in first_days(talks).items():
            if "fault" not in found[file] and moved != found[file]["moved"]:
                found[file] = {**found[file], **self._entry(file, moved)}

    def _entry(self, file: str, moved: dict[str, str], talks: Talks | None = None) -> dict[str, Any]:
        """The days of a file with their states, and for a large JSONL file its blocks with the days in each.

        `talks` gets the conversations of the file with their days.
        """
        name = file.lower() if not self._form else f".{self._form.lower()}"
        spread, channel = self._spread, self._channel(file)
        kind = {"apart": True} if (apart := self.is_of_messages(file)) else {}
        changed = spread.replay or spread.limit is not None or (spread.first_day and not day_in_name(file))
        large = self._system[0].size(file) >= self.blocks_from
        if large and not changed and not self._encoding and name.endswith((".jsonl", ".ndjson")):
            blocks: list[Block] = []
            try:
                states = states_of(self._cut(file, blocks, moved, talks), channel)
            except UnfinishedError:
                raise
            except SourceError:
                # What a piece alone does not tell, the whole file may.
                if talks is not None:
                    talks.clear()
            else:
                days = {str(day): state for day, state in states.items()}
                return {"days": days, "moved": moved, **kind, "blocks": [asdict(block) for block in blocks]}
        states = states_of(self._settled(file, moved, talks, apart=apart), channel)
        return {"days": {str(day): state for day, state in states.items()}, "moved": moved, **kind}

    def _settled(
        self, file: str, moved: dict[str, str], talks: Talks | None = None, *, apart: bool = False
    ) -> Iterator[tuple[date, Item]]:
        """Everything in a file with the day on which its conversation began."""
        for day, item in self._apart(file) if apart else self.dated(file):
            yield _settle(day, item, moved, talks)

    def _cut(
        self, file: str, blocks: list[Block], moved: dict[str, str], talks: Talks | None
    ) -> Iterator[tuple[date, Item]]:
        """Everything in a JSONL file with its day, block by block; `blocks` gets what there is to know of them."""
        label, shape, named = self.label(file), self._shape_of(file), day_in_name(file)
        offset, line, rows, after = 0, 1, 0, None
        with self._open(file) as opened:
            for data in pieces(opened, self.block_bytes):
                if offset == 0 and data.startswith(_NOT_UTF8):
                    raise SourceError(f"{label}: not plain UTF-8")
                last, number, days = after, rows, set()
                for its_day, item in block_items(data, label, shape, line=line, rows=rows, after=after, default=named):
                    last, number = its_day, number + 1
                    first_day, settled = _settle(its_day, item, moved, talks)
                    days.add(str(first_day))
                    yield first_day, settled
                told = str(after) if after else ""
                blocks.append(Block(offset, len(data), line, rows, told, tuple(sorted(days))))
                offset, line, rows, after = offset + len(data), line + data.count(b"\n"), number, last

    def _in_blocks(self, file: str, entry: dict[str, Any], day: str) -> Iterator[tuple[date, Item]]:
        """What is in the blocks of a file that have some of a day. SourceError when the file has changed meanwhile."""
        label, shape, named = self.label(file), self._shape_of(file), day_in_name(file)
        with self._open(file) as opened:
            for block in entry["blocks"]:
                if day not in block["days"]:
                    continue
                opened.seek(block["offset"])
                data = opened.read(block["size"])
                after = date.fromisoformat(block["after"]) if block["after"] else None
                for its_day, item in block_items(
                    data, label, shape, line=block["line"], rows=block["rows"], after=after, default=named
                ):
                    yield _settle(its_day, item, entry["moved"], None)
        if not entry["signature"].endswith(f"-{self._system[0].ukey(file)}"):
            raise SourceError(f"{label}: was changed while it was read; read it again when it is whole")


def _settle(day: date, item: Item, moved: dict[str, str], talks: Talks | None) -> tuple[date, Item]:
    """An item with the day on which its conversation began; `talks` learns of the conversation."""
    if isinstance(item, Rejected) or not item.continues or (talks is None and not moved):
        return day, item
    key = key_of(item.conversation)
    if talks is not None:
        talks.add(key, day)
    if (began := moved.get(f"{key:x}")) is None:
        return day, item
    first = date.fromisoformat(began)
    return first, replace(item, day=first)


def day_in_name(file: str) -> date | None:
    """The day in a file name such as conversations-2026-03-02.jsonl.gz."""
    try:
        return date.fromisoformat(stem(file.rsplit("/", 1)[-1])[-10:])
    except ValueError:
        return None


def _is_hidden(name: str) -> bool:
    parts = name.split("/")
    return any(part.startswith(HIDDEN) for part in parts) or parts[-1].lower() in SYSTEM_FILES


def _not_read(name: str, form: str) -> str:
    """Why a file of a folder is not read, "" for one that is."""
    last = Path(name.lower().removesuffix(".gz"))
    if last.suffix in COPYING:
        return f"is still being copied, as {last.suffix} says; it is taken under its own name"
    if last.stem in ABOUT:
        return "a document about the folder is not read; rename it where its headings are questions"
    if not form and last.suffix not in READERS:
        endings = ", ".join(ending[1:] for ending in READERS)
        return f"format {last.suffix or '(none)'} is not read, only {endings}"
    return ""


def _thinned(rows: Sequence[RawRow], limit: int) -> list[RawRow]:
    """At most so many of the rows, evenly spaced."""
    count = min(limit, len(rows))
    return [rows[position * len(rows) // count] for position in range(count)]


def _by_time(row: RawRow) -> str:
    assert row.time is not None
    return f"{row.time.astimezone(UTC).isoformat(timespec='microseconds')} {row.number:012d}"


def _shuffled(row: RawRow) -> str:
    return hash_json([row.id, row.question])
