"""How well it is told which answers may teach: precision and recall of general, personal and empty, by voice.

    python benchmarks/articles.py                  the labelled answers, each voice judged without having been learned
    python benchmarks/articles.py --data FILE.csv [--rows 1000]   also an archive: shares, articles, time

Of an archive `--rows` are taken at equal distances (all: 0).

The voices that ship with the package (llmops_assets/lib/teaching/voices) were seen while the tables of cuts and cues
were written; each is left out in turn of what is learned. Files of single lines without a company behind them are
measured too, and summed apart: they are written to be hard. The voices in answers/ were written after the tables were
fixed and are never learned from: they are the headline.
"""

import argparse
import csv
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from llmops_assets.lib.auditing.placeholders import placeholders
from llmops_assets.lib.corpus.articles import made_of
from llmops_assets.lib.markup import tags
from llmops_assets.lib.teaching import KINDS, Judge
from llmops_assets.lib.teaching.learned import Example, examples, parsed
from resources.embedder import InstalledEmbedder

UNSEEN = Path(__file__).with_name("answers")
QUESTION, ANSWER, INTENT = "instruction", "response", "intent"
"""Columns of an archive, unless it calls them question, answer and intent."""


def measured(judge: Judge, labelled: Sequence[Example]) -> tuple[Counter[tuple[str, str]], int]:
    """(label, decision) counted, and how many mixed answers kept what must be gone."""
    decisions = judge.decide([example.answer for example in labelled])
    pairs = Counter((e.label, d.kind) for e, d in zip(labelled, decisions, strict=True))
    kept = sum(bool(e.gone) and e.gone in d.text for e, d in zip(labelled, decisions, strict=True))
    return pairs, kept


def line(name: str, pairs: Counter[tuple[str, str]], kept: int) -> str:
    """A row of the table: precision and recall of each kind."""
    cells = [f"| {name} | {pairs.total()}"]
    for kind in KINDS:
        said = sum(count for (_, decided), count in pairs.items() if decided == kind)
        there = sum(count for (label, _), count in pairs.items() if label == kind)
        right = pairs[kind, kind]
        cells.append(f"{right / said if said else 1:.3f} / {right / there if there else 1:.3f}")
    return " | ".join([*cells, str(kept)]) + " |"


def by_voice(embedder: InstalledEmbedder) -> None:
    """The table of voices: with the tables alone where nothing is learned, and with what the other voices teach."""
    seen = examples()
    unseen = tuple(e for file in sorted(UNSEEN.glob("*.jsonl")) for e in parsed(file.read_text().splitlines()))
    kinds = {example.kind for example in (*seen, *unseen)}
    print(
        f"{len(seen)} answers in {len({e.voice for e in seen})} voices seen, {len(unseen)} unseen, {len(kinds)} kinds"
    )
    print("| voice | answers | general | personal | empty | kept |\n|---|---|---|---|---|---|")
    for voice in sorted({example.voice for example in unseen}):
        mine = [example for example in unseen if example.voice == voice]
        print(line(f"{voice} (unseen)", *measured(Judge(embedder), mine)))
    if unseen:
        print(line("**unseen voices**", *measured(Judge(embedder), unseen)))
        print(line("the same by the tables alone", *measured(Judge(), unseen)))
    totals = {"companies, each left out": (Counter(), 0), "lines, each left out": (Counter(), 0)}
    for voice in sorted({example.voice for example in seen}):
        others = [example for example in seen if example.voice != voice]
        mine = [example for example in seen if example.voice == voice]
        pairs, left = measured(Judge(embedder, others), mine)
        print(line(voice, pairs, left))
        name = "lines, each left out" if all(e.kind == "line" for e in mine) else "companies, each left out"
        totals[name] = totals[name][0] + pairs, totals[name][1] + left
    for name, (pairs, left) in totals.items():
        print(line(name, pairs, left))


def archive(file: Path, rows: int, embedder: InstalledEmbedder) -> None:
    """What becomes of a CSV of conversations: shares by kind, articles, contradictions, and what must be zero."""
    with file.open(newline="", encoding="utf-8") as source:
        found = [
            {
                "row_id": str(number),
                "question": row.get(QUESTION) or row.get("question", ""),
                "answer": row.get(ANSWER) or row.get("answer", ""),
                "intent": row.get(INTENT, ""),
                "predicted_intent": row.get(INTENT, ""),
                "language": "en",
            }
            for number, row in enumerate(csv.DictReader(source))
        ]
    found = found[:: max(1, len(found) // rows)][:rows] if rows else found
    started = time.perf_counter()
    made = made_of(found, embedder.vectors, Judge(embedder), max_articles=80)
    seconds = time.perf_counter() - started
    kinds = Counter(made.kinds)
    print(f"\n{file.name}: {len(found)} rows in {seconds:.0f} s")
    print("by kind:", {kind: f"{kinds[kind]} ({kinds[kind] / max(1, len(found)):.3f})" for kind in KINDS})
    for kind in ("personal", "empty"):
        print(f"{kind} by reason:", dict(Counter(made.reasons(kind)).most_common(8)))
    answers = [article.answer for article in made.articles]
    print(f"articles: {len(answers)}, of them look-ups: {sum(a.kind == 'look_up' for a in made.articles)}")
    print(f"contradictions: {len(made.contradictions)}")
    slots, marked = (sum(bool(found(answer)) for answer in answers) for found in (placeholders, tags))
    print(f"articles with an unfilled slot: {slots}, with HTML: {marked}")


def main() -> None:
    """Print what the docs quote."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="CSV with instruction or question, response or answer, and intent")
    parser.add_argument("--rows", type=int, default=0, help="rows of it, at equal distances; 0: all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        embedder = InstalledEmbedder(Path(folder) / "embeddings.db")
        by_voice(embedder)
        if options.data is not None:
            archive(options.data, options.rows, embedder)


if __name__ == "__main__":
    main()
