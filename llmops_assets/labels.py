"""Labels between the lake and people: what is asked of them, what they answer, and what a measured model adds.

Files and formats are `lib.labelling.labelfiles`; here they meet the days that the lake holds. Questions come out of
the lake, so they are redacted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from llmops_assets.lib.labelling.days import Open, find_rows, intents_of
from llmops_assets.lib.labelling.labelfiles import MACHINE, Label, LabelError, check_labels, read_labels
from llmops_assets.lib.labelling.llm import Agreement, Ask, label_questions
from llmops_assets.lib.labelling.queue import QueueItem, from_jsonl
from resources.lake.base import Lake

FOLDER = "data/labelled_conversations/"
QUEUES = f"{FOLDER}queue/"


@dataclass(frozen=True)
class Checked:
    """Labels of a file that fit the lake, the days their rows stand in, and intents nobody used before."""

    labels: tuple[Label, ...]
    days: tuple[str, ...]
    new_intents: tuple[str, ...]


def labelled_days(lake: Lake) -> tuple[Open, ...]:
    """The labelled days of main, newest first. LabelError when there is none."""
    commit = lake.resolve("main")
    paths = [s.path for s in lake.list(commit, FOLDER) if s.path.endswith(".parquet")]
    if not paths:
        raise LabelError("the lake holds no labelled day: materialize labelled_conversations first (`make build`)")
    return tuple(lambda at=path: lake.open(commit, at) for path in sorted(paths, reverse=True))


def open_queue(lake: Lake, labels: Mapping[str, Label], limit: int, since: date | None = None) -> list[QueueItem]:
    """The rows to label that no person has labelled, newest day first."""
    commit, items = lake.resolve("main"), []
    paths = [s.path for s in lake.list(commit, QUEUES) if since is None or Path(s.path).stem >= str(since)]
    for path in sorted(paths, reverse=True):
        items += [i for i in from_jsonl(lake.get(commit, path)) if not _by_person(labels.get(i.row_id))]
        if len(items) >= limit:
            break
    return items[:limit]


def check(lake: Lake, file: Path, *, new_intents: bool = False) -> Checked:
    """A file's labels, held against the rows and intents of the lake. LabelError that names what does not fit."""
    found, days = read_labels(file), labelled_days(lake)
    rows = list(find_rows(days, (p.label.row_id for p in found), ("row_id", "day")))
    known = intents_of(days)
    check_labels(file, found, {row["row_id"] for row in rows}, known, new_intents=new_intents)
    labels = tuple(p.label for p in found)
    fresh = {label.intent for label in labels} - known - {""}
    return Checked(labels, tuple(sorted({row["day"] for row in rows})), tuple(sorted(fresh)))


def ask_model(
    lake: Lake,
    labels: Mapping[str, Label],
    ask: Ask,
    cleared: Callable[[str], bool],
    *,
    model: str,
    limit: int,
    minimum_rows: int,
    floor: float,
) -> tuple[list[Label], Agreement]:
    """A model's labels for the queue, after measuring it on the rows that people labelled.

    A text that `cleared` does not pass is not sent. AgreementError as in `label_questions`.
    """
    days = labelled_days(lake)
    people = {row_id: label for row_id, label in labels.items() if _by_person(label)}
    rows = {r["row_id"]: r["question"] for r in find_rows(days, people, ("row_id", "question"))}
    known = [(text, people[row_id].intent) for row_id, text in sorted(rows.items()) if cleared(text)]
    queue = [item for item in open_queue(lake, labels, limit) if cleared(item.question)]
    intents = sorted(intents_of(days))
    found, measured = label_questions(
        ask, [item.question for item in queue], intents, known, minimum_rows=minimum_rows, floor=floor
    )
    made = [
        Label(row_id=item.row_id, intent=intent, annotator=f"{MACHINE}{model}")
        for item, intent in zip(queue, found, strict=True)
        if intent
    ]
    return made, measured


def _by_person(label: Label | None) -> bool:
    return label is not None and not label.annotator.startswith(MACHINE)
