"""What the candidate's answers rest on: for every evaluated answer the article that supports it, and how far."""

import json
from typing import Any

import dagster as dg

from llmops_assets.data.knowledge_base import read_articles
from llmops_assets.evaluation.quality_report import quality_report
from llmops_assets.lib import tables
from llmops_assets.lib.explanations import support
from llmops_assets.lib.knowledge import KnowledgeIndex
from llmops_assets.lib.records import DatasetRef, KnowledgeIndexRef, QualityReport
from llmops_assets.provenance import materialized, publish, read_record
from resources.lake.base import Lake
from resources.workspace import Workspace

NAME = "explanations"


@dg.asset(deps=[quality_report], kinds={"jsonl"}, owners=["team:ml-engineering"], code_version="1")
def explanations(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult:
    """For each evaluated answer the retrieved articles, the one that supports it most, and the supported share."""
    report = read_record(context, "quality_report", QualityReport).candidate
    reference = read_record(context, "knowledge_index", KnowledgeIndexRef)
    assert report.answers is not None
    rows = tables.from_parquet(lake.read(report.answers))
    index = KnowledgeIndex.from_bytes(lake.read(reference.file.ref))
    answers = {a.id: a.answer for a in read_articles(lake, reference.knowledge.ref)}
    vectors = workspace.embedder().embed([row["question"] for row in rows])
    explained: list[dict[str, Any]] = []
    for row, vector in zip(rows, vectors, strict=True):
        found = [hit.article for hit in index.search(vector, max(1, reference.router.passages))]
        rests = support(row["answer"], [answers[name] for name in found])
        explained.append(
            {
                "id": row["id"],
                "path": row["path"],
                "articles": found,
                "rests_on": found[rests.passage] if rests.passage is not None else None,
                "supported": rests.together,
                "right": row["right"],
            }
        )
    data = "".join(json.dumps(row) + "\n" for row in explained).encode()
    path = f"evaluation/{NAME}/{report.subject}.jsonl"
    commit = publish(context, lake, {path: data}, candidate=report.subject)
    generated = [row for row in explained if row["path"] == "generated"]
    grounded = sum(row["supported"] >= 0.6 for row in generated)
    record = DatasetRef(name=NAME, ref=lake.uri(commit, path), digest=report.content_hash, rows=len(explained))
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.ref,
        rows=len(explained),
        generated=len(generated),
        grounded_share_of_generated=grounded / len(generated) if generated else 1.0,
    )
