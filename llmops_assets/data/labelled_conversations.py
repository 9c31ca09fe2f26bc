"""A day's conversations with what they are about and how they went, and the rows most worth a person's time."""

import shutil
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from llmops_assets.data.redacted_conversations import redacted_conversations
from llmops_assets.handover import reading
from llmops_assets.handover.days import run_day
from llmops_assets.handover.display import address, bars, shares
from llmops_assets.handover.memory import Memory
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import DatasetRef, UseCase
from llmops_assets.partitions import DAILY
from resources.conversations import Conversations
from resources.embedder import InstalledEmbedder
from resources.lake.base import Lake
from resources.workspace import Workspace

if TYPE_CHECKING:
    from llmops_assets.lib.labelling.days import DayLabels, Labeller

NAME = "labelled_conversations"
LEARN_FROM_DAYS = 30


class LabellingConfig(dg.Config):
    """What labelling may cost."""

    embed_answers: int = Field(2000, ge=0, description="different answers of a day compared with their question")
    queue: int = Field(50, ge=0, description="rows of a day chosen for people to label")


def queue_path(day: date) -> str:
    """Where a day's queue lies in the lake."""
    return f"data/{NAME}/queue/{day}.jsonl"


def doubts_path(day: date) -> str:
    """Where the labels lie that are likely wrong, as a day's model sees them."""
    return f"data/{NAME}/doubts/{day}.parquet"


def figures_of(found: "DayLabels", labeller: "Labeller") -> dict[str, Any]:
    """What the UI shows of a day's labels."""
    model = labeller.model
    columns = ("intent", "language", "sentiment", "resolution", "label_source", "answer_reasons")
    return {
        "intents": len(model.classes),
        "unknown_intent": found.counts["predicted_intent"]["unknown"],
        "agrees_with_given_intent": found.agreed / found.given if found.given else 0.0,
        "cross_validated_accuracy": model.accuracy,
        "calibration_error": model.calibration_error,
        "mean_answer_quality": found.quality_sum / found.answers if found.answers else 0.0,
        "doubted_labels": len(labeller.doubts),
        "queue_size": len(found.queue),
        "intent_chart": bars("intents", found.counts["intent"]),
        **{f"{column}_distribution": shares(found.counts[column], found.rows) for column in columns},
    }


@dg.asset(
    deps=["use_case", redacted_conversations],
    partitions_def=DAILY,
    kinds={"scikitlearn", "parquet"},
    owners=["team:data-engineering"],
    code_version="5",
)
def labelled_conversations(
    context: dg.AssetExecutionContext,
    config: LabellingConfig,
    lake: dg.ResourceParam[Lake],
    conversations: dg.ResourceParam[Conversations],
    embedder: dg.ResourceParam[InstalledEmbedder],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """One day of conversations with intent and confidence, language, sentiment, resolution and answer quality.

    The intents are learned from at most 200 rows each of the last 30 days: those that people labelled
    (`llmops labels import`), then those whose source gives an intent, without likely label errors.
    """
    from llmops_assets.lib.labelling.days import Labeller, doubts_table, draw_examples, label_day, learn
    from llmops_assets.lib.labelling.queue import to_jsonl

    day, labels, case = run_day(context), conversations.labels(), reading.read(context, "use_case", UseCase)
    refs = reading.days(context, "redacted_conversations", until=day)
    if day not in refs:
        raise dg.Failure(f"redacted_conversations has no {day}: materialize it for that day first")
    learned = list(refs.items())[-LEARN_FROM_DAYS:]
    given = [(str(found), ref.digest) for found, ref in learned]
    people = hash_json(sorted(str(entry) for entry in labels.items()))
    memory = Memory(context, lake, config, given, people, embedder.digest, case.language, case.handover)
    if memory.result is not None:
        return memory.result
    examples = draw_examples([lambda at=ref.ref: lake.open(at.commit, at.path) for _, ref in learned], labels)
    model, doubts = learn(examples, embedder)
    labeller = Labeller(model, embedder, labels, doubts, case.language, case.handover)
    path = f"data/{NAME}/{day}.parquet"
    with workspace.scratch() as folder:
        source, target = folder / "redacted.parquet", folder / "labelled.parquet"
        with lake.open(refs[day].ref.commit, refs[day].ref.path) as stored, source.open("wb") as copy:
            shutil.copyfileobj(stored, copy, 1 << 20)
        found = label_day(
            lambda: source.open("rb"), target, labeller, embed_answers=config.embed_answers, queue=config.queue
        )
        files = {path: target, queue_path(day): to_jsonl(found.queue), doubts_path(day): doubts_table(doubts)}
        commit = publish(context, lake, files, rows=found.rows)
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
        queue=address(lake, lake.uri(commit, queue_path(day))),
        label_errors=address(lake, lake.uri(commit, doubts_path(day))),
        inputs={
            "conversations": refs[day].ref,
            "examples": len(examples.questions),
            "labels": hash_json([label.model_dump() for label in labels.values()]),
        },
    )
