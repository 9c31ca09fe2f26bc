"""Conversations that teach, tied to the article that answers them: filtered, deduplicated, split, and with variants.

Only the training side has variants; the sides lie beside the rows, and a row that has one keeps it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from llmops_assets.data.knowledge_base import knowledge_base
from llmops_assets.data.labelled_conversations import labelled_conversations
from llmops_assets.handover import reading
from llmops_assets.handover.contents import read_articles, read_rows
from llmops_assets.handover.days import run_day, sample_days
from llmops_assets.handover.display import address, counted
from llmops_assets.handover.memory import Memory, still_there
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.lib import tables
from llmops_assets.lib.augmentation import DEFAULT_METHODS, MODELS_MEANING
from llmops_assets.lib.records import DatasetRef, KnowledgeBase, LakeRef, UseCase
from llmops_assets.lib.teaching import Judge
from resources.embedder import InstalledEmbedder
from resources.lake.base import Lake
from resources.models import EMBEDDED, Models
from resources.redactor import Redactors

if TYPE_CHECKING:
    from llmops_assets.lib.augmentation import Rewriter
    from llmops_assets.lib.corpus.curation import Curated
    from llmops_assets.lib.redaction import Redactor

NAME = "augmented_conversations"
PATHS = {part: f"data/{NAME}/{part}.parquet" for part in ("rows", "sides", "dropped", "conflicts", "sample")}
"""`conflicts`: questions that agents answered in different ways. `sample`: what was considered, as the reference of
drift reads it."""
CONFLICTS: tables.Columns = (("question", tables.TEXT), ("answer", tables.TEXT), ("conversations", "int64"))


class RewriterConfig(dg.Config):
    """A language model that words questions anew; its variants pass the same checks as the others."""

    name: str = Field(description="name of the method in the rows")
    language: str = Field("", description="the language it translates into, in words (German); none: it rewords")
    url: str = Field("", description="base address of an OpenAI-compatible API; none: a model on this machine")
    model: str = Field("", description="the model's name there; on this machine a folder or hub id, none: the wheel's")
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


def open_rewriters(configs: Sequence[RewriterConfig], models: Models, redactor: "Redactor") -> "dict[str, Rewriter]":
    """Name to function of the models that reword. Nothing that still shows personal data is sent to any."""
    from llmops_assets.lib.corpus.rewriting import rewriter
    from resources.chat_endpoint import ChatEndpoint
    from resources.local_chat import LocalChat

    found: dict[str, Rewriter] = {}
    for config in configs:
        if config.url:
            key = dg.EnvVar(config.key_variable).get_value("")
            ask = ChatEndpoint(config.url, config.model, key or "", max_tokens=128).ask
        else:
            ask = LocalChat(models.resolve(config.model or EMBEDDED).folder).ask
        found[config.name] = rewriter(
            ask, lambda text: not redactor.leaks(text), language=config.language, parallel=config.parallel
        )
    return found


def read_sides(lake: Lake, ref: LakeRef) -> dict[str, str]:
    """Row id to side of the rows at an address of this asset: training, held_out, or held_back."""
    return {row["row_id"]: row["side"] for row in read_rows(lake, beside(ref, "sides"))}


def beside(ref: LakeRef, part: str) -> LakeRef:
    """Where another part of the same materialization lies."""
    return ref.model_copy(update={"path": PATHS[part]})


def undecided_rows(lake: Lake, knowledge: KnowledgeBase) -> set[str]:
    """Ids of conversations whose answers contradict each other; none of a knowledge base that was written."""
    return {row["row_id"] for row in read_rows(lake, knowledge.undecided.ref)} if knowledge.undecided else set()


def known_sides(context: dg.AssetExecutionContext, lake: Lake) -> dict[str, str]:
    """Identity to side of the last materialization's rows; empty the first time, or after an erasure."""
    last = reading.previous(context, DatasetRef)
    if last is None or not still_there(lake, str(beside(last.ref, "sides"))):
        return {}
    return {row["identity"]: row["side"] for row in read_rows(lake, beside(last.ref, "sides"))}


@dg.asset(
    deps=["use_case", labelled_conversations, knowledge_base],
    kinds={"parquet"},
    owners=["team:data-engineering"],
    code_version="8",
)
def augmented_conversations(
    context: dg.AssetExecutionContext,
    config: AugmentationConfig,
    lake: dg.ResourceParam[Lake],
    models: dg.ResourceParam[Models],
    embedder: dg.ResourceParam[InstalledEmbedder],
    redactor: dg.ResourceParam[Redactors],
) -> dg.MaterializeResult:
    """Question-answer rows per article, from its phrasings and from conversations, with variants and their sides.

    What is dropped on the way (broken, boilerplate, abusive, about one case, contradicted, repeated, a variant that
    lost its meaning) is kept with
    the reason; questions that agents answered in different ways are kept beside it.
    """
    from llmops_assets.lib.corpus.curation import curate

    case = reading.read(context, "use_case", UseCase)
    knowledge = reading.read(context, "knowledge_base", KnowledgeBase)
    labelled = reading.days(context, "labelled_conversations", until=run_day(context))
    days = [(str(found), ref.digest) for found, ref in labelled.items()]
    left_open = knowledge.undecided.digest if knowledge.undecided else ""
    memory = Memory(context, lake, config, days, knowledge.articles.digest, left_open, case.language, embedder.digest)
    if memory.result is not None:
        return memory.result
    sample = sample_days(lake, list(labelled.values()), config.conversations)
    curated = curate(
        read_articles(lake, knowledge.articles.ref),
        [row for row in sample if row["answer"]],
        embedder.embed,
        seed=config.seed,
        rows_per_article=config.rows_per_article,
        share=config.share,
        target=config.target,
        methods=config.methods,
        rewriters=open_rewriters(config.rewriters, models, redactor.of(case)) if config.rewriters else {},
        meaning={model.name: model.meaning for model in config.rewriters},
        held_out_share=config.held_out_share,
        languages=[case.language, *config.languages],
        known=known_sides(context, lake),
        judge=Judge(embedder),
        undecided=undecided_rows(lake, knowledge),
    )
    commit = publish(context, lake, files_of(curated, sample), rows=len(curated.rows))
    record = DatasetRef(
        name=NAME,
        ref=lake.uri(commit, PATHS["rows"]),
        digest=tables.digest(curated.rows),
        rows=len(curated.rows),
        counts=counts_of(curated),
        inputs={"knowledge_base": knowledge.articles.ref},
    )
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.ref,
        digest=record.digest,
        memory=memory,
        rows=record.rows,
        figures={**record.counts, **figures_of(curated)},
        conflicting_answers=address(lake, beside(record.ref, "conflicts")),
    )


def files_of(curated: "Curated", sample: Iterable[dict]) -> dict[str, bytes]:
    """Path to bytes of everything a materialization leaves in the lake."""
    from llmops_assets.lib.corpus.splits import SIDES

    conflicts = [
        {"question": conflict.question, "answer": answer, "conversations": count}
        for conflict in curated.conflicts
        for answer, count in zip(conflict.answers, conflict.counts, strict=True)
    ]
    considered = [{**row, "intent": row["predicted_intent"]} for row in sample]
    return {
        PATHS["rows"]: tables.to_parquet(curated.rows, tables.TRAINING),
        PATHS["sides"]: tables.to_parquet([asdict(placed) for placed in curated.sides], SIDES),
        PATHS["dropped"]: tables.to_parquet(curated.dropped, tables.DROPPED),
        PATHS["conflicts"]: tables.to_parquet(conflicts, CONFLICTS),
        PATHS["sample"]: tables.to_parquet(considered, tables.REFERENCE),
    }


def counts_of(curated: "Curated") -> dict[str, int]:
    """What the record says of the rows."""
    from llmops_assets.lib import quality_filters

    return {
        "variants": len(curated.variants),
        "from_conversations": sum(row["source"] != "knowledge_base" for row in curated.rows),
        "candidates": curated.candidates,
        "duplicates_dropped": quality_filters.by_reason(curated.dropped).get("duplicate", 0),
        "articles": len({row["article"] for row in curated.rows}),
    }


def figures_of(curated: "Curated") -> dict[str, Any]:
    """What the UI shows beside the counts."""
    from llmops_assets.lib import quality_filters
    from llmops_assets.lib.corpus.splits import HELD_OUT

    cosines = Counter(f"{int(cosine * 20) / 20:.2f}" for cosine in curated.similarities.values())
    return {
        "conversations_linked": curated.linked,
        "duplicate_rate": curated.duplicate_rate,
        "conflicts": len(curated.conflicts),
        "dropped_by_reason": counted("reason", quality_filters.by_reason(curated.dropped)),
        "variants_by_method": counted("method", Counter(row["method"] for row in curated.variants)),
        "variants_by_cosine": counted("cosine from", cosines, by_name=True),
        "sides": counted("side", Counter(placed.side for placed in curated.sides)),
        "held_out_by_intent": {intent or "all": sides[HELD_OUT] for intent, sides in curated.achieved.items()},
    }
