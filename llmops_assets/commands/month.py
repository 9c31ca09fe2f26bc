"""A month without anybody at the wheel: this module plays customers, the clock and an unreliable machine, nothing else.

Dagster's daemon is a process of its own with the graph's sensors on; it is killed twice with -9. What it decided is
read from the instance and judged in lib/watching/unattended.py.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from rich.console import Console
from rich.table import Table

from llmops_assets import month_definitions
from llmops_assets.commands.demo import FIRST_RELEASE, KEPT, MARKER, Demo, DemoError, Sizes
from llmops_assets.commands.traffic import Query, graded, query_of
from llmops_assets.handover import causes
from llmops_assets.handover.contents import read_articles, read_rows
from llmops_assets.handover.reading import RecordType, parse, recorded, recorded_days
from llmops_assets.jobs import retrain
from llmops_assets.lib.records import (
    CostLedger,
    DatasetRef,
    DriftReport,
    FindingsReport,
    GateDecision,
    KnowledgeBase,
    Release,
    RetrainingDecision,
)
from llmops_assets.lib.watching import unattended_report
from llmops_assets.lib.watching.unattended import FoundDay, Kill, Played, PlayedDay, PlayedRun, Tally
from llmops_assets.samples import generator
from llmops_assets.samples import month as months
from resources import open_lake, open_target
from resources.deployment_target import DeploymentTarget, TargetReply
from sensors.retrain_on_drift import decide, retrain_on_drift, state

RECORD, PAGE = "month.json", "month.html"
INSTANCE = "dagster"
"""Folder of the home with the month's Dagster instance: an earlier one's cursors would know the days already."""
CONVERSATIONS = 800
"""Of the sample's two weeks; the first release learns from the first of them."""
DAY_SECONDS = 1800.0
"""How long a day's runs may take, a retraining and a restart of the daemon among them."""
LOOK_SECONDS = 1.0
LATE = 0.75
"""Part of the month after which everything is killed at whatever it does, where no second retraining came for it."""
RUNS = 100
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass
class Daemon:
    """Dagster's daemon with the month's code location, as a process group of its own."""

    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it."""
        program = str(Path(sys.executable).with_name("dagster-daemon"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [program, "run", "-m", month_definitions.__name__],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    def kill(self, *, group: bool) -> None:
        """End it with -9, at once; with `group` everything that it started too, as when the machine loses power."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if group:
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        self.process.wait()

    def is_running(self) -> bool:
        """Whether its process lives."""
        return self.process is not None and self.process.poll() is None


class PlayedMonth(Demo):
    """One month in a home folder, on the Dagster instance of `own_instance`."""

    kept = (*KEPT, INSTANCE)

    def __init__(
        self, home: Path, instance: dg.DagsterInstance, *, days: int = 0, events: Sequence[str] = (), **options: Any
    ) -> None:
        super().__init__(home, instance, **options)
        whole = months.load_month()
        self.month = whole.of(days or whole.length, events)
        places = {"LLMOPS_HOME": str(home), "DAGSTER_HOME": str(home / INSTANCE)}
        self.daemon = Daemon(home / "daemon.log", places)
        self.kills: list[Kill] = []
        self.days: list[PlayedDay] = []
        self.event_of: dict[str, str] = {}
        """Interaction to the event that it comes from."""
        self.wrong_words: set[str] = set()
        """What attackers wrote as right answers."""

    def play(self) -> Played:
        """Play the month and return its record, which also stands in <home>/month.json."""
        self.prepare()
        target = open_target(self.workspace, replay=True)
        try:
            self.act_one()
            self.daemon.start()
            for day in self.month.days():
                self.one_day(target, day)
                self.write()
        finally:
            self.daemon.kill(group=True)
            target.stop()
        return self.write()

    def prepare(self) -> None:
        """As for the demonstration, with a knowledge base that can change, and only the first week's conversations."""
        super().prepare()
        self.workspace.write_settings(
            self.workspace.settings.model_copy(update={"knowledge": self.home / "knowledge.yaml"})
        )
        self.publish(self.month.days()[0])
        for file in (self.home / "inbox").iterdir():
            if file.stem[-len(str(FIRST_RELEASE)) :] > str(FIRST_RELEASE):
                file.unlink()

    def publish(self, day: date) -> None:
        """The company's articles as of a day."""
        rows = [article.model_dump(mode="json") for article in months.articles(self.month, day)]
        (self.home / "knowledge.yaml").write_text(yaml.safe_dump(rows, allow_unicode=True))

    def one_day(self, target: DeploymentTarget, day: date) -> None:
        """A day's customers, the night after it, and what the sensors make of it."""
        began = time.monotonic()
        self.publish(day)
        asked = months.traffic(self.month, day, self.sizes.queries_per_day)
        queries = [query_of(one.live) for one in asked]
        replies = self.ask(target, queries)
        right = graded(queries, replies)
        self.event_of |= {r.interaction: a.event for r, a in zip(replies, asked, strict=True) if r.interaction}
        wrong = self.say_what_they_think(target, day, asked, queries, replies, right)
        served = target.status().live or ""
        month_definitions.write_day(self.home, day)
        decided = self.wait_for(day)
        examples = recorded_days(self.instance, "feedback_examples", DatasetRef, until=day).get(day)
        drift = recorded_days(self.instance, "drift_report", DriftReport, until=day)[day]
        alarms = [at for at in (drift.alarm_at, drift.cusum_alarm_at) if at is not None]
        self.days.append(
            PlayedDay(
                day=day,
                release=served,
                by_event=tallied([one.event for one in asked], right),
                alarm_at=min(alarms, default=None),
                verdict=decided.verdict,
                told=decided.told,
                verdicts=decided.verdicts,
                findings=self.found(day),
                flipped=wrong,
                held_back=examples.counts["held_back"] if examples else 0,
                poisoned_articles=self.poisoned_articles(),
                seconds=time.monotonic() - began,
            )
        )
        happens = ", ".join(event.name for event in self.month.on(day)) or "nothing happens"
        self.say(f"{day} ({happens}): {sum(right) / len(right):.0%} right, {decided.verdict}: {decided.told}")

    def say_what_they_think(
        self,
        target: DeploymentTarget,
        day: date,
        asked: Sequence[months.Asked],
        queries: Sequence[Query],
        replies: Sequence[TargetReply],
        right: Sequence[bool],
    ) -> int:
        """Send customers' feedback and the attackers'; returns how many words were the attackers'."""
        attacks = months.flipped(self.month, day, asked, right)
        said = []
        for place, (query, reply, ok) in enumerate(zip(queries, replies, right, strict=True)):
            if reply.status != 200:
                continue
            if (word := attacks.get(place)) is not None:
                said.append((reply.interaction, -1, "wrong", word, query.ask.time))
            elif (feedback := generator.feedback_for(query.live, ok)) is not None:
                said.append((reply.interaction, *feedback, query.ask.time))
        target.give_feedback(said)
        self.wrong_words |= set(attacks.values())
        return len(attacks)

    # -- what the daemon does -------------------------------------------------------------------------------------

    def wait_for(self, day: date) -> RetrainingDecision:
        """Wait until everything of a day is done; returns what was decided on it. DemoError when it takes too long."""
        deadline, decided = time.monotonic() + DAY_SECONDS, None
        while True:
            time.sleep(LOOK_SECONDS)
            if not self.daemon.is_running():
                raise DemoError(f"Dagster's daemon ended by itself: {self.daemon.log}")
            running = self.unfinished()
            self.maybe_kill(day, running)
            if decided is None and day in recorded_days(self.instance, causes.ASSET, FindingsReport, until=day):
                decided = decide(self.instance, open_lake(self.workspace))
            if decided is not None and not running and self.seen_everything():
                return decided
            if time.monotonic() > deadline:
                raise DemoError(f"{day} was not done within {DAY_SECONDS:.0f} s: {self.daemon.log}")

    def unfinished(self) -> list[dg.DagsterRun]:
        """Runs that wait or go on, and those that were lost and are to be started again."""
        lost = self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]), limit=RUNS)
        return [
            *self.instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)),
            *(run for run in lost if waits_for_a_retry(run.tags)),
        ]

    def seen_everything(self) -> bool:
        """Whether the sensor has decided on all that is recorded now."""
        name = retrain_on_drift.name
        states = [one for one in self.instance.all_instigator_state() if one.instigator_name == name]
        cursor = getattr(states[0].instigator_data, "cursor", None) if states else None
        return bool(cursor) and json.loads(cursor)["seen"] == state(self.instance)

    def maybe_kill(self, day: date, running: Sequence[dg.DagsterRun]) -> None:
        """Kill the daemon as soon as a first retraining was requested, and everything while a later one goes on."""
        due = killed_now(
            [(run.job_name, run.status == dg.DagsterRunStatus.STARTED) for run in running],
            [kill.day for kill in self.kills],
            day,
            late=self.month.days().index(day) >= LATE * self.month.length,
        )
        if not due:
            return
        whole, jobs = bool(self.kills), tuple(run.job_name for run in running)
        self.daemon.kill(group=whole)
        self.kills.append(Kill(time=datetime.now(UTC), day=day, whole_group=whole, running=jobs))
        self.say(f"{day}: killed {'everything' if whole else 'the daemon alone'} beside {', '.join(jobs)}")
        self.daemon.start()

    # -- what is known afterwards ---------------------------------------------------------------------------------

    def found(self, day: date) -> tuple[FoundDay, ...]:
        """The findings of a day, with the events that their questions came from."""
        report = recorded_days(self.instance, causes.ASSET, FindingsReport, until=day)[day]
        events: dict[str, Counter[str]] = {}
        for row in read_rows(open_lake(self.workspace), report.members):
            events.setdefault(row["finding"], Counter())[self.event_of.get(row["id"], months.QUIET)] += 1
        return tuple(
            FoundDay(id=one.id, state=one.state, action=one.action, events=dict(events.get(one.id, {})))
            for one in report.findings
        )

    def poisoned_articles(self) -> int:
        """Articles of the knowledge base whose answer attackers wrote, and the company did not."""
        knowledge = recorded(self.instance, "knowledge_base", KnowledgeBase)
        if knowledge is None or not self.wrong_words:
            return 0
        lake = open_lake(self.workspace)
        right = {article.id: article.answer for article in read_articles(lake, knowledge.trusted.ref)}
        served = read_articles(lake, knowledge.articles.ref)
        wrong = {word.removeprefix(months.DENIAL) for word in self.wrong_words} | self.wrong_words
        return sum(a.answer in wrong and right.get(a.id) != a.answer for a in served)

    def runs(self) -> tuple[PlayedRun, ...]:
        """Every retraining, the oldest first."""
        ledger = recorded(self.instance, "cost_ledger", CostLedger)
        costs = {cost.adapter: cost.currency for cost in ledger.trainings} if ledger else {}
        found = []
        for record in reversed(self.instance.get_run_records(dg.RunsFilter(job_name=retrain.name), limit=RUNS)):
            run = record.dagster_run
            release = self.made("release", Release, run.run_id)
            gate = self.made("gate", GateDecision, run.run_id)
            begun = record.start_time or record.create_timestamp.replace(tzinfo=UTC).timestamp()
            root = run.root_run_id or run.run_id
            found.append(
                PlayedRun(
                    run_id=run.run_id,
                    root=root,
                    key=run.tags.get("dagster/run_key", root),
                    findings=causes.told(run),
                    day=date.fromisoformat(run.tags["dagster/partition"]),
                    status=run.status.value,
                    release=release.release_id if release else "",
                    reason="; ".join(gate.reasons) if gate and not gate.passed else "",
                    seconds=(record.end_time or time.time()) - begun,
                    currency=costs.get(release.tuned.digest) if release and release.tuned else None,
                )
            )
        return tuple(found)

    def made(self, asset: str, kind: type[RecordType], run_id: str) -> RecordType | None:
        """What a run handed over of an asset; None: it did not come so far."""
        for record in self.instance.fetch_materializations(dg.AssetKey(asset), limit=RUNS).records:
            if record.run_id == run_id and record.asset_materialization is not None:
                return parse(record.asset_materialization, kind)
        return None

    def write(self) -> Played:
        """Write the record as far as it goes, with its page."""
        played = Played(
            base_model=Path(self.workspace.settings.base_model).name,
            questions_per_day=self.sizes.queries_per_day,
            length=self.month.length,
            happenings=tuple(self.month.happenings()),
            days=tuple(self.days),
            runs=self.runs(),
            kills=tuple(self.kills),
            failed_requests=self.failed_requests,
        )
        (self.home / RECORD).write_text(played.model_dump_json(indent=1))
        (self.home / PAGE).write_text(unattended_report.page(played))
        return played


def tallied(events: Sequence[str], right: Sequence[bool]) -> dict[str, Tally]:
    """Questions of a day by the event that they come from."""
    asked, good = Counter(events), Counter(name for name, ok in zip(events, right, strict=True) if ok)
    return {name: Tally(asked=count, right=good[name]) for name, count in sorted(asked.items())}


def waits_for_a_retry(tags: Mapping[str, str]) -> bool:
    """Whether a run that failed will be started again, and was not yet."""
    return tags.get("dagster/will_retry") == "true" and "dagster/auto_retry_run_id" not in tags


def killed_now(running: Sequence[tuple[str, bool]], kills: Sequence[date], day: date, *, late: bool) -> bool:
    """Whether the daemon is killed now: first once a retraining is requested, then on another day while one goes on.

    `running` are jobs with whether they have started, `kills` the days of the kills before; `late` in the month any
    run will do for the second one.
    """
    trainings = [started for job, started in running if job == retrain.name]
    if not kills:
        return bool(trainings)
    return (
        len(kills) == 1 and day not in kills and (any(trainings) or (late and any(started for _, started in running)))
    )


def play(home: Path, days: int, questions: int, settings: Mapping[str, Any]) -> None:
    """Play so many days in a home, on a Dagster instance of its own that is set up as that of DAGSTER_HOME, and print
    the report."""
    sizes = Sizes(CONVERSATIONS, questions, run_config={"quality_report": {"ablations": False}})
    console = Console()
    with dg.DagsterInstance.from_config(str(own_instance(home))) as instance:
        month = PlayedMonth(home, instance, sizes=sizes, settings=dict(settings), console=console, days=days)
        show(month.play(), console)
    console.print(f"  Page: {home / PAGE}, record: {home / RECORD}", highlight=False)
    console.print(f"  Look around: LLMOPS_HOME={home} DAGSTER_HOME={home / INSTANCE} llmops dev", highlight=False)


def own_instance(home: Path) -> Path:
    """The folder of an empty Dagster instance in a home, set up as that of DAGSTER_HOME. DemoError without one."""
    setup = Path(os.environ.get("DAGSTER_HOME", "")) / "dagster.yaml"
    if not setup.is_file():
        raise DemoError("the month needs a dagster.yaml: name its folder in DAGSTER_HOME (make does)")
    if home.exists() and any(home.iterdir()) and not (home / MARKER).exists():
        raise DemoError(f"{home} holds an installation that is not the demonstration's: set LLMOPS_HOME anew")
    folder = home / INSTANCE
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (home / MARKER).touch()
    (folder / "dagster.yaml").write_text(setup.read_text().replace("base_dir: .dagster/", f"base_dir: {folder}/"))
    return folder


def show(played: Played, console: Console) -> None:
    """The report as tables of a terminal."""
    for title, columns, rows in unattended_report.tables(played):
        table = Table(title=title)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*map(str, row))
        console.print(table)
