"""Files that go out for people to fill in and come back: tables for a spreadsheet, JSON lines, a list of JSON objects.

What came back is kept as JSONL files named by their content, so that taking the same file in twice changes nothing.
"""

import csv
import io
import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmops_assets.lib.cells import escaped, restored
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.hashing import hash_json

SHOWN = 5
"""Places that a message names."""

# -- out --------------------------------------------------------------------------------------------------------


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV that a spreadsheet opens; a customer's words do not run in it."""
    buffer = io.StringIO()
    # As RFC 4180 ends lines, which also quotes a carriage return in a text.
    writer = csv.DictWriter(buffer, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({n: escaped(v) if isinstance(v, str) else v for n, v in row.items()} for row in rows)
    return buffer.getvalue()


def to_jsonl(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


# -- in ---------------------------------------------------------------------------------------------------------


def records(path: Path, error: type[LlmopsError]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place, row) of a file in any of the forms, told apart by content. `error` names the place of what is broken."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as failed:
        raise error(f"{path}: {failed.strerror}") from None
    except UnicodeDecodeError as failed:
        line = failed.object[: failed.start].count(b"\n") + 1
        raise error(f"{path}, line {line}: not UTF-8; save the file as UTF-8") from None
    reader = {"[": _json_records, "{": _json_lines}.get(text.lstrip()[:1], _csv_records)
    return reader(path, text, error)


def places(found: Iterable[str]) -> str:
    """The first places, for a message."""
    listed = list(found)
    return "; ".join(listed[:SHOWN]) + ("; …" if len(listed) > SHOWN else "")


def _json_records(path: Path, text: str, error: type[LlmopsError]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as broken:
        raise error(f"{path}, line {broken.lineno}, column {broken.colno}: broken JSON ({broken.msg})") from None
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise error(f"{path}, record {number}: a {type(row).__name__}; every record must be an object")
        yield f"record {number}", row


def _json_lines(path: Path, text: str, error: type[LlmopsError]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as broken:
            raise error(f"{path}, line {number}, column {broken.colno}: broken JSON ({broken.msg})") from None
        if not isinstance(row, dict):
            raise error(f"{path}, line {number}: a {type(row).__name__}; every line must be an object")
        yield f"line {number}", row


def _csv_records(path: Path, text: str, error: type[LlmopsError]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "\n" not in text:
        text = text.replace("\r", "\n")
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        counts = Counter(name.strip().lower() for name in reader.fieldnames or ())
        if twins := [name for name, count in counts.items() if name and count > 1]:
            raise error(f"{path}, line 1: two columns are named {twins[0][:40]!r}; rename or remove one")
        for row in reader:
            if None in row or None in row.values():
                raise error(f"{path}, line {reader.line_num}: another number of values than columns")
            yield f"line {reader.line_num}", {name: restored(value) for name, value in row.items()}
    except csv.Error as broken:
        raise error(f"{path}, line {reader.reader.line_num}: broken CSV ({broken})") from None


# -- kept -------------------------------------------------------------------------------------------------------


def keep(folder: Path, key: Any, lines: Iterable[str]) -> tuple[Path, bool]:
    """(file, whether it is new): lines in a file of the folder named by the hash of `key`, whole or not at all."""
    target = folder / f"{hash_json(key)[:32]}.jsonl"
    if target.exists():
        return target, False
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{uuid.uuid4().hex}"
    unfinished.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    unfinished.replace(target)
    return target, True


def kept(folder: Path) -> Iterator[str]:
    """The lines of all kept files, by the files' names."""
    for file in sorted(folder.glob("*.jsonl")):
        yield from file.read_text(encoding="utf-8").splitlines()
