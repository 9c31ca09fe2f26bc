"""How alike texts are in their letters: what an embedding makes of "delviery tkae" is far from what it means."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer


class Lexical:
    """Cosine similarities of texts to known ones, by their runs of two to four characters, rare ones weighing more.

    Fitted when it is first asked: a second for twenty thousand known texts.
    """

    def __init__(self, known: Sequence[str]) -> None:
        self._known = tuple(known)

    def similarities(self, texts: Sequence[str]) -> np.ndarray:
        """Similarities (n, m) float32 of n texts to the m known ones, 0 to 1."""
        vectorizer, rows = self._fitted
        return (vectorizer.transform(texts) @ rows).toarray()

    @cached_property
    def _fitted(self) -> "tuple[TfidfVectorizer, csr_matrix]":
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(2, 4), sublinear_tf=True, dtype=np.float32)
        return vectorizer, vectorizer.fit_transform(self._known).T.tocsr()
