"""What the graph knows and no gateway does, as Prometheus reads it: the deployed release, and how drift stands.

The text is for the textfile collector of node_exporter, as is usual for figures of batch jobs
(https://github.com/prometheus/node_exporter#textfile-collector).
"""

from datetime import UTC, date, datetime, time, timedelta


def exposition(*, deployed: str | None, reported: date | None, alarmed: date | None) -> str:
    """Figures in Prometheus's text format.

    `deployed` is the release that the graph deployed last, `reported` the day (UTC) of the newest drift report,
    `alarmed` the first day of a drift that asks for a retraining; what is None is left out.
    """
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

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
    return generate_latest(registry).decode()


def _end(day: date) -> float:
    return datetime.combine(day + timedelta(days=1), time(), UTC).timestamp()
