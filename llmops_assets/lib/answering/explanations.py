"""What an answer rests on: the passage that supports it most, and how much of it is in any passage at all.

A lexical measure of groundedness: cheap, deterministic, and blind to paraphrase, which it reports as unsupported.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_STOP = frozenset(
    """
    the a an and or of to in for is are be we you your our it with on at by from as that this
    """.split()
)


@dataclass(frozen=True)
class Support:
    """Share of an answer's content words found in one passage, and in all passages together (0 to 1)."""

    passage: int | None
    best: float
    together: float


def support(answer: str, passages: Sequence[str]) -> Support:
    """Which passage an answer rests on. No passages or no content words: nothing supports it."""
    words = _content(answer)
    if not words or not passages:
        return Support(None, 0.0, 0.0)
    sets = [_content(passage) for passage in passages]
    shares = [len(words & found) / len(words) for found in sets]
    best = max(range(len(shares)), key=lambda i: (shares[i], -i))
    together = len(words & set().union(*sets)) / len(words)
    return Support(best if shares[best] > 0 else None, round(shares[best], 4), round(together, 4))


def _content(text: str) -> set[str]:
    words = (word.strip(".") for word in re.findall(r"[\w.]+", text.lower()))
    return {word for word in words if word and word not in _STOP}
