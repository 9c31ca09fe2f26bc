"""The held-out questions by scenario slice that every release is judged on."""

import dagster as dg

from llmops_assets.data.knowledge_base import knowledge_base, read_articles
from llmops_assets.lib import evalsuite
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import DatasetRef, EvalItem, KnowledgeBase, LakeRef
from llmops_assets.provenance import materialized, publish, read_record
from resources.lake.base import Lake
from resources.workspace import Workspace

NAME = "eval_suite"
PATH = f"data/{NAME}/items.jsonl"


def read_suite(lake: Lake, ref: LakeRef) -> list[EvalItem]:
    """The items at an address of the lake."""
    return evalsuite.from_jsonl(lake.read(ref))


@dg.asset(deps=[knowledge_base], kinds={"jsonl"}, owners=["team:ml-engineering"], code_version="1")
def eval_suite(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult:
    """Held-out questions in slices: faq, complaint, slang, typos, out_of_scope, new_topic; of trusted articles only."""
    knowledge = read_record(context, "knowledge_base", KnowledgeBase)
    articles = read_articles(lake, knowledge.trusted.ref)
    dated = [a.available_from for a in articles if a.available_from]
    items = evalsuite.build_suite(articles, workspace.out_of_scope("held_out"), new_since=min(dated, default=None))
    data = evalsuite.to_jsonl(items)
    counts = evalsuite.counts(items)
    commit = publish(context, lake, {PATH: data}, items=len(items))
    record = DatasetRef(
        name=NAME,
        ref=lake.uri(commit, PATH),
        digest=hash_bytes(data),
        rows=len(items),
        counts=counts,
        inputs={"knowledge_base": knowledge.trusted.ref},
    )
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.ref,
        digest=record.digest,
        rows=len(items),
        slices=dg.MetadataValue.json(counts),
        inputs={"knowledge_base": knowledge.trusted.ref},
    )
