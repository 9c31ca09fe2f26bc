"""Questions that are nearer to one another than to anything known: a topic of its own, however near to the old ones.

A form of the nearest-neighbour two-sample test (Schilling 1986, https://doi.org/10.1080/01621459.1986.10478337; Henze
1988, https://doi.org/10.1214/aos/1176350835) that counts, for each question, those of its window that come before the
nearest reference question.
"""

import numpy as np

from llmops_assets.lib.watching.detection.questions import Questions, Windows

EQUAL = 1e-5
"""Cosines of equal texts differ by rounding only."""


class Crowding:
    """How many questions of the window are nearer to each than the nearest reference question."""

    name = "crowding"

    def cannot(self, questions: Questions) -> str:
        """It notices something on every reference."""
        return ""

    def statistic(self, windows: Windows) -> np.ndarray:
        """Mean number of nearer questions."""
        nearer = windows.within > windows.nearest[:, :, None] + EQUAL
        own = np.arange(windows.size)
        nearer[:, own, own] = False
        return nearer.sum(axis=(1, 2)) / windows.size
