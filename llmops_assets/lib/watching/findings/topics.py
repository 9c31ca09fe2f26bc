"""What is asked about anew: groups of questions that are nearer to each other than to anything known.

Leader clustering on unit vectors, the largest group first; everything is deterministic. Nothing here knows findings.
"""

from collections.abc import Sequence

import numpy as np

NEAR = 0.5
"""Cosine of two questions about one thing, at least."""
HELD = 0.6
"""Cosine of a question to the middle of its group, at least."""
SAME = 0.7
"""Cosine of the middles of two groups that are one."""
EQUAL = 0.999
MOST = 3000
"""Texts that are grouped; of more, evenly spaced ones: memory grows with their square."""
BLOCK = 1024


def nearest(vectors: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(cosine, index) of the nearest known unit vector (n, d) for each of (m, d); (-1, 0) where none is known."""
    if not len(known) or not len(vectors):
        return np.full(len(vectors), -1.0), np.zeros(len(vectors), int)
    parts = [vectors[start : start + BLOCK] @ known.T for start in range(0, len(vectors), BLOCK)]
    return np.concatenate([p.max(axis=1) for p in parts]), np.concatenate([p.argmax(axis=1) for p in parts])


def odd(vectors: np.ndarray, known: np.ndarray, badly: Sequence[bool], threshold: float) -> np.ndarray:
    """Which questions may be of a new topic: `known` is the cosine (m,) to the nearest known question.

    Those farther than `threshold` from everything known, and of those answered badly the ones that have a nearer
    neighbour among each other than among the known: a topic may lie between known ones.
    """
    bad = np.asarray(badly, bool)
    crowded = np.zeros(len(vectors), bool)
    if bad.any():
        among = vectors[bad] @ vectors[bad].T
        among[among > EQUAL] = -1.0
        crowded[bad] = among.max(axis=1) > known[bad]
    return (1.0 - known > threshold) | crowded


def spaced(count: int, most: int = MOST) -> list[int]:
    """Indices of all of `count` things, or of so many of them, evenly spaced."""
    return list(range(count)) if count <= most else [n * count // most for n in range(most)]


def groups(vectors: np.ndarray, least: int = 2) -> list[np.ndarray]:
    """Indices of each group of unit vectors (n, d) of different texts, the largest first; the rest is in none.

    A group begins with the text that has most others near it, holds what is near their middle, and takes in others
    whose middles are the same. Fewer than `least` texts are no group.
    """
    if len(vectors) > MOST:
        chosen = np.array(spaced(len(vectors)))
        return [chosen[group] for group in groups(vectors[chosen], least)]
    left = np.ones(len(vectors), bool)
    near = vectors @ vectors.T >= NEAR
    found: list[np.ndarray] = []
    while left.any():
        counts = np.where(left, (near & left).sum(axis=1), 0)
        leader = int(counts.argmax())
        middle = _middle(vectors[near[leader] & left])
        group = np.flatnonzero(left & (vectors @ middle >= HELD))
        if len(group) < least:
            # What has a few others near it may still hang together with none of them.
            left[leader] = False
            if counts[leader] < least:
                break
            continue
        found.append(group)
        left[group] = False
    return sorted(_joined(vectors, found), key=lambda group: (-len(group), int(group[0])))


def _joined(vectors: np.ndarray, found: list[np.ndarray]) -> list[np.ndarray]:
    """The groups, those with the same middle made one, the most alike first."""
    joined = [np.sort(group) for group in found]
    while len(joined) > 1:
        middles = np.stack([_middle(vectors[group]) for group in joined])
        alike = middles @ middles.T - 2 * np.eye(len(joined))
        one, other = sorted(divmod(int(alike.argmax()), len(joined)))
        if alike[one, other] < SAME:
            break
        joined[one] = np.sort(np.concatenate([joined[one], joined.pop(other)]))
    return joined


def _middle(vectors: np.ndarray) -> np.ndarray:
    mean = vectors.mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-12)
