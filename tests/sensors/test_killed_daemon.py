"""The daemon, killed with -9 at every point of a decision where Dagster lets it be killed: one retraining each time."""

import logging
import multiprocessing
import re
import signal
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon import sensor as daemon
from findings_support import finding, report
from recorded_support import record
from support import drift_report

from sensors.retrain_on_drift import retrain_on_drift

pytestmark = [
    pytest.mark.slow,
    # Dagster's daemon says so of a tick that it finds begun and not ended.
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning"),
]
DAY = date(2026, 3, 11)
POINTS = ("TICK_CREATED", "TICK_HELD", "RUN_IDS_RESERVED", "RUN_CREATED", "RUN_LAUNCHED")
"""From the begin of a tick until its cursor is written, in order; `TICK_HELD` is just before the sensor is asked."""
NEVER_BY_RUN_REQUESTS = {"AUTOMATION_EVALUATIONS_ADDED", "RUN_IDS_ADDED_TO_EVALUATIONS"}


def look(home: Path, minute: int, killed_at: str = "") -> None:
    """One look of the daemon at all sensors, so many minutes from now; it dies where it comes to `killed_at`."""
    origin = InProcessCodeLocationOrigin(
        LoadableTargetOrigin(python_file=str(Path(__file__).with_name("one_decision.py")), attribute="defs")
    )
    flags = {retrain_on_drift.name: {killed_at: signal.SIGKILL}} if killed_at else None
    with (
        dg.DagsterInstance.from_config(str(home)) as instance,
        WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(origin)) as context,
        # The daemon asks a sensor again when its interval is over.
        freeze_time(datetime.now(UTC) + timedelta(minutes=minute)),
    ):
        list(daemon.execute_sensor_iteration(context, logging.getLogger("daemon"), None, None, debug_crash_flags=flags))


def killed(home: Path, minute: int, point: str) -> bool:
    """Whether a daemon that is to die at a point did."""
    process = multiprocessing.get_context("fork").Process(target=look, args=(home, minute, point))
    with closing(process):
        process.start()
        process.join(120)
        return process.exitcode == -signal.SIGKILL


def requested(home: Path) -> list[str]:
    """The run keys of all retrainings that were begun."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return [run.tags["dagster/run_key"] for run in instance.get_runs()]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An instance on which findings call for a retraining."""
    monkeypatch.setenv("LAKE_FOLDER", str(tmp_path / "lake"))
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        record(instance, "drift_report", drift_report(DAY, [True, True]), str(DAY))
        record(instance, "findings", report(finding(day=DAY), day=DAY), str(DAY))
    return tmp_path


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_in_the_middle_of_a_decision_leads_to_one_retraining(home, point):
    assert killed(home, 0, point), f"the tick came to {point}"
    for minute in (2, 4):
        look(home, minute)
    assert requested(home) == [f"f-0000000001-{DAY}"]


def test_kill_after_kill_through_a_whole_decision_leads_to_one_retraining(home):
    for number, point in enumerate(POINTS):
        killed(home, 2 * number, point)
    look(home, 2 * len(POINTS))
    assert requested(home) == [f"f-0000000001-{DAY}"]


def test_there_is_no_other_point_at_which_the_daemon_can_be_killed():
    named = set(re.findall(r'check_for_debug_crash\(\s*\w+,\s*"(\w+)"', Path(daemon.__file__).read_text()))
    assert named - NEVER_BY_RUN_REQUESTS == set(POINTS)
