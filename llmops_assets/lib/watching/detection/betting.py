"""Betting against "nothing has changed": a conformal test martingale on the ranks of the distances.

The Simple Jumper of Vovk et al. 2021 (https://arxiv.org/abs/2102.10439), with the stakes that win when questions are
far; what is watched is the rise of the logarithm of the capital over its lowest point, as in their CUSUM procedure.
"""

import numpy as np

from llmops_assets.lib.watching.detection.questions import Questions

STAKES = (0.0, 1.0, 2.0)
"""How much is put on far questions: the density of the rank u is taken for 1 + stake (u - ½)."""
JUMP = 0.01


class Betting:
    """How much the capital has grown since it was lowest, by its logarithm."""

    name = "betting"

    def cannot(self, questions: Questions) -> str:
        """It notices something on every reference."""
        return ""

    def path(self, ranks: np.ndarray) -> np.ndarray:
        """The rise after each question."""
        found = np.empty(ranks.shape)
        capital = np.full((len(STAKES), len(ranks)), 1 / len(STAKES))
        grown = lowest = np.zeros(len(ranks))
        for number, rank in enumerate(ranks.T):
            capital = (1 - JUMP) * capital + JUMP / len(STAKES)
            capital *= 1 + np.array(STAKES)[:, None] * (rank - 0.5)
            total = capital.sum(axis=0)
            capital /= total
            grown = grown + np.log(total)
            lowest = np.minimum(lowest, grown)
            found[:, number] = grown - lowest
        return found
