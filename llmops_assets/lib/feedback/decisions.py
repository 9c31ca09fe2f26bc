"""Held-back feedback out to people in a file (lib/forms.py), and what they decide back in, checked row by row."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from llmops_assets.lib import forms
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import Record
from llmops_assets.lib.wording import many

FORMATS = ("csv", "jsonl")
Verdict = Literal["release", "reject"]
VERDICTS = get_args(Verdict)


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
        return forms.to_jsonl(rows)
    if form != "csv":
        raise DecisionError(f"format {form!r} is not written; give one of {', '.join(FORMATS)}")
    return forms.to_csv(_COLUMNS, rows)


def read_decisions(path: Path, held: Collection[str]) -> list[Decision]:
    """The decisions of a file; rows without one are skipped. DecisionError names what is broken, or not held back."""
    found: list[Decision] = []
    unknown: list[str] = []
    for place, row in forms.records(path, DecisionError):
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
        raise DecisionError(
            f"{path}: not held back: {many(len(unknown), 'row')} ({forms.places(unknown)}); decide rows of "
            "`llmops feedback export`"
        )
    said_of: dict[str, Decision] = {}
    for one in found:
        if said_of.setdefault(one.row_id, one).decision != one.decision:
            raise DecisionError(f"{path}: {one.row_id!r} is released and rejected in one file; keep one of the two")
    if not found:
        raise DecisionError(f"{path}: holds no decision; fill the column `decision` with {' or '.join(VERDICTS)}")
    return found


def keep_decisions(folder: Path, decisions: Sequence[Decision], now: datetime) -> tuple[Path, bool]:
    """(file, whether it is new): decisions as JSONL under their content's hash, dated `now`."""
    ordered = sorted({(one.row_id, one.decision, one.annotator): one for one in decisions}.items())
    dated = [one.model_copy(update={"time": now.astimezone(UTC).isoformat(timespec="seconds")}) for _, one in ordered]
    return forms.keep(folder, [key for key, _ in ordered], (one.model_dump_json() for one in dated))


def kept_decisions(folder: Path) -> dict[str, Decision]:
    """Row to the last word on it out of all kept files; of two at one time, the rejection."""
    found = [Decision.model_validate_json(line) for line in forms.kept(folder)]
    return {one.row_id: one for one in sorted(found, key=lambda one: (one.time, one.decision == "reject"))}
