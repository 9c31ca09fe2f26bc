"""Maximum mean discrepancy: whether a window and the reference are samples of one distribution of vectors.

The unbiased estimate with a Gaussian kernel (Gretton et al. 2012, https://jmlr.org/papers/v13/gretton12a.html).
"""

import numpy as np

from llmops_assets.lib.watching.detection.questions import Questions, Windows


class Discrepancy:
    """Squared distance of the mean embeddings of window and reference in the kernel's space."""

    name = "discrepancy"

    def cannot(self, questions: Questions) -> str:
        """It notices something on every reference."""
        return ""

    def statistic(self, windows: Windows) -> np.ndarray:
        """The unbiased estimate; may be negative."""
        known, size, rest = windows.questions.known, windows.size, windows.rest
        lost = windows.left_out
        lost_within = known.kernel[lost[:, :, None], lost[:, None, :]].sum(axis=(1, 2))
        if windows.questions.drawn:
            within = across = lost_within
        else:
            within = known.similar(windows.within).sum(axis=(1, 2))
            cosines = windows.questions.vectors[windows.members] @ known.vectors[lost].transpose(0, 2, 1)
            across = known.similar(cosines).sum(axis=(1, 2))
        between = windows.questions.kernel_sums[windows.members].sum(axis=1) - across
        left = known.kernel_sums.sum() - 2 * known.kernel_sums[windows.left_out].sum(axis=1) + lost_within
        # A question is not compared with itself.
        return (within - size) / (size * (size - 1)) + (left - rest) / (rest * (rest - 1)) - 2 * between / (size * rest)
