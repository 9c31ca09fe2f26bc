"""Reading whole files: leniently, with the rows that cannot be used, or strictly, up to the first of them."""

import functools
import gzip
import io
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, overload

from llmops_assets.lib.records import Article
from llmops_assets.lib.sources import chats, layouts
from llmops_assets.lib.sources.faults import RowFault, SourceError, Unseen
from llmops_assets.lib.sources.formats import DOCUMENTS, MAX_LINE, READERS, Input, Reader, unpacked
from llmops_assets.lib.sources.layouts.chat import TIMES
from llmops_assets.lib.sources.rows import COLUMNS, MAX_TEXT, Plan, RawRow, Rejected, Shape, content_id, raw_text
from llmops_assets.lib.sources.times import order_among, time_of, written_dates

REPEATED = "repeated message"
"""Why a single message is left out that an overlapping export has too."""
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


@dataclass(frozen=True, slots=True)
class Part:
    """A record that is one message of a conversation, whose others may stand in other files.

    `conversation` names it with its source, `name` the file; `day` is that of the message.
    """

    conversation: str
    layout: layouts.Layout
    record: Mapping[str, Any]
    name: str
    place: str
    day: date | None
    continues: ClassVar[bool] = True


Item = RawRow | Rejected | Part


def scan(file: BinaryIO, name: str, shape: Shape, form: str = "", encoding: str = "") -> Iterator[RawRow | Rejected]:
    """Every row of an opened file, in order, and every row that cannot be used, with `name` in its place.

    Reads as little ahead as the format allows. SourceError when the file itself cannot be used: empty, broken midway
    (with the number of rows until there), in another encoding, or without the columns a row needs.
    """
    return joined_parts(scan_items(file, name, shape, form, encoding), shape)


def scan_items(file: BinaryIO, name: str, shape: Shape, form: str = "", encoding: str = "") -> Iterator[Item]:
    """`scan` with records that are single messages as they come, a Part each."""
    count = 0
    if reader_for(name, form) in DOCUMENTS:
        shape = replace(shape, verbatim=True)
    for item in items_of(records_of(file, name, form, encoding), name, shape):
        count += 1
        yield item
    if count == 0:
        raise SourceError(f"{name}: holds no rows")


def records_of(
    file: BinaryIO, name: str, form: str = "", encoding: str = ""
) -> Iterator[tuple[str, Mapping[str, Any] | RowFault]]:
    """(place, record as the file has it, or why it cannot be read) of an opened file. SourceError as in `scan`."""
    reader = reader_for(name, form)
    count = 0
    try:
        inner, opened = unpacked(name, file)
        for place, record in reader(Input(inner, opened, encoding)):
            count += 1
            yield place, record
    except (EOFError, OSError, zlib.error) as error:
        packed = isinstance(error, (EOFError, zlib.error, gzip.BadGzipFile))
        why = "truncated or damaged gzip" if packed else "cannot be read"
        raise SourceError(f"{name}: {why} after {count} readable rows ({error}); none of them is used") from None


def time_names(shape: Shape) -> frozenset[str]:
    """Under which names, in small letters, the times of a source stand: in columns, or in messages."""
    mapped = (shape.mapping or {}).get("time")
    return frozenset({mapped.strip().lower()} if mapped else {*COLUMNS["time"], *TIMES})


def dated_by(
    shape: Shape, opened: Callable[[], AbstractContextManager[BinaryIO]], name: str, form: str = "", encoding: str = ""
) -> Shape:
    """The shape for one file: where its first date could have the day or the month first, all its dates are asked.

    They are asked once, and only then; `opened` opens the file anew.
    """
    if shape.date_order:
        return shape

    @functools.cache
    def order() -> str:
        names = time_names(shape)

        def texts() -> Iterator[str]:
            with opened() as file:
                for _, record in records_of(file, name, form, encoding):
                    if not isinstance(record, RowFault):
                        yield from written_dates(record, names)

        return order_among(texts(), name)

    return replace(shape, order_of_file=order)


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
    data: bytes,
    name: str,
    shape: Shape,
    *,
    line: int,
    rows: int,
    after: date | None,
    default: date | None = None,
) -> Iterator[tuple[date, Item]]:
    """What is in a piece of a JSONL file in UTF-8, with its days: the same as reading the whole file gives there, but
    for single messages: their conversations go on in other pieces, so each is a Part.
    """
    opened = Input(name, io.BufferedReader(io.BytesIO(data)), first_line=line)
    found = items_of(READERS[".jsonl"](opened), name, shape, rows=rows)
    return dated(found, name, default, after=after)


def layout_of(record: Mapping[str, Any], shape: Shape) -> tuple[str, dict[str, str]]:
    """How a record is read: "rows", or the name of its layout; with our columns and theirs. RowFault when neither is
    found in it."""
    try:
        return "rows", shape.columns(list(record))
    except RowFault:
        if layout := layouts.layout_of(record):
            return layout.name, shape.columns(list(layout.about(record)), required=())
        raise


def rows_of(
    records: Iterator[tuple[str, Mapping[str, Any] | RowFault]], name: str, shape: Shape
) -> Iterator[RawRow | Rejected]:
    """Rows out of mappings with their places; a record with a list of messages becomes a row per exchange.

    Records that are one message each are held until the end, where their conversations follow.
    SourceError when no record has the columns that a row needs: then the mapping is wrong, not the rows.
    """
    return joined_parts(items_of(records, name, shape), shape)


def items_of(
    records: Iterator[tuple[str, Mapping[str, Any] | RowFault]], name: str, shape: Shape, *, rows: int = 0
) -> Iterator[Item]:
    """`rows_of` with records that are single messages as they come, a Part each.

    `rows` came before these (in other pieces of the file, which had a record with the columns that a row needs).
    """
    plans: dict[tuple[Any, ...], Plan | RowFault] = {}
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
            nested = any(isinstance(value, (list, dict)) for value in record.values())
            found = _rejected(shape, name, place, plan, record)
            # It may be a conversation of an unknown layout, with what nobody may see in it.
            yield replace(found, text=raw_text(dict.fromkeys(record))) if nested else found
            continue
        usable = True
        if thread := layout.thread(record):
            number += 1
            yield _part(layout, thread, record, name, place, shape)
            continue
        for item in _conversation(layout, record, number + 1, name, place, shape):
            number += 1
            yield item
    if first_fault and not usable:
        raise SourceError(first_fault)


def _part(layout: layouts.Layout, thread: str, record: Mapping[str, Any], name: str, place: str, shape: Shape) -> Part:
    try:
        time = layout.sent(record, shape.clock)
    except RowFault:
        time = None  # Said when its conversation is read.
    day = shape.clock.day(time) if time else None
    told = layout.stamped(record, time) if time else record
    return Part(f"{shape.name}/{layout.name}/{thread}", layout, told, name, place, day)


def joined_parts(items: Iterable[Item], shape: Shape) -> Iterator[RawRow | Rejected]:
    """Items with the rows of conversations, at the end, for their single messages."""
    parts: list[Part] = []
    count = 0
    for item in items:
        if isinstance(item, Part):
            parts.append(item)
        else:
            count += 1
            yield item
    yield from conversations_of(parts, shape, count)


def conversations_of(parts: Iterable[Part], shape: Shape, number: int = 0) -> Iterator[RawRow | Rejected]:
    """The rows of conversations out of all their single messages; they are counted from `number`.

    A message that comes again, as overlapping exports have it, counts once: its last version. How often that was, is
    in `left_out` of the conversation's first row.
    """
    threads: dict[str, dict[Hashable, Part]] = {}
    again: Counter[str] = Counter()
    for place, part in enumerate(parts):
        same = part.layout.same(part.record)
        key = (place,) if same is None else same
        said = threads.setdefault(part.conversation, {})
        again[part.conversation] += key in said
        said[key] = part
    for name, said in threads.items():
        first = next(iter(said.values()))
        joined = first.layout.joined([part.record for part in said.values()])
        told = ((REPEATED, again[name]),) if again[name] else ()
        for item in _conversation(first.layout, joined, number + 1, first.name, first.place, shape):
            number += 1
            yield replace(item, left_out=(*item.left_out, *told)) if told else item
            told = ()


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
        time = time_of(record.get(columns.get("time", "")), "", shape.clock)
    except RowFault:
        time = None
    day = shape.clock.day(time) if time else None
    shown = dict.fromkeys(record) if isinstance(fault, Unseen) else record
    return Rejected(source, where, fault.reason, name, raw_text(shown), day, fault.left_out)


def read_rows(path: Path, mapping: Mapping[str, str] | None = None, form: str = "") -> Iterator[RawRow]:
    """The rows of a file, strictly: SourceError on the first thing wrong, with file, row and column.

    `mapping` names the file's column for some of ours; the others are recognised by common names. `form` (jsonl, csv,
    parquet …) goes before the file's ending.
    """
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    shape = Shape(channel=stem(path.name), mapping=mapping)
    with path.open("rb") as file:
        for item in scan(file, str(path), dated_by(shape, lambda: path.open("rb"), path.name, form), form):
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


@overload
def dated(
    items: Iterator[RawRow | Rejected],
    name: str,
    default: date | None = None,
    fallback: date | None = None,
    *,
    after: date | None = None,
) -> Iterator[tuple[date, RawRow | Rejected]]: ...


@overload
def dated(
    items: Iterator[Item],
    name: str,
    default: date | None = None,
    fallback: date | None = None,
    *,
    after: date | None = None,
) -> Iterator[tuple[date, Item]]: ...


def dated(
    items: Iterator[Item],
    name: str,
    default: date | None = None,
    fallback: date | None = None,
    *,
    after: date | None = None,
) -> Iterator[tuple[date, Item]]:
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
        its_day = item.day or (default if isinstance(item, Part) else None)
        if its_day is not None:
            yield from ((its_day, other) for other in waiting)
            waiting, day = [], its_day
        if day is None:
            waiting.append(item)
        else:
            yield day, item
    if waiting and fallback is None:
        first, count = waiting[0], len(waiting)
        why = NO_TIME if isinstance(first, Part) else first.reason
        raise SourceError(f"{first.place}: {why}. None of the {count} rows of {name} can be used")
    yield from ((fallback, other) for other in waiting if fallback)


def resolved(read: Callable[[], Iterator[RawRow | Rejected]]) -> Iterator[RawRow | Rejected]:
    """What `read` gives, every id once, the rows of a conversation together and its turns in the order of time.

    Of rows with the same id the last one counts, a conversation of messages that comes again replaces all its turns,
    and of rows without an id of their own that are equal the first one counts; the others are Rejected. Reads twice;
    keeps sixteen bytes a row, and of a conversation whose rows stand apart those between its first and its last.
    """
    last, ends = _last_places(read())
    open_rows: dict[int, list[RawRow]] = {}
    run, known, place = 0, set[int](), -1
    for item in read():
        if isinstance(item, Rejected):
            yield item
            continue
        place += 1
        conversation = hash(item.conversation) if item.continues else 0
        if run and run != conversation and run not in ends:
            yield from _in_turn(open_rows.pop(run, []))
        run = conversation
        key = identity(item)
        newest = last.get(key, place)
        if item.turn and not item.continues and item.id.endswith(f"#{item.turn}"):
            newest = max(newest, last.get(hash(f"{item.conversation}#0"), place))
        if key in last and _named_by_content(item):
            if key in known:
                yield Rejected(item.source, f"row {item.number}", "the same row was read before", item.id)
            elif conversation:
                open_rows.setdefault(conversation, []).append(item)
            else:
                yield item
            known.add(key)
        elif newest > place:
            yield Rejected(item.source, f"row {item.number}", "replaced by a later row with the same id", item.id)
        elif conversation:
            open_rows.setdefault(conversation, []).append(item)
        else:
            yield item
        if ends.get(conversation) == place:
            yield from _in_turn(open_rows.pop(conversation, []))
    for rows in open_rows.values():
        yield from _in_turn(rows)


def _in_turn(rows: list[RawRow]) -> Iterator[RawRow]:
    """The rows of one conversation in the order of time, where all have one, and numbered where their turns do not say
    that order."""
    timed = [(row.time, row) for row in rows if row.time is not None]
    ordered = [row for _, row in sorted(timed, key=lambda entry: entry[0])] if len(timed) == len(rows) else rows
    if all(before.turn < after.turn for before, after in pairwise(ordered)):
        yield from ordered
        return
    for turn, row in enumerate(ordered):
        derived = row.id == f"{row.conversation}#{row.turn}"
        yield replace(row, turn=turn, id=f"{row.conversation}#{turn}" if derived else row.id)


def identity(row: RawRow) -> int:
    """Equal for rows of which one counts."""
    if row.continues and row.id == f"{row.conversation}#{row.turn}":
        return hash((row.conversation, row.question, row.answer, row.time))
    return hash(row.id)


def _named_by_content(row: RawRow) -> bool:
    if row.continues and row.id == f"{row.conversation}#{row.turn}":
        return True
    return row.id.endswith(content_id(row.question, row.answer, row.subject, row.time))


def _last_places(items: Iterator[RawRow | Rejected]) -> tuple[dict[int, int], dict[int, int]]:
    """To the place of its last row: the identity of rows that come more than once, and every conversation whose rows
    do not all stand side by side."""
    import numpy as np

    keys, talks = array("q"), array("q")
    for item in items:
        if isinstance(item, RawRow):
            keys.append(identity(item))
            talks.append(hash(item.conversation) if item.continues else 0)
    identities, runs = (np.frombuffer(found, np.int64) for found in (keys, talks))
    every = np.arange(len(identities))
    # The last row of every run of one conversation; a conversation with two runs stands apart.
    ends = np.flatnonzero(np.append(runs[1:] != runs[:-1], [True][: len(runs)]))
    apart = _last_of_repeated(runs[ends], ends)
    apart.pop(0, None)
    return _last_of_repeated(identities, every), apart


def _last_of_repeated(values: Any, places: Any) -> dict[int, int]:
    """Every value that comes more than once, to the last of its places (in ascending order)."""
    import numpy as np

    order = np.argsort(values, kind="stable")
    ordered = values[order]
    again = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
    return {int(ordered[position]): int(places[order[position]]) for position in again}
