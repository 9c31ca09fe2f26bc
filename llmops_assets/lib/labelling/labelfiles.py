"""Labels that people give, in and out of files: CSV, JSONL, Argilla 2 and Label Studio.

What goes out is a queue of rows; what comes in is checked row by row before anything is kept (lib/forms.py).
Formats: https://docs.argilla.io/latest/how_to_guides/import_export/ and https://labelstud.io/guide/task_format.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from llmops_assets.lib import forms
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.labelling.queue import QueueItem
from llmops_assets.lib.records import Record

FORMATS = ("csv", "jsonl", "argilla", "labelstudio")
QUESTION = "intent"
"""Name of the question in Argilla, and of the choice in Label Studio."""
UNKNOWN_NAME = "unknown"
"""What a person writes where none of the intents fits."""
MACHINE = "llm:"
"""Start of the annotator's name where a language model labelled."""
AGENT = "llmops_assets"
_COLUMNS = (*QueueItem.model_fields, "intent", "annotator", "time")


class LabelError(LlmopsError, ValueError):
    """A file of labels cannot be used; the message names the places and what to do."""


class Label(Record):
    """One person's (or model's) intent for a row; "" where none fits. `time` is ISO 8601."""

    row_id: str
    intent: str
    annotator: str = ""
    time: str = ""


@dataclass(frozen=True)
class Placed:
    """A label with its place in a file."""

    place: str
    label: Label


# -- out --------------------------------------------------------------------------------------------------------


def write_queue(items: Sequence[QueueItem], form: str) -> str:
    """The text of a file to label in: a table with empty `intent`, `annotator` and `time`, or records of a tool."""
    if form == "argilla":
        return json.dumps([_argilla_record(item) for item in items], ensure_ascii=False, indent=1) + "\n"
    if form == "labelstudio":
        return json.dumps([_labelstudio_task(item) for item in items], ensure_ascii=False, indent=1) + "\n"
    rows = [{**item.model_dump(), "intent": "", "annotator": "", "time": ""} for item in items]
    if form == "jsonl":
        return forms.to_jsonl(rows)
    if form != "csv":
        raise LabelError(f"format {form!r} is not written; give one of {', '.join(FORMATS)}")
    return forms.to_csv(_COLUMNS, rows)


def labelstudio_config(intents: Sequence[str]) -> str:
    """The labelling interface that a Label Studio project needs for these tasks."""
    choices = "".join(f"    <Choice value={quoteattr(name)}/>\n" for name in (*intents, UNKNOWN_NAME))
    return (
        '<View>\n  <Text name="question" value="$question"/>\n  <Text name="answer" value="$answer"/>\n'
        f'  <Choices name="{QUESTION}" toName="question" choice="single">\n{choices}  </Choices>\n</View>\n'
    )


def _argilla_record(item: QueueItem) -> dict[str, Any]:
    suggestion = {"value": item.suggested_intent, "score": item.confidence, "agent": AGENT}
    return {
        "id": item.row_id,
        "fields": {"question": item.question, "answer": item.answer},
        "metadata": {"day": item.day, "given_intent": item.given_intent, "reason": item.reason},
        "suggestions": {QUESTION: suggestion} if item.suggested_intent else {},
        "responses": {},
        "vectors": {},
        "_server_id": None,
    }


def _labelstudio_task(item: QueueItem) -> dict[str, Any]:
    data = item.model_dump(include={"row_id", "day", "question", "answer", "given_intent", "reason"})
    if not item.suggested_intent:
        return {"data": data}
    choice = {
        "id": hash_json([item.row_id, QUESTION])[:10],
        "from_name": QUESTION,
        "to_name": "question",
        "type": "choices",
        "value": {"choices": [item.suggested_intent]},
    }
    return {"data": data, "predictions": [{"model_version": AGENT, "score": item.confidence, "result": [choice]}]}


# -- in ---------------------------------------------------------------------------------------------------------


def read_labels(path: Path) -> list[Placed]:
    """The labels of a file in any of the formats, told apart by content; rows without an intent are skipped.

    LabelError with line or record for what is broken.
    """
    found = [
        Placed(place, label)
        for place, record in forms.records(path, LabelError)
        for label in _labels_of(f"{path}, {place}", record)
    ]
    if not found:
        raise LabelError(f"{path}: holds no label; fill the column `intent` of a queue, or export finished records")
    return found


def check_labels(
    path: Path, found: Sequence[Placed], rows: Collection[str], intents: Collection[str], *, new_intents: bool = False
) -> None:
    """LabelError that names the places of unknown rows and, unless `new_intents`, of unknown intents."""
    unknown = [p for p in found if p.label.row_id not in rows]
    if unknown:
        places = forms.places(f"{p.place}: {p.label.row_id!r}" for p in unknown)
        raise LabelError(
            f"{path}: {len(unknown)} row ids are in no day of the lake ({places}); label rows of `llmops labels export`"
        )
    known = {*intents, ""}
    strange = [p for p in found if p.label.intent not in known]
    if strange and not new_intents:
        places = forms.places(f"{p.place}: {p.label.intent!r}" for p in strange)
        raise LabelError(
            f"{path}: {len(strange)} labels name an intent nobody used before ({places}); correct them, or give "
            "--new-intents"
        )


def spelled(found: Sequence[Placed], intents: Collection[str]) -> list[Placed]:
    """The labels with their intents as they are known, where only case or blanks inside differ."""
    known: dict[str, set[str]] = defaultdict(set)
    for intent in intents:
        known[_folded(intent)].add(intent)

    def named(label: Label) -> Label:
        alike = known.get(_folded(label.intent), set())
        if label.intent in alike or len(alike) != 1:
            return label
        return label.model_copy(update={"intent": next(iter(alike))})

    return [Placed(placed.place, named(placed.label)) for placed in found]


def _folded(intent: str) -> str:
    return " ".join(intent.casefold().replace("_", " ").split())


def _labels_of(place: str, record: Mapping[str, Any]) -> list[Label]:
    if isinstance(record.get("responses"), dict) and "fields" in record:
        return _from_argilla(place, record)
    if f"{QUESTION}.responses" in record:
        return _from_flat_argilla(place, record)
    if isinstance(record.get("data"), dict):
        return _from_labelstudio(place, record)
    if "row_id" not in record or QUESTION not in record:
        missing = "row_id" if "row_id" not in record else QUESTION
        raise LabelError(f"{place}: no {missing!r}; there are {', '.join(map(str, record)) or 'no columns'}")
    intent = record[QUESTION]
    if intent is None or intent == "":
        return []
    time = record.get("time") or record.get("updated_at") or record.get("created_at") or ""
    return [_label(place, record["row_id"], intent, record.get("annotator"), time)]


def _from_argilla(place: str, record: Mapping[str, Any]) -> list[Label]:
    responses = record["responses"].get(QUESTION) or []
    if not isinstance(responses, list) or not all(isinstance(r, dict) and "value" in r for r in responses):
        raise LabelError(f"{place}: responses.{QUESTION} is no list of responses as Argilla 2 writes them")
    return [_label(place, record.get("id"), r["value"], r.get("user_id"), "") for r in responses]


def _from_flat_argilla(place: str, record: Mapping[str, Any]) -> list[Label]:
    values = record[f"{QUESTION}.responses"] or []
    users = record.get(f"{QUESTION}.responses.users") or [""] * len(values)
    states = record.get(f"{QUESTION}.responses.status") or ["submitted"] * len(values)
    given = zip(values, users, states, strict=True)
    return [_label(place, record.get("id"), v, user, "") for v, user, status in given if status == "submitted"]


def _from_labelstudio(place: str, record: Mapping[str, Any]) -> list[Label]:
    labels = []
    for annotation in record.get("annotations") or []:
        if annotation.get("was_cancelled"):
            continue
        person = annotation.get("completed_by")
        if isinstance(person, dict):
            person = person.get("email") or person.get("id")
        time = annotation.get("updated_at") or annotation.get("created_at") or ""
        for result in annotation.get("result") or []:
            if result.get("from_name") == QUESTION and result.get("type") == "choices":
                choices = result["value"]["choices"]
                if len(choices) != 1:
                    raise LabelError(f"{place}: {len(choices)} intents in one annotation; a row has one")
                labels.append(_label(place, record["data"].get("row_id"), choices[0], person, time))
    return labels


def _label(place: str, row_id: Any, intent: Any, annotator: Any, time: Any) -> Label:
    if not isinstance(row_id, (str, int)) or row_id == "":
        raise LabelError(f"{place}: no row id")
    if not isinstance(intent, str) or not intent.strip() or len(intent) > 200:
        raise LabelError(f"{place}: the intent of row {row_id!r} is no name but {str(intent)[:40]!r}")
    named, told = intent.strip(), str(time).strip()
    if told and _moment(told) is None:
        raise LabelError(
            f"{place}: the time {told[:20]!r} of row {row_id!r} is none of ISO 8601 (2026-03-05T10:00:00+00:00): "
            "a spreadsheet may have changed it, and it cannot be told which label is the latest. Set the format of the "
            "column to text, or leave it empty: the time of the import counts then"
        )
    return Label(
        row_id=str(row_id),
        intent="" if named.lower() == UNKNOWN_NAME else named,
        annotator="" if annotator is None else str(annotator).strip(),
        time=told,
    )


def _moment(text: str) -> datetime | None:
    """A time in ISO 8601 (UTC where it names no offset), or None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


# -- kept -------------------------------------------------------------------------------------------------------


def keep_labels(folder: Path, labels: Sequence[Label], time: str) -> tuple[Path, bool]:
    """(file, whether it is new): labels as JSONL under their content's hash. `time` is set where a label has none."""
    ordered = sorted({label.model_dump_json(): label for label in labels}.items())
    timed = [label if label.time else label.model_copy(update={"time": time}) for _, label in ordered]
    return forms.keep(folder, [text for text, _ in ordered], (label.model_dump_json() for label in timed))


def kept_labels(folder: Path) -> dict[str, Label]:
    """Row id to its one label out of all kept files: see `settle`."""
    labels: dict[str, list[Label]] = defaultdict(list)
    for label in map(Label.model_validate_json, forms.kept(folder)):
        labels[label.row_id].append(label)
    return {row_id: settle(given) for row_id, given in sorted(labels.items())}


def settle(labels: Sequence[Label]) -> Label:
    """One label out of several for a row: people before machines, each one's last word, the most named, the latest."""
    people = [label for label in labels if not label.annotator.startswith(MACHINE)] or list(labels)
    last = {label.annotator: label for label in sorted(people, key=lambda one: (_when(one), one.intent))}
    votes = Counter(label.intent for label in last.values())
    return max(last.values(), key=lambda one: (votes[one.intent], _when(one), one.intent))


def _when(label: Label) -> datetime:
    """When a label was given; a time that cannot be read, which older versions kept, is before all others."""
    return _moment(label.time) or datetime.min.replace(tzinfo=UTC)
