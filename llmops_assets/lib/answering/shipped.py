"""Vectors of the sentences that ship with the package, kept beside them: embedding them takes 10 to 15 CPU seconds,
which every new installation, and on a cluster every pod, would spend first.

`make vectors` writes them after a change of the sentences or of the embedder's weights.
"""

import hashlib
import io
from collections.abc import Iterable, Sequence
from importlib.resources import files

import numpy as np

from llmops_assets.lib.answering.embedding import DIMENSIONS, Embeds

FILE = files("llmops_assets.lib.answering") / "shipped.npy"
_ROWS = np.dtype([("key", np.uint8, 16), ("vector", np.float16, DIMENSIONS)])


def embed(embedder: Embeds, texts: Sequence[str]) -> np.ndarray:
    """Vectors (n, d) float32 of texts, those that ship without asking the embedder; all in half precision, so that it
    makes no difference which they are."""
    known = read()
    keys = [key_of(embedder, text) for text in texts]
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if missing:
        known.update(zip(missing, embedder.embed(list(missing.values())).astype(np.float16), strict=True))
    return np.array([known[key] for key in keys], np.float32)


def read() -> dict[bytes, np.ndarray]:
    """Key to vector (384,) float16 of all that ship."""
    rows = np.load(io.BytesIO(FILE.read_bytes()), allow_pickle=False)
    return {key.tobytes(): vector for key, vector in zip(rows["key"], rows["vector"], strict=True)}


def key_of(embedder: Embeds, text: str) -> bytes:
    """What a text's vector is kept under: another embedder finds none of this one's."""
    return hashlib.blake2b(f"{embedder.digest} {text}".encode(), digest_size=16).digest()


def to_bytes(embedder: Embeds, texts: Iterable[str]) -> bytes:
    """The file of these texts' vectors; equal ones are equal bytes."""
    unique = sorted(dict.fromkeys(texts))
    rows = np.zeros(len(unique), _ROWS)
    for row, text, vector in zip(rows, unique, embedder.embed(unique), strict=True):
        row["key"] = np.frombuffer(key_of(embedder, text), np.uint8)
        row["vector"] = vector
    written = io.BytesIO()
    np.save(written, rows, allow_pickle=False)
    return written.getvalue()
