"""Dashboards and alerts go out as files; the graph's figures are read as Prometheus reads them."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from commands_support import llmops
from prometheus_client.parser import text_string_to_metric_families
from recorded_support import record, serve
from support import drift_report

from llmops_assets import observability
from llmops_assets.commands.observability import figures_of
from llmops_assets.lib.scaling import ScalingPlan, Slot
from llmops_assets.lib.watching.figures import exposition
from llmops_assets.samples import generator
from resources.lake.embedded import EmbeddedLake

DAY = date(2026, 3, 11)


def end_of(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + 86_400


def told(text: str) -> dict[str, float]:
    """Name of each figure to its value; of the release its name in place of the labels."""
    return {
        sample.name + str(sample.labels.get("release", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_is_exported_is_what_the_package_holds(tmp_path):
    shown = llmops("observability", "export", str(tmp_path / "out"))
    assert shown.exit_code == 0, shown.output
    written = sorted(file for file in (tmp_path / "out").rglob("*") if file.is_file())
    assert [file.name for file in written] == ["alertmanager.yaml", "llmops.yaml", "gateway.json"]
    assert sorted(shown.stdout.split()) == [str(file) for file in written]
    folder = Path(observability.__file__).parent
    for file in written:
        assert file.read_bytes() == (folder / file.parent.name / file.name).read_bytes()


@pytest.mark.slow
def test_the_figures_of_an_installation_tell_release_and_drift(home):
    assert llmops("observability", "figures").stdout == "", "nothing was done yet"
    with dg.DagsterInstance.get() as instance:
        serve(instance, EmbeddedLake(home / "lake"), "r-1", DAY - timedelta(days=3))
        record(instance, "drift_report", drift_report(DAY, [True, True]), str(DAY))
    shown = llmops("observability", "figures")
    assert shown.exit_code == 0, shown.output
    assert told(shown.stdout) == {
        "llmops_release_deployed_infor-1": 1,
        "llmops_drift_report_timestamp_seconds": end_of(DAY),
        "llmops_drift_alarm_timestamp_seconds": end_of(DAY),
    }


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def alarm(instance, lake) -> float | None:
    return told(exposition(figures_of(instance, lake))).get("llmops_drift_alarm_timestamp_seconds")


def test_a_drift_is_as_old_as_its_first_day_until_a_release_learned_from_it(instance, lake):
    record(instance, "use_case", generator.load_use_case())
    serve(instance, lake, "r-1", DAY - timedelta(days=5))
    for days, windows in ((-1, [False, False]), (0, [True, True]), (1, [True, True]), (2, [True, True])):
        day = DAY + timedelta(days=days)
        record(instance, "drift_report", drift_report(day, windows), str(day))
    assert alarm(instance, lake) == end_of(DAY)
    assert told(exposition(figures_of(instance, lake)))["llmops_drift_report_timestamp_seconds"] == end_of(
        DAY + timedelta(days=2)
    )
    serve(instance, lake, "r-2", DAY + timedelta(days=2))
    assert alarm(instance, lake) is None


def test_a_drifted_window_that_asks_for_no_retraining_is_no_alarm(instance, lake):
    record(instance, "use_case", generator.load_use_case())
    serve(instance, lake, "r-1", DAY - timedelta(days=5))
    record(instance, "drift_report", drift_report(DAY, [True, False]), str(DAY))
    assert alarm(instance, lake) is None


def test_a_plan_that_was_handed_over_is_told_until_it_expires(instance, lake):
    now = datetime.now(UTC)
    slots = (Slot(start=now - timedelta(minutes=1), replicas=7),)
    for hours, replicas in ((1, 7), (-1, 0)):
        made = now - timedelta(hours=2)
        plan = ScalingPlan(made=made, valid_until=now + timedelta(hours=hours), slots=slots)
        record(instance, "scaling_plan", plan)
        figures = told(exposition(figures_of(instance, lake)))
        assert figures["llmops_planned_replicas"] == replicas
        assert figures["llmops_plan_valid_until_seconds"] == pytest.approx(plan.valid_until.timestamp())
