"""What a day's feedback teaches: corrections, with the question they belong to and what had been answered."""

import dagster as dg

from llmops_assets.data.interactions import interactions
from llmops_assets.handover.days import read_day, run_day
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.lib import tables
from llmops_assets.lib.judging.recent import is_judged, stands_alone
from llmops_assets.lib.records import DatasetRef
from llmops_assets.partitions import DAILY
from resources.lake.base import Lake

NAME = "feedback_examples"


def examples_of(interactions: list[dict]) -> list[dict]:
    """Rated-down or corrected interactions as examples; those with neither a correction nor a rating teach nothing.

    Nor do small talk, follow-ups that mean nothing without the turns before them, and what the eval suite judges by.
    """
    return [
        {
            "row_id": row["id"],
            "question": row["question"],
            "answer": row["correction"],
            "served": row["answer"],
            "article": row["article"] or "",
            "rating": row["rating"],
        }
        for row in interactions
        if (row["correction"] or row["rating"] < 0) and stands_alone(row) and not is_judged(row["question"])
    ]


@dg.asset(
    deps=[interactions],
    partitions_def=DAILY,
    kinds={"parquet"},
    owners=["team:data-engineering"],
    code_version="3",
)
def feedback_examples(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
    """A day's corrections and bad ratings as examples to learn from; empty on a day without traffic.

    A fifth of the questions, by hash, is kept for the eval suite and never taught.
    """
    day = run_day(context)
    said = read_day(context, lake, "interactions", day)
    rows = examples_of(said)
    path = f"data/{NAME}/{day}.parquet"
    commit = publish(context, lake, {path: tables.to_parquet(rows, tables.CORRECTIONS)}, rows=len(rows))
    corrected = sum(bool(row["answer"]) for row in rows)
    record = DatasetRef(
        name=NAME,
        ref=lake.uri(commit, path),
        digest=tables.digest(rows),
        rows=len(rows),
        counts={"corrections": corrected},
    )
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.ref,
        digest=record.digest,
        rows=len(rows),
        corrections=corrected,
        kept_for_the_eval_suite=sum(bool(row["correction"]) and is_judged(row["question"]) for row in said),
    )
