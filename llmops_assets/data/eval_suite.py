"""The held-out questions by scenario slice that every release is judged on."""

from collections.abc import Iterator

import dagster as dg

from llmops_assets.data.knowledge_base import knowledge_base, read_articles
from llmops_assets.lib import evalsuite, tables
from llmops_assets.lib.datasets import TRAINING_ROWS, TRAINING_TAG
from llmops_assets.lib.deduplication import Contamination, contaminated
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import DatasetRef, EvalItem, KnowledgeBase, LakeRef
from llmops_assets.provenance import materialized, publish, read_record, table
from resources.lake.base import GoneError, Lake
from resources.workspace import Workspace

NAME = "eval_suite"
PATH = f"data/{NAME}/items.jsonl"


def read_suite(lake: Lake, ref: LakeRef) -> list[EvalItem]:
    """The items at an address of the lake."""
    return evalsuite.from_jsonl(lake.read(ref))


def ever_trained_on(lake: Lake) -> Iterator[tuple[str, str, str]]:
    """(tag, row id, question) of every training dataset that was ever published; erased ones teach no one any more."""
    for tag, commit in sorted(lake.tags().items()):
        if not tag.startswith(TRAINING_TAG):
            continue
        try:
            rows = tables.from_parquet(lake.get(commit, TRAINING_ROWS))
        except GoneError:
            continue
        yield from ((tag, row["row_id"], row["question"]) for row in rows)


@dg.asset(
    deps=[knowledge_base],
    kinds={"jsonl"},
    owners=["team:ml-engineering"],
    code_version="2",
    check_specs=[
        dg.AssetCheckSpec(
            "never_trained_on",
            asset=NAME,
            blocking=True,
            description="No stored question was in a training dataset, of any commit, that nearly equals it.",
        ),
    ],
)
def eval_suite(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], workspace: dg.ResourceParam[Workspace]
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """Held-out questions in slices: faq, complaint, slang, typos, out_of_scope, new_topic; of trusted articles only.

    A question that some training dataset had before it became a question of the suite is left out, and listed.
    """
    knowledge = read_record(context, "knowledge_base", KnowledgeBase)
    articles = read_articles(lake, knowledge.trusted.ref)
    dated = [a.available_from for a in articles if a.available_from]
    built = evalsuite.build_suite(articles, workspace.out_of_scope("held_out"), new_since=min(dated, default=None))
    hits = contaminated([item.question for item in built], ever_trained_on(lake))
    known = {hit.question for hit in hits}
    items = [item for item in built if item.question not in known]
    data = evalsuite.to_jsonl(items)
    counts = evalsuite.counts(items)
    commit = publish(context, lake, {PATH: data}, items=len(items))
    ref = lake.uri(commit, PATH)
    left = contaminated([item.question for item in read_suite(lake, ref)], ever_trained_on(lake))
    yield dg.AssetCheckResult(passed=not left, check_name="never_trained_on", metadata={"questions": len(left)})
    if left or not items:
        raise dg.Failure(
            f"{len(left)} of {len(items)} questions were trained on: no release can be judged by them",
            allow_retries=False,
        )
    record = DatasetRef(
        name=NAME,
        ref=ref,
        digest=hash_bytes(data),
        rows=len(items),
        counts=counts,
        inputs={"knowledge_base": knowledge.trusted.ref},
    )
    yield materialized(
        context,
        record,
        lake=lake,
        ref=record.ref,
        digest=record.digest,
        rows=len(items),
        slices=dg.MetadataValue.json(counts),
        left_out=table(map(_shown, hits)),
        inputs={"knowledge_base": knowledge.trusted.ref},
    )


def _shown(hit: Contamination) -> dict[str, object]:
    return {
        "question": hit.question,
        "trained on": hit.trained,
        "dataset": hit.where,
        "how": hit.kind,
        "similarity": round(hit.similarity, 2),
    }
