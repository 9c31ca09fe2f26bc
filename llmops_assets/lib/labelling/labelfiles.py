"""Labels that people give, in and out of files: CSV, JSONL, Argilla 2 and Label Studio.

What goes out is a queue of rows; what comes in is checked row by row before anything is kept. Kept labels are JSONL
files named by their content, so that taking the same file in twice changes nothing.
Formats: https://docs.argilla.io/latest/how_to_guides/import_export/ and https://labelstud.io/guide/task_format.
"""

import csv
import io
import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from llmops_assets.lib.cells import escaped, restored
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
SHOWN = 5
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
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if form != "csv":
        raise LabelError(f"format {form!r} is not written; give one of {', '.join(FORMATS)}")
    buffer = io.StringIO()
    # As RFC 4180 ends lines, which also quotes a carriage return in a text.
    writer = csv.DictWriter(buffer, _COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    # A customer's words must not run in the spreadsheet of the person who labels them.
    writer.writerows({n: escaped(v) if isinstance(v, str) else v for n, v in row.items()} for row in rows)
    return buffer.getvalue()


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
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise LabelError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise LabelError(f"{path}, line {line}: not UTF-8; save the file as UTF-8") from None
    start = text.lstrip()[:1]
    records = _json_records(path, text) if start == "[" else _json_lines(path, text) if start == "{" else None
    found = []
    for place, record in _csv_records(path, text) if records is None else records:
        found += [Placed(place, label) for label in _labels_of(f"{path}, {place}", record)]
    if not found:
        raise LabelError(f"{path}: holds no label; fill the column `intent` of a queue, or export finished records")
    return found


def check_labels(
    path: Path, found: Sequence[Placed], rows: Collection[str], intents: Collection[str], *, new_intents: bool = False
) -> None:
    """LabelError that names the places of unknown rows and, unless `new_intents`, of unknown intents."""
    unknown = [p for p in found if p.label.row_id not in rows]
    if unknown:
        places = _places(f"{p.place}: {p.label.row_id!r}" for p in unknown)
        raise LabelError(
            f"{path}: {len(unknown)} row ids are in no day of the lake ({places}); label rows of `llmops labels export`"
        )
    known = {*intents, ""}
    strange = [p for p in found if p.label.intent not in known]
    if strange and not new_intents:
        places = _places(f"{p.place}: {p.label.intent!r}" for p in strange)
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


def _places(places: Iterable[str]) -> str:
    listed = list(places)
    return "; ".join(listed[:SHOWN]) + ("; …" if len(listed) > SHOWN else "")


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


def _json_records(path: Path, text: str) -> list[tuple[str, Mapping[str, Any]]]:
    try:
        records = json.loads(text)
    except json.JSONDecodeError as error:
        raise LabelError(f"{path}, line {error.lineno}, column {error.colno}: broken JSON ({error.msg})") from None
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise LabelError(f"{path}, record {number}: a {type(record).__name__}; every record must be an object")
    return [(f"record {number}", record) for number, record in enumerate(records, start=1)]


def _json_lines(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise LabelError(f"{path}, line {number}, column {error.colno}: broken JSON ({error.msg})") from None
        if not isinstance(record, dict):
            raise LabelError(f"{path}, line {number}: a {type(record).__name__}; every line must be an object")
        yield f"line {number}", record


def _csv_records(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "\n" not in text:
        text = text.replace("\r", "\n")
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        counts = Counter(name.strip().lower() for name in reader.fieldnames or ())
        if twins := [name for name, count in counts.items() if name and count > 1]:
            raise LabelError(f"{path}, line 1: two columns are named {twins[0][:40]!r}; rename or remove one")
        for row in reader:
            if None in row or None in row.values():
                raise LabelError(f"{path}, line {reader.line_num}: another number of values than columns")
            yield f"line {reader.line_num}", {name: restored(value) for name, value in row.items()}
    except csv.Error as error:
        raise LabelError(f"{path}, line {reader.reader.line_num}: broken CSV ({error})") from None


# -- kept -------------------------------------------------------------------------------------------------------


def keep_labels(folder: Path, labels: Sequence[Label], time: str) -> tuple[Path, bool]:
    """(file, whether it is new): labels as JSONL under their content's hash. `time` is set where a label has none."""
    ordered = sorted({label.model_dump_json(): label for label in labels}.items())
    target = folder / f"{hash_json([text for text, _ in ordered])[:32]}.jsonl"
    if target.exists():
        return target, False
    folder.mkdir(parents=True, exist_ok=True)
    timed = [label if label.time else label.model_copy(update={"time": time}) for _, label in ordered]
    unfinished = folder / f".{uuid.uuid4().hex}"
    unfinished.write_text("".join(label.model_dump_json() + "\n" for label in timed), encoding="utf-8")
    unfinished.replace(target)
    return target, True


def kept_labels(folder: Path) -> dict[str, Label]:
    """Row id to its one label out of all kept files: see `settle`."""
    labels: dict[str, list[Label]] = defaultdict(list)
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            label = Label.model_validate_json(line)
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
