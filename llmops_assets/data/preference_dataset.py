"""Pairs of answers to the same question, the corrected one preferred: what preference tuning learns from."""

import dagster as dg

from llmops_assets.data.feedback_examples import feedback_examples
from llmops_assets.handover.days import read_days, run_day
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.lib import tables
from llmops_assets.lib.records import DatasetRef
from resources.lake.base import Lake

NAME = "preference_dataset"
PATH = f"data/{NAME}/pairs.parquet"


def pairs_of(examples: list[dict]) -> list[dict]:
    """(chosen, rejected) pairs: the correction against the answer that was served, where the two differ."""
    from llmops_assets.lib.corpus.deduplication import drop_duplicates

    pairs = [
        {
            "row_id": row["row_id"],
            "question": row["question"],
            "chosen": row["answer"],
            "rejected": row["served"],
            "source": "feedback",
        }
        for row in examples
        if row["answer"] and row["answer"] != row["served"]
    ]
    return [dict(row) for row in drop_duplicates(pairs, ["question", "chosen", "rejected"])[0]]


@dg.asset(deps=[feedback_examples], kinds={"parquet"}, owners=["team:data-engineering"], code_version="1")
def preference_dataset(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
    """Preferred against rejected answers, out of all corrections so far."""
    pairs = pairs_of(read_days(context, lake, "feedback_examples", run_day(context)))
    commit = publish(context, lake, {PATH: tables.to_parquet(pairs, tables.PAIRS)}, rows=len(pairs))
    digest = tables.digest(pairs)
    record = DatasetRef(name=NAME, ref=lake.uri(commit, PATH), digest=digest, rows=len(pairs))
    return materialized(context, record, lake=lake, ref=record.ref, digest=digest, rows=len(pairs))
