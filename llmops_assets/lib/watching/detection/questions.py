"""Questions as the detectors see them: against a reference, in windows, with everything that several detectors need.

A window of the day and a window drawn from the reference itself have the same form, so that what is measured on the
second says how large the first may become by chance.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NEAREST = 32
"""Nearest reference questions that are kept of each question; a window leaves out at most half of the reference."""
NEIGHBOURS = 3
"""Reference questions over which the distance of a question is averaged."""
COMPONENTS = 32
BLOCK = 1024
INFLATION = 1.35
"""How much more the mean novelty of a reference varies than that of as many independent questions: neighbours share
their neighbours. Measured on banking77 and clinc150 with 642 questions (1.27 to 1.43)."""


@dataclass(frozen=True)
class Questions:
    """m questions against a reference of n. `drawn`: they are the reference's own, each seen against the others.

    `near` (m, k) are the nearest reference questions and `similarity` (m, k) their cosines, nearest first; `rank` (m,)
    is the distance to the nearest three as a rank among the reference's (0 to 1); `intents` (m,) are the codes of the
    nearest questions' intents; `components` (m, c) are standardised principal components of the reference;
    `kernel_sums` (m,) are sums of the kernel over the reference.
    """

    known: "Reference"
    vectors: np.ndarray
    near: np.ndarray
    similarity: np.ndarray
    rank: np.ndarray
    intents: np.ndarray
    components: np.ndarray
    kernel_sums: np.ndarray
    drawn: bool = False


class Reference:
    """n questions that a window is compared with, as unit vectors (n, d) with their intents."""

    def __init__(self, vectors: np.ndarray, intents: Sequence[str]) -> None:
        self.vectors = vectors.astype(np.float32)
        self.names = sorted(set(intents))
        code = {name: number for number, name in enumerate(self.names)}
        self.codes = np.array([code[intent] for intent in intents])
        gram = self.vectors @ self.vectors.T
        apart = 2 - 2 * gram[np.triu_indices(len(gram), 1)]
        # A quarter of the usual median: topics are smaller than the whole.
        self.bandwidth = 4 / max(float(np.median(apart)), 1e-6)
        self.kernel = self.similar(gram)
        self.kernel_sums = self.kernel.sum(axis=1)
        self.mean = self.vectors.mean(axis=0)
        _, scale, axes = np.linalg.svd(self.vectors - self.mean, full_matrices=False)
        kept = min(COMPONENTS, int((scale > 1e-4 * scale[0]).sum()))
        self.axes = axes[:kept] * np.sqrt(len(vectors)) / np.maximum(scale[:kept, None], 1e-12)
        self.gram = gram.copy()
        np.fill_diagonal(gram, -2)
        near, similarity = _nearest(gram)
        distances = _distance(similarity)
        self.sorted = np.sort(distances)
        count = len(self)
        self.own = Questions(
            self,
            self.vectors,
            near,
            similarity,
            # Its own distance is among those that it is ranked in.
            (np.searchsorted(self.sorted, distances) + 0.5) / count,
            self.codes[near[:, 0]],
            self._components(self.vectors),
            self.kernel_sums,
            drawn=True,
        )

    def __len__(self) -> int:
        return len(self.vectors)

    def similar(self, cosines: np.ndarray) -> np.ndarray:
        """The Gaussian kernel of unit vectors with these cosines."""
        return np.exp(-self.bandwidth * (2 - 2 * cosines))

    def see(self, vectors: np.ndarray) -> Questions:
        """New questions (m, d) against this reference."""
        parts = [self._see(vectors[start : start + BLOCK]) for start in range(0, max(len(vectors), 1), BLOCK)]
        near, similarity, sums = (np.concatenate(part) for part in zip(*parts, strict=True))
        rank = (np.searchsorted(self.sorted, _distance(similarity)) + 0.5) / (len(self) + 1)
        seen = vectors.astype(np.float32)
        return Questions(self, seen, near, similarity, rank, self.codes[near[:, 0]], self._components(seen), sums)

    def _see(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        cosines = vectors.astype(np.float32) @ self.vectors.T
        return *_nearest(cosines), self.similar(cosines).sum(axis=1)

    def _components(self, vectors: np.ndarray) -> np.ndarray:
        return (vectors - self.mean) @ self.axes.T


def _nearest(cosines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count = min(NEAREST, cosines.shape[1])
    near = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
    similarity = np.take_along_axis(cosines, near, 1)
    order = np.argsort(-similarity, axis=1, kind="stable")
    return np.take_along_axis(near, order, 1), np.take_along_axis(similarity, order, 1)


def _distance(similarity: np.ndarray) -> np.ndarray:
    return 1.0 - similarity[:, :NEIGHBOURS].mean(axis=1)


@dataclass(frozen=True)
class Windows:
    """b windows of w questions each: `members` (b, w) are indices of the questions.

    `left_out` (b, w) are reference questions that do not count, so that every window is compared with n - w: for
    windows drawn from the reference their members, else drawn at random.
    """

    questions: Questions
    members: np.ndarray
    left_out: np.ndarray

    @property
    def size(self) -> int:
        """Questions of a window."""
        return self.members.shape[1]

    @property
    def rest(self) -> int:
        """Reference questions that a window is compared with."""
        return len(self.questions.known) - self.size

    @property
    def spread(self) -> float:
        """Standard deviation of a window's mean less the reference's, of a quantity whose own is 1."""
        count = len(self.questions.known)
        if self.questions.drawn:
            return float(np.sqrt(1 / self.size - 1 / count))
        return float(np.sqrt(1 / self.size + INFLATION / count))

    @functools.cached_property
    def lost(self) -> np.ndarray:
        """(b, n) whether a reference question is left out."""
        lost = np.zeros((len(self.members), len(self.questions.known)), bool)
        np.put_along_axis(lost, self.left_out, True, 1)
        return lost

    @functools.cached_property
    def moved(self) -> np.ndarray:
        """(b, c) mean components of the reference questions that count."""
        own = self.questions.known.own.components
        return (own.sum(axis=0) - own[self.left_out].sum(axis=1)) / self.rest

    @functools.cached_property
    def within(self) -> np.ndarray:
        """(b, w, w) cosines of a window's questions."""
        if self.questions.drawn:
            return self.questions.known.gram[self.members[:, :, None], self.members[:, None, :]]
        vectors = self.questions.vectors[self.members]
        return vectors @ vectors.transpose(0, 2, 1)

    @functools.cached_property
    def nearest(self) -> np.ndarray:
        """(b, w) cosine of each question to the nearest reference question that counts."""
        near = self.questions.near[self.members]
        counts = ~np.take_along_axis(self.lost, near.reshape(len(near), -1), 1).reshape(near.shape)
        first = counts.argmax(axis=2)
        return np.take_along_axis(self.questions.similarity[self.members], first[:, :, None], 2)[:, :, 0]
