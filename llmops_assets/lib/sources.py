"""Conversations from files of any support system: JSONL, CSV or Parquet, read row by row with clear errors.

What is read here is not redacted yet: callers hold a row only until the redactor has seen it.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from llmops_assets.lib.hashing import hash_json

COLUMNS: dict[str, tuple[str, ...]] = {
    "question": ("question", "instruction", "query", "utterance", "prompt", "message", "text"),
    "answer": ("answer", "response", "reply", "completion", "output"),
    "intent": ("intent", "label", "category", "topic"),
    "time": ("time", "timestamp", "created_at", "date", "datetime"),
    "subject": ("subject", "customer", "user", "customer_id", "user_id", "email"),
    "source": ("source", "channel"),
    "id": ("id", "conversation_id", "row_id"),
    "rating": ("rating",),
    "correction": ("correction",),
}
"""Our columns and the names they are recognised by, best first."""
REQUIRED = ("question", "answer")
MAX_TEXT = 20_000
"""Characters of one text; longer ones are a sign of a broken quote."""


class SourceError(ValueError):
    """A file cannot be used; the message names file, row and column and what to do."""


@dataclass(frozen=True)
class RawRow:
    """One conversation as its source has it, not redacted. `number` counts rows of the file from 1."""

    number: int
    id: str
    question: str
    answer: str
    intent: str
    time: datetime | None
    subject: str
    source: str
    rating: int
    correction: str


def read_rows(path: Path, mapping: Mapping[str, str] | None = None, form: str = "") -> Iterator[RawRow]:
    """The rows of a file, in order, reading as little ahead as the format allows.

    `mapping` names the file's column for some of ours; the others are recognised by common names. `form` (jsonl, csv
    or parquet) goes before the file's ending. SourceError on the first thing wrong.
    """
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    if form and f".{form.lower()}" not in READERS:
        raise SourceError(f"{path}: format {form!r} is not read; give one of {', '.join(f[1:] for f in READERS)}")
    reader = READERS.get(f".{form.lower()}" if form else path.suffix.lower())
    if reader is None:
        raise SourceError(
            f"{path}: format {path.suffix or '(none)'} is not read; give one of {', '.join(READERS)}, or name the "
            "format (FORMAT=csv)"
        )
    columns: dict[str, str] | None = None
    number = 0
    for place, row in reader(path):
        if columns is None or reader is _jsonl:
            columns = _columns(path, place, row, mapping or {})
        number += 1
        yield _row(path, place, number, row, columns)
    if number == 0:
        raise SourceError(f"{path}: holds no rows")


def check(path: Path, mapping: Mapping[str, str] | None = None, form: str = "") -> int:
    """Read a whole file and return its number of rows; SourceError on the first thing wrong."""
    return sum(1 for _ in read_rows(path, mapping, form))


def _row(path: Path, place: str, number: int, row: Mapping[str, Any], columns: Mapping[str, str]) -> RawRow:
    values = {name: row.get(column) for name, column in columns.items()}
    texts: dict[str, str] = {}
    for name in ("question", "answer", "intent", "subject", "source", "correction", "id"):
        value = values.get(name)
        if value is not None and not isinstance(value, (str, int, float)):
            raise SourceError(f"{path}, {place}, column {columns[name]}: a {type(value).__name__} is no text")
        texts[name] = "" if value is None or value != value else str(value).strip()
        if len(texts[name]) > MAX_TEXT:
            raise SourceError(
                f"{path}, {place}, column {columns[name]}: {len(texts[name])} characters; at most {MAX_TEXT} are read. "
                "Is a quotation mark missing?"
            )
    for name in REQUIRED:
        if not texts[name]:
            raise SourceError(f"{path}, {place}, column {columns[name]}: is empty; fill it or remove the row")
    return RawRow(
        number=number,
        id=texts["id"] or hash_json([path.name, number])[:20],
        question=texts["question"],
        answer=texts["answer"],
        intent=texts["intent"],
        time=_time(path, place, columns.get("time", ""), values.get("time")),
        subject=texts["subject"],
        source=texts["source"] or path.stem,
        rating=_rating(path, place, columns.get("rating", ""), values.get("rating")),
        correction=texts["correction"],
    )


def _columns(path: Path, place: str, row: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, str]:
    by_lower = {str(name).strip().lower(): str(name) for name in row if name is not None}
    unknown = [name for name in mapping if name not in COLUMNS]
    if unknown:
        raise SourceError(f"{path}: {unknown[0]!r} in the mapping is none of {', '.join(COLUMNS)}")
    found: dict[str, str] = {}
    for name, aliases in COLUMNS.items():
        if name in mapping:
            if mapping[name] not in row:
                raise SourceError(f"{path}, {place}: no column {mapping[name]!r}; there are {', '.join(map(str, row))}")
            found[name] = mapping[name]
            continue
        for alias in aliases:
            if alias in by_lower and by_lower[alias] not in found.values():
                found[name] = by_lower[alias]
                break
    for name in REQUIRED:
        if name not in found:
            raise SourceError(
                f"{path}, {place}: no column for the {name}; it is recognised as one of {', '.join(COLUMNS[name])}, "
                f"there are {', '.join(by_lower) or 'none'}. Rename one, or give MAP={name}=<column>"
            )
    return found


def _time(path: Path, place: str, column: str, value: Any) -> datetime | None:
    if value is None or value == "" or value != value:
        return None
    try:
        if isinstance(value, (int, float)):
            parsed = datetime.fromtimestamp(value / (1000 if value > 1e11 else 1), UTC)
        elif isinstance(value, datetime):
            parsed = value
        elif isinstance(value, date):
            parsed = datetime(value.year, value.month, value.day)
        else:
            parsed = datetime.fromisoformat(str(value).strip())
    except (ValueError, OverflowError, OSError):
        raise SourceError(
            f"{path}, {place}, column {column}: {str(value)[:40]!r} is no time; write 2026-03-02T14:05:00+00:00"
        ) from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)


def _rating(path: Path, place: str, column: str, value: Any) -> int:
    if value is None or value == "" or value != value:
        return 0
    try:
        rating = int(float(value))
    except (TypeError, ValueError):
        rating = 9
    if rating not in (-1, 0, 1):
        raise SourceError(f"{path}, {place}, column {column}: {str(value)[:20]!r} is no rating; use -1, 0 or 1")
    return rating


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise SourceError(
                    f"{path}, line {number}, byte {error.start + 1} of the line: not UTF-8; save the file as UTF-8 "
                    "(for example: iconv -f latin1 -t utf-8)"
                ) from None


def _jsonl(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line.rstrip("\r\n"))
        except json.JSONDecodeError as error:
            raise SourceError(f"{path}, line {number}, character {error.pos + 1}: broken JSON ({error.msg})") from None
        if not isinstance(row, dict):
            raise SourceError(f"{path}, line {number}: a {type(row).__name__}; every line must be a JSON object")
        yield f"line {number}", row


def _csv(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    with path.open("rb") as opened:
        start = opened.read(65536).decode("utf-8", errors="replace")
    try:
        delimiter = csv.Sniffer().sniff(start.split("\n", 1)[0], ",;\t|").delimiter
    except csv.Error:
        delimiter = ","
    reader = csv.DictReader((line for _, line in _lines(path)), delimiter=delimiter, strict=True)
    number = 0
    try:
        for number, row in enumerate(reader, start=1):
            if None in row:
                raise SourceError(
                    f"{path}, row {number} (line {reader.line_num}): more values than columns; quote texts with commas"
                )
            if None in row.values():
                missing = next(name for name, value in row.items() if value is None)
                raise SourceError(
                    f"{path}, row {number} (line {reader.line_num}), column {missing}: the row is cut off"
                )
            yield f"row {number}", row
    except csv.Error as error:
        raise SourceError(f"{path}, row {number + 1} (line {reader.line_num}): broken CSV ({error})") from None


def _parquet(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        file = parquet.ParquetFile(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise SourceError(f"{path}: broken Parquet ({error})") from None
    number = 0
    for batch in file.iter_batches(batch_size=1000):
        for row in batch.to_pylist():
            number += 1
            yield f"row {number}", row


Reader = Callable[[Path], Iterator[tuple[str, Mapping[str, Any]]]]
"""Yields (place for error messages, row as its file has it); SourceError where the file is broken."""
READERS: dict[str, Reader] = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet}
"""Ending to reader. A new format is one function here: docs/extending.md."""
