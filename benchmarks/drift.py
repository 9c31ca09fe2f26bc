"""The drift detector on the sample's traffic: false alarms on days like the training's, detection and delay on a new
topic.

Usage: python benchmarks/drift.py [--days 40] [--json]. Every day is drawn with its own seed; the reference is six days
of 107 conversations, as in the demonstration.
"""

import argparse
import json
from datetime import timedelta
from pathlib import Path
from statistics import median

from llmops_assets.lib.answering.embedding import CachedEmbedder, Embedder, find_embedder_folder
from llmops_assets.lib.labelling import IntentClassifier
from llmops_assets.lib.watching import drift, trigger
from llmops_assets.samples import generator

QUERIES = 240
SHARES = (0.05, 0.1, 0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=40, help="days per condition")
    parser.add_argument("--json", action="store_true", help="print one object last")
    arguments = parser.parse_args()
    embedder = CachedEmbedder(Embedder(find_embedder_folder()), Path(".llmops") / "benchmark-embeddings.db")
    policy = generator.load_use_case().drift
    first = generator.START + timedelta(days=7)
    known = [row for row in generator.conversations(1500) if row["time"][:10] < str(first)]
    vectors, intents = embedder.embed([row["question"] for row in known]), [row["intent"] for row in known]
    classifier = IntentClassifier(vectors, intents)
    reference = drift.fit_reference(vectors, classifier.fill(vectors, intents))
    figures = {}
    for share in (0.0, *SHARES):
        fired, delays, windows = 0, [], []
        for number in range(arguments.days):
            queries = generator.live_traffic(first, QUERIES, 1000 + number, share)
            asked = embedder.embed([query.question for query in queries])
            found = [intent for intent, _ in classifier.predict(asked)]
            day = drift.judge_day(reference, [query.time for query in queries], asked, found, policy)
            windows += [window.drifted for window in day.windows]
            if day.cusum_alarm_at is not None or trigger.n_of_m([w.drifted for w in day.windows], *policy.n_of_m):
                fired += 1
                delays.append(day.cusum_alarm_at or QUERIES)
        figures[f"new_topic_{share:.2f}"] = {
            "days_fired": fired / arguments.days,
            "windows_drifted": sum(windows) / len(windows),
            "median_delay_interactions": median(delays) if delays else None,
        }
        print(f"share of the new topic {share:.2f}: {figures[f'new_topic_{share:.2f}']}")
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
