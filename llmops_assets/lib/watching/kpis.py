"""The KPIs of a day out of its logged interactions, beside their targets. Nothing measured is None, never zero."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from llmops_assets.lib.records import Kpi, KpiReport, KpiValue


def measure(
    day: date,
    interactions: Sequence[Mapping[str, Any]],
    targets: Sequence[Kpi],
    *,
    accuracy: float | None,
    leaks: int | None,
    cost_per_answer: float | None,
) -> KpiReport:
    """Values of the KPIs the use case names; a name that is not measured here stays None.

    `accuracy` is the serving release's share of right answers on its eval suite, `leaks` how many interactions of the
    day showed personal data in the gateway's log (None: nobody looked). Shares and latencies are of whole answers
    (status 200): what a customer broke off, or an engine failed at, says nothing of them.
    """
    answered = [row for row in interactions if row["status"] == 200]
    rated = [row["rating"] for row in interactions if row["rating"]]
    values: dict[str, float | None] = {
        "answer_accuracy": accuracy,
        "positive_rating_share": sum(r > 0 for r in rated) / len(rated) if rated else None,
        "handover_share": _share(row["path"] == "handover" for row in answered),
        "p95_latency_seconds": (
            float(np.quantile([row["latency_seconds"] for row in answered], 0.95)) if answered else None
        ),
        "cost_per_answer": cost_per_answer,
        "privacy_leaks": None if leaks is None else float(leaks),
    }
    rows = []
    for kpi in targets:
        value = values.get(kpi.name)
        met = None if value is None else kpi.met(value)
        rows.append(
            KpiValue(name=kpi.name, value=None if value is None else round(value, 6), target=kpi.target, met=met)
        )
    return KpiReport(day=day, interactions=len(interactions), values=tuple(rows))


def _share(flags: Any) -> float | None:
    values = list(flags)
    return sum(values) / len(values) if values else None
