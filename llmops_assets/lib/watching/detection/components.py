"""Kolmogorov and Smirnov's distance on each principal component of the vectors, the largest of them.

Massey 1951, https://doi.org/10.1080/01621459.1951.10500769; a test for each dimension is the usual baseline (Rabanser
et al. 2019, https://arxiv.org/abs/1810.11953), there with Bonferroni, here the largest is calibrated as one figure.
"""

import numpy as np

from llmops_assets.lib.watching.detection.questions import Questions, Windows

FIRST = 16


class Components:
    """Largest distance of the distribution functions of window and reference over the components."""

    name = "components"

    def cannot(self, questions: Questions) -> str:
        """It notices something on every reference."""
        return ""

    def statistic(self, windows: Windows) -> np.ndarray:
        """The largest distance, standardised for the sizes."""
        own, asked = windows.questions.known.own.components, windows.questions.components
        steps = np.arange(windows.size + 1) / windows.size
        largest = np.zeros(len(windows.members))
        for axis in range(min(FIRST, own.shape[1])):
            ranks = np.searchsorted(np.sort(own[:, axis]), asked[:, axis]) / len(own)
            ranks = np.sort(ranks[windows.members], axis=1)
            gap = np.maximum(np.abs(ranks - steps[1:]), np.abs(ranks - steps[:-1])).max(axis=1)
            largest = np.maximum(largest, gap)
        return largest / windows.spread
