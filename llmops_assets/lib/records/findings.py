"""Hand-overs about findings: a cause with an id from the first alarm to its cure, and the decision what to do about it.

No text of a customer stands here: examples are rows of the lake, beside the report.
"""

from datetime import date
from typing import Literal

from pydantic import Field

from llmops_assets.lib.records.base import LakeRef, Record, Share

FindingKind = Literal["new", "known", "attack", "errors", "rush"]
"""What is one cause: a topic that nothing known comes near, a known one (an intent), what a guard found, failures, many
at once who are not helped."""
FindingAction = Literal[
    "write_article", "retrain", "decide_feedback", "fix_retrieval", "volume_only", "attack", "incident", "junk"
]
FindingState = Literal["open", "learned", "closed", "merged"]
"""Learned: the release that serves was made from it, and it is not shown yet that its questions are answered better."""


class FindingDay(Record):
    """A day's questions of a finding, and how they were answered."""

    day: date
    questions: int = Field(ge=0)
    senders: int = Field(ge=0, description="different people; each conversation without a name is one")
    badly: int = Field(0, ge=0, description="handed over, rated down, corrected, refused or failed")
    handed_over: int = Field(0, ge=0)
    corrected: int = Field(0, ge=0)
    guarded: int = Field(0, ge=0, description="in which a guard saw an attack")
    failed: int = Field(0, ge=0, description="that the engine failed at (status 5xx)")
    learned: int = Field(0, ge=0, description="answered by a release that was made from the finding")
    learned_badly: int = Field(0, ge=0)


class Refusal(Record):
    """A candidate that was made from a finding and may not serve: why, and what helps."""

    candidate: str
    day: date = Field(description="last day of what it learned from")
    reason: str
    next_step: str


class Cure(Record):
    """How much better the questions of a finding are answered by a release made from it, and what that took."""

    release: str
    day: date
    before: Share = Field(description="share answered badly before")
    after: Share
    low: float = Field(description="lower end of the 95 % interval of before - after")
    high: float
    corrections: int = Field(0, ge=0, description="that people wrote")
    currency: float | None = Field(None, description="of training and judging; none: not measured")
    energy_kwh: float | None = None


class Finding(Record):
    """One cause. Counts are since it was first seen, or since it came back (`since`)."""

    id: str = Field(pattern=r"^f-[0-9a-f]{10}$")
    kind: FindingKind
    topic: str = Field("", description="intent, or name of the guard; a new topic has none")
    state: FindingState = "open"
    action: FindingAction
    why: str = Field(description="what speaks for the action, with figures")
    first_seen: date
    since: date = Field(description="the first day that counts: the day on which it was seen first, or came back")
    last_seen: date
    days: tuple[FindingDay, ...] = ()
    different: int = Field(ge=0, description="different questions")
    different_badly: int = Field(0, ge=0, description="different questions that were answered badly")
    senders: int = Field(ge=0)
    agreeing: int = Field(0, ge=0, description="corrections that say the same: what is missing is known")
    held: int = Field(0, ge=0, description="corrections that say the same, and wait for a person: they teach nothing")
    written: bool = Field(False, description="editors wrote an article for it")
    articles: tuple[str, ...] = Field((), description="ids of the nearest articles, nearest first")
    article_similarity: float = Field(0.0, description="mean cosine of its questions to the nearest article")
    burst: float = Field(0.0, description="share of the newest day's questions in its busiest two hours")
    parent: str = Field("", description="the finding that it was split from")
    merged: tuple[str, ...] = Field((), description="findings that went up in it")
    into: str = Field("", description="the finding that it went up in")
    learned_by: str = Field("", description="the release that was made from it")
    learned_until: date | None = None
    refused: Refusal | None = None
    cure: Cure | None = None
    closed_on: date | None = None
    closed_because: str = ""
    reopened: int = Field(0, ge=0, description="times that it came back")

    @property
    def counted(self) -> tuple[FindingDay, ...]:
        """The days that count."""
        return tuple(one for one in self.days if one.day >= self.since)

    def total(self, name: str) -> int:
        """Sum of a count over the days that count."""
        return sum(getattr(one, name) for one in self.counted)

    @property
    def growth(self) -> float:
        """Questions of the newest day over the mean of the days before; of its first day their number."""
        *before, newest = [one.questions for one in self.counted] or [0]
        return newest / max(sum(before) / len(before), 1.0) if before else float(newest)


class FindingsReport(Record):
    """What is known of all findings at the end of a day: open ones, and those closed lately."""

    day: date
    reference: LakeRef = Field(description="questions of the serving release's training data")
    findings: tuple[Finding, ...] = ()
    questions: int = Field(ge=0, description="of the day that count")
    members: LakeRef = Field(description="parquet: the questions of each finding, redacted")
    report: LakeRef

    def of(self, *states: FindingState) -> tuple[Finding, ...]:
        """The findings in some states, in their order."""
        return tuple(finding for finding in self.findings if finding.state in states)


Verdict = Literal["retrain", "write_article", "ask", "wait"]


class FindingVerdict(Record):
    """What follows from one finding, in a sentence and the figures behind it."""

    finding: str
    verdict: Verdict
    told: str
    figures: dict[str, float] = Field({})


class RetrainingDecision(Record):
    """What follows from all findings of a day."""

    day: date | None = Field(None, description="none: nothing was reported yet")
    verdict: Verdict
    told: str
    findings: tuple[str, ...] = Field((), description="what a retraining is made from, the oldest first")
    verdicts: tuple[FindingVerdict, ...] = ()
