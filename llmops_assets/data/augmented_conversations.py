"""Conversations that teach, tied to the article that answers them: filtered, deduplicated, split, and with variants.

Only the training side has variants; the sides lie beside the rows, and a row that has one keeps it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import dagster as dg
from pydantic import Field

from llmops_assets.data.knowledge_base import knowledge_base, read_articles
from llmops_assets.data.labelled_conversations import labelled_conversations, sample_days
from llmops_assets.lib import quality_filters, splits, tables
from llmops_assets.lib.augmentation import DEFAULT_METHODS, MODELS_MEANING, Rewriter
from llmops_assets.lib.curation import HELD_OUT, curate
from llmops_assets.lib.deduplication import Conflict
from llmops_assets.lib.records import DatasetRef, KnowledgeBase, LakeRef
from llmops_assets.lib.rewriting import rewriter
from llmops_assets.provenance import (
    Memory,
    find_record,
    materialized,
    publish,
    read_partitions,
    read_record,
    run_day,
    table,
)
from resources.chat_endpoint import ChatEndpoint
from resources.lake.base import Lake
from resources.local_chat import LocalChat
from resources.models import Models
from resources.workspace import Workspace

NAME = "augmented_conversations"
PATH = f"data/{NAME}/rows.parquet"
SIDES = f"data/{NAME}/sides.parquet"
SHOWN = 20
"""Rows of a table in the UI."""


class RewriterConfig(dg.Config):
    """A language model that words questions anew; its variants pass the same checks as the others."""

    name: str = Field(description="name of the method in the rows")
    language: str = Field("", description="the language it translates into, in words (German); none: it rewords")
    url: str = Field("", description="base address of an OpenAI-compatible API; none: the base model, on this machine")
    model: str = Field("", description="the model's name there")
    key_variable: str = Field("OPENAI_API_KEY", description="environment variable that holds its key")
    meaning: float = Field(
        MODELS_MEANING, ge=-1, le=1, description="cosine to the question that a variant must reach (MiniLM: English)"
    )
    parallel: int = Field(4, ge=1, description="questions asked at a time")


class AugmentationConfig(dg.Config):
    """How many rows an article gets, and how many variants."""

    conversations: int = Field(50_000, ge=1, description="conversations considered; of more, a sample by hash")
    rows_per_article: int = Field(6, ge=1, description="phrasings per article, before variants")
    share: float = Field(0.3, ge=0, le=1, description="share of the rows that get a variant")
    methods: list[str] = Field([*DEFAULT_METHODS], description="augmentations to choose from; empty: none")
    rewriters: list[RewriterConfig] = Field([], description="models that word questions anew, beside the methods")
    target: int = Field(3, ge=0, description="training rows that an article is brought up to by variants; 0: none")
    held_out_share: float = Field(0.06, ge=0, lt=1, description="share of an intent's rows kept for the loss curve")
    languages: list[str] = Field(
        [], description="languages that teach, beside the use case's and those of a twentieth of the rows"
    )
    seed: int = 17


def open_rewriters(configs: Sequence[RewriterConfig], models: Models, workspace: Workspace) -> dict[str, Rewriter]:
    """Name to function of the models that reword. Nothing that still shows personal data is sent to any."""
    if not configs:
        return {}
    redactor, local = workspace.redactor(), None
    found: dict[str, Rewriter] = {}
    for config in configs:
        if config.url:
            key = dg.EnvVar(config.key_variable).get_value("")
            ask = ChatEndpoint(config.url, config.model, key or "", max_tokens=128).ask
        else:
            local = local or LocalChat(models.resolve(workspace.settings.base_model).folder)
            ask = local.ask
        found[config.name] = rewriter(
            ask, lambda text: not redactor.leaks(text), language=config.language, parallel=config.parallel
        )
    return found


def read_sides(lake: Lake, ref: LakeRef) -> dict[str, str]:
    """Row id to side of the rows at an address of this asset: training, held_out, or held_back."""
    sides = tables.from_parquet(lake.read(ref.model_copy(update={"path": SIDES})))
    return {row["row_id"]: row["side"] for row in sides}


def known_sides(context: dg.AssetExecutionContext, lake: Lake) -> dict[str, str]:
    """Identity to side of the last materialization's rows; empty the first time."""
    last = find_record(context, NAME, DatasetRef)
    if last is None or not any(found.path == SIDES for found in lake.list(last.ref.commit, SIDES)):
        return {}
    sides = tables.from_parquet(lake.read(last.ref.model_copy(update={"path": SIDES})))
    return {row["identity"]: row["side"] for row in sides}


@dg.asset(
    deps=[labelled_conversations, knowledge_base],
    kinds={"parquet"},
    owners=["team:data-engineering"],
    code_version="3",
)
def augmented_conversations(
    context: dg.AssetExecutionContext,
    config: AugmentationConfig,
    lake: dg.ResourceParam[Lake],
    models: dg.ResourceParam[Models],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """Question-answer rows per article, from its phrasings and from conversations, with variants and their sides.

    What is dropped on the way (broken, boilerplate, abusive, repeated, a variant that lost its meaning) is kept with
    the reason; questions that agents answered in different ways are listed.
    """
    knowledge = read_record(context, "knowledge_base", KnowledgeBase)
    day, embedder = run_day(context), workspace.embedder()
    labelled = read_partitions(context, "labelled_conversations", DatasetRef, until=day)
    days = [(str(found), ref.digest) for found, ref in labelled.items()]
    memory = Memory(
        context, lake, config, days, knowledge.articles.digest, workspace.use_case().language, embedder.digest
    )
    if memory.result is not None:
        return memory.result
    rows = sample_days(context, lake, "labelled_conversations", day, config.conversations)
    answered = [row for row in rows if row["answer"]]
    curated = curate(
        read_articles(lake, knowledge.articles.ref),
        answered,
        embedder.embed,
        seed=config.seed,
        rows_per_article=config.rows_per_article,
        share=config.share,
        target=config.target,
        methods=config.methods,
        rewriters=open_rewriters(config.rewriters, models, workspace),
        meaning={model.name: model.meaning for model in config.rewriters},
        held_out_share=config.held_out_share,
        languages=[workspace.use_case().language, *config.languages],
        known=known_sides(context, lake),
    )
    files = {
        PATH: tables.to_parquet(curated.rows, tables.TRAINING),
        SIDES: tables.to_parquet([asdict(placed) for placed in curated.sides], splits.SIDES),
        f"data/{NAME}/dropped.parquet": tables.to_parquet(curated.dropped, tables.DROPPED),
    }
    commit = publish(context, lake, files, rows=len(curated.rows))
    reasons = quality_filters.by_reason(curated.dropped)
    counts = {
        "variants": len(curated.variants),
        "from_conversations": sum(row["source"] != "knowledge_base" for row in curated.rows),
        "candidates": curated.candidates,
        "duplicates_dropped": reasons.get("duplicate", 0),
        "articles": len({row["article"] for row in curated.rows}),
    }
    record = DatasetRef(
        name=NAME,
        ref=lake.uri(commit, PATH),
        digest=tables.digest(curated.rows),
        rows=len(curated.rows),
        counts=counts,
        inputs={"knowledge_base": knowledge.articles.ref},
    )
    cosines = Counter(f"{int(cosine * 20) / 20:.2f}" for cosine in curated.similarities.values())
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.ref,
        digest=record.digest,
        memory=memory,
        rows=record.rows,
        conversations_linked=curated.linked,
        duplicate_rate=curated.duplicate_rate,
        dropped_by_reason=counted("reason", reasons),
        variants_by_method=counted("method", Counter(row["method"] for row in curated.variants)),
        variants_by_cosine=counted("cosine from", cosines),
        sides=counted("side", Counter(placed.side for placed in curated.sides)),
        held_out_by_intent={intent or "all": shares[HELD_OUT] for intent, shares in curated.achieved.items()},
        conflicts=len(curated.conflicts),
        conflicting_answers=conflict_table(curated.conflicts[:SHOWN]),
        figures=counts,
    )


def conflict_table(conflicts: Sequence[Conflict]) -> dg.TableMetadataValue:
    """A line per question and answer, with how many conversations gave it."""
    return table(
        {"question": conflict.question, "answer": answer, "conversations": count}
        for conflict in conflicts
        for answer, count in zip(conflict.answers, conflict.counts, strict=True)
    )


def counted(name: str, counts: Mapping[str, int]) -> dg.TableMetadataValue:
    """A table of counts in order of their names."""
    return table({name: key, "rows": count} for key, count in sorted(counts.items()))
