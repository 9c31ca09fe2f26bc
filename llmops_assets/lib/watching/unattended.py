"""What a month without anybody at the wheel came to: every decision with what it gained or cost, and the loop's errors.

A pure reading of the month's record against the truth of what happened; who plays the month is commands/month.py.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pydantic import Field

from llmops_assets.lib.records import FindingVerdict, Record, Verdict

NOTHING: Verdict = "wait"
OWN = 0.5
"""Share of a finding's questions that must come from one event for the finding to be of it."""


class Happening(Record):
    """Something that really happened, what it calls for, and what is no mistake about it either."""

    name: str
    first: date
    until: date
    needs: Verdict
    may: tuple[str, ...] = ()

    def allows(self, verdict: str) -> bool:
        """Whether a verdict is no mistake; to wait never is, but for what it leaves out."""
        return verdict in (NOTHING, self.needs, *self.may)


class Tally(Record):
    """Questions of an event on a day."""

    asked: int = Field(ge=0)
    right: int = Field(ge=0)


class FoundDay(Record):
    """A finding as it stood at the end of a day: which events its questions came from."""

    id: str
    state: str
    action: str
    events: dict[str, int] = Field(description="event to questions of the finding")

    @property
    def event(self) -> str:
        """The event that most of its questions came from; "" where none has its share."""
        name, count = max(self.events.items(), key=lambda entry: (entry[1], entry[0]), default=("", 0))
        return name if count >= OWN * sum(self.events.values()) else ""


class PlayedDay(Record):
    """A day as it was played."""

    day: date
    release: str
    by_event: dict[str, Tally]
    alarm_at: int | None = Field(description="question at which the day's drift alarmed")
    verdict: Verdict
    told: str
    verdicts: tuple[FindingVerdict, ...] = ()
    findings: tuple[FoundDay, ...] = ()
    flipped: int = Field(0, ge=0, description="wrong corrections that attackers sent")
    held_back: int = Field(0, ge=0, description="feedback of the day that waits for a person")
    poisoned_articles: int = Field(0, ge=0, description="served articles that say what attackers wrote")
    seconds: float = Field(0.0, ge=0)


class PlayedRun(Record):
    """A retraining: `root` is the run that it repeats where its process died."""

    run_id: str
    root: str
    key: str = Field(description="run key: finding and day")
    findings: tuple[str, ...]
    day: date
    status: str
    release: str = Field("", description="what came of it; none: nothing was released")
    reason: str = Field("", description="why not")
    seconds: float = Field(0.0, ge=0)
    currency: float | None = None


class Kill(Record):
    """The daemon, killed with -9, and what was under way then."""

    time: datetime
    day: date
    whole_group: bool = Field(description="with the code server and every run's process")
    running: tuple[str, ...] = Field((), description="jobs that were under way")


class Played(Record):
    """The record of a month: enough to report from."""

    base_model: str
    questions_per_day: int
    length: int
    happenings: tuple[Happening, ...]
    days: tuple[PlayedDay, ...] = ()
    runs: tuple[PlayedRun, ...] = ()
    kills: tuple[Kill, ...] = ()
    failed_requests: int = 0


@dataclass(frozen=True)
class Judged:
    """What became of one event."""

    happening: Happening
    asked: int
    wrong: int
    alarm: int | None
    """Questions of everybody since it began until the first alarm."""
    verdict: str
    """The first verdict that does something about it, or wait."""
    verdict_on: date | None
    delay: int | None
    """Questions of everybody since it began until that verdict."""
    release: str
    released_on: date | None
    before: float | None
    """Share of its questions answered right before that release, and by it."""
    after: float | None
    gained: float
    """Questions answered right that would not have been, until the month ended."""

    @property
    def missed(self) -> bool:
        """Whether nothing was done about what called for something."""
        return self.happening.needs != NOTHING and self.verdict == NOTHING

    @property
    def days(self) -> int | None:
        """Days from its beginning to the verdict."""
        return None if self.verdict_on is None else (self.verdict_on - self.happening.first).days


@dataclass(frozen=True)
class Rates:
    """The loop's own errors."""

    retrainings: int
    false_retrainings: int
    calls: int
    """Findings about which something else was asked of a person: an article, a look."""
    false_calls: int
    changes: int
    missed: tuple[str, ...]
    delay_questions: float | None
    delay_days: float | None
    repeated: tuple[str, ...]
    """Run keys under which more than one retraining was begun, or succeeded."""
    flipped: int
    poisoned_articles: int


def owner(played: Played) -> dict[str, str]:
    """Finding to the event it is of, by the last day on which it has one."""
    found: dict[str, str] = {}
    for day in played.days:
        found |= {one.id: one.event for one in day.findings if one.event}
    return found


def judge(played: Played) -> list[Judged]:
    """What became of every event of the days that were played."""
    if not played.days:
        return []
    of, last = owner(played), played.days[-1].day
    return [_judged(played, happening, of) for happening in played.happenings if happening.first <= last]


def _judged(played: Played, happening: Happening, of: Mapping[str, str]) -> Judged:
    name = happening.name
    since = [day for day in played.days if day.day >= happening.first]
    counts = [day.by_event.get(name, Tally(asked=0, right=0)) for day in since]
    everybody = [sum(tally.asked for tally in day.by_event.values()) for day in since]
    alarm = next((sum(everybody[:n]) + d.alarm_at for n, d in enumerate(since) if d.alarm_at is not None), None)
    acted = next(
        (
            (n, v.verdict)
            for n, d in enumerate(since)
            for v in d.verdicts
            if v.verdict != NOTHING and of.get(v.finding) == name
        ),
        None,
    )
    runs = [run for run in played.runs if run.release and any(of.get(f) == name for f in run.findings)]
    first = min(runs, key=lambda run: run.day, default=None)
    earlier = [c for d, c in zip(since, counts, strict=True) if first is None or d.day <= first.day]
    later = [c for d, c in zip(since, counts, strict=True) if first is not None and d.day > first.day]
    before, after = _share(earlier), _share(later)
    gained = 0.0 if before is None or after is None else (after - before) * sum(c.asked for c in later)
    return Judged(
        happening=happening,
        asked=sum(c.asked for c in counts),
        wrong=sum(c.asked - c.right for c in counts),
        alarm=alarm,
        verdict=acted[1] if acted else NOTHING,
        verdict_on=since[acted[0]].day if acted else None,
        delay=sum(everybody[: acted[0] + 1]) if acted else None,
        release=first.release if first else "",
        released_on=first.day if first else None,
        before=before,
        after=after,
        gained=gained,
    )


def rates(played: Played, judged: Sequence[Judged]) -> Rates:
    """The loop's own errors over the month."""
    of = owner(played)
    truth = {happening.name: happening for happening in played.happenings}

    def wrong(finding: str, verdict: str) -> bool:
        happening = truth.get(of.get(finding, ""))
        return happening is None or not happening.allows(verdict)

    roots = {run.root: run for run in played.runs}
    false = [run for run in roots.values() if all(wrong(finding, "retrain") for finding in run.findings)]
    calls = {(v.finding, v.verdict) for d in played.days for v in d.verdicts if v.verdict not in (NOTHING, "retrain")}
    needing = [one for one in judged if one.happening.needs != NOTHING]
    seen = [one for one in needing if one.delay is not None]
    return Rates(
        retrainings=len(roots),
        false_retrainings=len(false),
        calls=len(calls),
        false_calls=sum(wrong(*call) for call in calls),
        changes=len(needing),
        missed=tuple(one.happening.name for one in needing if one.missed),
        delay_questions=_mean(one.delay for one in seen),
        delay_days=_mean(one.days for one in seen),
        repeated=repeated(played.runs),
        flipped=sum(day.flipped for day in played.days),
        poisoned_articles=max((day.poisoned_articles for day in played.days), default=0),
    )


def repeated(runs: Iterable[PlayedRun]) -> tuple[str, ...]:
    """The run keys that began more than one retraining, or under which more than one succeeded."""
    roots: dict[str, set[str]] = {}
    done: Counter[str] = Counter()
    for run in runs:
        roots.setdefault(run.key, set()).add(run.root)
        done[run.key] += run.status == "SUCCESS"
    return tuple(sorted(key for key in roots if len(roots[key]) > 1 or done[key] > 1))


def _share(tallies: Sequence[Tally]) -> float | None:
    asked = sum(tally.asked for tally in tallies)
    return sum(tally.right for tally in tallies) / asked if asked else None


def _mean(values: Iterable[int | None]) -> float | None:
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else None
