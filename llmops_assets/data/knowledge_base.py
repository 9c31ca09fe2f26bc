"""What the assistant knows: the trusted articles of the day, and the same with what feedback corrected.

Evaluation is built from the trusted ones alone, so that wrong feedback cannot teach the test its answers.
"""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from llmops_assets.data.feedback_examples import feedback_examples
from llmops_assets.data.labelled_conversations import labelled_conversations
from llmops_assets.handover import reading
from llmops_assets.handover.claims import Claims
from llmops_assets.handover.contents import read_articles
from llmops_assets.handover.days import read_days, run_day, sample_days
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.lib.corpus import articles
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import DatasetRef, KnowledgeBase
from resources.embedder import InstalledEmbedder
from resources.lake.base import Lake
from resources.use_case import UseCaseFiles
from resources.workspace import Workspace

NAME = "knowledge_base"
PATHS = {part: f"data/{NAME}/{part}.jsonl" for part in ("articles", "trusted")}
CONSIDERED = 50_000
"""Conversations that articles are made of; of more, a sample by hash."""


@dg.asset(
    deps=[labelled_conversations, feedback_examples],
    kinds={"jsonl"},
    owners=["team:data-engineering"],
    code_version="2",
    check_specs=[
        dg.AssetCheckSpec(
            "every_slot_is_filled",
            asset=NAME,
            blocking=True,
            description="No stored answer holds a placeholder or a template variable, which a customer would read.",
        )
    ],
)
def knowledge_base(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    use_case: dg.ResourceParam[UseCaseFiles],
    embedder: dg.ResourceParam[InstalledEmbedder],
    workspace: dg.ResourceParam[Workspace],
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """The articles as of the day: trusted, and as served with agreeing corrections from feedback."""
    day, claims = run_day(context), Claims(context)
    made = articles_of(context, lake, use_case, embedder, workspace, day)
    trusted = articles.without_leaks(made.articles, embedder.vectors)
    examples = read_days(context, lake, "feedback_examples", day)
    revision = articles.worked_in(trusted, examples, embedder.vectors)
    files = {PATHS["articles"]: articles.to_jsonl(revision.articles), PATHS["trusted"]: articles.to_jsonl(trusted)}
    commit = publish(context, lake, files, articles=len(revision.articles))
    served, source = (
        DatasetRef(name=NAME, ref=lake.uri(commit, path), digest=hash_json(data.decode()), rows=data.count(b"\n"))
        for path, data in files.items()
    )
    unfilled = articles.unfilled(read_articles(lake, served.ref))
    claims.hold("every_slot_is_filled", not unfilled, f"unfilled slots in {', '.join(unfilled)}", articles=unfilled)
    yield from claims.results()
    claims.insist("Fill them in the knowledge base: nobody may be served a template")
    changed = len(revision.added) + len(revision.replaced) + len(revision.extended)
    yield materialized(
        context,
        KnowledgeBase(articles=served, trusted=source, corrections=changed),
        lake=lake,
        ref=served.ref,
        digest=served.digest,
        claims=claims,
        articles=served.rows,
        answers_with_unfilled_slots=made.unfilled,
        added_by_feedback=list(revision.added),
        replaced_by_feedback=list(revision.replaced),
        extended_by_feedback=list(revision.extended),
        corrections_ignored=revision.ignored,
    )


def articles_of(
    context: dg.AssetExecutionContext,
    lake: Lake,
    use_case: UseCaseFiles,
    embedder: InstalledEmbedder,
    workspace: Workspace,
    day: date,
) -> articles.Made:
    """The trusted articles of a day: those that were written, or made out of conversations. Failure without any."""
    written = use_case.articles(day)
    if written:
        return articles.Made(written, 0)
    days, settings = reading.days(context, "labelled_conversations", until=day).values(), workspace.settings
    made = articles.made_of(
        sample_days(lake, list(days), CONSIDERED),
        embedder.vectors,
        max_articles=settings.max_articles,
        new_intent=settings.new_topic_intent,
        new_day=settings.new_topic_day,
    )
    if not made.articles:
        raise dg.Failure(
            "no article could be made out of the conversations: they carry no intents, or fewer than four questions "
            f"each ({made.unfilled} answers with unfilled slots were left out); give a knowledge base (settings.yaml: "
            "knowledge)"
        )
    return made
