"""What scales the gateways: the queries of the autoscaler's manifest on series of all kinds, by promtool."""

import math
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_server import binary

from llmops_assets.lib.scaling import Planned
from llmops_assets.lib.watching.figures import exposition, gauges

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def triggers(root: Path, name: str) -> dict[str, dict]:
    """Of a ScaledObject, by their names."""
    file = root / "k8s" / "components" / "autoscaling" / "scaled-objects.yaml"
    (found,) = (o for o in yaml.safe_load_all(file.read_text()) if o["metadata"]["name"] == name)
    return {trigger["name"]: trigger for trigger in found["spec"]["triggers"]}


def wanted(trigger: dict, value: float) -> int:
    """Replicas that an autoscaler wants of a value (target AverageValue)."""
    return math.ceil(value / float(trigger["metadata"]["threshold"]))


def evaluated(folder: Path, query: str, series: dict[str, str], values: dict[str, float]) -> None:
    """promtool finds that a query comes to values at times."""
    given = [{"series": name, "values": told} for name, told in series.items()]
    tests = [
        {"expr": query, "eval_time": moment, "exp_samples": [{"labels": "{}", "value": value}]}
        for moment, value in values.items()
    ]
    case = {"interval": "1m", "input_series": given, "promql_expr_test": tests}
    file = folder / "case.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [], "tests": [case]}))
    done = subprocess.run([binary("promtool"), "test", "rules", file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prometheus
def test_a_plan_scales_until_it_expires_and_then_by_itself_no_more(root, tmp_path):
    trigger = triggers(root, "gateway")["planned"]
    query = trigger["metadata"]["query"]
    # Promtool's time begins with the epoch: valid for ten minutes, told by an exporter that was never stopped.
    series = {
        'llmops_planned_replicas{instance="a"}': "3x20",
        'llmops_plan_valid_until_seconds{instance="a"}': "600x20",
    }
    evaluated(tmp_path, query, series, {"0m": 3, "9m": 3, "10m": 0, "19m": 0})
    evaluated(tmp_path, query, {'up{job="gateway"}': "1x20"}, {"5m": 0})
    series['llmops_planned_replicas{instance="b"}'] = "5x20"
    evaluated(tmp_path, query, series, {"9m": 5})
    assert [wanted(trigger, value) for value in (0, 3, 5)] == [0, 3, 5]


@pytest.mark.prometheus
def test_running_and_waiting_scale_where_nothing_is_told_too(root, tmp_path):
    trigger = triggers(root, "gateway")["running"]
    here = 'namespace="llmops-serving"'
    series = {
        f'gateway_engine_requests{{{here},state="running",pod="a"}}': "4x5",
        f'gateway_engine_requests{{{here},state="waiting",pod="a"}}': "3x5",
        f'gateway_engine_requests{{{here},state="running",pod="b"}}': "1x5",
    }
    evaluated(tmp_path, trigger["metadata"]["query"], series, {"1m": 8})
    evaluated(tmp_path, trigger["metadata"]["query"], {"up": "1x5"}, {"1m": 0})
    # Eight answers in slots of which two thirds shall be taken: four to a pod.
    assert wanted(trigger, 8) == 3


@pytest.mark.prometheus
def test_an_idle_model_is_woken_by_a_run_of_the_graph(root, tmp_path):
    found = triggers(root, "vllm")
    query = found["runs"]["metadata"]["query"]
    job = 'kube_job_status_active{namespace="llmops",job_name="dagster-run-1"}'
    evaluated(tmp_path, query, {job: "0 1 1 0"}, {"0m": 0, "1m": 1, "3m": 0})
    evaluated(tmp_path, query, {job.replace("run-1", "step-1"): "1 1"}, {"1m": 0})
    # Scaled to none it tells nothing of itself: its own figures could not wake it.
    evaluated(tmp_path, found["running"]["metadata"]["query"], {"up": "1x5"}, {"1m": 0})


def test_the_figures_of_a_plan_are_those_that_the_manifest_asks_for(root):
    query = triggers(root, "gateway")["planned"]["metadata"]["query"]
    plan = Planned(replicas=4, valid_until=EPOCH + timedelta(seconds=600), requests={"0.9": 12.5})
    told = exposition(gauges(deployed=None, reported=None, alarmed=None, plan=plan)).splitlines()
    assert "llmops_planned_replicas 4.0" in told
    assert "llmops_plan_valid_until_seconds 600.0" in told
    assert 'llmops_forecast_requests{quantile="0.9"} 12.5' in told
    for name in ("llmops_planned_replicas", "llmops_plan_valid_until_seconds"):
        assert name in query
    assert "llmops_planned" not in exposition(gauges(deployed="r", reported=None, alarmed=None))
