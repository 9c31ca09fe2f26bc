"""What a detector is. One file each beside this one, and one line in the table of `__init__`."""

from typing import Protocol

import numpy as np

from llmops_assets.lib.watching.detection.questions import Questions, Windows


class Detector(Protocol):
    """Measures by how much windows differ from the reference; the larger, the more. What is much: calibration.py.

    A detector of windows has `statistic`, one that reads question after question has `path` instead.
    """

    name: str

    def cannot(self, questions: Questions) -> str:
        """Why it can notice nothing on this reference; "" where it can."""
        ...


class WindowDetector(Detector, Protocol):
    """A detector that looks at a window as a whole."""

    def statistic(self, windows: Windows) -> np.ndarray:
        """(b,) one figure for every window."""
        ...


class PathDetector(Detector, Protocol):
    """A detector that sums up while questions come."""

    def path(self, ranks: np.ndarray) -> np.ndarray:
        """(b, n) the sum after each question of b streams, from the ranks of their distances (0 near to 1 far)."""
        ...
