"""Near-duplicates: speed of two MinHash libraries, of the whole pass, its memory, and what the threshold finds.

Usage: python benchmarks/deduplication.py [--rows 20000] [--data FILE.csv] [--json]. Rows are the sample's customers in
endless variation. Recall: known questions after a greeting, after one slip and after two. Precision: pairs at or above
the threshold that are of one class, on the sample's own phrasings or on FILE (columns question, text or instruction,
and intent). Answers: cosines of different articles' answers, and of an answer to itself between an agent's phrases.
"""

import argparse
import csv
import gzip
import json
import random
import time
from pathlib import Path

import numpy as np

from llmops_assets.lib.answering.embedding import Embedder, find_embedder_folder
from llmops_assets.lib.corpus import deduplication
from llmops_assets.samples import generator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--data", type=Path, help="CSV with question and intent")
    parser.add_argument("--json", action="store_true", help="print one object last")
    arguments = parser.parse_args()
    pairs = _pairs(arguments.data)
    figures = _speed(arguments.rows) | _found(pairs) | _answers()
    for name, value in figures.items():
        print(f"{name}: {value:.3f}")
    if arguments.json:
        print(json.dumps(figures))


def _speed(count: int) -> dict[str, float]:
    rng = random.Random(0)
    words = sorted({word for article in generator.load_articles() for q in article.questions for word in q.split()})
    rows = [
        {"row_id": f"{n:020}", "question": f"{row['question']} {' '.join(rng.choices(words, k=4))}", "answer": ""}
        for n, row in enumerate(generator.conversations(count))
    ]
    plain = [deduplication.normalised(row["question"]) for row in rows]
    started = time.process_time()
    deduplication.signatures(plain)
    rensa = count / (time.process_time() - started)
    other = _datasketch(plain[:3000])
    index = deduplication.NearIndex()
    started = time.process_time()
    texts = ((row["row_id"], row["question"], "") for row in rows)
    for _ in index.scan(texts, lambda _, matches: not matches):
        pass
    return {
        "rensa_signatures_per_cpu_second": rensa,
        **other,
        "rows_per_cpu_second": count / (time.process_time() - started),
        "rows_held": float(len(index)),
        "bytes_per_row_held_without_id": index.bytes_held / len(index),
    }


def _datasketch(plain: list[str]) -> dict[str, float]:
    try:
        from datasketch import MinHash
    except ImportError:
        print("datasketch is not installed: not measured")
        return {}
    started = time.process_time()
    groups = [{f" {text} "[i : i + 4].encode() for i in range(len(text) - 1)} for text in plain]
    MinHash.bulk(groups, num_perm=deduplication.PERMUTATIONS)
    return {"datasketch_signatures_per_cpu_second": len(plain) / (time.process_time() - started)}


def _pairs(file: Path | None) -> list[tuple[str, str]]:
    if file is None:
        return [(q, article.id) for article in generator.load_articles() for q in article.questions]
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    column = next(name for name in ("question", "text", "instruction") if name in rows[0])
    return [(row[column], row["intent"]) for row in rows[::3]]


def _found(pairs: list[tuple[str, str]]) -> dict[str, float]:
    rng = random.Random(1)
    greetings = generator.load_phrasebook().greetings
    ways = {
        "greeting": lambda text: rng.choice(greetings) + text[0].lower() + text[1:],
        "one_slip": lambda text: generator.typo(text, rng, 1),
        "two_slips": lambda text: generator.typo(text, rng, 2),
    }
    texts = [text for text, _ in pairs][:2000]
    before = _low(texts)
    figures = {}
    for name, way in ways.items():
        alike = _similar(before, _low([way(text) for text in texts]))
        figures[f"recall_{name}"] = float((alike >= deduplication.NEAR).mean())
    matrix, labels = _low([text for text, _ in pairs]), np.array([label for _, label in pairs])
    same = total = 0
    index = deduplication.NearIndex(facts_matter=False)
    texts = [(str(n), text, "") for n, (text, _) in enumerate(pairs)]
    noticed = [bool(matches) for _, matches in index.scan(texts, lambda _, matches: True)]
    near_earlier = np.zeros(len(pairs), bool)
    for row in range(len(pairs)):
        near = np.flatnonzero(_similar(matrix[row + 1 :], matrix[row]) >= deduplication.NEAR) + row + 1
        near_earlier[near] = True
        total += len(near)
        same += int((labels[near] == labels[row]).sum())
    if total:
        figures["found_by_index"] = float(np.array(noticed)[near_earlier].mean())
        figures["near_pairs_of_one_class"] = same / total
    return figures | {"near_pairs": float(total)}


def _answers() -> dict[str, float]:
    embedder = Embedder(find_embedder_folder())
    answers = [article.answer for article in generator.load_articles()]
    vectors = embedder.embed(answers)
    wrapped = embedder.embed([f"Hi, thank you for reaching out to us. {answer} Have a nice day!" for answer in answers])
    return {
        "answers_that_differ_most_alike": float((vectors @ vectors.T - 2 * np.eye(len(answers))).max()),
        "answers_that_agree_least_alike": float((vectors * wrapped).sum(axis=1).min()),
    }


def _low(texts: list[str]) -> np.ndarray:
    return deduplication.signatures([deduplication.normalised(text) for text in texts]).astype(np.uint8)


def _similar(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return ((left == right).mean(axis=-1) - 1 / 256) / (1 - 1 / 256)


if __name__ == "__main__":
    main()
