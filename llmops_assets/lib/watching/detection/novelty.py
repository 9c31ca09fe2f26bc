"""Questions farther from everything known: the mean of the exponential scores of their distances.

The distance is that to the nearest three reference questions (k-nearest-neighbour novelty, Ramaswamy et al. 2000,
https://doi.org/10.1145/342009.335437), ranked among those of the reference's own questions to the others; far ranks
weigh most (Savage's scores, 1956, https://doi.org/10.1214/aoms/1177728170).
"""

import numpy as np

from llmops_assets.lib.watching.detection.questions import Questions, Windows


def scores(ranks: np.ndarray) -> np.ndarray:
    """Exponential score of each rank (0 to 1): 1 on average."""
    return -np.log(1.0 - ranks)


class Novelty:
    """How far a window's questions are from the reference."""

    name = "novelty"

    def cannot(self, questions: Questions) -> str:
        """It notices something on every reference."""
        return ""

    def statistic(self, windows: Windows) -> np.ndarray:
        """Standardised difference of the mean scores of window and reference."""
        own = scores(windows.questions.known.own.rank)
        return (scores(windows.questions.rank)[windows.members].mean(axis=1) - own.mean()) / windows.spread
