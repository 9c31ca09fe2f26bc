"""What the assistant knows: the trusted articles of the day, and the same with what feedback corrected.

Evaluation is built from the trusted ones alone, so that wrong feedback cannot teach the test its answers.
"""

import json

import dagster as dg

from llmops_assets.data.feedback_examples import feedback_examples
from llmops_assets.data.labelled_conversations import labelled_conversations, read_days, sample_days
from llmops_assets.lib.corrections import Correction, Revision, revise
from llmops_assets.lib.deduplication import leaks
from llmops_assets.lib.embedding import CachedEmbedder
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.labelling import knowledge_from_rows
from llmops_assets.lib.records import Article, DatasetRef, KnowledgeBase, LakeRef
from llmops_assets.provenance import materialized, publish, run_day
from resources.lake.base import Lake
from resources.workspace import Workspace

NAME = "knowledge_base"
CONSIDERED = 50_000
"""Conversations that articles are made of; of more, a sample by hash."""


def to_jsonl(articles: tuple[Article, ...]) -> bytes:
    """One article per line."""
    return "".join(json.dumps(a.model_dump(mode="json"), ensure_ascii=False) + "\n" for a in articles).encode()


def read_articles(lake: Lake, ref: LakeRef) -> tuple[Article, ...]:
    """Articles at an address of the lake."""
    return tuple(Article.model_validate_json(line) for line in lake.read(ref).decode().splitlines())


def without_leaks(articles: tuple[Article, ...], embedder: CachedEmbedder) -> tuple[Article, ...]:
    """The articles without known phrasings that (nearly) equal a held-out question of any of them."""
    held_out = [q for a in articles for q in a.held_out]
    rows = [{"row_id": f"{a.id} {n}", "question": q} for a in articles for n, q in enumerate(a.questions)]
    found = leaks(rows, held_out, embedder.vectors([*held_out, *(r["question"] for r in rows)]))
    result = []
    for article in articles:
        kept = tuple(q for n, q in enumerate(article.questions) if f"{article.id} {n}" not in found)
        result.append(article.model_copy(update={"questions": kept or article.questions[:1]}))
    return tuple(result)


def worked_in(articles: tuple[Article, ...], examples: list[dict], embedder: CachedEmbedder) -> Revision:
    """The articles with the agreeing corrections among feedback examples."""
    corrections = [Correction(r["question"], r["answer"], r["article"]) for r in examples if r["answer"]]
    texts = [text for c in corrections for text in (c.question, c.answer)] + [a.answer for a in articles]
    return revise(articles, corrections, embedder.vectors(texts))


@dg.asset(
    deps=["use_case", labelled_conversations, feedback_examples],
    kinds={"jsonl"},
    owners=["team:data-engineering"],
    code_version="1",
)
def knowledge_base(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult:
    """The articles as of the day: trusted, and as served with agreeing corrections from feedback."""
    day, embedder = run_day(context), workspace.embedder()
    trusted = workspace.articles(day)
    if not trusted:
        said = sample_days(context, lake, "labelled_conversations", day, CONSIDERED)
        rows = [row for row in said if row["answer"]]
        settings = workspace.settings
        articles = knowledge_from_rows(
            [{**row, "intent": row["intent"] or row["predicted_intent"]} for row in rows],
            embedder.vectors([text for row in rows for text in (row["question"], row["answer"])]),
            max_articles=settings.max_articles,
            answers_per_intent=1 if settings.max_articles < 60 else 3,
        )
        trusted = tuple(
            a.model_copy(update={"available_from": settings.new_topic_day})
            if settings.new_topic_day and a.intent == settings.new_topic_intent
            else a
            for a in articles
        )
        if not trusted:
            raise dg.Failure(
                "no article could be made out of the conversations: they carry no intents, or fewer than four "
                "questions each; give a knowledge base (settings.yaml: knowledge)"
            )
    trusted = without_leaks(trusted, embedder)
    revision = worked_in(trusted, read_days(context, lake, "feedback_examples", day), embedder)
    paths = {f"data/{NAME}/articles.jsonl": revision.articles, f"data/{NAME}/trusted.jsonl": trusted}
    files = {path: to_jsonl(articles) for path, articles in paths.items()}
    commit = publish(context, lake, files, articles=len(revision.articles))
    served, source = (
        DatasetRef(name=NAME, ref=lake.uri(commit, path), digest=hash_json(files[path].decode()), rows=len(articles))
        for path, articles in paths.items()
    )
    changed = len(revision.added) + len(revision.replaced) + len(revision.extended)
    record = KnowledgeBase(articles=served, trusted=source, corrections=changed)
    return materialized(
        context,
        record,
        lake=lake,
        ref=served.ref,
        digest=served.digest,
        rows=served.rows,
        added_by_feedback=list(revision.added),
        replaced_by_feedback=list(revision.replaced),
        extended_by_feedback=list(revision.extended),
        corrections_ignored=revision.ignored,
    )
