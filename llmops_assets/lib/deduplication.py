"""Which rows say the same, and which training rows would give the evaluation away. Dropped rows keep their reason."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

LEAK_SIMILARITY = 0.92
"""Cosine similarity from which a training question counts as an evaluation question in other letters."""


def normalised(text: str) -> str:
    """Lower case, letters and digits only, single spaces: what exact duplicates have in common."""
    folded = unicodedata.normalize("NFKC", text).lower()
    return " ".join(re.findall(r"[\w<>]+", folded))


def drop_duplicates(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str]
) -> tuple[list[Mapping[str, Any]], list[dict[str, str]]]:
    """Rows whose normalised columns were not seen before, and the others with the row they repeat; first one wins."""
    seen: dict[tuple[str, ...], str] = {}
    kept, dropped = [], []
    for row in rows:
        key = tuple(normalised(str(row[column])) for column in columns)
        if key in seen:
            dropped.append(
                {"row_id": row["row_id"], "question": row["question"], "reason": f"duplicate of {seen[key]}"}
            )
        else:
            seen[key] = row["row_id"]
            kept.append(row)
    return kept, dropped


def leaks(
    rows: Sequence[Mapping[str, Any]],
    held_out: Sequence[str],
    vectors: Mapping[str, np.ndarray],
    *,
    similarity: float = LEAK_SIMILARITY,
) -> dict[str, str]:
    """Row id to reason for every row whose question is (nearly) a held-out one.

    Equal after normalisation, or cosine similarity of the embeddings at least `similarity`. `vectors` maps every
    question to its unit vector.
    """
    if not rows or not held_out:
        return {}
    exact = {normalised(question): question for question in held_out}
    matrix = np.stack([vectors[question] for question in held_out])
    found: dict[str, str] = {}
    for start in range(0, len(rows), 2000):
        part = rows[start : start + 2000]
        scores = np.stack([vectors[row["question"]] for row in part]) @ matrix.T
        for row, score in zip(part, scores, strict=True):
            best = int(score.argmax())
            if normalised(row["question"]) in exact:
                found[row["row_id"]] = "equals a held-out question"
            elif score[best] >= similarity:
                found[row["row_id"]] = f"{score[best]:.2f} similar to a held-out question"
    return found
