"""A running sum of novelty: the fastest alarm where every question is far.

Page's CUSUM (1954, https://doi.org/10.1093/biomet/41.1-2.100) of the exponential scores of the distances.
"""

import numpy as np

from llmops_assets.lib.watching.detection.novelty import scores
from llmops_assets.lib.watching.detection.questions import Questions

SLACK = 0.5
"""Half of the rise to notice, in units of the scores' mean."""


class Sums:
    """How far the sum of scores is above its lowest point, less the slack."""

    name = "sums"

    def cannot(self, questions: Questions) -> str:
        """It notices something on every reference."""
        return ""

    def path(self, ranks: np.ndarray) -> np.ndarray:
        """The sum after each question; it never falls below 0."""
        found, sums = np.empty(ranks.shape), np.zeros(len(ranks))
        for number, step in enumerate((scores(ranks) - 1 - SLACK).T):
            sums = np.maximum(0.0, sums + step)
            found[:, number] = sums
        return found
