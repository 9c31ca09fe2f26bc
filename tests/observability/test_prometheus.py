"""Every expression of dashboard and alerts, run by a real Prometheus over real gateways; rules tested by promtool, and
the configuration of Alertmanager by amtool."""

import subprocess
import threading
from datetime import date
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import yaml
from gateway_support import GENERATED, KNOWN, Files, Gateway, post, user
from prometheus_server import Prometheus, binary

from llmops_assets import observability
from llmops_assets.gateway.cache import AnswerCache
from llmops_assets.lib.records import HostingOption
from llmops_assets.lib.watching.figures import exposition, gauges
from llmops_assets.observability import dashboard

pytestmark = pytest.mark.prometheus
ALERTS = Path(observability.__file__).parent / "alerts" / "llmops.yaml"
ALERTMANAGER = ALERTS.parents[1] / "alertmanager" / "alertmanager.yaml"
DAY = date(2026, 3, 11)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A gateway that answers with prices, a budget and a cache."""
    folder = tmp_path_factory.mktemp("gateway")
    files = Files(folder)
    hosting = HostingOption(
        name="own",
        kind="self_hosted",
        currency_per_hour=3.6e6,
        tokens_per_second=10,
        latency_p95_seconds=1,
        data_leaves_premises=False,
        source="a test",
    )
    with Gateway(files, folder, hosting=hosting, cache=AnswerCache(10, 600.0)) as running:
        running.chain.metrics.budget.set(1)
        running.one = files.bundle(folder, "one").release_id
        running.serve(1, live=running.one)
        yield running


@pytest.fixture(scope="module")
def prometheus(gateway, tmp_path_factory):
    """A Prometheus that has scraped the gateway before, between and after requests of all kinds, and the graph."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "www").mkdir()
    told = exposition(gauges(deployed="r-other", reported=DAY, alarmed=DAY))
    (folder / "www" / "metrics").write_text(told)
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder / "www"))
    handler.log_message = lambda *_: None
    graph = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=graph.serve_forever, daemon=True).start()
    targets = {"gateway": urlsplit(gateway.address).netloc, "graph": f"127.0.0.1:{graph.server_port}"}
    with Prometheus(folder, targets, ALERTS) as running:
        for _ in range(3):
            ask(gateway)
            scrapes = scraped(running)
            running.wait_for(partial(scraped_again, running, scrapes), "Prometheus scrapes nothing")
        yield running
    graph.shutdown()
    graph.server_close()


def scraped(prometheus: Prometheus) -> float:
    """How often the gateway was scraped."""
    found = prometheus.query('count_over_time(gateway_build_info{job="gateway"}[10m])')
    return float(found[0]["value"][1]) if found else 0.0


def scraped_again(prometheus: Prometheus, before: float) -> bool:
    return scraped(prometheus) >= before + 2


def ask(gateway: Gateway) -> None:
    """Something of every kind that is counted."""
    for question in (KNOWN, GENERATED, "zzz", "thanks", "I am anna.keller@mail.example"):
        answer = post(gateway, messages=user(question))
    interaction = answer.json()["llmops"]["interaction"]
    for rating in (-1, 0, 1):
        assert post(gateway, "/v1/feedback", interaction=interaction, rating=rating).status_code == 200
    gateway.engines[0].losses = [0, 0]
    assert post(gateway, messages=user("delivery of that lamp?")).status_code == 502
    assert post(gateway, messages=user(KNOWN), temperature="warm").status_code == 400


@pytest.mark.parametrize("expression", dashboard.queries())
def test_every_panel_shows_something(prometheus, expression):
    found = prometheus.query(expression)
    assert found, expression
    for series in found:
        assert float(series["value"][1]) >= 0, "no number"


def test_every_alert_is_evaluated_and_those_that_must_be_are_raised(gateway, prometheus):
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    for rule in rules:
        prometheus.query(rule["expr"])
    gateway.serve(2, live="r-000000000000")

    def raised() -> set[str]:
        return {name for name, rule in prometheus.rules().items() if rule["state"] != "inactive"}

    wanted = {
        "RequestsFail",
        "BudgetSpent",
        "ReleaseNotTaken",
        "ReleaseNotTheDeployedOne",
        "DriftUnanswered",
        "DriftNotWatched",
    }
    prometheus.wait_for(lambda: wanted <= raised(), "not all were raised")
    assert raised() == wanted
    found = prometheus.rules()
    assert set(found) == {rule["alert"] for rule in rules}
    assert {name: rule["lastError"] for name, rule in found.items() if rule["health"] != "ok"} == {}


def promtool(*arguments: str, given: str | None = None) -> str:
    """What promtool prints; it must find no fault."""
    command = [binary("promtool"), *arguments]
    told = subprocess.run(command, input=given, capture_output=True, text=True, timeout=300)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


def test_promtool_finds_no_fault_with_the_rules():
    assert "SUCCESS" in promtool("check", "rules", str(ALERTS))


def test_each_alert_fires_on_what_it_is_for_and_on_nothing_else(tmp_path):
    cases = (Path(__file__).parent / "alerts.yaml").read_text()
    for rule in [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]:
        assert f"alertname: {rule['alert']}," in cases, "it must be shown not to fire"
    (tmp_path / "alerts.yaml").write_text(cases.replace("RULES", str(ALERTS)))
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / "alerts.yaml"))


def test_promtool_finds_no_fault_with_what_a_gateway_tells(gateway):
    promtool("check", "metrics", given=requests.get(f"{gateway.address}/metrics", timeout=20).text)


def test_amtool_finds_no_fault_with_the_configuration_of_alertmanager_and_who_is_told():
    told = subprocess.run([binary("amtool"), "check-config", str(ALERTMANAGER)], capture_output=True, timeout=60)
    assert told.returncode == 0, told.stdout
    for severity, receiver in (("page", "now"), ("ticket", "office")):
        command = [
            binary("amtool"),
            "config",
            "routes",
            "test",
            f"--config.file={ALERTMANAGER}",
            f"severity={severity}",
        ]
        routed = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert routed.stdout.strip() == receiver, routed.stderr
