"""What the graph knows and no gateway does, as Prometheus reads it: the deployed release, how drift stands, and what
was planned.

As text they are for the textfile collector of node_exporter, as is usual for figures of batch jobs
(https://github.com/prometheus/node_exporter#textfile-collector); `llmops observability serve` serves them.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from llmops_assets.lib.scaling import Planned


def gauges(
    *, deployed: str | None, reported: date | None, alarmed: date | None, plan: "Planned | None" = None
) -> "CollectorRegistry":
    """Figures as Prometheus's client has them; `exposition` writes them as text.

    `deployed` is the release that the graph deployed last, `reported` the day (UTC) of the newest drift report,
    `alarmed` the first day of a drift that asks for a retraining, `plan` what a scaling plan says now; what is None is
    left out.
    """
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()
    if deployed is not None:
        about = "The release that the graph deployed last"
        Gauge("llmops_release_deployed_info", about, ["release"], registry=registry).labels(deployed).set(1)
    days = {
        "llmops_drift_report_timestamp_seconds": ("End of the day of the newest drift report", reported),
        "llmops_drift_alarm_timestamp_seconds": ("End of the first day of a drift that asks for a retraining", alarmed),
    }
    for name, (about, day) in days.items():
        if day is not None:
            Gauge(name, about, registry=registry).set(_end(day))
    if plan is not None:
        about = "Replicas that the scaling plan asks for; 0 once it has expired"
        Gauge("llmops_planned_replicas", about, registry=registry).set(plan.replicas)
        about = "When the scaling plan expires"
        until = Gauge("llmops_plan_valid_until_seconds", about, registry=registry)
        until.set(plan.valid_until.timestamp())
        about = "Requests a second forecast for the peak minute of this slot"
        forecast = Gauge("llmops_forecast_requests", about, ["quantile"], registry=registry)
        for quantile, requests in plan.requests.items():
            forecast.labels(quantile).set(requests)
    return registry


def exposition(figures: "CollectorRegistry") -> str:
    """Figures in Prometheus's text format."""
    from prometheus_client import generate_latest

    return generate_latest(figures).decode()


def _end(day: date) -> float:
    return datetime.combine(day + timedelta(days=1), time(), UTC).timestamp()
