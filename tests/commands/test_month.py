"""The player of the month: when it kills, when it waits, what it counts, and its code location."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime

import dagster as dg
import pytest

from llmops_assets import month_definitions
from llmops_assets.commands import month
from llmops_assets.commands.demo import DemoError
from llmops_assets.jobs import SCHEDULES, retrain
from llmops_assets.run_launcher import is_alive
from resources.workspace import Workspace

DAY, NEXT = date(2026, 3, 12), date(2026, 3, 13)
LOCATION = month_definitions.defs


@pytest.mark.parametrize(
    ("running", "kills", "late", "killed"),
    [
        ([("monitor_day", True)], [], False, False),
        ([(retrain.name, False)], [], False, True),
        ([(retrain.name, True)], [DAY], False, False),
        ([(retrain.name, True)], [NEXT], False, True),
        ([(retrain.name, False)], [NEXT], False, False),
        ([("monitor_day", True)], [NEXT], False, False),
        ([("monitor_day", True)], [NEXT], True, True),
        ([("monitor_day", False)], [NEXT], True, False),
        ([(retrain.name, True)], [NEXT, NEXT], True, False),
    ],
)
def test_the_daemon_is_killed_at_a_request_and_later_in_a_retraining(running, kills, late, killed):
    assert month.killed_now(running, kills, DAY, late=late) is killed


def test_a_lost_run_is_waited_for_until_it_was_started_again():
    assert month.waits_for_a_retry({"dagster/will_retry": "true"})
    assert not month.waits_for_a_retry({"dagster/will_retry": "true", "dagster/auto_retry_run_id": "b"})
    assert not month.waits_for_a_retry({"dagster/will_retry": "false"})


def test_questions_are_counted_by_event():
    found = month.tallied(["a", "b", "a"], [True, False, False])
    assert {name: (one.asked, one.right) for name, one in found.items()} == {"a": (2, 1), "b": (1, 0)}


def test_its_instance_is_new_and_set_up_as_that_of_the_user(tmp_path, monkeypatch, root):
    home = tmp_path / "home"
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with pytest.raises(DemoError, match=r"dagster\.yaml"):
        month.own_instance(home)
    monkeypatch.setenv("DAGSTER_HOME", str(root))
    folder = month.own_instance(home)
    (folder / "old").touch()
    assert month.own_instance(home) == folder
    assert [file.name for file in folder.iterdir()] == ["dagster.yaml"]
    assert f"base_dir: {folder}/storage" in (folder / "dagster.yaml").read_text()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "settings.yaml").touch()
    with pytest.raises(DemoError, match="is not the demonstration's"):
        month.own_instance(tmp_path / "own")


@pytest.mark.parametrize("group", [False, True])
def test_a_kill_reaches_the_daemon_alone_or_with_what_it_started(tmp_path, group):
    daemon = month.Daemon(tmp_path / "log")
    code = "import subprocess, sys, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
    daemon.process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    with daemon.process.stdout as said:
        child = int(said.readline())
    daemon.kill(group=group)
    assert not daemon.is_running()
    deadline = time.monotonic() + 5
    while group and is_alive(child, time.time()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert is_alive(child, time.time()) is not group
    if not group:
        os.kill(child, signal.SIGKILL)


def clock_tick(instance, home, cursor=None):
    repository = LOCATION().get_repository_def() if callable(LOCATION) else LOCATION.get_repository_def()
    with dg.build_sensor_context(
        instance=instance, cursor=cursor, repository_def=repository, resources={"workspace": Workspace(home)}
    ) as context:
        return month_definitions.clock(context)


@pytest.mark.slow
def test_the_clock_passes_on_what_the_schedules_request_for_the_days_that_are_over(tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        assert "no day is over" in clock_tick(instance, tmp_path).skip_message
        month_definitions.write_day(tmp_path, date(2026, 3, 15))
        found = clock_tick(instance, tmp_path)
        requests = [(one.job_name, one.partition_key) for one in found.run_requests]
        assert requests == [("monitor_day", "2026-03-15"), ("digest_week", "2026-03-09")]
        again = clock_tick(instance, tmp_path, found.cursor)
        assert again.skip_message == "2026-03-15 was dealt with"
        month_definitions.write_day(tmp_path, date(2026, 3, 17))
        found = clock_tick(instance, tmp_path, found.cursor)
        assert [one.partition_key for one in found.run_requests] == ["2026-03-16", "2026-03-17"]
        assert len({one.run_key for one in found.run_requests}) == 2


def test_every_sensor_of_the_graph_is_on_in_its_code_location():
    repository = LOCATION().get_repository_def() if callable(LOCATION) else LOCATION.get_repository_def()
    sensors = {one.name: one for one in repository.sensor_defs}
    assert set(sensors) == {
        "clock", "retrain_on_drift", "ingest_on_new_data", "alert_on_trouble", "roll_back_on_regression",
    }  # fmt: skip
    assert all(one.default_status == dg.DefaultSensorStatus.RUNNING for one in sensors.values())
    assert sensors["retrain_on_drift"].job.name == retrain.name


def test_a_night_monitors_the_day_that_is_over():
    nightly = next(schedule for schedule in SCHEDULES if schedule.name == "monitor_nightly")
    with dg.build_schedule_context(scheduled_execution_time=datetime(2026, 3, 16, 1, 15, tzinfo=UTC)) as context:
        assert nightly(context).partition_key == "2026-03-15"
