"""Whether the mean of the vectors has moved: Hotelling's statistic on principal components of the reference.

Hotelling 1931, https://doi.org/10.1214/aoms/1177732979. The components are uncorrelated in the reference, so the
statistic is a sum of squares.
"""

import numpy as np

from llmops_assets.lib.watching.detection.questions import Questions, Windows


class Shift:
    """Squared distance of the mean vectors of window and reference, by standard deviations."""

    name = "shift"

    def cannot(self, questions: Questions) -> str:
        """It notices something on every reference."""
        return ""

    def statistic(self, windows: Windows) -> np.ndarray:
        """Sum over components of the squared difference of means."""
        means = windows.questions.components[windows.members].mean(axis=1) - windows.moved
        count, kept = len(windows.questions.known), means.shape[1]
        # The components were standardised on the reference: on its own questions they vary less than on new ones.
        fresh = 1.0 if windows.questions.drawn else max(count - kept - 2, 1) / (count - 1)
        return fresh * (means**2).sum(axis=1)
