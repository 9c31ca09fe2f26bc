"""What goes wrong is told once, as of the tick after; what went wrong before is not."""

import json
from datetime import UTC, date, datetime

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from receivers import HttpReceiver
from recorded_support import record
from support import ref

from llmops_assets.lib.records import GateDecision, GatePolicy, KpiReport, KpiValue
from resources.notifier import AlertSettings, Notifier
from resources.workspace import Settings, Workspace
from sensors.alert_on_trouble import alert_on_trouble

BROKEN = {"at": "all of it: anna@mail.example"}


@dg.asset(check_specs=[dg.AssetCheckSpec("it_holds", asset="thing")])
def thing(context):
    """Something with a check."""
    yield dg.AssetCheckResult(passed="broken" not in context.run.tags, check_name="it_holds")
    if "failing" in context.run.tags:
        raise dg.Failure(BROKEN["at"])
    yield dg.MaterializeResult()


DEFS = dg.Definitions(assets=[thing], jobs=[dg.define_asset_job("make_thing", selection="thing")])


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


class Watch:
    """The sensor with its cursor, and what a webhook got from it."""

    def __init__(self, instance, http: HttpReceiver, workspace: Workspace) -> None:
        self.instance, self.http, self.workspace = instance, http, workspace
        self.cursor: str | None = None

    def tick(self) -> list[str]:
        """Names of the alerts of a tick."""
        before = len(self.http.got)
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            repository_def=DEFS.get_repository_def(),
            resources={"workspace": self.workspace, "notifier": Notifier(self.workspace.settings.alerts)},
        ) as context:
            self.told = alert_on_trouble(context).skip_message
            self.cursor = context.cursor
        return [body["alerts"][0]["labels"]["alertname"] for _, body in self.http.got[before:]]

    def run(self, *tags: str) -> None:
        job = DEFS.resolve_job_def("make_thing")
        job.execute_in_process(instance=self.instance, tags=dict.fromkeys(tags, "yes"), raise_on_error=False)


@pytest.fixture
def watch(instance, tmp_path, monkeypatch):
    workspace = Workspace(tmp_path)
    workspace.write_settings(Settings(alerts=AlertSettings(webhook_variable="HOOK"), budget_per_day=10))
    with HttpReceiver() as http:
        monkeypatch.setenv("HOOK", http.address)
        yield Watch(instance, http, workspace)


@pytest.mark.slow
def test_runs_and_checks_that_fail_are_told_once_and_quote_nothing(watch):
    watch.run("broken", "failing")
    assert watch.tick() == []
    assert "began to watch" in watch.told
    watch.run("failing")
    assert watch.tick() == ["RunFailed"]
    assert watch.tick() == []
    assert "nothing went wrong" in watch.told
    watch.run("broken")
    assert watch.tick() == ["CheckFailed"]
    watch.run()
    assert watch.tick() == []
    assert "anna" not in json.dumps(watch.http.got)
    [failed, check] = [body["alerts"][0] for _, body in watch.http.got]
    assert failed["annotations"]["summary"] == "make_thing failed at thing"
    assert failed["generatorURL"].startswith("http://127.0.0.1:3000/runs/")
    assert check["annotations"]["summary"] == "thing: it_holds does not hold"


@pytest.mark.slow
def test_a_check_that_is_under_way_stops_nothing_and_is_told_when_it_fails(watch):
    watch.tick()
    job = DEFS.resolve_job_def("make_thing")
    here = {"execution": {"config": {"in_process": {}}}}
    run = watch.instance.create_run_for_job(job, run_config=here, tags={"broken": "yes"})
    assert watch.tick() == []
    assert execute_run(InMemoryJob(job), run, watch.instance).success
    assert watch.tick() == ["CheckFailed"]
    assert watch.tick() == []


def test_a_candidate_that_was_stopped_is_told(watch):
    watch.tick()
    stopped = GateDecision(
        passed=False, candidate="r-2", incumbent=None, policy=GatePolicy(), slices=(), failed_slices=("faq",),
        reasons=(), evidence=(ref(),), status="blocked",
    )  # fmt: skip
    record(watch.instance, "gate", stopped)
    assert watch.tick() == ["CandidateRefused"]
    assert watch.tick() == []
    record(watch.instance, "gate", stopped.model_copy(update={"passed": True, "status": "passed"}))
    assert watch.tick() == []


def kpis(day: int, interactions: int) -> KpiReport:
    cost = KpiValue(name="cost_per_answer", value=0.1, target=1, met=True)
    return KpiReport(day=date(2026, 3, day), interactions=interactions, values=(cost,))


def test_a_day_that_came_near_the_budget_is_told_once(watch):
    watch.tick()
    record(watch.instance, "kpi_report", kpis(11, 79), "2026-03-11")
    assert watch.tick() == []
    record(watch.instance, "kpi_report", kpis(12, 80), "2026-03-12")
    assert watch.tick() == ["BudgetNearlySpent"]
    record(watch.instance, "kpi_report", kpis(12, 90), "2026-03-12")
    assert watch.tick() == []
    record(watch.instance, "kpi_report", kpis(13, 101), "2026-03-13")
    assert watch.tick() == ["BudgetSpent"]


def test_a_receiver_that_is_down_stops_nothing(watch, monkeypatch):
    watch.tick()
    monkeypatch.setenv("HOOK", "http://127.0.0.1:9/")
    watch.run("failing")
    assert watch.tick() == []
    assert "RunFailed: {'webhook': 'not sent: URLError'}" in watch.told
    assert json.loads(watch.cursor)["run"] > datetime(2026, 1, 1, tzinfo=UTC).timestamp()
