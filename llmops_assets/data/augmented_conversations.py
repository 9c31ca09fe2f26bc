"""Conversations that teach, tied to the article that answers them, with variants in slang, with typos and fillers."""

import dagster as dg
import numpy as np
from pydantic import Field

from llmops_assets.data.knowledge_base import knowledge_base, read_articles
from llmops_assets.data.labelled_conversations import labelled_conversations, read_days
from llmops_assets.lib import tables
from llmops_assets.lib.augmentation import augment
from llmops_assets.lib.datasets import candidate_rows, spread
from llmops_assets.lib.deduplication import drop_duplicates
from llmops_assets.lib.labelling import article_links
from llmops_assets.lib.records import DatasetRef, KnowledgeBase
from llmops_assets.provenance import materialized, publish, read_record, run_day
from resources.lake.base import Lake
from resources.workspace import Workspace

NAME = "augmented_conversations"
PATH = f"data/{NAME}/rows.parquet"


class AugmentationConfig(dg.Config):
    """How many rows an article gets, and how many variants."""

    rows_per_article: int = Field(6, ge=1, description="phrasings per article, before variants")
    share: float = Field(0.3, ge=0, le=1, description="share of the rows that get a variant")
    seed: int = 17


@dg.asset(
    deps=[labelled_conversations, knowledge_base],
    kinds={"parquet"},
    owners=["team:data-engineering"],
    code_version="1",
)
def augmented_conversations(
    context: dg.AssetExecutionContext,
    config: AugmentationConfig,
    lake: dg.ResourceParam[Lake],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """Deduplicated question-answer rows per article, from its phrasings and from conversations, with variants."""
    knowledge = read_record(context, "knowledge_base", KnowledgeBase)
    articles = read_articles(lake, knowledge.articles.ref)
    conversations = [r for r in read_days(context, lake, "labelled_conversations", run_day(context)) if r["answer"]]
    embedder = workspace.embedder()
    unique = list(dict.fromkeys(row["answer"] for row in conversations))
    links = article_links(embedder.embed(unique), embedder.embed([a.answer for a in articles]))
    by_answer = {text: articles[i].id if i is not None else None for text, i in zip(unique, links, strict=True)}
    candidates = candidate_rows(articles, conversations, [by_answer[row["answer"]] for row in conversations])
    kept, dropped = drop_duplicates(candidates, ["question", "answer"])
    rows = spread([dict(row) for row in kept], config.rows_per_article, config.seed)
    rows += augment(rows, share=config.share, seed=config.seed)
    files = {
        PATH: tables.to_parquet(rows, tables.TRAINING),
        f"data/{NAME}/dropped.parquet": tables.to_parquet(dropped, tables.DROPPED),
    }
    commit = publish(context, lake, files, rows=len(rows))
    counts = {
        "variants": sum(bool(row["parent"]) for row in rows),
        "from_conversations": sum(row["source"] not in ("knowledge_base",) for row in rows),
        "duplicates_dropped": len(dropped),
        "articles": len({row["article"] for row in rows}),
    }
    record = DatasetRef(
        name=NAME,
        ref=lake.uri(commit, PATH),
        digest=tables.digest(rows, ["row_id", "question", "answer"]),
        rows=len(rows),
        counts=counts,
        inputs={"knowledge_base": knowledge.articles.ref},
    )
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.ref,
        digest=record.digest,
        rows=len(rows),
        conversations_linked=float(np.mean([by_answer[r["answer"]] is not None for r in conversations] or [0.0])),
        figures=counts,
    )
