"""Dagster's default run launcher, which also knows when the process of a run is gone.

Without that a run whose process was killed with everything else (a power cut, an out-of-memory kill) counts as started
for ever, keeps its place among the concurrent runs, and the queue behind it stands still. Set in dagster.yaml.
Concept: https://docs.dagster.io/deployment/execution/run-monitoring.
"""

import psutil
from dagster import DagsterEventType, DagsterRun
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

THIS_MACHINE = ("localhost", "127.0.0.1")


class WatchedRunLauncher(DefaultRunLauncher):
    """Says of a started run on this machine whether its process lives; run monitoring fails and retries the others."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring asks `check_run_worker_health` about every started run."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """FAILED when the process that logged itself as the run's is gone; RUNNING too where that cannot be told."""
        if not _is_here(run):
            return CheckRunHealthResult(WorkerStatus.RUNNING, "its process is on another machine")
        found = None
        for record in self._instance.get_records_for_run(run.run_id, of_type=DagsterEventType.ENGINE_EVENT).records:
            event = record.event_log_entry.dagster_event
            pid = event.engine_event_data.metadata.get("pid") if event is not None else None
            if pid is not None:
                found = int(str(pid.value)), record.event_log_entry.timestamp
        if found is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "no process has told that it is the run's")
        pid, told_at = found
        if is_alive(pid, told_at):
            return CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id=str(pid))
        return CheckRunHealthResult(WorkerStatus.FAILED, f"its process {pid} is gone", run_worker_id=str(pid))


def is_alive(pid: int, since: float) -> bool:
    """Whether the process that had this id at a time (seconds since 1970) still runs; an id may be given again."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= since + 1
    except psutil.NoSuchProcess:
        return False


def _is_here(run: DagsterRun) -> bool:
    tag = run.tags.get(GRPC_INFO_TAG, "")
    return not tag or '"socket"' in tag or any(f'"{host}"' in tag for host in THIS_MACHINE)
