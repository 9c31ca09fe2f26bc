"""Runs jobs of the graph in this process and shows their steps: what the `llmops` command and the demonstration share.

Which jobs there are says jobs.py; in production the daemon launches them.
"""

import re
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
from dagster._utils.error import SerializableErrorInfo
from rich.console import Console

from llmops_assets.lib.errors import LlmopsError

LAUNCHED_BY = "llmops/launched_by"
"""Tag of runs that live in the process of the `llmops` command and end with it."""

OWN_ERROR = re.compile(r"^(llmops_assets|resources|sensors)(\.\w+)+: ")
"""The class's name before what an error of ours says."""


class RunError(LlmopsError):
    """A run failed or could not start; the message says which step and why."""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended; `step` and `reason` tell the first failure."""

    run_id: str
    success: bool
    step: str = ""
    reason: str = ""


class Runner:
    """Runs jobs on an instance, one at a time."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance, console: Console) -> None:
        self.defs = defs
        self.instance = instance
        self.console = console
        self.step = ""
        """The step that runs now; "" between runs."""

    def run(
        self,
        job: str,
        day: date | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        config: Mapping[str, Mapping[str, Any]] | None = None,
        brief: bool = False,
    ) -> RunOutcome:
        """Run a job for a day, or one that has no days. `config` maps op names to config, over the job's own; what the
        job does not know of it is left out.

        With `brief` one line for the whole run is shown instead of one for every step.
        """
        definition = self.defs.resolve_job_def(job)
        run_id = str(uuid.uuid4())
        outcome: dict[str, Any] = {}

        def execute() -> None:
            try:
                outcome["result"] = definition.execute_in_process(
                    run_config=_merged(definition, day, config or {}),
                    instance=self.instance,
                    partition_key=str(day) if day else None,
                    tags={LAUNCHED_BY: "command", **(tags or {})},
                    run_id=run_id,
                    raise_on_error=False,
                )
            except BaseException as error:
                outcome["error"] = error

        thread = threading.Thread(target=execute, name=job, daemon=True)
        thread.start()
        title = f"{job} {day}" if day else job
        self._follow(title, run_id, thread, brief=brief)
        if "error" in outcome:
            raise RunError(f"{title} could not run: {outcome['error']}") from outcome["error"]
        result = outcome["result"]
        if result.success:
            if brief:
                self.console.print(f"  [green]✓[/] {title}")
            return RunOutcome(run_id, True)
        step = next((event for event in result.all_events if event.is_step_failure), None)
        if step is not None:
            failure = step.step_failure_data
            described = failure.user_failure_data
            told = (described.description if described else None) or _unmet(result, step) or _reason(failure.error)
            return RunOutcome(run_id, False, step.step_key or "", told)
        # A resource that could not be made ends a run before its first step.
        ended = next((event.job_failure_data for event in result.all_events if event.is_job_failure), None)
        return RunOutcome(run_id, False, reason=_reason(ended.error if ended else None))

    def must_run(self, job: str, day: date | None = None, **options: Any) -> RunOutcome:
        """`run`, but a failure is a RunError."""
        outcome = self.run(job, day, **options)
        if not outcome.success:
            at = f" at {outcome.step}" if outcome.step else ""
            raise RunError(f"{job}{f' for {day}' if day else ''} failed{at}: {outcome.reason}")
        return outcome

    def release_leftovers(self) -> int:
        """Mark the runs that a killed command left unfinished as cancelled, free their pools, return how many."""
        unfinished = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
        filters = dg.RunsFilter(statuses=unfinished, tags={LAUNCHED_BY: "command"})
        left = self.instance.get_runs(filters)
        for run in left:
            self.instance.report_run_canceled(run, "the command that ran it has ended")
        storage = self.instance.event_log_storage
        for run_id in storage.get_concurrency_run_ids():
            holder = self.instance.get_run_by_id(run_id)
            # A slot whose run is over would block the pool for ever.
            if holder is None or holder.is_finished:
                storage.free_concurrency_slots_for_run(run_id)
        return len(left)

    def _follow(self, title: str, run_id: str, thread: threading.Thread, *, brief: bool) -> None:
        cursor: str | None = None
        began: dict[str | None, float] = {}
        with self.console.status(title) as status:
            while True:
                alive = thread.is_alive()
                # What is new only: a run has hundreds of events, and reading one takes as long as a small step's work.
                new = self.instance.get_records_for_run(run_id, cursor=cursor)
                cursor = new.cursor
                for entry in (record.event_log_entry for record in new.records):
                    event = entry.dagster_event
                    if event is None:
                        status.update(f"{title}: {entry.step_key or ''} {entry.user_message}")
                    elif event.is_step_start:
                        began[event.step_key] = entry.timestamp
                        self.step = event.step_key or ""
                        status.update(f"{title}: {event.step_key}")
                    elif event.is_step_success and not brief:
                        seconds = entry.timestamp - began.get(event.step_key, entry.timestamp)
                        self.console.print(f"  [green]✓[/] {event.step_key} [dim]{seconds:.1f} s[/]")
                    elif event.is_step_failure:
                        self.console.print(f"  [red]✗[/] {event.step_key}")
                if not alive:
                    break
                thread.join(timeout=0.5)
        self.step = ""


def _merged(definition: dg.JobDefinition, day: date | None, extra: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The job's own config over `extra`, for the ops the job has; its steps' log goes to the instance only."""
    # A partitioned job keeps its config per partition: `definition.run_config` is None then.
    config = dict(definition.get_run_config_for_partition_key(str(day)) if day else definition.run_config or {})
    own = config.get("ops", {})
    known = {node.name for node in definition.nodes}
    ops = {op: {"config": dict(value)} for op, value in extra.items() if op in known}
    for op, value in own.items():
        ops[op] = {"config": {**ops.get(op, {}).get("config", {}), **value["config"]}}
    return {**config, "ops": ops, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def _unmet(result: dg.ExecuteInProcessResult, failure: dg.DagsterEvent) -> str:
    """What the blocking checks say that ended a step; "" where something else did. Dagster's error has only their
    names."""
    error = failure.step_failure_data.error
    if error is None or error.cls_name != "DagsterAssetCheckFailedError":
        return ""
    kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    events = [e for e in result.all_events if e.event_type == kind and e.step_key == failure.step_key]
    found = [event.asset_check_evaluation_data for event in events]
    return "; ".join(check.description or check.check_name for check in found if check.blocking and not check.passed)


def _reason(error: SerializableErrorInfo | None) -> str:
    """What was raised, without what Dagster put around it; of our own errors only what they say."""
    while error is not None and error.cause is not None and (error.cls_name or "").startswith("Dagster"):
        error = error.cause
    if error is None:
        return "no reason was recorded: see the run in the UI"
    return OWN_ERROR.sub("", error.message.strip())
