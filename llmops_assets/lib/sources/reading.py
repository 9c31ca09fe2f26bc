"""Reading whole files: leniently, with the rows that cannot be used, or strictly, up to the first of them."""

import gzip
import io
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

from llmops_assets.lib.records import Article
from llmops_assets.lib.sources import chats, layouts
from llmops_assets.lib.sources.formats import DOCUMENTS, MAX_LINE, READERS, Input, Reader, unpacked
from llmops_assets.lib.sources.rows import (
    MAX_TEXT,
    Plan,
    RawRow,
    Rejected,
    RowFault,
    Shape,
    SourceError,
    content_id,
    raw_text,
    time_of,
)

NO_TIME = "has no time; add one, or set first_day in settings.yaml"


def reader_for(name: str, form: str = "") -> Reader:
    """The reader of a format, or else of a file name's ending. SourceError when there is none."""
    endings = ", ".join(ending[1:] for ending in READERS)
    if form and f".{form.lower()}" not in READERS:
        raise SourceError(f"{name}: format {form!r} is not read; give one of {endings}")
    ending = f".{form.lower()}" if form else Path(name.lower().removesuffix(".gz")).suffix
    if ending not in READERS:
        raise SourceError(
            f"{name}: format {ending or '(none)'} is not read; give one of {endings}, or name the format (FORMAT=csv)"
        )
    return READERS[ending]


def scan(file: BinaryIO, name: str, shape: Shape, form: str = "", encoding: str = "") -> Iterator[RawRow | Rejected]:
    """Every row of an opened file, in order, and every row that cannot be used, with `name` in its place.

    Reads as little ahead as the format allows. SourceError when the file itself cannot be used: empty, broken midway
    (with the number of rows until there), in another encoding, or without the columns a row needs.
    """
    reader = reader_for(name, form)
    shape = replace(shape, verbatim=True) if reader in DOCUMENTS else shape
    count = 0
    try:
        inner, opened = unpacked(name, file)
        for item in rows_of(reader(Input(inner, opened, encoding)), name, shape):
            count += 1
            yield item
    except (EOFError, OSError, zlib.error) as error:
        packed = isinstance(error, (EOFError, zlib.error, gzip.BadGzipFile))
        why = "truncated or damaged gzip" if packed else "cannot be read"
        raise SourceError(f"{name}: {why} after {count} readable rows ({error}); none of them is used") from None
    if count == 0:
        raise SourceError(f"{name}: holds no rows")


@dataclass(frozen=True)
class Block:
    """A piece of a file of lines: its bytes, its first line (from 1), the rows before it, the day of the item before
    it ("" for none), and the days of what is in it."""

    offset: int
    size: int
    line: int
    rows: int
    after: str
    days: tuple[str, ...]


def pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """A file in pieces of about `size` bytes that end with a line. SourceError at a line that is too long for it."""
    while piece := file.read(size):
        rest = file.readline(MAX_LINE)
        if len(rest) == MAX_LINE:
            raise SourceError(f"a line is longer than {MAX_LINE} bytes")
        yield piece + rest


def block_items(
    data: bytes, name: str, shape: Shape, *, line: int, rows: int, after: date | None, default: date | None = None
) -> Iterator[tuple[date, RawRow | Rejected]]:
    """What is in a piece of a JSONL file in UTF-8, with its days: the same as reading the whole file gives there."""
    opened = Input(name, io.BufferedReader(io.BytesIO(data)), first_line=line)
    found = rows_of(READERS[".jsonl"](opened), name, shape, rows=rows)
    return dated(found, name, default, after=after)


def rows_of(
    records: Iterator[tuple[str, Mapping[str, Any] | RowFault]], name: str, shape: Shape, *, rows: int = 0
) -> Iterator[RawRow | Rejected]:
    """Rows out of mappings with their places; a record with a list of messages becomes a row per exchange.

    Records that are one message each are held until the end, where their conversations follow.
    SourceError when no record has the columns that a row needs: then the mapping is wrong, not the rows. `rows` came
    before these (in other pieces of the file, which had such a record).
    """
    plans: dict[tuple[Any, ...], Plan | RowFault] = {}
    threads: dict[tuple[layouts.Layout, str], list[tuple[str, Mapping[str, Any]]]] = {}
    number, usable, first_fault = rows, rows > 0, ""
    for place, record in records:
        if isinstance(record, RowFault):
            number += 1
            usable = True
            yield _rejected(shape, name, place, record)
            continue
        keys = tuple(record)
        plan = plans.get(keys)
        if plan is None:
            try:
                plan = shape.plan(keys)
            except RowFault as fault:
                plan = fault
            if len(plans) > 1000:
                plans.clear()
            plans[keys] = plan
        if isinstance(plan, Plan):
            number, usable = number + 1, True
            try:
                yield plan.row(number, record)
            except RowFault as fault:
                yield _rejected(shape, name, place, fault, record)
            continue
        layout = layouts.layout_of(record)
        if layout is None:
            number += 1
            first_fault = first_fault or f"{name}, {place}: {plan.reason}"
            yield _rejected(shape, name, place, plan, record)
            continue
        usable = True
        if thread := layout.thread(record):
            threads.setdefault((layout, thread), []).append((place, record))
            continue
        for item in _conversation(layout, record, number + 1, name, place, shape):
            number += 1
            yield item
    for (layout, _), messages in threads.items():
        joined = layout.joined([record for _, record in messages])
        for item in _conversation(layout, joined, number + 1, name, messages[0][0], shape):
            number += 1
            yield item
    if first_fault and not usable:
        raise SourceError(first_fault)


def _conversation(
    layout: layouts.Layout, record: Mapping[str, Any], number: int, name: str, place: str, shape: Shape
) -> Iterator[RawRow | Rejected]:
    """The rows of a conversation, or why it cannot be used: then its keys and what was public of it are shown."""
    try:
        yield from chats.rows_of(record, layout, number, f"{name}, {place}", shape)
    except RowFault as fault:
        shown = fault.text or raw_text(dict.fromkeys(record))
        yield replace(_rejected(shape, name, place, fault, layout.about(record)), text=shown)


def _rejected(
    shape: Shape, name: str, place: str, fault: RowFault, record: Mapping[str, Any] | None = None
) -> Rejected:
    where = ", ".join(part for part in (name, place, fault.at) if part)
    source = shape.name or shape.channel
    if record is None:
        return Rejected(source, where, fault.reason, "", fault.text[:MAX_TEXT], None, fault.left_out)
    columns = shape.columns(list(record), required=())
    own_id = next((record[columns[name]] for name in ("id", "conversation") if name in columns), "")
    prefix = f"{shape.name}/" if shape.name else ""
    name = f"{prefix}{own_id}"[:200] if isinstance(own_id, (str, int)) and own_id != "" else ""
    try:
        time = time_of(record.get(columns.get("time", "")), "", shape.latest)
    except RowFault:
        time = None
    day = time.date() if time else None
    return Rejected(source, where, fault.reason, name, raw_text(record), day, fault.left_out)


def read_rows(path: Path, mapping: Mapping[str, str] | None = None, form: str = "") -> Iterator[RawRow]:
    """The rows of a file, strictly: SourceError on the first thing wrong, with file, row and column.

    `mapping` names the file's column for some of ours; the others are recognised by common names. `form` (jsonl, csv,
    parquet …) goes before the file's ending.
    """
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    with path.open("rb") as file:
        for item in scan(file, str(path), Shape(channel=stem(path.name), mapping=mapping), form):
            if isinstance(item, Rejected):
                raise SourceError(f"{item.place}: {item.reason}")
            yield item


def check(path: Path, mapping: Mapping[str, str] | None = None, form: str = "") -> int:
    """Read a whole file and return its number of rows; SourceError on the first thing wrong."""
    return sum(1 for _ in read_rows(path, mapping, form))


def articles_of(path: Path) -> tuple[Article, ...]:
    """The articles of a document, or of all in a folder: each question (a heading, or a row's) with its answer.

    The intent is the row's, or the document's name. SourceError on the first thing wrong, or when there are none.
    """
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in READERS) if path.is_dir() else [path]
    found: dict[str, Article] = {}
    for file in files:
        for row in read_rows(file):
            name = row.id if file == path else f"{file.relative_to(path).parent / row.id}"
            if name in found:
                raise SourceError(f"{file}, row {row.number}: there is an article {name!r} already; rename one")
            intent = row.intent or stem(file.name)
            found[name] = Article(
                id=name, intent=intent, title=row.question, answer=row.answer, questions=(row.question,)
            )
    if not found:
        raise SourceError(f"{path}: holds no document that can be read")
    return tuple(found.values())


def stem(name: str) -> str:
    """A file's name without folders and endings."""
    return Path(name.removesuffix(".gz")).stem


def dated(
    items: Iterator[RawRow | Rejected],
    name: str,
    default: date | None = None,
    fallback: date | None = None,
    *,
    after: date | None = None,
) -> Iterator[tuple[date, RawRow | Rejected]]:
    """Every item with its day: a row's own, or `default` for rows without a time, which are rejected if it is None.

    What cannot be a row and tells no day is of the day of the item before it, or else after it, or else of `fallback`.
    SourceError when there is no day at all. `after` is the day of the item before the first one.
    """
    day, waiting = after or default, []
    for item in items:
        if isinstance(item, RawRow):
            its_day = item.day or default
            if its_day is not None:
                yield from ((its_day, rejected) for rejected in waiting)
                waiting, day = [], its_day
                yield day, item if item.day else replace(item, day=day)
                continue
            place, text = f"{name}, row {item.number}", f"{item.question}\n{item.answer}"
            item = Rejected(item.source, place, NO_TIME, item.id, text)
        if item.day is not None:
            yield from ((item.day, rejected) for rejected in waiting)
            waiting, day = [], item.day
        if day is None:
            waiting.append(item)
        else:
            yield day, item
    if waiting and fallback is None:
        first, count = waiting[0], len(waiting)
        raise SourceError(f"{first.place}: {first.reason}. None of the {count} rows of {name} can be used")
    yield from ((fallback, rejected) for rejected in waiting if fallback)


def resolved(read: Callable[[], Iterator[RawRow | Rejected]]) -> Iterator[RawRow | Rejected]:
    """What `read` gives, every id once: of rows with the same id the last one counts, the others are Rejected.

    A conversation that comes again replaces all its turns. Rows that have their id of their content are told apart by
    a number instead: they are equal, not versions of each other. Reads twice and keeps eight bytes a row.
    """
    last = _last_places(read())
    equal: Counter[str] = Counter()
    place = -1
    for item in read():
        if not last or isinstance(item, Rejected):
            yield item
            continue
        place += 1
        newest = last.get(hash(item.id), place)
        if item.turn and item.id.endswith(f"#{item.turn}"):
            newest = max(newest, last.get(hash(f"{item.conversation}#0"), place))
        if hash(item.id) in last and item.id.endswith(content_id(item.question, item.answer, item.subject, item.time)):
            equal[item.id] += 1
            number = equal[item.id]
            name = item.id if number == 1 else f"{item.id}-{number}"
            yield item if number == 1 else replace(item, id=name, conversation=name)
        elif newest > place:
            yield Rejected(item.source, f"row {item.number}", "replaced by a later row with the same id", item.id)
        else:
            yield item


def _last_places(items: Iterator[RawRow | Rejected]) -> dict[int, int]:
    """Hash of every id that comes more than once, to the place of its last row."""
    import numpy as np

    hashes = np.frombuffer(array("q", (hash(item.id) for item in items if isinstance(item, RawRow))), np.int64)
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    again = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
    return {int(ordered[position]): int(order[position]) for position in again}
