"""Held-back feedback between the lake and people: what waits, and what they decide.

Files and their checks are `lib.feedback.decisions`; here they meet the branch that holds what waits.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from llmops_assets.data.feedback_examples import HELD, QUARANTINE
from llmops_assets.handover import serving
from llmops_assets.lib import tables
from llmops_assets.lib.feedback.decisions import (
    Decision,
    DecisionError,
    HeldItem,
    keep_decisions,
    kept_decisions,
    read_decisions,
    write_items,
)
from resources import home_folder, open_lake
from resources.lake.base import Lake
from resources.workspace import Workspace


@dataclass(frozen=True)
class Checked:
    """Decisions of a file that fit what is held back, and the days that it was said on."""

    decisions: tuple[Decision, ...]
    days: tuple[str, ...]


def held_rows(lake: Lake) -> Iterator[tuple[str, dict[str, Any]]]:
    """(day, row) of everything that is held back, newest day first. DecisionError when nothing ever was."""
    if QUARANTINE not in lake.branches():
        raise DecisionError(
            "no feedback was held back yet: materialize feedback_examples for a day with feedback first"
        )
    commit = lake.resolve(QUARANTINE)
    for stat in sorted(lake.list(commit, HELD), key=lambda stat: stat.path, reverse=True):
        for row in tables.from_parquet(lake.get(commit, stat.path)):
            yield Path(stat.path).stem, row


def waiting(lake: Lake, decided: dict[str, Decision], serves: str, limit: int) -> list[HeldItem]:
    """What nobody has decided yet, the newest day first, and of a day what is most worth deciding."""
    items = []
    for day, row in held_rows(lake):
        if row["row_id"] in decided:
            continue
        items.append(
            HeldItem(
                row_id=row["row_id"],
                day=day,
                question=row["question"],
                served=row["served"],
                correction=row["answer"],
                rating=row["rating"],
                article=row["article"],
                release=row["release"],
                serves="yes" if row["release"] == serves else "no",
                reasons="; ".join(row["reasons"]),
            )
        )
        if len(items) == limit:
            break
    return items


def export(file: Path, form: str, limit: int) -> int:
    """Write what waits in this installation into a file; how many rows."""
    workspace = Workspace(home_folder())
    lake = open_lake(workspace)
    with dg.DagsterInstance.get() as instance:
        live = serving.recorded(instance, lake)
    serves = live.release.release_id if live else ""
    items = waiting(lake, kept_decisions(workspace.feedback_folder), serves, limit)
    text = write_items(items, form)
    try:
        file.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise DecisionError(f"{file} cannot be written: {error.strerror or error}") from None
    return len(items)


def checked(file: Path) -> Checked:
    """The decisions of a file, held against what is held back in this installation."""
    lake = open_lake(Workspace(home_folder()))
    days = {row["row_id"]: day for day, row in held_rows(lake)}
    found = read_decisions(file, days)
    return Checked(tuple(found), tuple(sorted({days[one.row_id] for one in found})))


def told(found: Checked) -> str:
    """How many of which decision, for which days."""
    counts = Counter(one.decision for one in found.decisions)
    each = ", ".join(f"{counts[name]} to {name}" for name in sorted(counts))
    return f"{each}, of {', '.join(found.days)}"


def keep(decisions: Sequence[Decision]) -> tuple[Path, bool]:
    """Keep decisions in this installation: the file they are in, and whether it is new."""
    return keep_decisions(Workspace(home_folder()).feedback_folder, decisions, datetime.now(UTC))


def release_all(workspace: Workspace, lake: Lake, day: str, annotator: str) -> int:
    """Release everything that is held back of a day, unread; how much that is."""
    rows = [row for at, row in held_rows(lake) if at == day]
    found = [Decision(row_id=row["row_id"], decision="release", annotator=annotator) for row in rows]
    if found:
        keep_decisions(workspace.feedback_folder, found, datetime.now(UTC))
    return len(found)
