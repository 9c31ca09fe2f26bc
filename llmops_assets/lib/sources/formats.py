"""File formats: JSONL, JSON, CSV, Parquet, Markdown and HTML as mappings with their places, each also gzip-compressed.

A reader streams; a broken row is a RowFault in its place, a broken file a SourceError.
"""

import csv
import gzip
import io
import json
import re
import shutil
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from llmops_assets.lib.sources.documents import Section, html_sections, markdown_sections
from llmops_assets.lib.sources.faults import RowFault, SourceError, UnfinishedError
from llmops_assets.lib.sources.rows import MAX_TEXT, told_names

MAX_LINE = 16 * 1024 * 1024
"""Bytes of one line; a longer one is skipped as a fault."""
_PROBE = 64 * 1024
_CHUNK = 1024 * 1024
FOREIGN = {
    b"PK\x03\x04": "an Excel workbook or a zip archive; save the sheet as CSV UTF-8, or unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV UTF-8",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"PAR1": "a Parquet file; name it .parquet",
    b"SQLite format 3": "a SQLite database; give it as a source of kind sql",
}
"""How files begin that are no text, whatever their name says."""


@dataclass(frozen=True)
class Input:
    """An opened file: its name for messages, its bytes (decompressed, with `peek`), and its encoding ("" detects).

    A piece of a file says which line of it the first one is.
    """

    name: str
    file: io.BufferedReader
    encoding: str = ""
    first_line: int = 1

    def lines(self) -> Iterator[tuple[int, str, RowFault | None]]:
        """(number from 1, text with its line end, fault) of every line.

        Without an encoding: UTF-8, or UTF-16 where a byte order mark says so. A line that is not UTF-8 is given with
        replaced characters and a fault; SourceError when the whole file seems to be in another encoding.
        """
        if encoding := self.known_encoding():
            yield from self._decoded(encoding)
            return
        if self.first_line == 1:
            self._refuse_other_encodings(self.start())
        number = self.first_line - 1
        file = _with_line_feeds(self.file) if self._ends_with_returns() else self.file
        while line := file.readline(MAX_LINE):
            number += 1
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield number, "\n", RowFault(f"longer than {MAX_LINE} bytes")
                continue
            try:
                yield number, line.decode(), None
            except UnicodeDecodeError as error:
                text = line.decode(errors="replace")
                fault = RowFault(f"not UTF-8; {_SAVE}", f"byte {error.start + 1} of the line", text[:MAX_TEXT])
                yield number, text, fault

    def start(self) -> bytes:
        """The first bytes of the file, which are still read afterwards."""
        return self.file.peek(_PROBE)[:_PROBE]

    def _ends_with_returns(self) -> bool:
        """Whether lines end with a carriage return alone, as old spreadsheets write them."""
        start = self.start()
        if self.known_encoding():
            return b"\r" in start and b"\n" not in start
        return b"\r" in start.rstrip(b"\r") and b"\n" not in start

    def known_encoding(self) -> str:
        """The given encoding, or UTF-16 where a byte order mark says so, or ""."""
        return self.encoding or ("utf-16" if self.start()[:2] in (b"\xff\xfe", b"\xfe\xff") else "")

    def text(self) -> str:
        """The whole text of a document. SourceError when it cannot be decoded."""
        lines = []
        for number, line, fault in self.lines():
            if fault is not None:
                raise SourceError(f"{self.name}, line {number}: {fault.reason}")
            lines.append(line.replace("\r\n", "\n"))
        return "".join(lines)

    def _decoded(self, encoding: str) -> Iterator[tuple[int, str, None]]:
        number, text = 0, None
        try:
            # None takes a carriage return for the end of a line too.
            text = io.TextIOWrapper(self.file, encoding, newline=None if self._ends_with_returns() else "\n")
            for number, line in enumerate(text, start=1):
                yield number, line.removeprefix("\ufeff") if number == 1 else line, None
        except (UnicodeError, LookupError) as error:
            raise SourceError(f"{self.name}, after line {number}: not {encoding} ({error})"[:400]) from None
        finally:
            if text is not None:
                _let_go(text)

    def _refuse_other_encodings(self, start: bytes) -> None:
        for beginning, what in FOREIGN.items():
            if start.startswith(beginning):
                raise SourceError(f"{self.name}: is {what}")
        if start.isascii() and b"\0" not in start:
            return
        lines = start.split(b"\n")
        bad = [number for number, line in enumerate(lines[:-1] if len(start) == _PROBE else lines) if not _utf8(line)]
        good = sum(not line.isascii() for line in lines) - len(bad)
        if b"\0" in start and start.count(b"\0") > len(start) // 4:
            raise SourceError(f"{self.name}: looks like UTF-16 without a byte order mark; {_SAVE}")
        if len(bad) > 1 and good <= 0:
            raise SourceError(
                f"{self.name}, line {bad[0] + 1}: not UTF-8, nor are {len(bad) - 1} more of the first lines; {_SAVE}"
            )


_CUT = (
    "is cut off in its text: the file is still being written or was not copied whole; it is taken when it is complete"
)
_SAVE = "save the file as UTF-8 (for example: iconv -f latin1 -t utf-8), or name its encoding in the settings"


def _utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def unpacked(name: str, file: BinaryIO) -> tuple[str, io.BufferedReader]:
    """The name without .gz, and the bytes: decompressed when they begin as gzip does, whatever the name."""
    opened = file if isinstance(file, io.BufferedReader) else _buffered(file, _CHUNK)
    if opened.peek(2)[:2] == b"\x1f\x8b":
        # Little at a time: what is whole before the place where a file breaks off counts as readable.
        opened = _buffered(gzip.GzipFile(fileobj=opened), _PROBE)
    return name.removesuffix(".gz"), opened


def _buffered(file: Any, size: int) -> io.BufferedReader:
    return io.BufferedReader(file, size)


class _LineFeeds(io.RawIOBase):
    """A file with line feeds for carriage returns."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        found = self._file.read1(len(target)).replace(b"\r", b"\n")
        target[: len(found)] = found
        return len(found)


def _with_line_feeds(file: io.BufferedReader) -> io.BufferedReader:
    return _buffered(_LineFeeds(file), _PROBE)


def _ended(line: str) -> bool:
    return line.endswith(("\n", "\r"))


def _jsonl(source: Input) -> Iterator[tuple[str, Mapping[str, Any] | RowFault]]:
    for number, line, fault in source.lines():
        place = f"line {number}"
        if fault is not None:
            if not _ended(line):
                raise UnfinishedError(f"{source.name}, {place}: {_CUT}")
            yield place, fault
        elif line.strip():
            try:
                row = json.loads(line)
                if "\\ud" in line or "\\uD" in line:
                    json.dumps(row, ensure_ascii=False).encode()
            except json.JSONDecodeError as error:
                if not _ended(line):
                    raise UnfinishedError(f"{source.name}, {place}: {_CUT}") from None
                position = min(error.pos, len(line.rstrip("\r\n"))) + 1
                yield place, RowFault(f"broken JSON ({error.msg})", f"character {position}", line[:MAX_TEXT])
            except (ValueError, RecursionError) as error:
                yield place, RowFault(_why(error), "", line[:MAX_TEXT])
            else:
                yield place, row if isinstance(row, dict) else _no_object(row, "line", line)


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "half of a character (a lone surrogate)"
    return "nested too deeply" if isinstance(error, RecursionError) else "a number with too many digits"


def _no_object(value: Any, what: str, text: str = "") -> RowFault:
    return RowFault(f"a {type(value).__name__}; every {what} must be a JSON object", "", text[:MAX_TEXT])


_LISTS = ("tickets", "conversations", "rows", "data", "items", "results")
"""Keys of an object that is the whole file: under one of them is the list of its records."""
_USERS = "users"
"""What Zendesk's API puts beside a list of tickets (side-loading), whatever comes first: who the ids in them are."""
_PAGING = (
    "count next_page previous_page before_url after_url before_cursor after_cursor end_of_stream end_time has_more "
    "page per_page page_count total total_count"
).split()
"""Keys with a plain value that may stand before the list."""
_WHOLE = re.compile(
    rf'\{{\s*(?:"(?:{"|".join(_PAGING)})"\s*:\s*(?:"[^"]*"|[\w.+-]+)\s*,\s*)*'
    rf'"(?:(?P<list>{"|".join(_LISTS)})|{_USERS})"\s*:\s*\['
)
_BLANK = re.compile(r"[\s,:]*")


def _json(source: Input) -> Iterator[tuple[str, Mapping[str, Any] | RowFault]]:
    """A JSON list of objects, alone or under a key of _LISTS in an object; or JSON lines.

    A record whose ids are of users beside the list gets those as its own `users`.
    """
    encoding = source.known_encoding() or "utf-8-sig"
    start = source.start().decode(encoding, errors="ignore").lstrip()
    is_list = start.startswith("[")
    if not is_list and not _is_whole(source, start):
        yield from _jsonl(source)
        return
    text = None
    try:
        users = {} if is_list else _users_of(source, encoding)
        text = _JsonText(source.name, source.file, encoding)
        for key, place, row in text.elements() if is_list else text.members():
            if key != _USERS:
                yield place, _with_users(row, users) if isinstance(row, dict) else _no_object(row, "element")
        text.finish()
    except UnicodeDecodeError:
        raise SourceError(f"{source.name}: not {encoding}; {_SAVE}") from None
    finally:
        if text is not None:
            text.let_go()


def _is_whole(source: Input, start: str) -> bool:
    """Whether a file that begins so is one object with a list of records, and not an object a line."""
    found = _WHOLE.match(start)
    if not found:
        return False
    line, _, rest = start.partition("\n")
    if rest.strip() and _is_json(line):
        return False
    # Records may begin with users of their own; where a list of tickets follows, it may begin far behind them.
    return bool(found["list"]) or _stands_in(source, "tickets")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _users_of(source: Input, encoding: str) -> dict[str, Mapping[str, Any]]:
    """The users beside the list of a file by id; the file is read from its beginning again afterwards."""
    if not _stands_in(source, _USERS):
        return {}
    text = _JsonText(source.name, source.file, encoding)
    try:
        found = [one for key, _, one in text.members() if key == _USERS and isinstance(one, dict)]
    finally:
        text.let_go()
    source.file.seek(0)
    return {str(one.get("id")): {name: one[name] for name in _KEPT if name in one} for one in found}


_KEPT = ("id", "role", "email")
"""What is kept of a user for the tickets of a file."""


def _with_users(row: Mapping[str, Any], users: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """A record with those of the users whose ids stand in it, where it has none of its own."""
    if not users or _USERS in row:
        return row
    named = dict.fromkeys(name for name in _ids_in(row) if name in users)
    return {**row, _USERS: [users[name] for name in named]} if named else row


def _ids_in(value: Any, of: str = "") -> Iterator[str]:
    """Every value under a key that ends with `_id` or `_ids`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _ids_in(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _ids_in(inner, of)
    elif of.endswith(("_id", "_ids")) and isinstance(value, (int, str)):
        yield str(value)


def _stands_in(source: Input, word: str) -> bool:
    """Whether a word in quotes stands anywhere in a file, which is read from its beginning again afterwards."""
    if not source.file.seekable():
        return False
    names = ("utf-16-le", "utf-16-be") if source.known_encoding().lower().startswith("utf-16") else ("utf-8",)
    wanted = [f'"{word}"'.encode(name) for name in names]
    tail = b""
    try:
        while piece := source.file.read(_CHUNK):
            if any(one in tail + piece for one in wanted):
                return True
            tail = piece[-len(wanted[0]) :]
        return False
    finally:
        source.file.seek(0)


class _JsonText:
    """JSON that is read value by value, with little of it in memory."""

    def __init__(self, name: str, file: io.BufferedReader, encoding: str) -> None:
        self._name, self._text = name, io.TextIOWrapper(file, encoding)
        self._decoder = json.JSONDecoder()
        self._buffer, self._position, self._ended, self._number = "", 0, False, 0

    def let_go(self) -> None:
        """Leave the file open, unless it is closed: who reads a file partly may close it first."""
        _let_go(self._text)

    def finish(self) -> None:
        """SourceError when something follows, which nobody would miss."""
        if self._next():
            raise SourceError(f"{self._name}: something stands behind its end; name a file of JSON lines .jsonl")

    def members(self) -> Iterator[tuple[str, str, Any]]:
        """(key, place, element) of every list under _LISTS and _USERS in an object; other values are passed over."""
        self._enter("{")
        while (following := self._next()) and following != "}":
            key = self._value()
            if key in (*_LISTS, _USERS) and self._next() == "[":
                yield from self.elements(key)
            else:
                self._value()
        if not following:
            raise self._fault(json.JSONDecodeError("unfinished", self._buffer, len(self._buffer)))
        self._position += 1

    def elements(self, key: str = "") -> Iterator[tuple[str, str, Any]]:
        """(key, place, value) of every element of a list."""
        self._enter("[")
        self._number = 0
        while self._next() != "]":
            value = self._value()
            self._number += 1
            yield key, f"element {self._number}", value
        self._position += 1

    def _enter(self, bracket: str) -> None:
        """Step behind a bracket that stands next."""
        if self._next() != bracket:
            raise self._fault(json.JSONDecodeError(f"no {bracket}", self._buffer, self._position))
        self._position += 1

    def _next(self) -> str:
        """The next character that says something; "" at the end."""
        while True:
            blank = _BLANK.match(self._buffer, self._position)
            self._position = blank.end() if blank else self._position
            if self._position < len(self._buffer):
                return self._buffer[self._position]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read a piece more, unless there is none or a value is too long."""
        if self._ended or len(self._buffer) - self._position >= MAX_LINE:
            return False
        piece = self._text.read(_CHUNK)
        self._ended = not piece
        self._buffer, self._position = self._buffer[self._position :] + piece, 0
        return bool(piece)

    def _value(self) -> Any:
        """The next value. SourceError when it is broken or cut."""
        self._next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._position)
                if end == len(self._buffer):
                    raise json.JSONDecodeError("unfinished", self._buffer, end)
            except (json.JSONDecodeError, RecursionError) as error:
                if not self._more():
                    raise self._fault(error) from None
                continue
            self._position = end
            return value

    def _fault(self, error: Exception) -> SourceError:
        place = f"{self._name}, element {self._number + 1}"
        if self._position == len(self._buffer):
            return UnfinishedError(f"{place}: the list does not end; it {_CUT}")
        if _is_cut(error, len(self._buffer)):
            return UnfinishedError(f"{place}: broken JSON, it {_CUT}")
        return SourceError(f"{place}: {f'broken JSON ({error})'[:120]}")


def _let_go(text: io.TextIOWrapper) -> None:
    """Leave the file below a text open, unless it is closed: who reads a file partly may close it first."""
    if not text.buffer.closed:
        text.detach()


def _is_cut(error: Exception, length: int) -> bool:
    """Whether JSON ends too early, instead of having something wrong before its end."""
    unfinished = isinstance(error, json.JSONDecodeError)
    return unfinished and (error.pos >= length - 1 or error.msg.startswith(("Unterminated", "unfinished")))


class _Feed:
    """Lines for csv.reader that can be taken back, when an unclosed quote has swallowed them."""

    def __init__(self, source: Input) -> None:
        self._lines = source.lines()
        self._again: deque[tuple[int, str, RowFault | None]] = deque()
        self.taken: list[tuple[int, str, RowFault | None]] = []

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.taken.append(line)
        return line[1]

    def begin(self) -> None:
        """The next line begins a record."""
        self.taken = []

    def text(self) -> str:
        """The record as it stands in the file."""
        return "".join(line for _, line, _ in self.taken)[:MAX_TEXT]

    def take_back(self) -> None:
        """Give the record's lines but the first again."""
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def _csv(source: Input) -> Iterator[tuple[str, Mapping[str, Any] | RowFault]]:
    """Comma, semicolon, tab or bar between values: the one that the first line has most of. Files that were put one
    after the other may each have their header. A broken quote costs its own line only."""
    feed, header, ordered, number = _Feed(source), None, [], 0
    first = next(feed, None)
    if first is None:
        return
    if named := re.fullmatch(r"sep=(.)\r?\n?", first):
        delimiter = named[1]
    else:
        delimiter = max(",;\t|", key=re.sub(r'"[^"]*"', "", first).count)
        feed._again.append(feed.taken[0])
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.begin()
        values: list[str] = []
        broken = None
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            broken = RowFault(f"broken CSV ({error})", "", feed.taken[0][1][:MAX_TEXT])
            feed.take_back()
        line, text, fault = feed.taken[0]
        if not text.strip() and len(feed.taken) == 1:
            continue
        if header is None:
            _refuse_twins(f"{source.name}, line {line}", values)
            if unreadable := broken or fault:
                raise SourceError(f"{source.name}, line {line}: the header cannot be read, {unreadable.reason}")
            header, ordered = values, sorted(values)
            continue
        if (broken or fault or len(values) < len(header)) and not _ended(feed.taken[-1][1]):
            # Nothing follows, or the line with the open quote would have been taken back.
            raise UnfinishedError(f"{source.name}, line {feed.taken[-1][0]}: {_CUT}")
        if values == header or (len(values) == len(header) and sorted(values) == ordered):
            header = values
            continue
        number += 1
        place = f"row {number} (line {feed.taken[-1][0]})"
        broken = broken or next((fault for _, _, fault in feed.taken if fault), None)
        if broken is not None:
            yield place, broken
        elif len(values) == len(header):
            yield place, dict(zip(header, values, strict=True))
        elif len(values) > len(header):
            yield place, RowFault("more values than columns; quote texts with commas", "", feed.text())
        else:
            yield place, RowFault("the row is cut off", f"column {header[len(values)]}", feed.text())


def _refuse_twins(place: str, names: Sequence[str]) -> None:
    """SourceError where two columns have the same name; case and blanks do not tell them apart, no name is no name."""
    counts = Counter(folded for name in names if (folded := name.strip().lower()))
    if twins := [name for name, count in counts.items() if count > 1]:
        raise SourceError(f"{place}: two columns have the same name, {told_names(twins)}; rename one of them")


def _parquet(source: Input) -> Iterator[tuple[str, Mapping[str, Any] | RowFault]]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    with tempfile.TemporaryFile() as unpacked_file:
        raw: Any = source.file
        if isinstance(getattr(source.file, "raw", None), gzip.GzipFile):
            # The footer is at the end: seeking in gzip would decompress again and again.
            shutil.copyfileobj(source.file, unpacked_file)
            raw = unpacked_file
        try:
            number = 0
            opened = parquet.ParquetFile(raw)
            _refuse_twins(source.name, opened.schema_arrow.names)
            for batch in opened.iter_batches(batch_size=1000):
                columns = [_plain_times(column).to_pylist() for column in batch.columns]
                for values in zip(*columns, strict=True):
                    number += 1
                    yield f"row {number}", dict(zip(batch.schema.names, values, strict=True))
        except (pa.ArrowException, OSError) as error:
            after = f" after row {number}" if number else ""
            raise SourceError(f"{source.name}: broken Parquet{after} ({error})"[:400]) from None


def _plain_times(column: Any) -> Any:
    """Nanoseconds as microseconds, which the standard library's datetime can hold."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return column


def _sections(source: Input, sections: Iterator[Section]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    name = source.name.rsplit("/", 1)[-1]
    for section in sections:
        where = " > ".join((*section.path, section.title))
        yield f"line {section.line}", {"id": f"{name}#{where}", "question": section.title, "answer": section.text}


def _markdown(source: Input) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return _sections(source, markdown_sections(source.text()))


def _html(source: Input) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return _sections(source, html_sections(source.text()))


DOCUMENTS = (_markdown, _html)
"""Readers of published texts."""
Reader = Callable[[Input], Iterator[tuple[str, Mapping[str, Any] | RowFault]]]
"""Yields (place, row as the file has it, or why it cannot be read); SourceError where the file is broken."""
READERS: dict[str, Reader] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _csv,
    ".parquet": _parquet,
    ".md": _markdown,
    ".html": _html,
}
"""Ending to reader; `.gz` may follow every ending. A new format is one function here: docs/extending.md."""
