"""The knowledge base as a searchable index, with the thresholds that decide between answering, generating and handing
over, calibrated on phrasings the index does not hold. Training retrieves with it as serving does."""

import dagster as dg
from pydantic import Field

from llmops_assets.data.knowledge_base import knowledge_base
from llmops_assets.handover.contents import read_articles
from llmops_assets.handover.memory import Memory
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.handover.reading import read
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import FileRef, KnowledgeBase, KnowledgeIndexRef, UseCase
from resources.embedder import InstalledEmbedder
from resources.lake.base import Lake

NAME = "knowledge_index"


class IndexConfig(dg.Config):
    """How sure a match must be."""

    precision: float = Field(0.95, gt=0, le=1, description="share of right articles among questions answered directly")
    passages: int = Field(3, ge=0, description="passages in the prompt when the answer is generated")
    grounded: float = Field(
        0.5, ge=0, le=1, description="share of a generated answer's words that the articles must hold; 0: any answer"
    )


@dg.asset(deps=["use_case", knowledge_base], kinds={"numpy"}, owners=["team:ml-engineering"], code_version="4")
def knowledge_index(
    context: dg.AssetExecutionContext,
    config: IndexConfig,
    lake: dg.ResourceParam[Lake],
    embedder: dg.ResourceParam[InstalledEmbedder],
) -> dg.MaterializeResult:
    """Embedded questions and answers of the knowledge base in one file, and the router calibrated on them."""
    from llmops_assets.lib.answering.acts import strangers
    from llmops_assets.lib.answering.knowledge import KnowledgeIndex, calibrate

    knowledge = read(context, "knowledge_base", KnowledgeBase)
    foreign = [*read(context, "use_case", UseCase).out_of_scope.train, *strangers()]
    memory = Memory(context, lake, config, knowledge.articles.digest, foreign, embedder.digest)
    if memory.result is not None:
        return memory.result
    articles = read_articles(lake, knowledge.articles.ref)
    index = KnowledgeIndex.fitted(articles, embedder)
    out_of_scope = list(zip(foreign, embedder.embed(foreign), strict=True))
    router = calibrate(index, out_of_scope=out_of_scope, precision=config.precision, passages=config.passages)
    router = router.model_copy(update={"grounded_above": config.grounded})
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
        calibrated_out_of_scope=len(foreign),
        inputs={"knowledge_base": knowledge.articles.ref},
    )
