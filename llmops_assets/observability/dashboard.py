"""The dashboard of the gateway as a table of panels, and Grafana's JSON of it.

Reference of the JSON: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

FILE = "gateway.json"
TITLE = "llmops: gateway"
SCHEMA = 39
"""Version of the JSON: Grafana 10.4 and later read it."""
PER_ROW, WIDTH, HEIGHT = 3, 8, 8
SOURCE = {"type": "prometheus", "uid": "${source}"}
WINDOW = "5m"


@dataclass(frozen=True)
class Panel:
    """One panel: what it asks Prometheus, by the legend under which each answer is drawn."""

    title: str
    about: str
    queries: Mapping[str, str]
    unit: str = "short"
    kind: Literal["timeseries", "stat"] = "timeseries"


def _quantiles(metric: str) -> dict[str, str]:
    rate = f"sum by (le) (rate({metric}_bucket[{WINDOW}]))"
    return {name: f"histogram_quantile({share}, {rate})" for name, share in (("p50", 0.5), ("p95", 0.95))}


_ANSWERED = 'status="200", path!~"/.*"'
"""Of requests that got an answer."""

ROWS: Mapping[str, tuple[Panel, ...]] = {
    "Traffic": (
        Panel(
            "Requests",
            "Requests a second by what answered; refused: none did",
            {"{{path}}": f"sum by (path) (rate(gateway_requests_total[{WINDOW}]))"},
            "reqps",
        ),
        Panel(
            "Statuses",
            "Requests a second by HTTP status; 499: the client left",
            {"{{status}}": f"sum by (status) (rate(gateway_requests_total[{WINDOW}]))"},
            "reqps",
        ),
        Panel("Time to the whole answer", "Of every path", _quantiles("gateway_latency_seconds"), "s"),
        Panel("In flight", "Requests being answered", {"requests": "sum(gateway_requests_running)"}),
        Panel(
            "Refused or failed, by step",
            "Limits, quotas, redaction, guards, engine: which step ended a request",
            {"{{step}} {{status}}": f"sum by (step, status) (rate(gateway_refusals_total[{WINDOW}]))"},
            "reqps",
        ),
        Panel(
            "Time of steps",
            "Seconds of work a second, by step",
            {"{{step}}": f"sum by (step) (rate(gateway_step_seconds_sum[{WINDOW}]))"},
            "s",
        ),
    ),
    "Quality": (
        Panel(
            "Share handed over",
            "Of answers: a person takes over",
            {
                "handed over": f'sum(rate(gateway_requests_total{{path="handover", status="200"}}[{WINDOW}])) '
                f"/ sum(rate(gateway_requests_total{{{_ANSWERED}}}[{WINDOW}]))"
            },
            "percentunit",
        ),
        Panel(
            "Why handed over",
            "guard: an answer of the engine was taken back",
            {"{{reason}}": f"sum by (reason) (rate(gateway_handovers_total[{WINDOW}]))"},
            "reqps",
        ),
        Panel(
            "Similarity of the nearest article",
            "Falls when customers ask something new",
            _quantiles("gateway_retrieval_similarity"),
        ),
        Panel(
            "Ratings of the last day",
            "By rating",
            {"{{rating}}": "sum by (rating) (increase(gateway_feedback_total[1d]))"},
        ),
        Panel(
            "Share of bad ratings, last day",
            "Of thumbs up and down",
            {
                "bad": 'sum(increase(gateway_feedback_total{rating="-1"}[1d])) '
                '/ sum(increase(gateway_feedback_total{rating!="0"}[1d]))'
            },
            "percentunit",
        ),
        Panel(
            "Days since drift was first seen",
            "Without a retraining since; by `llmops observability figures`",
            {"days": "(time() - max(llmops_drift_alarm_timestamp_seconds)) / 86400"},
            "d",
            "stat",
        ),
    ),
    "Engine and cache": (
        Panel(
            "Engine's queue",
            "Answers being written and waiting; their sum is what replicas are scaled by",
            {"{{state}}": "sum by (state) (gateway_engine_requests)"},
        ),
        Panel("Time to the first token", "Waiting included", _quantiles("gateway_first_token_seconds"), "s"),
        Panel(
            "Tokens",
            "Tokens a second that engines read (input) and wrote (output)",
            {"{{direction}}": f"sum by (direction) (rate(gateway_tokens_total[{WINDOW}]))"},
        ),
        Panel(
            "Cache",
            "Lookups a second; passed: not to be remembered",
            {"{{result}}": f"sum by (result) (rate(gateway_cache_lookups_total[{WINDOW}]))"},
            "reqps",
        ),
        Panel(
            "Age of answers out of the cache", "Bounded by cache_seconds", _quantiles("gateway_cache_age_seconds"), "s"
        ),
        Panel(
            "Saved by the cache",
            "Seconds of work and tokens that were not spent again, a second",
            {
                "seconds": f"sum(rate(gateway_cache_saved_seconds_total[{WINDOW}]))",
                "tokens {{direction}}": f"sum by (direction) (rate(gateway_cache_saved_tokens_total[{WINDOW}]))",
            },
        ),
    ),
    "Money and releases": (
        Panel(
            "Money of the last day",
            "In the use case's currency, beside the budget",
            {"spent": "sum(increase(gateway_cost_total[1d]))", "budget": "max(gateway_budget_per_day)"},
        ),
        Panel(
            "Money an hour, by release",
            "In the use case's currency",
            {"{{release}}": "sum by (release) (rate(gateway_cost_total[1h])) * 3600"},
        ),
        Panel(
            "Releases",
            "Gateways that serve each release, by stage",
            {"{{stage}} {{release}}": "count by (stage, release) (gateway_release_info)"},
            kind="stat",
        ),
        Panel(
            "Changes not taken",
            "Gateways whose last change of what is served failed",
            {"gateways": "sum(gateway_state_failed)"},
            kind="stat",
        ),
        Panel(
            "Versions",
            "Gateways by version of the software",
            {"{{version}}": "count by (version) (gateway_build_info)"},
            kind="stat",
        ),
        Panel("Answers in the cache", "Of all gateways", {"answers": "sum(gateway_cache_entries)"}),
    ),
}


def queries() -> list[str]:
    """Everything that the dashboard asks Prometheus."""
    return [query for panels in ROWS.values() for panel in panels for query in panel.queries.values()]


def dashboard() -> dict[str, Any]:
    """Grafana's JSON, to be imported or provisioned; its variable `source` is the Prometheus to ask."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row, members in ROWS.items():
        panels.append({"type": "row", "title": row, "id": len(panels) + 1, "gridPos": _place(0, top, 24, 1)})
        top += 1
        for number, panel in enumerate(members):
            left, down = number % PER_ROW * WIDTH, number // PER_ROW * HEIGHT
            panels.append(_panel(panel, len(panels) + 1, _place(left, top + down, WIDTH, HEIGHT)))
        top += -(-len(members) // PER_ROW) * HEIGHT
    source = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    return {
        "title": TITLE,
        "uid": "llmops-gateway",
        "tags": ["llmops"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source]},
        "panels": panels,
    }


def text() -> str:
    """The JSON as it is written."""
    return json.dumps(dashboard(), indent=1) + "\n"


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }
