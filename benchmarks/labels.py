"""How good and how fast the labels are: intents, unknown ones, label errors, language, sentiment, answers.

Usage: python benchmarks/labels.py [--data FILE] [--languages FILE] [--draws 10] [--json]. `--data` is a file of
conversations with intents; without it, the sample's. `--languages` is a CSV with the columns `lang` and `text`. Every
figure is measured on rows that nothing was learned from; means are over draws of the seeds, with the 95 % interval of
that mean.
"""

import argparse
import csv
import io
import json
import resource
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from llmops_assets.lib import tables
from llmops_assets.lib.answering.embedding import CachedEmbedder, Embedder, find_embedder_folder
from llmops_assets.lib.labelling.answers import answer_quality
from llmops_assets.lib.labelling.days import Labeller, draw_examples, label_day, learn
from llmops_assets.lib.labelling.intents import calibration_error, learn_intents
from llmops_assets.lib.labelling.languages import language
from llmops_assets.lib.labelling.sentiment import SENTIMENTS, sentiment
from llmops_assets.lib.sources import read_rows
from llmops_assets.samples import generator

HELD_OUT_INTENTS = 2
NOISE = 0.1
ERRORS_PER_INTENT = 100
MOODS = Path(__file__).with_name("moods.tsv")


def conversations(file: Path | None) -> list[dict]:
    """Rows with question, answer and intent, one for each different question."""
    if file is None:
        found = list(generator.conversations(6000))
    else:
        found = [{"question": r.question, "answer": r.answer, "intent": r.intent} for r in read_rows(file)]
    return list({" ".join(row["question"].casefold().split()): row for row in found if row["intent"]}.values())


def draw(labels: np.ndarray, intents: list[str], seeds: int, rng: np.random.Generator) -> np.ndarray:
    """Rows to learn from: so many of each intent."""
    return np.concatenate([rng.permutation(np.flatnonzero(labels == intent))[:seeds] for intent in intents])


def accuracy(vectors: np.ndarray, labels: np.ndarray, seeds: int, rng: np.random.Generator) -> dict[str, float]:
    """Of the best guess on all other rows; calibration of its confidence; and what calling rows unknown costs."""
    seen = draw(labels, sorted(set(labels)), seeds, rng)
    rest = np.setdiff1d(np.arange(len(labels)), seen)
    model = learn_intents(vectors[seen], list(labels[seen]))
    predicted = model.predict(vectors[rest])
    right = np.array(predicted.guesses) == labels[rest]
    accepted = np.array([bool(intent) for intent in predicted.intents])
    return {
        "accuracy": float(right.mean()),
        "accuracy_of_accepted": float(right[accepted].mean()),
        "accepted": float(accepted.mean()),
        "calibration_error": calibration_error(predicted.confidence[accepted], right[accepted]),
    }


def unknown(vectors: np.ndarray, labels: np.ndarray, seeds: int, rng: np.random.Generator) -> dict[str, float]:
    """Two intents are held out: how many of their rows are called unknown, and how many of the others."""
    intents = sorted(set(labels))
    new = set(rng.choice(intents, HELD_OUT_INTENTS, replace=False))
    seen = draw(labels, [intent for intent in intents if intent not in new], seeds, rng)
    rest = np.setdiff1d(np.arange(len(labels)), seen)
    model = learn_intents(vectors[seen], list(labels[seen]))
    rejected = np.array([not intent for intent in model.predict(vectors[rest]).intents])
    is_new = np.isin(labels[rest], list(new))
    return {"unknown_recall": float(rejected[is_new].mean()), "known_rejected": float(rejected[~is_new].mean())}


def label_errors(vectors: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """A tenth of the labels is made wrong: what is found, and what leaving it out gives on rows not seen."""
    intents = sorted(set(labels))
    seen = draw(labels, intents, ERRORS_PER_INTENT, rng)
    rest = np.setdiff1d(np.arange(len(labels)), seen)
    given, clean = labels[seen].copy(), labels[seen]
    wrong = rng.choice(len(seen), int(NOISE * len(seen)), replace=False)
    for i in wrong:
        given[i] = rng.choice([intent for intent in intents if intent != clean[i]])
    is_wrong = np.zeros(len(seen), bool)
    is_wrong[wrong] = True
    model = learn_intents(vectors[seen], list(given))
    found = np.array(model.doubted)
    top = np.argsort(np.where(found, model.self_confidence, 2.0), kind="stable")[: min(50, int(found.sum()))]
    trusting = learn_intents(vectors[seen], list(given), [True] * len(seen))
    untouched = learn_intents(vectors[seen], list(clean))
    scores = {}
    if len(rest):
        for name, one in (("left_out", model), ("kept", trusting), ("never_wrong", untouched)):
            scores[f"accuracy_{name}"] = float((np.array(one.predict(vectors[rest]).guesses) == labels[rest]).mean())
    return {
        "precision_top_50": float(is_wrong[top].mean()),
        "precision": float(is_wrong[found].mean()),
        "recall": float(found[is_wrong].mean()),
        "doubted_without_errors": float(np.mean(untouched.doubted)),
        **scores,
    }


def languages(file: Path | None, questions: list[str]) -> dict[str, float]:
    """Share of right languages: of a labelled file, of its texts' first four words, and English of the questions."""
    figures = {"english_questions": float(np.mean([language(q) == "en" for q in questions]))}
    if file is not None:
        with file.open(newline="", encoding="utf-8") as opened:
            rows = list(csv.DictReader(opened))
        figures["file"] = float(np.mean([language(r["text"]) == r["lang"] for r in rows]))
        cut = [(" ".join(r["text"].split()[:4]), r["lang"]) for r in rows]
        figures["file_first_four_words"] = float(np.mean([language(text) == code for text, code in cut]))
    started = time.process_time()
    language.cache_clear()
    for question in questions:
        language(question)
    figures["texts_per_cpu_second"] = len(questions) / (time.process_time() - started)
    return figures


def moods() -> dict[str, float]:
    """Accuracy on `moods.tsv`, precision and recall of each mood."""
    rows = [line.split("\t") for line in MOODS.read_text(encoding="utf-8").splitlines()]
    found = Counter((mood, sentiment(text)) for mood, text in rows)
    figures = {"rows": len(rows), "accuracy": sum(found[mood, mood] for mood in SENTIMENTS) / len(rows)}
    for mood in SENTIMENTS:
        figures[f"{mood}_precision"] = found[mood, mood] / max(1, sum(found[other, mood] for other in SENTIMENTS))
        figures[f"{mood}_recall"] = found[mood, mood] / sum(found[mood, other] for other in SENTIMENTS)
    return figures


def answers(rows: list[dict], embedder: CachedEmbedder, rng: np.random.Generator) -> dict[str, float]:
    """How often a question's own answer scores above the answer to a question of another intent (ties count half)."""
    chosen = [rows[i] for i in rng.permutation(len(rows))[:500]]
    questions = embedder.embed([row["question"] for row in chosen])
    texts = embedder.embed([row["answer"] for row in chosen])
    won = []
    for i, row in enumerate(chosen):
        others = [k for k, other in enumerate(chosen) if other["intent"] != row["intent"]]
        k = int(rng.choice(others))
        own = answer_quality(row["answer"], float(questions[i] @ texts[i])).score
        other = answer_quality(chosen[k]["answer"], float(questions[i] @ texts[k])).score
        won.append(1.0 if own > other else 0.5 if own == other else 0.0)
    return {"own_above_other": float(np.mean(won))}


def speed(rows: list[dict], embedder: CachedEmbedder, count: int = 10_000) -> dict[str, float]:
    """Seconds to label a day of `count` rows whose embeddings are known: learning, then all the rest; and embedding."""
    day = [
        {**rows[i % len(rows)], "row_id": str(i), "conversation": str(i), "day": "2026-03-02", "time": "", "rating": 0}
        for i in range(count)
    ]
    data = tables.to_parquet(day, tables.CONVERSATIONS)
    different = list({" ".join(row["question"].casefold().split()): row["question"] for row in day}.values())
    bare = Embedder(find_embedder_folder())
    bare.embed(["warm up"])
    figures = {"rows": count, "different_questions": len(different)}
    for name, texts in (("questions", different[:500]), ("answers", [row["answer"] for row in rows[:100]])):
        started = time.process_time()
        bare.embed(texts)
        figures[f"{name}_embedded_per_cpu_second"] = len(texts) / (time.process_time() - started)
    embedder.embed(different)
    started, cpu = time.perf_counter(), time.process_time()
    model, doubts = learn(draw_examples([lambda: io.BytesIO(data)], {}), embedder)
    figures["learning_cpu_seconds"] = time.process_time() - cpu
    figures["learning_wall_seconds"] = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        started, cpu = time.perf_counter(), time.process_time()
        labeller = Labeller(model, embedder, {}, doubts)
        label_day(lambda: io.BytesIO(data), Path(folder) / "day.parquet", labeller, embed_answers=0, queue=50)
        figures["labelling_cpu_seconds"] = time.process_time() - cpu
        figures["labelling_wall_seconds"] = time.perf_counter() - started
    figures["embedding_cpu_seconds_if_all_differ"] = count / figures["questions_embedded_per_cpu_second"]
    figures["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def over_draws(measured: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Mean of each figure, half the width of its 95 % interval, and the number of draws."""
    columns = defaultdict(list)
    for figures in measured:
        for name, value in figures.items():
            columns[name].append(value)
    half = {n: 1.96 * float(np.std(v, ddof=1)) / len(v) ** 0.5 if len(v) > 1 else 0.0 for n, v in columns.items()}
    return {n: {"mean": float(np.mean(v)), "half_interval": half[n], "draws": len(v)} for n, v in columns.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="JSONL, CSV or Parquet of conversations; none: the sample")
    parser.add_argument("--languages", type=Path, help="CSV with lang and text")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="print one object last")
    arguments = parser.parse_args()
    embedder = CachedEmbedder(Embedder(find_embedder_folder()), Path(".llmops") / "benchmark-embeddings.db")
    rows = conversations(arguments.data)
    counts = Counter(row["intent"] for row in rows)
    rows = [row for row in rows if counts[row["intent"]] > 20]
    vectors = embedder.embed([row["question"] for row in rows])
    labels = np.array([row["intent"] for row in rows])
    draws = range(arguments.draws)
    results: dict = {"rows": len(rows), "intents": len(set(labels))}
    for seeds in (5, 10, 20):
        measured = [accuracy(vectors, labels, seeds, np.random.default_rng(n)) for n in draws]
        results[f"intents_{seeds}_seeds"] = over_draws(measured)
    results["unknown_10_seeds"] = over_draws([unknown(vectors, labels, 10, np.random.default_rng(n)) for n in draws])
    some = range(min(3, arguments.draws))
    results["label_errors"] = over_draws([label_errors(vectors, labels, np.random.default_rng(n)) for n in some])
    results["language"] = languages(arguments.languages, [row["question"] for row in rows])
    results["sentiment"] = moods()
    results["answer_quality"] = answers(rows, embedder, np.random.default_rng(0))
    results["speed"] = speed(rows, embedder)
    for group, figures in results.items():
        if not isinstance(figures, dict):
            print(f"{group:36} {figures}")
            continue
        print(group)
        for name, value in figures.items():
            if isinstance(value, dict):
                print(f"  {name:34} {value['mean']:.3f} ± {value['half_interval']:.3f} ({value['draws']} draws)")
            else:
                print(f"  {name:34} {value:.3f}" if isinstance(value, float) else f"  {name:34} {value}")
    if arguments.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
