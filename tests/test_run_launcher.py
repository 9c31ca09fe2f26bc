"""A run whose process is gone is found and failed, so that it is started again; no other run is touched."""

import logging
import os
import subprocess
import sys
import time

import dagster as dg
import psutil
import pytest
import yaml
from dagster._core.events import EngineEventData
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.dagster_run import RunRecord
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._daemon.monitoring.run_monitoring import monitor_started_run

from llmops_assets.run_launcher import WatchedRunLauncher, is_alive

pytestmark = pytest.mark.slow


@pytest.fixture
def instance(tmp_path, root):
    given = yaml.safe_load((root / "dagster.yaml").read_text())
    config = {name: given[name] for name in ("run_launcher", "run_monitoring", "run_retries")}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(config))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def gone() -> int:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process.pid


def started(instance: dg.DagsterInstance, pid: int | None, **tags: str) -> RunRecord:
    @dg.job
    def nothing() -> None:
        pass

    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED, tags=tags)
    if pid is not None:
        told = EngineEventData.in_process(pid)
        instance.report_engine_event(f"Started process for run (pid: {pid}).", run, told)
    return instance.get_run_records(dg.RunsFilter(run_ids=[run.run_id]))[0]


def monitored(instance: dg.DagsterInstance, record: RunRecord) -> dg.DagsterRun:
    monitor_started_run(instance, None, record, logging.getLogger("test"))
    return instance.get_run_by_id(record.dagster_run.run_id)


def test_a_run_whose_process_is_gone_fails_and_is_to_be_retried(instance, gone):
    run = monitored(instance, started(instance, gone))
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert run.tags["dagster/will_retry"] == "true"


@pytest.mark.parametrize("case", ["alive", "nobody told", "elsewhere"])
def test_no_other_run_is_touched(instance, gone, case):
    elsewhere = {GRPC_INFO_TAG: '{"host": "code.example", "port": 4000}'}
    records = {
        "alive": lambda: started(instance, os.getpid()),
        "nobody told": lambda: started(instance, None),
        "elsewhere": lambda: started(instance, gone, **elsewhere),
    }
    assert monitored(instance, records[case]()).status == dg.DagsterRunStatus.STARTED


def test_on_this_machine_means_its_sockets_and_ports(instance, gone):
    assert isinstance(instance.run_launcher, WatchedRunLauncher)
    for place in ('{"host": "localhost", "socket": "/tmp/x"}', '{"host": "127.0.0.1", "port": 4000}'):
        record = started(instance, gone, **{GRPC_INFO_TAG: place})
        found = instance.run_launcher.check_run_worker_health(record.dagster_run)
        assert found.status == WorkerStatus.FAILED
        assert str(gone) in found.msg


def test_an_id_that_was_given_again_is_another_process():
    began = psutil.Process().create_time()
    assert is_alive(os.getpid(), time.time())
    assert not is_alive(os.getpid(), began - 100)


def test_a_child_that_nobody_waited_for_is_no_living_process():
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert not is_alive(process.pid, time.time())
    process.wait()
