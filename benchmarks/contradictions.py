"""Which pairs of sentences that answer one question are found to contradict each other, and which wrongly.

Usage: python benchmarks/contradictions.py [--show]. The pairs (contradictions.tsv) are ours, in five domains; `travel`
was written after the last change of the rules and read once. Wilson intervals at 95 %.
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

from llmops_assets.lib.answering.embedding import Embedder, find_embedder_folder
from llmops_assets.lib.statistics import wilson
from llmops_assets.lib.teaching.agreement import comparable, disagreement

PAIRS = Path(__file__).with_suffix(".tsv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="print the pairs that are judged wrongly")
    arguments = parser.parse_args()
    with PAIRS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    vectors = Embedder(find_embedder_folder()).embed([row[side] for row in rows for side in ("one", "other")])
    counts: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for row, one, other in zip(rows, vectors[::2], vectors[1::2], strict=True):
        near = comparable(row["one"], row["other"], float(one @ other), questions=1.0)
        found = near and disagreement(row["one"], row["other"]) is not None
        counts[row["set"], row["label"]].append(found)
        if arguments.show and found != (row["label"] == "contradict"):
            print(f"{row['set']}: {'found' if found else 'missed'}: {row['one']} | {row['other']}")
    print("| set | contradictions found | of those that agree, taken for one |\n|---|---|---|")
    for name in dict.fromkeys(row["set"] for row in rows):
        print(f"| {name} | {share(counts[name, 'contradict'])} | {share(counts[name, 'agree'])} |")


def share(found: list[bool]) -> str:
    """How many, of how many, with the interval of the share."""
    low, high = wilson(sum(found), len(found))
    return f"{sum(found)} of {len(found)} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
