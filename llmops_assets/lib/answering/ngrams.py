"""Texts as weights of their terms (TF-IDF) in NumPy alone, as scikit-learn's TfidfVectorizer has them.

A process that serves loads neither scikit-learn nor SciPy for it, which would be most of its memory. What is weighed
is the same (https://scikit-learn.org/stable/modules/feature_extraction.html#tfidf-term-weighting): 1 + ln of a term's
count, times ln((1 + n) / (1 + df)) + 1, in rows of length one.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import numpy as np

Terms = Callable[[str], Iterable[str]]
"""The terms of a text, each as often as it stands there."""
_SPACES = re.compile(r"\s\s+")


def characters(text: str, shortest: int, longest: int) -> Iterable[str]:
    """Runs of characters of a text in small letters, doubled white space as one."""
    plain = _SPACES.sub(" ", text.lower())
    for size in range(shortest, min(longest, len(plain)) + 1):
        for start in range(len(plain) - size + 1):
            yield plain[start : start + size]


def words(text: str, pattern: re.Pattern[str], longest: int) -> Iterable[str]:
    """Words of a text in small letters, and runs of up to `longest` of them."""
    found = pattern.findall(text.lower())
    for size in range(1, min(longest, len(found)) + 1):
        for start in range(len(found) - size + 1):
            yield " ".join(found[start : start + size])


class Weights:
    """Weighs texts by the terms of a vocabulary, each with how rare it is."""

    def __init__(self, terms: Terms, vocabulary: Sequence[str], rarity: np.ndarray) -> None:
        self._terms = terms
        self._columns = {term: column for column, term in enumerate(vocabulary)}
        self._rarity = rarity.astype(np.float32)

    def row(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """Columns in their order, and their weights (float32), of a text."""
        counts = Counter(self._columns[term] for term in self._terms(text) if term in self._columns)
        columns = np.array(sorted(counts), np.int64)
        times = np.array([counts[column] for column in columns.tolist()], np.float32)
        weights = (np.log(times) + np.float32(1)) * self._rarity[columns]
        length = np.sqrt(np.dot(weights, weights))
        return columns, weights / length if length else weights


class Known:
    """Known texts by their terms, for the likeness of others to all of them at a time."""

    def __init__(self, terms: Terms, texts: Sequence[str]) -> None:
        self._size = len(texts)
        found: dict[str, int] = {}
        for term in chain.from_iterable(set(terms(text)) for text in texts):
            found[term] = found.get(term, 0) + 1
        vocabulary = sorted(found)
        there = np.array([found[term] for term in vocabulary], np.float32)
        rarity = np.log((np.float32(1) + len(texts)) / (np.float32(1) + there)) + np.float32(1)
        self._weights = Weights(terms, vocabulary, rarity)
        rows = [self._weights.row(text) for text in texts]
        columns = np.concatenate([row[0] for row in rows]) if rows else np.zeros(0, np.int64)
        order = np.argsort(columns, kind="stable")
        self._texts = np.repeat(np.arange(len(rows), dtype=np.int32), [len(row[0]) for row in rows])[order]
        self._values = (np.concatenate([row[1] for row in rows]) if rows else np.zeros(0, np.float32))[order]
        self._starts = np.searchsorted(columns[order], np.arange(len(vocabulary) + 1))

    def similarities(self, texts: Sequence[str]) -> np.ndarray:
        """Cosines (n, m) float32 of n texts with the m known ones, 0 to 1."""
        made = np.zeros((len(texts), self._size), np.float32)
        for row, text in zip(made, texts, strict=True):
            columns, weights = self._weights.row(text)
            starts, ends = self._starts[columns], self._starts[columns + 1]
            ranges = [np.arange(start, end) for start, end in zip(starts, ends, strict=True)]
            places = np.concatenate([np.arange(0), *ranges])
            shares = np.repeat(weights, ends - starts) * self._values[places]
            row[:] = np.bincount(self._texts[places], shares, self._size)
        return made
