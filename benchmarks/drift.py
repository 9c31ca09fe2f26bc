"""How soon a change of what customers ask is seen, and how often one is seen that is none: every detector beside the
whole, on streams of intents that the reference does not know.

Usage: python benchmarks/drift.py [FOLDER] [--set NAME ...] [--intents 12 44 77 150] [--windows 60 100 250]
[--streams 50] [--reference 642] [--questions 300] [--json]. FOLDER holds CSV files (`.csv`, `.csv.gz`) with a column
`text`, `question` or `instruction` and a column `intent`, one set each; without it, the sample's conversations. Every
stream has its own intents, reference and questions: nothing that is judged is in the reference. Embeddings are kept in
.llmops; the CPU seconds are those of the detection alone.

Cells: `clean` (two streams of known intents); 5 to 50 % of the questions of one new intent, and of five; `typos`, a
fifth of the questions with typing errors; `spike`, a fifth of the questions of one known intent. A cell shows the
share of streams that alarmed, its 95 % interval (Wilson) and the median number of questions until then ("-": fewer
than half alarmed). At 50 % only alarms within 120 questions count. Rows: each detector alone with the whole budget;
`smallest p`, those that judge together; `day`, the product's judgement, which adds the rules on windows and the CUSUM;
`day, answered well`, the same where no answer was handed over, rated down or corrected: there a spike is volume.
"""

import argparse
import csv
import gzip
import json
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from llmops_assets.lib.answering.embedding import CachedEmbedder, Embedder, find_embedder_folder
from llmops_assets.lib.augmentation import with_typos
from llmops_assets.lib.records import DriftPolicy
from llmops_assets.lib.statistics import wilson
from llmops_assets.lib.watching import drift
from llmops_assets.lib.watching.detection import DETECTORS, JUDGES
from llmops_assets.lib.watching.detection.calibration import calibrate, drawn_days, measure
from llmops_assets.samples import generator

PER_INTENT = 80
TYPED = 10
"""Questions of each intent that come with typing errors only."""
FIVE = 5
TEXT = ("text", "question", "instruction")
Pool = dict[str, np.ndarray]


def sets(folder: Path | None, chosen: list[str]) -> dict[str, list[tuple[str, str]]]:
    """(text, intent) of every labelled file, by name."""
    if folder is None:
        return {"sample": [(row["question"], row["intent"]) for row in generator.conversations(6000) if row["intent"]]}
    found = {}
    for file in sorted(folder.glob("*.csv*")):
        name = file.name.split(".csv")[0]
        if chosen and name not in chosen:
            continue
        with gzip.open(file, "rt", newline="") if file.suffix == ".gz" else file.open(newline="") as source:
            rows = list(csv.DictReader(source))
        text = next((column for column in TEXT if rows and column in rows[0]), None)
        if text and "intent" in rows[0]:
            found[name] = [(row[text], row["intent"]) for row in rows if row[text]]
    if not found:
        raise SystemExit(f"{folder} has no CSV file with the columns {' or '.join(TEXT)} and intent")
    return found


def pools(rows: list[tuple[str, str]], embedder: CachedEmbedder) -> tuple[Pool, Pool]:
    """Vectors by intent: of different questions, and of some others with typing errors."""
    by_intent = defaultdict(list)
    for text, intent in dict.fromkeys(rows):
        by_intent[intent].append(text)
    rng = random.Random(0)
    plain, typed = {}, {}
    for intent in sorted(by_intent):
        texts = by_intent[intent]
        rng.shuffle(texts)
        typed[intent] = embedder.embed([with_typos(text, random.Random(text)) for text in texts[:TYPED]])
        plain[intent] = embedder.embed(texts[TYPED:PER_INTENT])
    return plain, typed


class Draw:
    """One division of a set: known and new intents, a reference, and the questions that streams are drawn from."""

    def __init__(self, plain: Pool, typed: Pool, intents: int, size: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        names = [str(name) for name in self.rng.permutation(sorted(plain))]
        self.known, rest = names[:intents], names[intents:]
        vectors = np.concatenate([plain[name] for name in self.known])
        labels = np.repeat(self.known, [len(plain[name]) for name in self.known])
        order = self.rng.permutation(len(vectors))
        chosen, left = order[: min(size, len(order) // 2)], order[min(size, len(order) // 2) :]
        self.reference = drift.fit_reference(vectors[chosen], [str(label) for label in labels[chosen]])
        self.vectors, self.labels = vectors[left], labels[left]
        self.typed = np.concatenate([typed[name] for name in self.known])
        self.new = {
            count: np.concatenate([plain[n] for n in rest[:count]]) for count in (1, FIVE) if len(rest) >= count
        }

    def _of(self, vectors: np.ndarray, count: int) -> np.ndarray:
        return vectors[self.rng.permutation(len(vectors))[:count]]

    def _mixed(self, others: np.ndarray, share: float, length: int) -> np.ndarray:
        """A stream with a share of others; where they run out, ordinary questions follow."""
        count = min(round(share * length), len(others))
        mixed = round(count / share)
        first = np.concatenate([self._of(self.vectors, mixed - count), self._of(others, count)])
        return np.concatenate([self._of(first, mixed), self._of(self.vectors, length - mixed)])

    def streams(self, length: int) -> Iterator[tuple[str, np.ndarray]]:
        """(cell, vectors) in order."""
        yield "clean", self._of(self.vectors, length)
        yield "clean", self._of(self.vectors, length)
        for count, new in self.new.items():
            for share in (0.05, 0.1, 0.2, 0.5) if count == 1 else (0.1, 0.2):
                yield f"{'one' if count == 1 else 'five'} {share:.0%}", self._mixed(new, share, length)
        yield "typos 20%", self._mixed(self.typed, 0.2, length)
        spiked = str(self.rng.choice(self.known))
        yield "spike 20%", self._mixed(self.vectors[self.labels == spiked], 0.2, length)


class Figures:
    """Questions until the alarm of every stream, by row and cell."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.seconds: dict[str, float] = defaultdict(float)
        self.judged = 0

    def table(self, length: int) -> Iterator[tuple[str, str, dict[str, float | None]]]:
        """(row, cell, figures)."""
        for row, cells in self.found.items():
            for cell, ends in cells.items():
                limit = 120 if "50%" in cell else length
                seen = sum(end <= limit for end in ends)
                low, high = wilson(seen, len(ends))
                middle = float(np.median(ends))
                delay = None if middle > length else middle
                yield row, cell, {"share": seen / len(ends), "low": low, "high": high, "delay": delay, "of": len(ends)}


def first_alarm(smallest: np.ndarray, level: float, ends: np.ndarray) -> float:
    """Questions until the smallest p is at or below the level."""
    hit = np.flatnonzero(smallest <= level)
    return float(ends[hit[0]]) if len(hit) else float("inf")


def judge(plain: Pool, typed: Pool, intents: int, window: int, arguments: argparse.Namespace) -> Figures:
    """All streams of one number of intents and one window."""
    figures, policy, length = Figures(), DriftPolicy(window=window), arguments.questions
    times = [datetime(2026, 3, 2, tzinfo=UTC) + timedelta(minutes=n) for n in range(length)]
    rows = {**{name: (name,) for name in DETECTORS}, "smallest p": JUDGES}
    for seed in range(arguments.streams):
        figures.judged += length
        draw = Draw(plain, typed, intents, arguments.reference, seed)
        known = draw.reference.known
        drawn = {}
        for name, detector in DETECTORS.items():
            begun = time.process_time()
            drawn[name] = drawn_days([detector], known, length, window)
            figures.seconds[name] += time.process_time() - begun
        whole, calibrations = drawn[JUDGES[0]], {}
        for row, names in rows.items():
            parts = {name: drawn[name].figures[name] for name in names}
            together = replace(whole, detectors=tuple(DETECTORS[name] for name in names), figures=parts)
            calibrations[row] = calibrate(together, length, policy.alpha)
        begun = time.process_time()
        day = drift.calibrated(draw.reference, length, policy, drawn=together)
        figures.seconds["day"] += time.process_time() - begun
        ends = np.array([check.end for check in whole.checks])
        for cell, vectors in draw.streams(length):
            seen, order = known.see(vectors), np.arange(length)[None]
            measured = {}
            for detector in DETECTORS.values():
                measured |= measure([detector], seen, order, whole.checks)
            for row, names in rows.items():
                p = calibrations[row].p({name: measured[name] for name in names}, whole.checks)
                smallest = np.minimum.reduce([found[0] for found in p.values()]) if p else np.ones(len(ends))
                figures.found[row][cell].append(first_alarm(smallest, calibrations[row].level, ends))
            for row, poor in (("day", None), ("day, answered well", [False] * length)):
                begun = time.process_time()
                found = drift.judge_day(draw.reference, times, vectors, policy, poor=poor, calibration=day)
                if row == "day" and cell == "clean":
                    # A day is calibrated once and judged once.
                    figures.seconds["day"] += (time.process_time() - begun) / 2
                alarms = [at for at in (found.alarm_at, found.cusum_alarm_at) if at is not None]
                figures.found[row][cell].append(min(alarms, default=length if found.drifted else float("inf")))
    # The day's own calibration draws and measures what its detectors draw and measure alone.
    figures.seconds["day"] += sum(figures.seconds[name] for name in JUDGES)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="CSV files with texts and intents")
    parser.add_argument("--set", action="append", default=[], help="only this file of the folder, without its suffix")
    parser.add_argument("--intents", type=int, nargs="+", default=[12, 44, 77, 150], help="known intents")
    parser.add_argument("--windows", type=int, nargs="+", default=[60, 100, 250], help="questions per window")
    parser.add_argument("--streams", type=int, default=50, help="divisions of a set, each with a stream for every cell")
    parser.add_argument("--reference", type=int, default=642, help="questions of the reference")
    parser.add_argument("--questions", type=int, default=300, help="questions of a stream")
    parser.add_argument("--json", action="store_true", help="print one object last")
    arguments = parser.parse_args()
    embedder = CachedEmbedder(Embedder(find_embedder_folder()), Path(".llmops") / "benchmark-embeddings.db")
    result = {}
    for name, rows in sets(arguments.folder, arguments.set).items():
        plain, typed = pools(rows, embedder)
        for intents in sorted({min(count, len(plain) - 1) for count in arguments.intents}):
            for window in arguments.windows:
                found = judge(plain, typed, intents, window, arguments)
                title = f"{name}, {intents} intents, windows of {window}"
                result[title] = show(title, found, arguments.questions)
    if arguments.json:
        print(json.dumps(result))


def show(title: str, figures: Figures, length: int) -> dict[str, dict[str, dict[str, float | None]]]:
    """Print a table, and return it."""
    cells = defaultdict(dict)
    for row, cell, found in figures.table(length):
        cells[row][cell] = found
    names = list(next(iter(cells.values())))
    print(f"## {title}: {length} questions a stream")
    print(f"| | {' | '.join(names)} | CPU s per 10,000 |\n|{'---|' * (len(names) + 2)}")
    for row, found in cells.items():
        texts = [
            f"{f['share']:.2f} [{f['low']:.2f}, {f['high']:.2f}] {'-' if f['delay'] is None else round(f['delay'])}"
            for f in (found[name] for name in names)
        ]
        seconds = figures.seconds.get(row)
        cost = "" if seconds is None else f"{1e4 * seconds / figures.judged:.0f}"
        print(f"| {row} | {' | '.join(texts)} | {cost} |", flush=True)
    print()
    return cells


if __name__ == "__main__":
    main()
