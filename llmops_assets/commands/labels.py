"""Labels between the lake and people: what is asked of them, what they answer, and what a measured model adds.

Files and formats are `lib.labelling.labelfiles`; here they meet the days that the lake holds. Questions come out of
the lake, so they are redacted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from llmops_assets.lib.labelling.days import Open, find_rows, intents_of
from llmops_assets.lib.labelling.labelfiles import (
    MACHINE,
    Label,
    LabelError,
    check_labels,
    keep_labels,
    kept_labels,
    read_labels,
    spelled,
    write_queue,
)
from llmops_assets.lib.labelling.llm import Agreement, Ask, label_questions
from llmops_assets.lib.labelling.queue import QueueItem, from_jsonl
from llmops_assets.lib.tables import batches
from resources import home_folder, open_lake
from resources.lake.base import Lake
from resources.redactor import Redactors
from resources.use_case import UseCaseFiles
from resources.workspace import Workspace

FOLDER = "data/labelled_conversations/"
QUEUES = f"{FOLDER}queue/"
INTERACTIONS = "monitoring/interactions/"


@dataclass(frozen=True)
class Checked:
    """Labels of a file that fit the lake, the days their rows stand in, and intents nobody used before.

    `interactions` counts the labels of questions that customers put to the assistant.
    """

    labels: tuple[Label, ...]
    days: tuple[str, ...]
    new_intents: tuple[str, ...]
    interactions: int = 0


def labelled_days(lake: Lake) -> tuple[Open, ...]:
    """The labelled days of main, newest first. LabelError when there is none."""
    commit = lake.resolve("main")
    # What else is known of a day lies in folders beside it.
    paths = [s.path for s in lake.list(commit, FOLDER) if Path(s.path).match(f"{FOLDER}*.parquet")]
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
    stored = {row["row_id"] for row in rows}
    asked = interactions_among(lake, {p.label.row_id for p in found} - stored)
    known = intents_of(days)
    found = spelled(found, known)
    check_labels(file, found, stored | asked, known, new_intents=new_intents)
    labels = tuple(p.label for p in found)
    fresh = {label.intent for label in labels} - known - {""}
    of_days = tuple(sorted({row["day"] for row in rows}))
    return Checked(labels, of_days, tuple(sorted(fresh)), sum(label.row_id in asked for label in labels))


def interactions_among(lake: Lake, ids: set[str]) -> set[str]:
    """Which of some ids are interactions of the lake: `llmops replay` lists them for people."""
    commit, found = lake.resolve("main"), set()
    for stored in lake.list(commit, INTERACTIONS) if ids else ():
        with lake.open(commit, stored.path) as file:
            found |= {row["id"] for piece in batches(file, ["id"]) for row in piece} & ids
    return found


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


def export(file: Path, form: str, limit: int) -> tuple[int, list[str]]:
    """Write this installation's queue into a file; how many rows, and the intents there are."""
    workspace = Workspace(home_folder())
    lake = open_lake(workspace)
    known = sorted(intents_of(labelled_days(lake)))
    items = open_queue(lake, kept_labels(workspace.labels_folder), limit)
    try:
        file.write_text(write_queue(items, form), encoding="utf-8")
    except OSError as error:
        raise LabelError(f"{file} cannot be written: {error.strerror or error}") from None
    return len(items), known


def checked(file: Path, *, new_intents: bool) -> Checked:
    """`check` against this installation's lake."""
    return check(open_lake(Workspace(home_folder())), file, new_intents=new_intents)


def keep(labels: Sequence[Label]) -> tuple[Path, bool]:
    """Keep labels in this installation: the file they are in, and whether it is new."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return keep_labels(Workspace(home_folder()).labels_folder, labels, now)


def ask(ask: Ask, *, model: str, limit: int, minimum_rows: int, floor: float) -> tuple[list[Label], Agreement]:
    """`ask_model` on this installation's queue."""
    workspace = Workspace(home_folder())
    files = UseCaseFiles(workspace.settings)
    redactor = Redactors(workspace.subject_key, files).of(files.read())
    return ask_model(
        open_lake(workspace),
        kept_labels(workspace.labels_folder),
        ask,
        lambda text: not redactor.leaks(text),
        model=model,
        limit=limit,
        minimum_rows=minimum_rows,
        floor=floor,
    )
