"""A day's conversations with what they are about and how they went, and the rows most worth a person's time."""

import heapq
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from llmops_assets.data.redacted_conversations import redacted_conversations
from llmops_assets.lib import charts, tables
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.labelling.days import DOUBTS_SHOWN, DayLabels, Labeller, draw_examples, label_day, learn
from llmops_assets.lib.labelling.queue import to_jsonl
from llmops_assets.lib.records import DatasetRef
from llmops_assets.partitions import DAILY
from llmops_assets.provenance import Context, Memory, materialized, publish, read_partitions, run_day, table
from resources.lake.base import Lake
from resources.workspace import Workspace

NAME = "labelled_conversations"
LEARN_FROM_DAYS = 30


class LabellingConfig(dg.Config):
    """What labelling may cost."""

    embed_answers: int = Field(2000, ge=0, description="different answers of a day compared with their question")
    queue: int = Field(50, ge=0, description="rows of a day chosen for people to label")


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


def queue_path(day: date) -> str:
    """Where a day's queue lies in the lake."""
    return f"data/{NAME}/queue/{day}.jsonl"


def shares(counts: Counter[str], rows: int) -> dg.TableMetadataValue:
    """Values with their rows and share, most frequent first."""
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return table({"value": value, "rows": count, "share": round(count / rows, 4)} for value, count in ranked)


def figures_of(found: DayLabels, labeller: Labeller) -> dict[str, Any]:
    """What the UI shows of a day's labels."""
    model, doubts = labeller.model, labeller.doubts
    columns = ("intent", "language", "sentiment", "resolution", "label_source", "answer_reasons")
    return {
        "intents": len(model.classes),
        "unknown_intent": found.counts["predicted_intent"]["unknown"],
        "agrees_with_given_intent": found.agreed / found.given if found.given else 0.0,
        "cross_validated_accuracy": model.accuracy,
        "calibration_error": model.calibration_error,
        "mean_answer_quality": found.quality_sum / found.answers if found.answers else 0.0,
        **{f"{column}_distribution": shares(found.counts[column], found.rows) for column in columns},
        "intent_chart": dg.MetadataValue.md(charts.bars("intents", found.counts["intent"])),
        "doubted_labels": len(doubts),
        "label_errors": table({**asdict(d), "question": d.question[:80]} for d in doubts[:DOUBTS_SHOWN]),
        "queue_size": len(found.queue),
    }


@dg.asset(
    deps=[redacted_conversations],
    partitions_def=DAILY,
    kinds={"scikitlearn", "parquet"},
    owners=["team:data-engineering"],
    code_version="3",
)
def labelled_conversations(
    context: dg.AssetExecutionContext,
    config: LabellingConfig,
    lake: dg.ResourceParam[Lake],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """One day of conversations with intent and confidence, language, sentiment, resolution and answer quality.

    The intents are learned from at most 200 rows each of the last 30 days: those that people labelled
    (`llmops labels import`), then those whose source gives an intent, without likely label errors.
    """
    day, labels, use_case = run_day(context), workspace.labels(), workspace.use_case()
    refs = read_partitions(context, "redacted_conversations", DatasetRef, until=day)
    if day not in refs:
        raise dg.Failure(f"redacted_conversations has no {day}: materialize it for that day first")
    embedder = workspace.embedder()
    given = [(str(found), ref.digest) for found, ref in list(refs.items())[-LEARN_FROM_DAYS:]]
    people = hash_json(sorted(str(entry) for entry in labels.items()))
    memory = Memory(context, lake, config, given, people, embedder.digest, use_case.language, use_case.handover)
    if memory.result is not None:
        return memory.result
    past = [lambda at=ref.ref: lake.open(at.commit, at.path) for ref in list(refs.values())[-LEARN_FROM_DAYS:]]
    examples = draw_examples(past, labels)
    model, doubts = learn(examples, embedder)
    labeller = Labeller(model, embedder, labels, doubts, use_case.language, use_case.handover)
    path, queue = f"data/{NAME}/{day}.parquet", queue_path(day)
    with workspace.scratch() as folder:
        source, target = folder / "redacted.parquet", folder / "labelled.parquet"
        with lake.open(refs[day].ref.commit, refs[day].ref.path) as stored, source.open("wb") as copy:
            shutil.copyfileobj(stored, copy, 1 << 20)
        found = label_day(
            lambda: source.open("rb"), target, labeller, embed_answers=config.embed_answers, queue=config.queue
        )
        commit = publish(context, lake, {path: target, queue: to_jsonl(found.queue)}, rows=found.rows)
    counts = {"with_intent": found.given, **{f"by_{k}": n for k, n in sorted(found.counts["label_source"].items())}}
    record = DatasetRef(name=NAME, ref=lake.uri(commit, path), digest=found.digest, rows=found.rows, counts=counts)
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.ref,
        digest=record.digest,
        rows=found.rows,
        figures=figures_of(found, labeller),
        memory=memory,
        queue=str(lake.uri(commit, queue)),
        inputs={
            "conversations": refs[day].ref,
            "examples": len(examples.questions),
            "labels": hash_json([label.model_dump() for label in labels.values()]),
        },
    )
