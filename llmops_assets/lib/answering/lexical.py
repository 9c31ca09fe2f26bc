"""How alike texts are in their letters: what an embedding makes of "delviery tkae" is far from what it means."""

from collections.abc import Sequence
from functools import cached_property, partial

import numpy as np

from llmops_assets.lib.answering.ngrams import Known, characters

RUNS = partial(characters, shortest=2, longest=4)


class Lexical:
    """Cosine similarities of texts to known ones, by their runs of two to four characters, rare ones weighing more.

    Fitted when it is first asked: a second for twenty thousand known texts.
    """

    def __init__(self, known: Sequence[str]) -> None:
        self._known = tuple(known)

    def similarities(self, texts: Sequence[str]) -> np.ndarray:
        """Similarities (n, m) float32 of n texts to the m known ones, 0 to 1."""
        return self._fitted.similarities(texts)

    @cached_property
    def _fitted(self) -> Known:
        return Known(RUNS, self._known)
