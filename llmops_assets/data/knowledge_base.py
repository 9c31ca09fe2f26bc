"""What the assistant knows: the trusted articles of the day, and the same with what feedback corrected.

Evaluation is built from the trusted ones alone, so that wrong feedback cannot teach the test its answers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date

import dagster as dg

from llmops_assets.data.feedback_examples import feedback_examples
from llmops_assets.data.labelled_conversations import labelled_conversations
from llmops_assets.handover import reading
from llmops_assets.handover.claims import Claims
from llmops_assets.handover.contents import read_articles
from llmops_assets.handover.days import read_days, run_day, sample_days
from llmops_assets.handover.display import address, counted
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.lib import tables
from llmops_assets.lib.corpus import articles
from llmops_assets.lib.guarding import sifted
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.markup import untagged
from llmops_assets.lib.records import DatasetRef, KnowledgeBase, UseCase
from llmops_assets.lib.teaching import Judge
from llmops_assets.lib.watching.findings import files as editors
from resources.embedder import InstalledEmbedder
from resources.lake.base import Lake
from resources.use_case import UseCaseFiles
from resources.workspace import Workspace

NAME = "knowledge_base"
PATHS = {part: f"data/{NAME}/{part}.jsonl" for part in ("articles", "trusted")}
LISTS = {part: f"data/{NAME}/{part}.parquet" for part in ("left_out", "contradictions", "undecided", "planted")}
"""For a person: answers that are no knowledge, with the reason; pairs of sentences that cannot both hold; the ids of
rows that hold one of them; sentences of answers that speak to the assistant, or abuse people."""
LEFT_OUT: tables.Columns = tuple((n, tables.TEXT) for n in ("row_id", "question", "answer", "intent", "kind", "reason"))
CONTRADICTIONS: tables.Columns = (
    *((name, tables.TEXT) for name in ("intent", "one", "other", "reason")),
    ("conversations", "int64"),
)
UNDECIDED: tables.Columns = (("row_id", tables.TEXT),)
PLANTED: tables.Columns = (("article", tables.TEXT), ("sentence", tables.TEXT))
CONSIDERED = 50_000
"""Conversations that articles are made of; of more, a sample by hash."""


@dg.asset(
    deps=["use_case", labelled_conversations, feedback_examples],
    kinds={"jsonl"},
    owners=["team:data-engineering"],
    code_version="8",
    check_specs=[
        dg.AssetCheckSpec(
            "every_slot_is_filled",
            asset=NAME,
            blocking=True,
            description="No stored answer holds a placeholder, a template variable or HTML.",
        ),
        dg.AssetCheckSpec(
            "articles_speak_to_customers",
            asset=NAME,
            description="No answer holds instructions to the assistant, or abuses people.",
        ),
        dg.AssetCheckSpec(
            "no_refused_article",
            asset=NAME,
            blocking=True,
            description="The same, where the use case's guards refuse such articles.",
        ),
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
    guards = reading.read(context, "use_case", UseCase).guards
    rule = guards.passages if guards else None
    judge = Judge(embedder)
    made = articles_of(context, lake, use_case, embedder, workspace, judge, day)
    # What editors wrote for findings is as trusted as the rest of what the company wrote.
    own = editors.kept(workspace.articles_folder, day)
    written = sifted(articles.without_leaks((*made.articles, *own), embedder.vectors), rule)
    trusted = written.articles
    examples = read_days(context, lake, "feedback_examples", day)
    revision = articles.worked_in(trusted, examples, embedder.vectors, judge)
    serving = sifted(revision.articles, rule)
    planted = {**written.planted, **serving.planted}
    files = {PATHS["articles"]: articles.to_jsonl(serving.articles), PATHS["trusted"]: articles.to_jsonl(trusted)}
    undecided = sorted({row for pair in made.contradictions for row in pair.rows})
    commit = publish(context, lake, {**files, **lists_of(made, undecided, planted)}, articles=len(serving.articles))
    served, source = (
        DatasetRef(name=NAME, ref=lake.uri(commit, path), digest=hash_json(data.decode()), rows=data.count(b"\n"))
        for path, data in files.items()
    )
    unfilled = articles.unfilled(read_articles(lake, served.ref))
    told = f"unfilled slots or HTML in {', '.join(unfilled)}"
    claims.hold("every_slot_is_filled", not unfilled, told, articles=unfilled)
    told = f"instructions or abuse in {', '.join(planted)}: read {LISTS['planted']}"
    claims.hold("articles_speak_to_customers", not planted, told, articles=list(planted))
    claims.hold("no_refused_article", not planted or rule is None or rule.action != "refuse", told)
    yield from claims.results()
    claims.insist("Mend the knowledge base: nobody may be served a template, or what the guards refuse")
    changed = len(revision.added) + len(revision.replaced) + len(revision.extended)
    yield materialized(
        context,
        KnowledgeBase(articles=served, trusted=source, corrections=changed, undecided=listed(lake, commit, undecided)),
        lake=lake,
        ref=served.ref,
        digest=served.digest,
        claims=claims,
        articles=served.rows,
        answers_with_unfilled_slots=made.unfilled,
        answers_by_kind=counted("kind", made.kinds, "answers"),
        personal_answers=counted("reason", made.reasons("personal"), "answers"),
        empty_answers=counted("reason", made.reasons("empty"), "answers"),
        needs_a_look_up=made.look_ups,
        contradictions=len(made.contradictions),
        undecided_conversations=len(undecided),
        answers_left_out=address(lake, lake.uri(commit, LISTS["left_out"])),
        planted_instructions=address(lake, lake.uri(commit, LISTS["planted"])),
        articles_with_instructions=list(planted),
        contradictory_answers=address(lake, lake.uri(commit, LISTS["contradictions"])),
        written_for_findings=[article.id for article in own],
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
    judge: Judge,
    day: date,
) -> articles.Made:
    """The trusted articles of a day: those that were written, or made out of conversations. Failure without any."""
    written = use_case.articles(day)
    if written:
        # What a company wrote is not judged; markup of the system it was written in is taken out of it.
        return articles.Made(
            tuple(article.model_copy(update={"answer": untagged(article.answer)}) for article in written)
        )
    days, settings = reading.days(context, "labelled_conversations", until=day).values(), workspace.settings
    made = articles.made_of(
        sample_days(lake, list(days), CONSIDERED),
        embedder.vectors,
        judge,
        max_articles=settings.max_articles,
        new_intent=settings.new_topic_intent,
        new_day=settings.new_topic_day,
    )
    if not made.articles:
        raise dg.Failure(
            "no article could be made out of the conversations: they carry no intents, or fewer than four questions "
            f"each with an answer that holds for every customer (by kind: {dict(made.kinds)}; {made.unfilled} have "
            f"unfilled slots; {len(made.contradictions)} contradictions); give a knowledge base (settings.yaml: "
            "knowledge)"
        )
    return made


def lists_of(made: articles.Made, undecided: list[str], planted: Mapping[str, Sequence[str]]) -> dict[str, bytes]:
    """Path to bytes of what a person should read, and of the rows that teach nothing until somebody decides."""
    pairs = [{**asdict(pair), "conversations": len(pair.rows)} for pair in made.contradictions]
    rows = {
        "left_out": ([asdict(one) for one in made.left_out], LEFT_OUT),
        "contradictions": ([{k: v for k, v in pair.items() if k != "rows"} for pair in pairs], CONTRADICTIONS),
        "undecided": ([{"row_id": row} for row in undecided], UNDECIDED),
        "planted": (
            [{"article": name, "sentence": told} for name, found in planted.items() for told in found],
            PLANTED,
        ),
    }
    return {LISTS[part]: tables.to_parquet(listed, columns) for part, (listed, columns) in rows.items()}


def listed(lake: Lake, commit: str, undecided: list[str]) -> DatasetRef:
    """Where the ids of rows lie whose answers contradict each other."""
    ref = lake.uri(commit, LISTS["undecided"])
    return DatasetRef(name=f"{NAME}_undecided", ref=ref, digest=hash_json(undecided), rows=len(undecided))
