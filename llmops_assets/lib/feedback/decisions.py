"""Held-back feedback out to people in a file, and what they decide back in: CSV or JSONL, checked row by row.

What is decided is kept as JSONL files named by their content, so that taking the same file in twice changes nothing.
"""

import csv
import io
import json
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from llmops_assets.lib.cells import escaped, restored
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import Record

FORMATS = ("csv", "jsonl")
Verdict = Literal["release", "reject"]
VERDICTS = get_args(Verdict)
SHOWN = 5


class DecisionError(LlmopsError, ValueError):
    """A file of decisions cannot be used; the message names the places and what to do."""


class HeldItem(Record):
    """Feedback that waits, as a person reads it; `serves` says whether the answer's release serves still."""

    row_id: str
    day: str
    question: str
    served: str
    correction: str
    rating: int
    article: str
    release: str
    serves: Literal["yes", "no"]
    reasons: str


class Decision(Record):
    """A person's word on held-back feedback: it may teach, or never. `time` is ISO 8601."""

    row_id: str
    decision: Verdict
    annotator: str = ""
    time: str = ""


_COLUMNS = (*HeldItem.model_fields, "decision", "annotator")


def write_items(items: Sequence[HeldItem], form: str) -> str:
    """The text of a file to decide in: `decision` and `annotator` are empty."""
    rows = [{**item.model_dump(), "decision": "", "annotator": ""} for item in items]
    if form == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if form != "csv":
        raise DecisionError(f"format {form!r} is not written; give one of {', '.join(FORMATS)}")
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    # A customer's words must not run in the spreadsheet of the person who reads them.
    writer.writerows({n: escaped(v) if isinstance(v, str) else v for n, v in row.items()} for row in rows)
    return buffer.getvalue()


def read_decisions(path: Path, held: Collection[str]) -> list[Decision]:
    """The decisions of a file; rows without one are skipped. DecisionError names what is broken, or not held back."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DecisionError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DecisionError(f"{path}, line {line}: not UTF-8; save the file as UTF-8") from None
    found: list[Decision] = []
    unknown: list[str] = []
    for place, row in _json_rows(path, text) if text.lstrip().startswith("{") else _csv_rows(path, text):
        if missing := [name for name in ("row_id", "decision") if name not in row]:
            raise DecisionError(f"{path}, {place}: no {missing[0]!r}; there are {', '.join(map(str, row))}")
        said = str(row["decision"] or "").strip().lower()
        if not said:
            continue
        if said not in VERDICTS:
            raise DecisionError(f"{path}, {place}: decision {said[:40]!r}; write {' or '.join(VERDICTS)}")
        name = str(row["row_id"])
        if name not in held:
            unknown.append(f"{place}: {name[:60]!r}")
        annotator = str(row.get("annotator") or "").strip()
        found.append(Decision.model_validate({"row_id": name, "decision": said, "annotator": annotator}))
    if unknown:
        places = "; ".join(unknown[:SHOWN]) + ("; …" if len(unknown) > SHOWN else "")
        raise DecisionError(
            f"{path}: {len(unknown)} rows are not held back ({places}); decide rows of `llmops feedback export`"
        )
    said_of: dict[str, Decision] = {}
    for one in found:
        if said_of.setdefault(one.row_id, one).decision != one.decision:
            raise DecisionError(f"{path}: {one.row_id!r} is released and rejected in one file; keep one of the two")
    if not found:
        raise DecisionError(f"{path}: holds no decision; fill the column `decision` with {' or '.join(VERDICTS)}")
    return found


def _json_rows(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DecisionError(f"{path}, line {number}, column {error.colno}: broken JSON ({error.msg})") from None
        if not isinstance(row, dict):
            raise DecisionError(f"{path}, line {number}: a {type(row).__name__}; every line must be an object")
        yield f"line {number}", row


def _csv_rows(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise DecisionError(f"{path}, line {reader.line_num}: another number of values than columns")
            yield f"line {reader.line_num}", {name: restored(value) for name, value in row.items()}
    except csv.Error as error:
        raise DecisionError(f"{path}, line {reader.reader.line_num}: broken CSV ({error})") from None


def keep_decisions(folder: Path, decisions: Sequence[Decision], now: datetime) -> tuple[Path, bool]:
    """(file, whether it is new): decisions as JSONL under their content's hash, dated `now`."""
    ordered = sorted({(one.row_id, one.decision, one.annotator): one for one in decisions}.items())
    target = folder / f"{hash_json([key for key, _ in ordered])[:32]}.jsonl"
    if target.exists():
        return target, False
    folder.mkdir(parents=True, exist_ok=True)
    dated = [one.model_copy(update={"time": now.astimezone(UTC).isoformat(timespec="seconds")}) for _, one in ordered]
    unfinished = folder / f".{uuid.uuid4().hex}"
    unfinished.write_text("".join(one.model_dump_json() + "\n" for one in dated), encoding="utf-8")
    unfinished.replace(target)
    return target, True


def kept_decisions(folder: Path) -> dict[str, Decision]:
    """Row to the last word on it out of all kept files; of two at one time, the rejection."""
    found = [
        Decision.model_validate_json(line)
        for file in sorted(folder.glob("*.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    return {one.row_id: one for one in sorted(found, key=lambda one: (one.time, one.decision == "reject"))}
