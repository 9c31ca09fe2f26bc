"""The main job, told in four acts: release, normal days, a new topic, a poisoned candidate.

Everything here goes through the graph's own jobs, sensor and gateway; this module only plays customers and the clock.
"""

import contextlib
import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from rich.console import Console
from rich.table import Table

from llmops_assets.commands.archives import archive, surveyed
from llmops_assets.commands.feedback import release_all
from llmops_assets.commands.runs import RunError, Runner
from llmops_assets.commands.traffic import FileTraffic, Query, SampleTraffic, Traffic, graded, new_topic_of
from llmops_assets.definitions import build_defs
from llmops_assets.gateway.vllm.settings import VLLMSettings
from llmops_assets.handover.contents import read_articles
from llmops_assets.handover.reading import RecordType, recorded
from llmops_assets.lib import gate as gates
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import (
    Article,
    DatasetRef,
    DriftReport,
    EvalReport,
    GateDecision,
    KnowledgeBase,
    QualityReport,
    Release,
    TrainingSet,
    TunedModel,
)
from llmops_assets.lib.sources import Fault, SourceError, told
from llmops_assets.samples import generator
from resources import open_lake, open_target
from resources.deployment_target import DeploymentTarget, TargetReply
from resources.workspace import Settings, Workspace

MARKER = "demo.marker"
PARTS = ("base", "base_with_passages", "adapter_with_passages", "without_adapter")
"""The ladder from the base model alone to the release, in the order it is told."""
KEPT = ("models", "embeddings.db", "embeddings.db-wal", "embeddings.db-shm", "keys")
"""Caches and keys that survive a new start of the demonstration."""
FIRST_RELEASE = generator.START + timedelta(days=6)
NORMAL_DAYS = (generator.START + timedelta(days=7), generator.START + timedelta(days=8))
PATIENCE = 3
"""Days on which the new topic may be noticed: with few customers a day's windows alone are not enough."""


def on_cpu(vllm: Path) -> VLLMSettings:
    """How vLLM's build for CPUs is started on a small machine: exact arithmetic, nothing compiled, a GB of memory for
    keys and values."""
    return VLLMSettings(
        command=vllm.expanduser().absolute(),
        slots=4,
        dtype="float32",
        arguments=("--enforce-eager",),
        # Minutes on a free core; many times that beside trainings and tests.
        start_seconds=1800,
        environment={
            "VLLM_TARGET_DEVICE": "cpu",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            # A core may be busy with a training: no thread is tied to one.
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        },
    )


class DemoError(LlmopsError):
    """The demonstration cannot go on; the message says why and what to do."""


@dataclass
class Sizes:
    """How much the demonstration does."""

    conversations: int = 1500
    queries_per_day: int = 240
    own_rows: int = 1400
    run_config: dict[str, Any] = field(default_factory=dict)
    """Op name to config for the job build_release; other jobs take what they know of it."""


class Demo:
    """One run of the demonstration in a home folder, on a Dagster instance."""

    kept = KEPT

    def __init__(
        self,
        home: Path,
        instance: dg.DagsterInstance,
        *,
        data: Path | None = None,
        sizes: Sizes | None = None,
        settings: dict[str, Any] | None = None,
        console: Console | None = None,
    ) -> None:
        self.home = home
        self.instance = instance
        # Customers of past days say when they ask; no other gateway believes them.
        replaying = dg.ResourceDefinition(lambda _: open_target(Workspace(home), replay=True))
        self.defs = build_defs(home, resources={"target": replaying})
        self.data = data
        self.sizes = sizes or Sizes()
        self.extra_settings = settings or {}
        self.console = console or Console()
        self.workspace = Workspace(home)
        self.runner = Runner(self.defs, instance, self.console)
        self.results: dict[str, Any] = {}
        self.failed_requests = 0
        self.requests_during_swaps = 0
        self.solved_day = generator.NEW_TOPIC_DAY
        """The day after the retraining, from act three on."""

    # -- the whole ------------------------------------------------------------------------------------------------

    def run(self) -> dict[str, Any]:
        """Play all acts and return the figures, which also stand in <home>/demo.json."""
        started = time.monotonic()
        self.prepare()
        target = open_target(self.workspace, replay=True)
        try:
            self.act_one()
            traffic = FileTraffic(self.workspace) if self.data else SampleTraffic()
            self.act_two(target, traffic)
            if self.data and not self.workspace.settings.new_topic_intent:
                self.say("The file has fewer than four intents with 20 rows: the acts of the new topic are left out.")
            else:
                self.act_three(target, traffic)
                self.act_four(target, traffic)
        finally:
            target.stop()
        self.results["failed_requests"] = self.failed_requests
        self.results["requests_during_swaps"] = self.requests_during_swaps
        self.results["wall_seconds"] = round(time.monotonic() - started, 1)
        (self.home / "demo.json").write_text(json.dumps(self.results, indent=1, default=str))
        self.summary()
        return self.results

    def prepare(self) -> None:
        """Check the user's file, clear what an earlier demonstration left, and set up the sources."""
        if self.data is not None:
            self.say(f"{self.data.name}: {self.readable(self.data)}")
        if self.home.exists() and any(self.home.iterdir()) and not (self.home / MARKER).exists():
            raise DemoError(
                f"{self.home} holds an installation that is not the demonstration's: nothing was touched. "
                "Set LLMOPS_HOME to another folder"
            )
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / MARKER).touch()
        with contextlib.suppress(ValueError):
            # A killed demonstration may have left a gateway behind.
            open_target(Workspace(self.home)).stop()
        for entry in self.home.iterdir():
            if entry.name in self.kept or entry.name == MARKER:
                continue
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        lake = open_lake(self.workspace)
        if next(iter(lake.list("main")), None) is not None:
            raise DemoError(f"the repository {lake.repository} of the lake is not empty: name a new one for this")
        self.runner.release_leftovers()
        keys = [key for key in self.instance.all_asset_keys() if key in self.asset_keys()]
        if keys:
            self.instance.wipe_assets(keys)
        if self.data is None:
            self.workspace.write_settings(Settings(**self.extra_settings))
            files = generator.write_archive(self.home / "inbox", self.sizes.conversations)
            self.say(f"{self.sizes.conversations} conversations of two weeks in {len(files)} files")
            return
        settings = Settings(
            source=self.data.resolve(),
            first_day=generator.START,
            days=generator.DAYS,
            replay=True,
            limit=self.sizes.own_rows,
            knowledge_from_conversations=True,
            max_articles=40,
            **self.extra_settings,
        )
        self.workspace.write_settings(settings)
        self.say("looks for the intent that differs most from the others")
        topic = new_topic_of(self.workspace)
        if topic:
            update = {"new_topic_intent": topic, "new_topic_day": generator.NEW_TOPIC_DAY}
            self.workspace.write_settings(settings.model_copy(update=update))
            self.say(f"intent {topic!r} is kept back and arrives as the new topic")

    def readable(self, data: Path) -> str:
        """What the user's file holds. SourceError when it, or no row of it, can be used."""
        found = surveyed(archive(data, Settings.model_validate({"first_day": generator.START, **self.extra_settings})))
        faults = [Fault(file.name, file.fault) for file in found if file.fault]
        rows, left_out = sum(file.rows for file in found), sum((file.left_out for file in found), Counter())
        if (faults and data.is_file()) or not rows:
            raise SourceError(
                told(faults) if len(faults) > 1 else str(faults[0]) if faults else f"{data}: holds no rows"
            )
        reasons = "; ".join(f"{count} {reason}" for reason, count in left_out.most_common(5))
        aside = f"{left_out.total()} left out ({reasons})" if left_out else "all readable"
        return "; ".join(part for part in (f"{rows} rows, {aside}", told(faults)) if part)

    # -- the acts -------------------------------------------------------------------------------------------------

    def act_one(self) -> None:
        """Archive to a served release."""
        self.title("Act 1: from conversations to a served release")
        day = generator.START
        while day < FIRST_RELEASE:
            self.job("ingest_day", day)
            day += timedelta(days=1)
        self.job("build_release", FIRST_RELEASE)
        report = self.record("quality_report", QualityReport)
        base, parts = report.ablations.get("base"), report.ablations
        self.results |= {
            "base_accuracy": base.overall.accuracy if base else None,
            "first_release_accuracy": report.candidate.overall.accuracy,
            "parts": {name: parts[name].overall.accuracy for name in PARTS if name in parts},
            "base_slices": _slices(base) if base else {},
            "first_release_slices": _slices(report.candidate),
            "first_release_paths": {n: [s.right, s.total] for n, s in report.candidate.paths.items()},
            "releases": [self.record("release", Release).release_id],
            "training_seconds": self.record("adapter", TunedModel).metrics["seconds"],
        }
        self.results["answers_lake_ref"] = str(report.candidate.answers)

    def act_two(self, target: DeploymentTarget, traffic: Traffic) -> None:
        """Normal days: no drift, no retraining."""
        self.title("Act 2: two normal days")
        triggered = 0
        for day in NORMAL_DAYS:
            accuracy, _ = self.replay(target, traffic, day)
            self.job("monitor_day", day)
            request = self.sensor()
            triggered += request is not None
            self.say(f"{day}: {accuracy:.0%} right, {self.drift_line()}; trigger: {'yes' if request else 'no'}")
        self.results["false_triggers"] = triggered

    def act_three(self, target: DeploymentTarget, traffic: Traffic) -> None:
        """A new topic: drift, one retraining, a canary, a release; then the next day."""
        self.title("Act 3: a new topic arrives")
        reports: list[DriftReport] = []
        request, day = None, generator.NEW_TOPIC_DAY
        while request is None:
            day = generator.NEW_TOPIC_DAY + timedelta(days=len(reports))
            accuracy, new = self.replay(target, traffic, day)
            self.job("monitor_day", day)
            reports.append(self.record("drift_report", DriftReport))
            request = self.sensor()
            trigger = request.run_key if request else "no"
            self.say(f"{day}: {accuracy:.0%} right, {self.drift_line()}; trigger: {trigger}")
            self.results.setdefault("live_new_topic_accuracy_before", new)
            if request is None and len(reports) == PATIENCE:
                raise DemoError(f"the new topic was not noticed in {PATIENCE} days: `make dev` shows the drift reports")
        self.results |= {
            "new_topic_day": str(generator.NEW_TOPIC_DAY),
            "drift_delay_interactions": detection_delay(reports),
            "drift_report": str(reports[-1].report),
        }
        with self.load(target, traffic, day):
            self.job(request.job_name or "retrain", date.fromisoformat(request.partition_key or str(day)), request.tags)
            again = self.sensor()
            if again is not None and again.run_key == request.run_key:
                raise DemoError("the same cause would retrain twice")
            before = target.status().live
            self.runner.must_run("roll_back", brief=True)
            self.say(f"rolled back: {before} -> {target.status().live}")
            self.runner.must_run("roll_back", brief=True)
            self.say(f"and forward again: {target.status().live}")
        quality = self.record("quality_report", QualityReport)
        dataset = self.record("training_dataset", TrainingSet)
        release = self.record("release", Release)
        incumbent = quality.incumbent.slices.get("new_topic") if quality.incumbent else None
        candidate = quality.candidate.slices.get("new_topic")
        self.results |= {
            "adapter_accuracy": quality.candidate.overall.accuracy,
            "adapter_slices": _slices(quality.candidate),
            "new_topic_accuracy_before": incumbent.accuracy if incumbent else None,
            "new_topic_accuracy_after": candidate.accuracy if candidate else None,
            "training_dataset": str(dataset.rows.ref),
            "mlflow_run": release.tuned.mlflow_run if release.tuned else "",
        }
        self.results["releases"].append(release.release_id)
        self.solved_day = day + timedelta(days=1)
        accuracy, new = self.replay(target, traffic, self.solved_day)
        self.job("monitor_day", self.solved_day)
        self.results["live_new_topic_accuracy_after"] = new
        self.results["trigger_after_retraining"] = self.sensor() is not None
        self.say(f"{self.solved_day}: {accuracy:.0%} right, {self.drift_line()}")

    def act_four(self, target: DeploymentTarget, traffic: Traffic) -> None:
        """Contradictory corrections make a worse candidate; the gate stops it."""
        self.title("Act 4: a poisoned candidate")
        day = self.solved_day + timedelta(days=1)
        queries = traffic.day(day, self.sizes.queries_per_day)
        replies = self.ask(target, queries)
        poisoned = poison(queries, replies)
        if not poisoned:
            self.say(
                "no article answered two customers of the day: there is nothing to call wrong, the act is left out"
            )
            return
        stored = target.give_feedback(poisoned)
        self.say(
            f"{stored} corrections that contradict the knowledge base, for {len({p[3] for p in poisoned})} answers"
        )
        self.job("monitor_day", day)
        held = self.record("feedback_examples", DatasetRef).counts["held_back"]
        released = release_all(self.workspace, open_lake(self.workspace), str(day), "demonstration") if held else 0
        self.say(f"{held} of them are held back for a person, who releases {released} unread: the gate is what is left")
        before = target.status().live
        outcome = self.runner.run("retrain", day, tags={"cause": "poisoned feedback"}, config=self.sizes.run_config)
        decision = self.record("gate", GateDecision)
        after = target.status().live
        self.results |= {
            "poisoned_corrections": stored,
            "poisoned_held_back": held,
            "poisoned_blocked": not decision.passed and not outcome.success and after == before,
            "poisoned_candidate": decision.candidate,
            "poisoned_failed_slices": list(decision.failed_slices),
            "poisoned_reasons": list(decision.reasons),
            "serving": after,
        }
        self.say(f"gate: {'passed' if decision.passed else 'blocked'}; {'; '.join(decision.reasons)}")

    # -- customers --------------------------------------------------------------------------------------------------

    def replay(self, target: DeploymentTarget, traffic: Traffic, day: date) -> tuple[float, float | None]:
        """A day's customers with their feedback; (share right, share right on the new topic)."""
        queries = traffic.day(day, self.sizes.queries_per_day)
        replies = self.ask(target, queries)
        known = self.articles() if self.data else ()
        look_ups = {article.intent for article in known if article.kind == "look_up"}
        right = graded(queries, replies, {article.id: article.intent for article in known}, look_ups)
        said = []
        for query, reply, ok in zip(queries, replies, right, strict=True):
            feedback = generator.feedback_for(query.live, ok)
            if feedback is not None and reply.status == 200:
                said.append((reply.interaction, *feedback, query.ask.time))
        target.give_feedback(said)
        topic = self.workspace.settings.new_topic_intent if self.data else generator.NEW_TOPIC_INTENT
        new = [ok for query, ok in zip(queries, right, strict=True) if topic and query.item.intent == topic]
        return sum(right) / max(1, len(right)), sum(new) / len(new) if new else None

    def articles(self) -> tuple[Article, ...]:
        """What is known now."""
        knowledge = self.record("knowledge_base", KnowledgeBase)
        return tuple(read_articles(open_lake(self.workspace), knowledge.articles.ref))

    def ask(self, target: DeploymentTarget, queries: list[Query]) -> list[TargetReply]:
        """Ask and count what failed."""
        replies = target.ask_many([query.ask for query in queries])
        self.failed_requests += sum(reply.status != 200 for reply in replies)
        return replies

    @contextlib.contextmanager
    def load(self, target: DeploymentTarget, traffic: Traffic, day: date) -> Generator[None]:
        """Customers who keep asking while releases are swapped; failures are counted."""
        queries = traffic.day(day, 60)
        done = threading.Event()

        def keep_asking() -> None:
            position = 0
            while not done.is_set():
                replies = self.ask(target, [queries[position % len(queries)]])
                self.requests_during_swaps += len(replies)
                position += 1
                # Crowded while releases are swapped; quieter while the same two cores train.
                done.wait(0.2 if self.runner.step in ("", "release", "deployment") else 5.0)

        thread = threading.Thread(target=keep_asking, name="customers", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(timeout=200)

    # -- Dagster ----------------------------------------------------------------------------------------------------

    def job(self, name: str, day: date, tags: Mapping[str, str] | None = None) -> None:
        """Run a job for a day; DemoError when it fails."""
        try:
            self.runner.must_run(name, day, tags=tags, config=self.sizes.run_config, brief=name == "ingest_day")
        except RunError as error:
            decision = recorded(self.instance, "gate", GateDecision)
            if decision is not None and not decision.passed:
                raise DemoError(gates.stopped(decision)) from error
            raise DemoError(str(error)) from error

    def sensor(self) -> dg.RunRequest | None:
        """What `retrain_on_drift` requests now."""
        from sensors.retrain_on_drift import retrain_on_drift

        lake = open_lake(self.workspace)
        with dg.build_sensor_context(instance=self.instance, resources={"lake": lake}) as context:
            found = retrain_on_drift(context)
        return found.run_requests[0] if isinstance(found, dg.SensorResult) and found.run_requests else None

    def record(self, asset: str, record: type[RecordType]) -> RecordType:
        """The hand-over of an asset's last materialization."""
        found = recorded(self.instance, asset, record)
        if found is None:
            raise DemoError(f"{asset} was not materialized")
        return found

    def asset_keys(self) -> set[dg.AssetKey]:
        """Keys of every asset of the graph."""
        return set(self.defs.resolve_all_asset_keys())

    # -- what is said -----------------------------------------------------------------------------------------------

    def title(self, text: str) -> None:
        """Begin an act."""
        self.console.rule(f"[bold]{text}")

    def say(self, text: str) -> None:
        """One line."""
        self.console.print(f"  {text}", highlight=False)

    def drift_line(self) -> str:
        """What the last drift report found."""
        report = self.record("drift_report", DriftReport)
        windows = sum(window.drifted for window in report.windows)
        first = min((at for at in (report.alarm_at, report.cusum_alarm_at) if at is not None), default=None)
        alarm = f", alarm after {first} questions" if first else ""
        return f"{windows} of {len(report.windows)} windows drifted{alarm}"

    def summary(self) -> None:
        """The closing table and where to look next."""
        r = self.results
        table = Table(title="Right answers on held-out questions")
        for column in ("slice", "base model", "first release", "after the new topic"):
            table.add_column(column, justify="left" if column == "slice" else "right")
        names = sorted({*r["base_slices"], *r["first_release_slices"], *r.get("adapter_slices", {})})
        for name in names:
            cells = [r[key].get(name) for key in ("base_slices", "first_release_slices")]
            cells.append(r.get("adapter_slices", {}).get(name))
            table.add_row(name, *(_cell(cell) for cell in cells))
        overall = [r["base_accuracy"], r["first_release_accuracy"], r.get("adapter_accuracy")]
        table.add_row("[bold]overall", *("-" if value is None else f"[bold]{value:.2f}" for value in overall))
        self.console.print(table)
        for label, key in (
            ("Parts of the first release", "parts"),
            ("Triggers on days without drift", "false_triggers"),
            ("Day of the new topic", "new_topic_day"),
            ("Questions until drift was noticed", "drift_delay_interactions"),
            ("New topic, held-out, before retraining", "new_topic_accuracy_before"),
            ("New topic, held-out, after retraining", "new_topic_accuracy_after"),
            ("New topic, customers of the day, before", "live_new_topic_accuracy_before"),
            ("New topic, customers of the next day, after", "live_new_topic_accuracy_after"),
            ("Poisoned corrections held back for a person", "poisoned_held_back"),
            ("Poisoned candidate blocked", "poisoned_blocked"),
            ("Slices on which it failed", "poisoned_failed_slices"),
            ("Requests while releases were swapped", "requests_during_swaps"),
            ("Failed requests in all", "failed_requests"),
            ("Seconds in all", "wall_seconds"),
        ):
            if key in r:
                self.say(f"{label}: {_plain(r[key])}")
        settings = self.workspace.settings
        self.say(f"All figures: {self.home / 'demo.json'}")
        self.say("Look around: make dev, then")
        self.say("  Dagster  http://127.0.0.1:3000          graph, runs, checks, sensors")
        self.say(f"  MLflow   http://127.0.0.1:{settings.mlflow_port}          training runs, model versions, prompts")
        self.say(f"  Lake     http://127.0.0.1:{settings.lake_port}          commits, datasets and all reports")
        self.say(f"  Gateway  http://127.0.0.1:{settings.gateway_port}/v1       the assistant")


def detection_delay(reports: Sequence[DriftReport]) -> int | None:
    """Questions since the first day began until the first alarm, or until the first window that drifted was full."""
    candidates, count = [], 0
    for report in reports:
        candidates += [count + at for at in (report.alarm_at, report.cusum_alarm_at) if at is not None]
        for window in report.windows:
            count += window.size
            if window.drifted:
                candidates.append(count)
    return min(candidates, default=None)


def poison(
    queries: list[Query], replies: list[TargetReply], articles: int = 20
) -> list[tuple[str, int, str, str, Any]]:
    """Corrections of right answers to wrong ones: the articles asked most each get another one's answer."""
    by_answer: dict[str, list[int]] = {}
    for index, reply in enumerate(replies):
        if reply.status == 200 and reply.path == "matched":
            by_answer.setdefault(reply.answer, []).append(index)
    asked = sorted((answer for answer in by_answer), key=lambda answer: (-len(by_answer[answer]), answer))
    answers = sorted(answer for answer in asked[:articles] if len(by_answer[answer]) >= 2)
    wrong = dict(zip(answers, answers[len(answers) // 2 :] + answers[: len(answers) // 2], strict=True))
    said = []
    for answer in answers:
        for index in by_answer[answer]:
            said.append((replies[index].interaction, -1, "wrong", f"No. {wrong[answer]}", queries[index].ask.time))
    return said


def _slices(report: EvalReport) -> dict[str, list[int]]:
    return {name: [score.right, score.total] for name, score in report.slices.items()}


def _cell(score: list[int] | None) -> str:
    return "-" if score is None else f"{score[0]}/{score[1]} = {score[0] / score[1]:.2f}"


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)
