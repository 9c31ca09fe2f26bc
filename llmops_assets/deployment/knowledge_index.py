"""The knowledge base as a searchable index, with the thresholds that decide between answering, generating and handing
over, calibrated on phrasings the index does not hold."""

import dagster as dg
from pydantic import Field

from llmops_assets.data.knowledge_base import read_articles
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.knowledge import KnowledgeIndex, calibrate
from llmops_assets.lib.records import FileRef, KnowledgeBase, KnowledgeIndexRef
from llmops_assets.provenance import Memory, materialized, publish, read_record
from resources.lake.base import Lake
from resources.workspace import Workspace

NAME = "knowledge_index"


class IndexConfig(dg.Config):
    """How sure a match must be."""

    precision: float = Field(0.97, gt=0, le=1, description="share of right articles among questions answered directly")
    passages: int = Field(3, ge=0, description="passages in the prompt when the answer is generated")


@dg.asset(deps=["knowledge_base"], kinds={"numpy"}, owners=["team:ml-engineering"], code_version="1")
def knowledge_index(
    context: dg.AssetExecutionContext,
    config: IndexConfig,
    lake: dg.ResourceParam[Lake],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """Embedded questions and answers of the knowledge base in one file, and the router calibrated on them."""
    knowledge = read_record(context, "knowledge_base", KnowledgeBase)
    embedder = workspace.embedder()
    memory = Memory(context, lake, config, knowledge.articles.digest, workspace.out_of_scope("train"), embedder.digest)
    if memory.result is not None:
        return memory.result
    index = KnowledgeIndex.build(read_articles(lake, knowledge.articles.ref), embedder)
    foreign = embedder.embed(workspace.out_of_scope("train"))
    router = calibrate(index, out_of_scope=foreign, precision=config.precision, passages=config.passages)
    data = index.to_bytes()
    sha256 = hash_bytes(data)
    path = f"indexes/{sha256[:16]}.zip"
    commit = publish(context, lake, {path: data}, questions=len(index.entries))
    record = KnowledgeIndexRef(
        file=FileRef(ref=lake.uri(commit, path), sha256=sha256, size=len(data)),
        router=router,
        knowledge=knowledge.articles,
        questions=len(index.entries),
    )
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.file.ref,
        digest=sha256,
        memory=memory,
        questions=len(index.entries),
        articles=len(index.articles),
        answer_above=router.answer_above,
        margin=router.margin,
        hand_over_below=router.hand_over_below,
        inputs={"knowledge_base": knowledge.articles.ref},
    )
