"""The rows most worth a person's time: those the model is least sure of, unlike each other; and doubted labels.

Margin sampling with diversity: each next row is the one with the most uncertainty times distance to those already
chosen. A day of any size needs a bounded pool.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import Record

POOL_FACTOR = 20
"""Rows kept in the pool per row of the queue."""
NEAR_DUPLICATE = 0.95
"""Cosine at which a row says the same as one already chosen."""


class QueueItem(Record):
    """A row to label: what is known, what is suggested and why it is asked for."""

    row_id: str
    day: str
    question: str
    answer: str
    given_intent: str
    suggested_intent: str
    confidence: float
    reason: str


@dataclass(frozen=True)
class Candidate:
    """A row with its uncertainty (0 to 1) and its unit embedding."""

    item: QueueItem
    uncertainty: float
    vector: np.ndarray


class Pool:
    """The most uncertain candidates seen, each text once; ties are broken by a hash, not by order."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._kept: dict[str, Candidate] = {}

    def add(self, candidates: Iterable[Candidate]) -> None:
        """Take candidates in, and drop the least uncertain ones when there are too many."""
        for candidate in candidates:
            key = _key(candidate.item.question)
            if key not in self._kept or _rank(candidate) < _rank(self._kept[key]):
                self._kept[key] = candidate
        if len(self._kept) > 2 * POOL_FACTOR * self.size:
            self._shrink()

    def choose(self) -> list[QueueItem]:
        """The queue, most worth labelling first."""
        self._shrink()
        candidates = sorted(self._kept.values(), key=_rank)
        if not candidates:
            return []
        order = diverse(
            np.stack([c.vector for c in candidates]), np.array([c.uncertainty for c in candidates]), self.size
        )
        return [candidates[i].item for i in order]

    def _shrink(self) -> None:
        ranked = sorted(self._kept.items(), key=lambda entry: _rank(entry[1]))
        self._kept = dict(ranked[: POOL_FACTOR * self.size])


def diverse(vectors: np.ndarray, uncertainty: np.ndarray, size: int) -> list[int]:
    """Indices of at most `size` rows: greedily the largest uncertainty times distance to the chosen ones.

    Rows that nearly equal a chosen one are left out.
    """
    nearest, chosen = np.full(len(vectors), -1.0), []
    while len(chosen) < min(size, len(vectors)):
        worth = uncertainty * (1.0 - np.maximum(nearest, 0.0))
        worth[nearest >= NEAR_DUPLICATE] = -1.0
        worth[chosen] = -1.0
        best = int(worth.argmax())
        if worth[best] < 0:
            break
        chosen.append(best)
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return chosen


def to_jsonl(items: Sequence[QueueItem]) -> bytes:
    """One item per line."""
    return "".join(item.model_dump_json() + "\n" for item in items).encode()


def from_jsonl(data: bytes) -> list[QueueItem]:
    """Items of `to_jsonl`."""
    return [QueueItem.model_validate_json(line) for line in data.splitlines()]


def _key(question: str) -> str:
    return hash_bytes(" ".join(question.casefold().split()).encode())


def _rank(candidate: Candidate) -> tuple[float, str, str]:
    return -candidate.uncertainty, _key(candidate.item.question), candidate.item.row_id
