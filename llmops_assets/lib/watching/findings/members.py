"""The questions of findings: how each was answered, and their rows in the lake."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from llmops_assets.lib import tables
from llmops_assets.lib.answering.smalltalk import words
from llmops_assets.lib.records import Finding, FindingDay
from llmops_assets.lib.watching.answered import attacked, failed, poorly_answered

COLUMNS: tables.Columns = (
    ("finding", tables.TEXT),
    *((name, tables.TEXT) for name in ("id", "time", "question", "sender", "intent", "guard", "correction", "learned")),
    *((name, "bool") for name in ("badly", "handed_over", "failed", "held")),
)


@dataclass(frozen=True)
class Member:
    """A question that counts; `learned` are the findings that the release that answered it was made from.

    `sender` is a pseudonym; of people without a name, the conversation. `held` says whether the quarantine of feedback
    holds its correction back. `intent` is that of the nearest known question,
    `guard` the one that saw an attack in it.
    """

    id: str
    time: datetime
    question: str
    sender: str
    intent: str = ""
    badly: bool = False
    handed_over: bool = False
    failed: bool = False
    guard: str = ""
    correction: str = ""
    learned: tuple[str, ...] = ()
    held: bool = False

    @property
    def day(self) -> date:
        """The day (UTC) it was asked on."""
        return self.time.date()

    @property
    def key(self) -> str:
        """Its words: equal for questions that differ in case and marks only."""
        return words(self.question)


@dataclass(frozen=True)
class Case:
    """A finding with its questions, oldest first."""

    finding: Finding
    members: tuple[Member, ...]


def member(
    row: Mapping[str, Any], question: str, learned: Mapping[str, Collection[str]], unnamed: Collection[str] = ()
) -> Member:
    """A row of the interaction log whose message is `question`; `learned` maps releases to their findings."""
    return Member(
        row["id"],
        datetime.fromisoformat(row["time"]),
        question,
        row["conversation"] if row["subject"] in unnamed else row["subject"],
        badly=poorly_answered(row),
        handed_over=row["path"] == "handover",
        failed=failed(row),
        guard=attacked(row),
        correction=row["correction"] or "",
        learned=tuple(sorted(learned.get(row["release_id"], ()))),
    )


def to_rows(finding: str, members: Iterable[Member]) -> list[dict[str, Any]]:
    """Rows of the lake."""
    return [
        {
            **{name: getattr(one, name) for name, _ in COLUMNS if name not in ("finding", "time", "learned")},
            "finding": finding,
            "time": one.time.isoformat(),
            "learned": ",".join(one.learned),
        }
        for one in members
    ]


def from_rows(rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Member, ...]]:
    """Finding to its questions, out of `to_rows`."""
    found: dict[str, list[Member]] = {}
    for row in rows:
        # What was written before the quarantine counted here has no such column.
        values = {name: row[name] for name, _ in COLUMNS if name not in ("finding", "time", "learned") and name in row}
        moment, learned = datetime.fromisoformat(row["time"]), tuple(filter(None, row["learned"].split(",")))
        found.setdefault(row["finding"], []).append(Member(time=moment, learned=learned, **values))
    return {finding: tuple(members) for finding, members in found.items()}


def counted(finding: str, members: Sequence[Member]) -> tuple[FindingDay, ...]:
    """A finding's questions by day, in order."""
    days: dict[date, list[Member]] = {}
    for one in members:
        days.setdefault(one.day, []).append(one)
    return tuple(
        FindingDay(
            day=day,
            questions=len(asked),
            senders=len({one.sender for one in asked}),
            badly=sum(one.badly for one in asked),
            handed_over=sum(one.handed_over for one in asked),
            corrected=sum(bool(one.correction) for one in asked),
            guarded=sum(bool(one.guard) for one in asked),
            failed=sum(one.failed for one in asked),
            learned=sum(finding in one.learned for one in asked),
            learned_badly=sum(finding in one.learned and one.badly for one in asked),
        )
        for day, asked in sorted(days.items())
    )
