"""Intents that are asked more or less often than before: Pearson's chi-square, judged by drawn windows.

No category is pooled: with hundreds of intents every expected count is small, the chi-square distribution does not
hold, and a test that pools them sees nothing. Drawn windows need no distribution (Hope 1968,
https://doi.org/10.1111/j.2517-6161.1968.tb00759.x). A question's intent is that of the nearest reference question, for
the reference's own questions, too: what a classifier says of the rows that it learned from is another distribution.
"""

import numpy as np

from llmops_assets.lib.watching.detection.questions import Questions, Windows


def counts(codes: np.ndarray, intents: int) -> np.ndarray:
    """(b, intents) how often each code comes in each row of codes (b, w)."""
    shifted = codes + intents * np.arange(len(codes))[:, None]
    return np.bincount(shifted.ravel(), minlength=intents * len(codes)).reshape(len(codes), intents)


class Shares:
    """How far the intents' shares in the window are from those in the reference."""

    name = "intents"

    def cannot(self, questions: Questions) -> str:
        """Shares of one intent cannot change."""
        return "" if len(set(questions.known.codes)) > 1 else "the reference has one intent only"

    def statistic(self, windows: Windows) -> np.ndarray:
        """Sum over intents of (count - expected)² / (expected + ½), expected from window and reference together."""
        known = windows.questions.known
        own, intents = known.own.intents, len(known.names)
        asked = counts(windows.questions.intents[windows.members], intents)
        before = np.bincount(own, minlength=intents) - counts(own[windows.left_out], intents)
        expected = (asked + before) * (windows.size / (windows.size + windows.rest))
        return ((asked - expected) ** 2 / (expected + 0.5)).sum(axis=1)
