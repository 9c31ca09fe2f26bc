"""A day's drift as an Evidently report: our calibrated statistics through metrics and tests of our own.

Every detector's smallest p stands beside the level at which the day alarms. Evidently's own text and embedding drift
methods cannot trigger retraining (they fire on clean windows): they are left out; the report, its rendering and its
history are Evidently's. https://docs.evidentlyai.com/metrics/introduction
"""

import functools
import json
import os
import warnings
from datetime import date, datetime, time
from typing import Any

from llmops_assets.lib.watching.drift import DayJudgement, DriftReference


def build(
    reference: DriftReference,
    judgement: DayJudgement,
    questions: int,
    alpha: float,
    day: date,
) -> tuple[str, str]:
    """(HTML page, snapshot for Evidently's workspace as JSON) of a day that was judged against the reference.

    Columns: distance to the nearest known question, whether it is novel, the intent of that question. Neither holds a
    question.
    """
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("ITERATIVE_DO_NOT_TRACK", "1")
    with warnings.catch_warnings():
        # Evidently and its dependencies warn about their own internals at import.
        warnings.simplefilter("ignore")
        return _build(reference, judgement, questions, alpha, day)


def _build(
    reference: DriftReference,
    judgement: DayJudgement,
    questions: int,
    alpha: float,
    day: date,
) -> tuple[str, str]:
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.legacy.utils import NumpyEncoder
    from evidently.metrics import MeanValue, RowCount, ValueDrift
    from evidently.tests import gt, lte

    definition = DataDefinition(numerical_columns=["distance", "novel"], categorical_columns=["intent"])
    current = pd.DataFrame(
        {
            "distance": judgement.distances.astype(float),
            "novel": (judgement.distances > reference.threshold).astype(float),
            "intent": list(judgement.intents),
        }
    )
    base = pd.DataFrame(
        {
            "distance": reference.distances.astype(float),
            "novel": (reference.distances > reference.threshold).astype(float),
            "intent": list(reference.intents),
        }
    )
    drifted = sum(window.drifted for window in judgement.windows)
    windows_metric, detector_metric = _metrics()
    metrics = [
        windows_metric(drifted=drifted, windows=len(judgement.windows), tests=[lte(0)]),
        *(
            detector_metric(detector=name, p=p, tests=[gt(judgement.level)])
            for name, p in (judgement.p_values or {}).items()
        ),
        RowCount(tests=[]),
        MeanValue(column="novel", tests=[]),
        # Evidently's own p beside ours; they know nothing of how often the day is looked at, so no test rests on them.
        ValueDrift(column="distance", method="ks", threshold=alpha, tests=[]),
        ValueDrift(column="intent", method="chisquare", threshold=alpha, tests=[]),
    ]
    report = Report(metrics, include_tests=True, metadata={"questions": str(questions)})
    snapshot = report.run(
        Dataset.from_pandas(current, data_definition=definition),
        Dataset.from_pandas(base, data_definition=definition),
        # The history is in order of the days that were judged, whenever that was done.
        timestamp=datetime.combine(day, time()),
        name=str(day),
    )
    history = json.dumps(snapshot.to_snapshot_model().dict(), cls=NumpyEncoder)
    return snapshot.get_html_str(as_iframe=False), history


@functools.cache
def _metrics() -> tuple[Any, Any]:
    """The metric classes; made on first use, since importing Evidently takes seconds."""
    from evidently.core.metric_types import SingleValueCalculation, SingleValueMetric

    class DriftedWindows(SingleValueMetric):
        """How many windows of the day drifted, by the calibrated tests of llmops_assets.lib.watching.drift."""

        drifted: int
        windows: int

    class DriftedWindowsCalculation(SingleValueCalculation[DriftedWindows]):
        """Publishes the figure; it was computed before."""

        def calculate(self, context: Any, current_data: Any, reference_data: Any) -> Any:
            return self.result(self.metric.drifted), None

        def display_name(self) -> str:
            return f"Drifted windows of {self.metric.windows}"

    class SmallestP(SingleValueMetric):
        """A detector's smallest p over all looks at the day, as llmops_assets.lib.watching.detection calibrates it."""

        detector: str
        p: float

    class SmallestPCalculation(SingleValueCalculation[SmallestP]):
        """Publishes the figure; it was computed before."""

        def calculate(self, context: Any, current_data: Any, reference_data: Any) -> Any:
            return self.result(self.metric.p), None

        def display_name(self) -> str:
            # Evidently shows three digits of a figure.
            return f"Smallest p of {self.metric.detector}: {self.metric.p:.2g}"

    return DriftedWindows, SmallestP
