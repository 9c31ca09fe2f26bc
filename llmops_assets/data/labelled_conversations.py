"""A day's conversations with what they are about: intent with confidence, and language."""

import heapq
from collections.abc import Sequence
from datetime import date

import dagster as dg

from llmops_assets.data.redacted_conversations import redacted_conversations
from llmops_assets.lib import tables
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.labelling import IntentClassifier, language
from llmops_assets.lib.records import DatasetRef
from llmops_assets.partitions import DAILY
from llmops_assets.provenance import Context, materialized, publish, read_partitions, run_day
from resources.lake.base import Lake
from resources.workspace import Workspace

NAME = "labelled_conversations"
LEARN_FROM_DAYS = 30


def read_days(context: Context, lake: Lake, asset: str, until: date, days: int | None = None) -> list[dict]:
    """Rows of a daily asset up to and including a day, each day at the commit it recorded."""
    refs = list(read_partitions(context, asset, DatasetRef, until=until).values())
    return [row for ref in refs[-(days or len(refs)) :] for row in tables.from_parquet(lake.read(ref.ref))]


def sample_days(
    context: Context, lake: Lake, asset: str, until: date, limit: int, columns: Sequence[str] | None = None
) -> list[dict]:
    """At most `limit` rows of a daily asset up to and including a day, in order of day: all, or a sample by hash.

    The days are streamed, so that memory grows with the limit only; a row that is in stays in while days come, unless
    `limit` rows before it in the order of hashes do.
    """
    chosen: list[tuple[int, int, dict]] = []
    number = 0
    for found in read_partitions(context, asset, DatasetRef, until=until).values():
        with lake.open(found.ref.commit, found.ref.path) as file:
            for row in (row for piece in tables.batches(file, columns) for row in piece):
                number += 1
                # A heap of the smallest ranks keeps its largest on top.
                entry = (-int(hash_json(row["row_id"])[:15], 16), -number, row)
                if len(chosen) < limit:
                    heapq.heappush(chosen, entry)
                elif entry[:2] > chosen[0][:2]:
                    heapq.heapreplace(chosen, entry)
    return [row for _, _, row in sorted(chosen, key=lambda entry: -entry[1])]


@dg.asset(
    deps=[redacted_conversations],
    partitions_def=DAILY,
    kinds={"scikitlearn", "parquet"},
    owners=["team:data-engineering"],
    code_version="1",
)
def labelled_conversations(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult:
    """One day of conversations with predicted intent, its confidence, and language.

    The classifier learns from the rows of the last 30 days that carry an intent.
    """
    day, embedder = run_day(context), workspace.embedder()
    known = read_days(context, lake, "redacted_conversations", day, LEARN_FROM_DAYS)
    rows = [row for row in known if row["day"] == str(day)]
    classifier = IntentClassifier(embedder.embed([row["question"] for row in known]), [r["intent"] for r in known])
    predicted = classifier.predict(embedder.embed([row["question"] for row in rows])) if rows else []
    labelled = [
        {**row, "predicted_intent": intent, "intent_confidence": confidence, "language": language(row["question"])}
        for row, (intent, confidence) in zip(rows, predicted, strict=True)
    ]
    path = f"data/{NAME}/{day}.parquet"
    commit = publish(context, lake, {path: tables.to_parquet(labelled, tables.LABELLED)}, rows=len(labelled))
    given = [row for row in labelled if row["intent"]]
    agreed = sum(row["intent"] == row["predicted_intent"] for row in given)
    record = DatasetRef(
        name=NAME,
        ref=lake.uri(commit, path),
        digest=tables.digest(labelled, ["row_id", "question", "predicted_intent"]),
        rows=len(labelled),
        counts={"with_intent": len(given)},
    )
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.ref,
        digest=record.digest,
        rows=len(labelled),
        intents=len(classifier.classes),
        agrees_with_given_intent=agreed / len(given) if given else 0.0,
        inputs={"conversations": len(known)},
    )
