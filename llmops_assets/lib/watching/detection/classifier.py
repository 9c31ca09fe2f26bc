"""The domain classifier: can a window be told from the reference? The classifier two-sample test, cross-fitted.

Lopez-Paz and Oquab 2017, https://arxiv.org/abs/1610.06545. The classifier is Fisher's discriminant on standardised
principal components: half of a window gives the direction, the other half and the reference are scored, and the other
way round, so that nothing is scored that was learned from.
"""

import numpy as np

from llmops_assets.lib.watching.detection.questions import Questions, Windows


class Classifier:
    """Share of pairs of a window's and a reference question that the classifier puts in the right order."""

    name = "classifier"

    def cannot(self, questions: Questions) -> str:
        """It notices something on every reference."""
        return ""

    def statistic(self, windows: Windows) -> np.ndarray:
        """Area under the curve, the mean of both halves."""
        own, asked = windows.questions.known.own.components, windows.questions.components
        halves = windows.members[:, ::2], windows.members[:, 1::2]
        areas = np.zeros(len(windows.members))
        for learned, scored in (halves, halves[::-1]):
            directions = asked[learned].mean(axis=1) - windows.moved
            found = np.einsum("bwc,bc->bw", asked[scored], directions)
            before = directions @ own.T
            for number, (scores, others) in enumerate(zip(found, before, strict=True)):
                rest = np.sort(others[~windows.lost[number]])
                areas[number] += np.searchsorted(rest, scores).mean() / len(rest) / 2
        return areas
