"""Recall and precision of the redaction on annotated turns, and its speed.

Usage: python benchmarks/redaction.py FILE [--half dev|final]. FILE is JSONL with `turns`, each with `full_text` and
`spans` (`start_position`, `end_position`, `entity_type`). Conversations are split by position into a half to tune on
and one to measure. A character counts as masked when a found span covers it.
"""

import argparse
import json
import time
from collections import Counter
from pathlib import Path

from llmops_assets.lib.redaction import Redactor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--half", choices=("dev", "final"), default="final")
    parser.add_argument("--show", type=int, default=0, help="print this many misses")
    arguments = parser.parse_args()
    conversations = [json.loads(line) for line in arguments.file.read_text().splitlines()]
    chosen = conversations[0::2] if arguments.half == "dev" else conversations[1::2]
    turns = [turn for conversation in chosen for turn in conversation["turns"]]
    redactor = Redactor(key=b"0" * 32)
    redactor.find("warm up, Anna Smith")
    hit, total = Counter(), Counter()
    masked_right = masked = touched = clean = shown = 0
    started = time.process_time()
    found = [redactor.find(turn["full_text"]) for turn in turns]
    seconds = time.process_time() - started
    for turn, spans in zip(turns, found, strict=True):
        covered = {i for span in spans for i in range(span.start, span.end)}
        true = {i for s in turn["spans"] for i in range(s["start_position"], s["end_position"])}
        masked += len(covered)
        masked_right += len(covered & true)
        clean += not turn["spans"]
        touched += not turn["spans"] and bool(spans)
        for span in turn["spans"]:
            places = [
                i for i in range(span["start_position"], span["end_position"]) if not turn["full_text"][i].isspace()
            ]
            ok = sum(i in covered for i in places) >= 0.9 * len(places)
            total[span["entity_type"]] += 1
            hit[span["entity_type"]] += ok
            if not ok and shown < arguments.show:
                shown += 1
                print(span["entity_type"], "|", turn["full_text"])
    for entity in sorted(total):
        print(f"{entity:20} {hit[entity]:4}/{total[entity]:4} {hit[entity] / total[entity]:.3f}")
    print(f"recall of spans      {sum(hit.values()) / sum(total.values()):.3f}")
    print(f"precision (letters)  {masked_right / max(1, masked):.3f}")
    print(f"clean turns touched  {touched}/{clean}")
    print(f"turns per CPU second {len(turns) / seconds:.0f}")


if __name__ == "__main__":
    main()
