"""Detectors of change: each measures windows or streams of questions against a reference (base.py).

`DETECTORS` is the table; `JUDGES` are those whose smallest p is the alarm, chosen by benchmarks/drift.py
(docs/decisions/drift-detector.md). What a figure is worth is learned from windows of the reference: calibration.py.
"""

from llmops_assets.lib.watching.detection.base import Detector
from llmops_assets.lib.watching.detection.betting import Betting
from llmops_assets.lib.watching.detection.classifier import Classifier
from llmops_assets.lib.watching.detection.components import Components
from llmops_assets.lib.watching.detection.crowding import Crowding
from llmops_assets.lib.watching.detection.discrepancy import Discrepancy
from llmops_assets.lib.watching.detection.novelty import Novelty
from llmops_assets.lib.watching.detection.questions import Reference
from llmops_assets.lib.watching.detection.shares import Shares
from llmops_assets.lib.watching.detection.shift import Shift
from llmops_assets.lib.watching.detection.sums import Sums

DETECTORS: dict[str, Detector] = {
    detector.name: detector
    for detector in (
        Novelty(),
        Crowding(),
        Discrepancy(),
        Shares(),
        Classifier(),
        Shift(),
        Components(),
        Sums(),
        Betting(),
    )
}
"""By name; one line adds a detector."""

JUDGES = ("novelty", "crowding", "discrepancy", "intents", "sums")

__all__ = ["DETECTORS", "JUDGES", "Detector", "Reference"]
