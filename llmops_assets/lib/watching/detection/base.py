"""What a detector is: it measures by how much windows differ from the reference; the larger, the more.

One file each beside this one, and one line in the table of `__init__`. What is much: calibration.py.
"""

from typing import Protocol, runtime_checkable

import numpy as np

from llmops_assets.lib.watching.detection.questions import Questions, Windows


@runtime_checkable
class WindowDetector(Protocol):
    """A detector that looks at a window as a whole."""

    name: str

    def cannot(self, questions: Questions) -> str:
        """Why it can notice nothing on this reference; "" where it can."""
        ...

    def statistic(self, windows: Windows) -> np.ndarray:
        """(b,) one figure for every window."""
        ...


@runtime_checkable
class PathDetector(Protocol):
    """A detector that sums up while questions come."""

    name: str

    def cannot(self, questions: Questions) -> str:
        """Why it can notice nothing on this reference; "" where it can."""
        ...

    def path(self, ranks: np.ndarray) -> np.ndarray:
        """(b, n) the sum after each question of b streams, from the ranks of their distances (0 near to 1 far)."""
        ...


Detector = WindowDetector | PathDetector
