"""How the nearest known questions are found: exactly, in a file that is read in place, or through an approximate index.

Usage: python benchmarks/index.py [--sizes N …] [--queries N]

Vectors of 384 dimensions are made of those that ship with the package: two mixed, and noise. Each way is built, written
to a file and asked by a process of its own, one question at a time on one thread, as the gateway asks; `recall` is the
share of the five nearest by float32 that it finds, `anonymous` the memory that its process holds beside the file
(Linux), above what it held before. usearch, hnswlib and faiss are measured where they are installed, which the lock
does not do: `pip install usearch faiss-cpu hnswlib`. The last row of a size is KnowledgeIndex itself, letters and
ranking included; its questions are made of the sample's words.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Before NumPy is loaded: one thread, as the gateway gives a question.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from llmops_assets.lib.answering import shipped
from llmops_assets.lib.answering.embedding import DIMENSIONS
from llmops_assets.lib.answering.knowledge import Entry, KnowledgeIndex
from llmops_assets.lib.records import Article
from llmops_assets.samples import generator

NEAREST = 5
NOISE = 0.3
"""Length of the noise beside a vector of one."""
BLOCK = 8192
"""Rows of float16 that are made float32 at a time."""
QUESTIONS_OF_AN_ARTICLE = 8
LINKS, BUILD_WIDTH, WIDTH = 16, 200, 64
"""Of the approximate indexes: neighbours of a point, and how many are looked at when building and when asked."""
Search = Callable[[np.ndarray], Sequence[int]]


def main() -> None:
    """Print one table per size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000], help="known questions")
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--ask", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask:
        ask(arguments.ask[0], Path(arguments.ask[1]))
        return
    for size in arguments.sizes:
        print(f"\n{size} known questions\n{'':<20}{'build s':>9}{'file MB':>9}{'open s':>8}{'p50 ms':>8}{'p99 ms':>8}"
              f"{'recall':>8}{'anonymous MB':>14}")  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            measure(size, arguments.queries, Path(folder))


def measure(size: int, queries: int, folder: Path) -> None:
    """Build every way over the same vectors, and have each asked."""
    rng = np.random.default_rng(0)
    vectors, asked = made(size, rng), made(queries, rng)
    nearest = np.argsort(-(asked @ vectors.T), axis=1)[:, :NEAREST]
    np.save(folder / "asked.npy", asked)
    for way, (package, build, _) in WAYS.items():
        if package and find_spec(package) is None:
            print(f"{way:<20}  {package} is not installed")
            continue
        began = time.perf_counter()
        file = folder / way.replace(" ", "-")
        build(vectors, file)
        seconds = time.perf_counter() - began
        command = [sys.executable, __file__, "--ask", way, str(folder)]
        told = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        found = [len(set(mine) & set(best)) for mine, best in zip(told["found"], nearest.tolist(), strict=True)]
        recall = f"{sum(found) / nearest.size:.3f}" if told["found"][0] else "-"
        p50, p99 = np.percentile(told["ms"], (50, 99))
        print(f"{way:<20}{seconds:>9.1f}{file.stat().st_size / 1e6:>9.0f}{told['open']:>8.1f}{p50:>8.2f}{p99:>8.2f}"
              f"{recall:>8}{told['anonymous']:>14.0f}", flush=True)  # fmt: skip


def made(count: int, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors (count, 384) float32."""
    known = np.array(list(shipped.read().values()), np.float32)
    one, other = known[rng.integers(len(known), size=(2, count))]
    share = rng.uniform(0, 1, (count, 1)).astype(np.float32)
    mixed = share * one + (1 - share) * other
    mixed += NOISE / np.sqrt(DIMENSIONS) * rng.standard_normal(mixed.shape, np.float32)
    return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def ask(way: str, folder: Path) -> None:
    """Open the file of a way and print what every query takes and finds."""
    asked = np.load(folder / "asked.npy")
    before = anonymous()
    began = time.perf_counter()
    search = WAYS[way][2](folder / way.replace(" ", "-"))
    search(asked[0])
    opened = time.perf_counter() - began
    times, found = [], []
    for vector in asked:
        began = time.perf_counter()
        nearest = search(vector)
        times.append(1000 * (time.perf_counter() - began))
        found.append([int(place) for place in nearest])
    print(json.dumps({"open": opened, "ms": times, "found": found, "anonymous": anonymous() - before}))


def anonymous() -> float:
    """MB of this process that no file backs."""
    kept = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in kept if line.startswith("Anonymous:")) * 1024 / 1e6


def best(scores: np.ndarray) -> np.ndarray:
    """The places of the five highest."""
    chosen = np.argpartition(-scores, NEAREST)[:NEAREST]
    return chosen[np.argsort(-scores[chosen])]


# -- ways ---------------------------------------------------------------------------------------------------------


def save(dtype: type) -> Callable[[np.ndarray, Path], None]:
    """Writes the matrix as it is."""

    def build(vectors: np.ndarray, file: Path) -> None:
        with file.open("wb") as stream:
            np.save(stream, vectors.astype(dtype))

    return build


def open_exact(file: Path) -> Search:
    """The matrix mapped, every row multiplied; float16 is made float32 block by block."""
    matrix = np.asarray(np.load(file, mmap_mode="r"))
    if matrix.dtype == np.float32:
        return lambda vector: best(matrix @ vector)
    blocks = range(0, len(matrix), BLOCK)
    return lambda vector: best(np.concatenate([matrix[b : b + BLOCK].astype(np.float32) @ vector for b in blocks]))


def build_usearch(vectors: np.ndarray, file: Path) -> None:
    from usearch.index import Index

    index = Index(ndim=DIMENSIONS, metric="ip", dtype="f16", connectivity=LINKS, expansion_add=BUILD_WIDTH)
    index.add(np.arange(len(vectors)), vectors)
    index.save(str(file))


def open_usearch(file: Path) -> Search:
    from usearch.index import Index

    index: Any = Index.restore(str(file), view=True)
    index.expansion_search = WIDTH
    return lambda vector: index.search(vector, NEAREST).keys.tolist()


def build_hnswlib(vectors: np.ndarray, file: Path) -> None:
    import hnswlib

    index = hnswlib.Index(space="ip", dim=DIMENSIONS)
    index.init_index(max_elements=len(vectors), M=LINKS, ef_construction=BUILD_WIDTH)
    index.add_items(vectors, np.arange(len(vectors)))
    index.save_index(str(file))


def open_hnswlib(file: Path) -> Search:
    import hnswlib

    index = hnswlib.Index(space="ip", dim=DIMENSIONS)
    index.load_index(str(file))
    index.set_ef(WIDTH)
    return lambda vector: index.knn_query(vector, NEAREST)[0][0]


def build_faiss(vectors: np.ndarray, file: Path) -> None:
    import faiss

    index: Any = faiss.IndexHNSWFlat(DIMENSIONS, LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = BUILD_WIDTH
    index.add(vectors)
    faiss.write_index(index, str(file))


def open_faiss(file: Path) -> Search:
    import faiss

    index: Any = faiss.read_index(str(file), faiss.IO_FLAG_MMAP)
    index.hnsw.efSearch = WIDTH
    return lambda vector: index.search(vector[None], NEAREST)[1][0]


def build_whole(vectors: np.ndarray, file: Path) -> None:
    """The index of a release over made-up questions."""
    rng = random.Random(0)
    words = sorted({word for a in generator.load_articles() for q in a.questions for word in q.lower().split()})
    asked = [" ".join(rng.choices(words, k=9)) for _ in vectors]
    starts = range(0, len(asked), QUESTIONS_OF_AN_ARTICLE)
    articles = [
        Article(id=f"a{start}", intent="any", title="any", answer=f"Answer {start}.", questions=(asked[start],))
        for start in starts
    ]
    entries = [Entry(f"a{n - n % QUESTIONS_OF_AN_ARTICLE}", question) for n, question in enumerate(asked)]
    file.write_bytes(KnowledgeIndex(articles, entries, vectors, "any").to_bytes())


def open_whole(file: Path) -> Search:
    index = KnowledgeIndex.load(file)
    question = index.entries[0].question

    def search(vector: np.ndarray) -> Sequence[int]:
        index.search(question, vector)
        # It finds articles and by letters too: no recall.
        return ()

    return search


WAYS: dict[str, tuple[str, Callable[[np.ndarray, Path], None], Callable[[Path], Search]]] = {
    "exact, float32": ("", save(np.float32), open_exact),
    "exact, float16": ("", save(np.float16), open_exact),
    "usearch": ("usearch", build_usearch, open_usearch),
    "hnswlib": ("hnswlib", build_hnswlib, open_hnswlib),
    "faiss HNSW": ("faiss", build_faiss, open_faiss),
    "KnowledgeIndex": ("", build_whole, open_whole),
}
"""Name to the package that it needs, what builds its file, and what opens that."""


if __name__ == "__main__":
    main()
