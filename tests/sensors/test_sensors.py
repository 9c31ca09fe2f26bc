"""Each sensor on recorded state: one cause starts one run, and a skip says the numbers."""

import json
import os
import subprocess
import sys
from datetime import date, timedelta

import dagster as dg
import pytest
from findings_support import finding, report
from recorded_support import record, serve
from support import drift_report

from llmops_assets.lib.records import CostLedger, TrainingCost
from llmops_assets.samples import generator
from resources.conversations import Conversations
from resources.workspace import Settings, Workspace
from sensors.ingest_on_new_data import MAX_REQUESTS, ingest_on_new_data
from sensors.retrain_on_drift import retrain_on_drift

DAY = date(2026, 3, 11)


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def drift_tick(instance, lake, cursor=None):
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources={"lake": lake}) as context:
        found = retrain_on_drift(context)
        return found, found.cursor if isinstance(found, dg.SensorResult) else context.cursor


def reported(instance, day: date, *found, windows=(True, True)) -> None:
    """What monitor_day leaves behind."""
    record(instance, "drift_report", drift_report(day, windows), str(day))
    record(instance, "findings", report(*found, day=day), str(day))


def test_findings_request_one_retraining_and_its_run_carries_them(instance, lake):
    record(instance, "use_case", generator.load_use_case())
    skip, cursor = drift_tick(instance, lake)
    assert "materialize findings for a day" in skip.skip_message
    reported(instance, DAY, finding(day=DAY, senders=3))
    skip, cursor = drift_tick(instance, lake, cursor)
    assert "only 3 of 5 people so far" in skip.skip_message
    reported(instance, DAY, finding(day=DAY), finding("f-0000000002", day=DAY))
    found, cursor = drift_tick(instance, lake, cursor)
    (first,) = found.run_requests
    assert first.run_key == "f-0000000001-2026-03-11"
    assert first.partition_key == str(DAY)
    assert first.tags["findings"] == "f-0000000001,f-0000000002"
    assert "30 of 30 were answered badly" in first.tags["reason"]
    again, cursor = drift_tick(instance, lake, cursor)
    assert again.skip_message == first.tags["reason"], "without news nothing is decided anew"
    # A daemon that was killed before it wrote its cursor asks once more, under the same name.
    found, _ = drift_tick(instance, lake)
    assert found.run_requests[0].run_key == first.run_key


@pytest.mark.slow
def test_no_second_retraining_is_requested_while_one_learns_and_none_after_two_failed(instance, lake):
    reported(instance, DAY, finding(day=DAY))
    job = dg.job(name="retrain")(lambda: None)
    tags = {"findings": "f-0000000001"}
    run = instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)
    skip, _ = drift_tick(instance, lake)
    assert f"run {run.run_id[:8]} is learning from it" in skip.skip_message
    instance.report_run_failed(run)
    found, _ = drift_tick(instance, lake)
    assert len(found.run_requests) == 1, "a run that died is tried again, on another day or by the daemon"
    instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.FAILURE)
    skip, _ = drift_tick(instance, lake)
    assert "2 runs of it failed" in skip.skip_message
    instance.create_run_for_job(job, tags={"findings": "f-000000000f"}, status=dg.DagsterRunStatus.STARTED)
    assert "2 runs of it failed" in drift_tick(instance, lake)[0].skip_message, "that one learns from another"


def test_findings_of_an_earlier_day_than_drift_decide_nothing(instance, lake):
    reported(instance, DAY, finding(day=DAY))
    later = DAY + timedelta(days=1)
    record(instance, "drift_report", drift_report(later, [True, True]), str(later))
    skip, _ = drift_tick(instance, lake)
    assert "drift was reported for 2026-03-12, findings until 2026-03-11" in skip.skip_message


def test_what_a_retraining_was_measured_to_cost_decides_whether_it_pays(instance, lake):
    reported(instance, DAY, finding(day=DAY))
    dear = TrainingCost(adapter="a", seconds=9e6, currency=1000.0, energy_kwh=75, co2_grams=18750)
    record(instance, "cost_ledger", CostLedger(lines=(), assumptions={}, trainings=(dear,)))
    skip, _ = drift_tick(instance, lake)
    assert "450.00 of errors avoided in 30 days against 1000.00 for a retraining: it does not pay" in skip.skip_message


def test_after_a_rollback_drift_counts_from_what_the_release_that_serves_was_trained_on(instance, lake):
    for name, until in (("r-old", DAY - timedelta(days=3)), ("r-new", DAY)):
        serve(instance, lake, name, until)
        reported(instance, DAY, finding(day=DAY))
    skip, cursor = drift_tick(instance, lake)
    assert "2026-03-11 was just learned" in skip.skip_message
    serve(instance, lake, "r-old", DAY - timedelta(days=3))
    found, _ = drift_tick(instance, lake, cursor)
    assert [request.run_key for request in found.run_requests] == [f"f-0000000001-{DAY}"]


def data_tick(instance, workspace, cursor=None):
    with dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"conversations": Conversations(workspace)}
    ) as context:
        return ingest_on_new_data(context)


def test_new_and_changed_days_are_requested_once(instance, tmp_path):
    workspace = Workspace(tmp_path)
    workspace.write_settings(Settings())
    assert isinstance(data_tick(instance, workspace), dg.SkipReason)
    files = generator.write_archive(tmp_path / "inbox", 140)
    first = data_tick(instance, workspace)
    assert [r.partition_key for r in first.run_requests] == [
        str(generator.START + timedelta(days=n)) for n in range(14)
    ]
    assert len({r.run_key for r in first.run_requests}) == 14
    assert isinstance(data_tick(instance, workspace, first.cursor), dg.SkipReason)
    with files[3].open("a") as file:
        file.write(json.dumps({"question": "late row", "answer": "noted", "time": "2026-03-05T10:00:00"}) + "\n")
    second = data_tick(instance, workspace, first.cursor)
    assert [r.partition_key for r in second.run_requests] == ["2026-03-05"]
    assert second.run_requests[0].run_key != first.run_requests[3].run_key


def test_a_file_that_cannot_be_used_is_told_and_stops_no_other(instance, tmp_path):
    workspace = Workspace(tmp_path)
    workspace.write_settings(Settings())
    (tmp_path / "inbox").mkdir()
    row = {"question": "Is there a spare key?", "answer": "Ask the porter.", "time": "2026-03-02T10:00:00"}
    (tmp_path / "inbox" / "monday.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "inbox" / "sunday.csv").write_text("question,answer,time\n")
    first = data_tick(instance, workspace)
    assert [r.partition_key for r in first.run_requests] == ["2026-03-02"]
    skip = data_tick(instance, workspace, first.cursor)
    assert "1 files are left out: sunday.csv: holds no rows" in skip.skip_message
    (tmp_path / "inbox" / "sunday.csv").write_text("question,answer,time\nOpen on Sunday?,No,2026-03-08\n")
    mended = data_tick(instance, workspace, first.cursor)
    assert [r.partition_key for r in mended.run_requests] == ["2026-03-08"]


EARLIER = """
import pathlib, sys
import dagster as dg
from resources.conversations import Conversations
from resources.workspace import Workspace
from sensors import ingest_on_new_data
resources = {"conversations": Conversations(Workspace(pathlib.Path(sys.argv[1])))}
with dg.DagsterInstance.ephemeral() as instance:
    with dg.build_sensor_context(instance=instance, cursor=sys.argv[2], resources=resources) as context:
        print([request.partition_key for request in ingest_on_new_data(context).run_requests])
"""


@pytest.mark.slow
def test_days_outside_the_partitions_are_told_and_wait(instance, tmp_path, root):
    workspace = Workspace(tmp_path)
    workspace.write_settings(Settings())
    rows = [{"question": "q", "answer": "a", "time": f"{day}T10:00:00"} for day in ("2026-01-31", "2026-03-02")]
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    first = data_tick(instance, workspace)
    assert [r.partition_key for r in first.run_requests] == ["2026-03-02"]
    skip = data_tick(instance, workspace, first.cursor)
    assert "1 days before 2026-03-02 are left out: set LLMOPS_FIRST_DAY=2026-01-31" in skip.skip_message
    # The first day is read when the graph is loaded: in a process of its own.
    environment = {**os.environ, "LLMOPS_FIRST_DAY": "2026-01-01", "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", EARLIER, str(tmp_path), first.cursor]
    told = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert told.stdout.strip() == "['2026-01-31']", told.stderr


def test_each_source_has_its_own_cursor_and_days_over_the_limit_wait(instance, tmp_path):
    days = [DAY + timedelta(days=n) for n in range(MAX_REQUESTS + 3)]

    def row(day: date, **changes) -> str:
        return json.dumps({"id": str(day), "question": "q", "answer": "a", "time": str(day), **changes}) + "\n"

    for name, own_days in (("a", days), ("b", days[:1])):
        (tmp_path / f"{name}.jsonl").write_text("".join(map(row, own_days)))
    entries = [{"kind": "files", "name": name, "url": str(tmp_path / f"{name}.jsonl")} for name in ("a", "b")]
    workspace = Workspace(tmp_path / "home")
    workspace.write_settings(Settings.model_validate({"sources": entries}))
    first = data_tick(instance, workspace)
    assert [r.partition_key for r in first.run_requests] == [str(day) for day in days[:MAX_REQUESTS]]
    (tmp_path / "b.jsonl").write_text(row(days[0]) + row(days[-1]) + row(days[1]))
    second = data_tick(instance, workspace, first.cursor)
    assert [r.partition_key for r in second.run_requests] == [str(day) for day in (days[1], *days[MAX_REQUESTS:])]
    assert isinstance(data_tick(instance, workspace, second.cursor), dg.SkipReason)
    keys = [r.run_key for r in (*first.run_requests, *second.run_requests)]
    assert len(set(keys)) == len(keys)


def test_a_files_name_that_is_somebodys_address_is_in_no_tick():
    from llmops_assets.lib.sources import Fault
    from sensors.ingest_on_new_data import nameless

    told = nameless([Fault("anna.keller@mail.example.csv", "holds no rows"), Fault("may.csv", "holds no rows")])
    assert "anna" not in str(told)
    assert str(told[1]) == "may.csv: holds no rows"
