"""A day's drift as an Evidently report: our calibrated statistics through a metric and a test of our own.

Evidently's own text and embedding drift methods cannot trigger retraining (they fire on clean windows): they are left
out; the report, its rendering and its history are Evidently's. https://docs.evidentlyai.com/metrics/introduction
"""

import functools
import json
import os
import warnings
from collections.abc import Sequence
from typing import Any

from llmops_assets.lib.watching.drift import DayJudgement, DriftReference


def build(
    reference: DriftReference,
    judgement: DayJudgement,
    questions: Sequence[str],
    intents: Sequence[str],
    alpha: float,
) -> tuple[str, dict[str, Any]]:
    """(HTML page, report as a dict) of a day against the calibration set.

    Columns: distance to the nearest known question, whether it is novel, predicted intent, length of the question
    (current side only tells length and text of redacted questions).
    """
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("ITERATIVE_DO_NOT_TRACK", "1")
    with warnings.catch_warnings():
        # Evidently and its dependencies warn about their own internals at import.
        warnings.simplefilter("ignore")
        return _build(reference, judgement, questions, intents, alpha)


def _build(
    reference: DriftReference,
    judgement: DayJudgement,
    questions: Sequence[str],
    intents: Sequence[str],
    alpha: float,
) -> tuple[str, dict[str, Any]]:
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import MeanValue, RowCount, ValueDrift
    from evidently.tests import lte

    definition = DataDefinition(numerical_columns=["distance", "novel"], categorical_columns=["intent"])
    current = pd.DataFrame(
        {
            "distance": judgement.distances.astype(float),
            "novel": (judgement.distances > reference.threshold).astype(float),
            "intent": list(intents),
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
    metrics = [
        _drifted_windows()(drifted=drifted, windows=len(judgement.windows), tests=[lte(0)]),
        RowCount(tests=[]),
        MeanValue(column="novel", tests=[]),
        ValueDrift(column="distance", method="ks", threshold=alpha / 3),
        ValueDrift(column="intent", method="chisquare", threshold=alpha / 3),
    ]
    report = Report(metrics, include_tests=True, metadata={"questions": str(len(questions))})
    snapshot = report.run(
        Dataset.from_pandas(current, data_definition=definition), Dataset.from_pandas(base, data_definition=definition)
    )
    return snapshot.get_html_str(as_iframe=False), json.loads(snapshot.json())


@functools.cache
def _drifted_windows() -> Any:
    """The metric class; made on first use, since importing Evidently takes seconds."""
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
            return f"Drifted windows of {self.metric.windows} (novelty, distance and intents, Bonferroni)"

    return DriftedWindows
