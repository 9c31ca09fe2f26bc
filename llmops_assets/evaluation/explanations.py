"""What the candidate's answers rest on: for every evaluated answer the article that supports it, and how far."""

import json
from typing import TYPE_CHECKING, Any

import dagster as dg

from llmops_assets.evaluation import evidence
from llmops_assets.evaluation.candidate import candidate
from llmops_assets.evaluation.quality_report import quality_report
from llmops_assets.handover.contents import read_articles, read_rows
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.handover.reading import read
from llmops_assets.lib.answering.explanations import support
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import Candidate, DatasetRef, QualityReport
from resources.embedder import InstalledEmbedder
from resources.lake.base import Lake

if TYPE_CHECKING:
    from llmops_assets.lib.answering.knowledge import KnowledgeIndex

NAME = "explanations"
GROUNDED = 0.6
"""Share of an answer's words that passages support, from which it counts as grounded."""


def explained(
    rows: list[dict],
    right: dict[str, bool | None],
    index: "KnowledgeIndex",
    answers: dict[str, str],
    passages: int,
    embedder: InstalledEmbedder,
) -> list[dict[str, Any]]:
    """Per answer the retrieved articles, the one that supports it most, and the share of it that they support."""
    vectors = embedder.embed([row["question"] for row in rows])
    result: list[dict[str, Any]] = []
    for row, vector in zip(rows, vectors, strict=True):
        found = [hit.article for hit in index.search(row["question"], vector, max(1, passages))]
        rests = support(row["answer"], [answers[name] for name in found])
        result.append(
            {
                "id": row["id"],
                "path": row["path"],
                "articles": found,
                "rests_on": found[rests.passage] if rests.passage is not None else None,
                "supported": rests.together,
                "right": right[row["id"]],
            }
        )
    return result


@dg.asset(deps=[candidate, quality_report], kinds={"jsonl"}, owners=["team:ml-engineering"], code_version="2")
def explanations(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], embedder: dg.ResourceParam[InstalledEmbedder]
) -> dg.MaterializeResult:
    """For each evaluated answer the retrieved articles, the one that supports it most, and the supported share."""
    from llmops_assets.lib.answering.knowledge import KnowledgeIndex

    report = read(context, "quality_report", QualityReport).candidate
    judged = read(context, "candidate", Candidate)
    if report.answers is None or judged.manifest.knowledge_index is None or report.subject != judged.release_id:
        raise dg.Failure(f"the candidate is {judged.release_id}, judged was {report.subject}: materialize both again")
    rows = explained(
        read_rows(lake, report.answers),
        {name: right for name, (_, right) in evidence.outcomes(lake, report).items()},
        KnowledgeIndex.from_bytes(lake.read(judged.manifest.knowledge_index.ref)),
        {a.id: a.answer for a in read_articles(lake, judged.knowledge.ref)},
        judged.manifest.router.passages,
        embedder,
    )
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path = f"evaluation/{NAME}/{report.subject}.jsonl"
    commit = publish(context, lake, {path: data}, candidate=report.subject)
    generated = [row for row in rows if row["path"] == "generated"]
    grounded = sum(row["supported"] >= GROUNDED for row in generated)
    record = DatasetRef(name=NAME, ref=lake.uri(commit, path), digest=hash_bytes(data), rows=len(rows))
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.ref,
        digest=record.digest,
        rows=len(rows),
        generated=len(generated),
        grounded_share_of_generated=grounded / len(generated) if generated else 1.0,
    )
