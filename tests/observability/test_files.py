"""Dashboard and alerts ask for figures that are there; the files are what the code makes."""

import json
import re
from pathlib import Path

import pytest
import yaml
from gateway_support import Files, Gateway

from llmops_assets import observability
from llmops_assets.lib.watching.figures import exposition, gauges
from llmops_assets.observability import dashboard

FOLDER = Path(observability.__file__).parent
ALERTS = FOLDER / "alerts" / "llmops.yaml"
SUFFIXES = ("_bucket", "_sum", "_count", "_total", "_info")


def alerts() -> list[dict]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def named(expression: str) -> set[str]:
    """Metrics that an expression asks for."""
    return set(re.findall(r"\b(?:gateway|llmops)_\w+", expression))


def labels_of(expression: str) -> set[tuple[str, str]]:
    """Metric and label of every selector, without how it is compared."""
    found = re.findall(r"\b((?:gateway|llmops)_\w+)\{([^}]*)\}", expression)
    return {(name, label) for name, inside in found for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside)}


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> dict[str, set[str]]:
    """Metric (as Prometheus names its samples) to its labels: of a gateway, and of the graph's figures."""
    from datetime import date

    from prometheus_client.parser import text_string_to_metric_families

    folder = tmp_path_factory.mktemp("known")
    gateway = Gateway(Files(folder), folder)
    found: dict[str, set[str]] = {}
    for metric in gateway.chain.metrics.registry._collector_to_names:
        labels = set(getattr(metric, "_labelnames", ()))
        for name in gateway.chain.metrics.registry._collector_to_names[metric]:
            found[name] = labels
    gateway.log.close()
    gateway.store.close()
    day = date(2026, 3, 11)
    for family in text_string_to_metric_families(exposition(gauges(deployed="r", reported=day, alarmed=day))):
        for sample in family.samples:
            found[sample.name] = set(sample.labels)
    return found


@pytest.mark.parametrize("expression", [*dashboard.queries(), *(rule["expr"] for rule in alerts())])
def test_an_expression_asks_for_metrics_and_labels_that_there_are(known, expression):
    assert named(expression)
    assert named(expression) <= set(known)
    for metric, label in labels_of(expression):
        assert label in known[metric] | {"le"}
    for label in re.findall(r"by \(([^)]*)\)", expression):
        wanted = {name.strip() for name in label.split(",")} - {"le"}
        assert any(wanted <= known[metric] for metric in named(expression))


def test_a_metric_that_is_not_there_would_be_found(known):
    assert not named("rate(gateway_answers_total[5m])") <= set(known)
    assert labels_of('gateway_requests_total{caller="x"}') == {("gateway_requests_total", "caller")}


def test_the_dashboard_is_made_of_its_table():
    written = (FOLDER / "dashboards" / dashboard.FILE).read_text()
    assert written == dashboard.text(), "make it anew: python -m llmops_assets.observability"


def test_every_panel_has_its_place_number_and_source():
    panels = json.loads(dashboard.text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (column, line)
        for panel in panels
        for column in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for line in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(taken)) == len(taken), "two panels overlap"
    assert max(column for column, _ in taken) < 24
    for panel in panels:
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${source}"
            assert panel["description"]
            assert all(target["expr"] for target in panel["targets"])


def test_every_alert_says_what_is_wrong_how_bad_and_what_to_do():
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)
    for rule in alerts():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "action"}
