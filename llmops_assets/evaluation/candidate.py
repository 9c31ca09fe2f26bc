"""The candidate: the whole tuple under judgement, put together once. What judges or serves it reads it here."""

import dagster as dg
from pydantic import Field

from llmops_assets.handover.contents import read_articles
from llmops_assets.handover.publishing import materialized
from llmops_assets.handover.reading import find, read
from llmops_assets.lib.judging import manifest as manifests
from llmops_assets.lib.records import (
    BaseModelRef,
    Candidate,
    EngineModel,
    KnowledgeIndexRef,
    PromptRef,
    TrainingSet,
    TunedModel,
    UseCase,
)
from resources.lake.base import Lake

TUNED = ("adapter", "preference_adapter", "distilled_model")
"""Assets whose TunedModel can enter; a training method is one more."""
NONE = "none"


class CandidateConfig(dg.Config):
    """Which tuned model enters."""

    tuned: str = Field(
        "adapter",
        description=f"the asset whose model is judged: {', '.join(TUNED)}; none: the bare base model with retrieval",
    )


@dg.asset(
    deps=[
        "use_case",
        "system_prompt",
        "knowledge_index",
        "training_dataset",
        "base_model",
        "quantized_model",
        *TUNED,
    ],
    kinds={"json"},
    owners=["team:ml-engineering"],
    code_version="1",
)
def candidate(
    context: dg.AssetExecutionContext, config: CandidateConfig, lake: dg.ResourceParam[Lake]
) -> dg.MaterializeResult:
    """The release that would be: base and tuned model, prompt, index, thresholds and settings, named by their hash."""
    if config.tuned not in (*TUNED, NONE):
        known = ", ".join((*TUNED, NONE))
        raise dg.Failure(f"{config.tuned!r} is no model that can enter, only {known}", allow_retries=False)
    base = read(context, "base_model", BaseModelRef)
    index = read(context, "knowledge_index", KnowledgeIndexRef)
    tuned = None if config.tuned == NONE else read(context, config.tuned, TunedModel)
    if tuned is not None and tuned.base.digest != base.ref.digest:
        raise dg.Failure(f"{config.tuned} was made of another base model: materialize it again", allow_retries=False)
    if tuned is not None and tuned.engine_file is None:
        raise dg.Failure(
            f"{config.tuned} has no file for the engine, the bare base model would be judged in its name: materialize "
            "it again",
            allow_retries=False,
        )
    engine = find(context, "quantized_model", EngineModel)
    record = Candidate(
        manifest=manifests.assemble(
            read(context, "use_case", UseCase),
            base.ref,
            tuned,
            read(context, "system_prompt", PromptRef),
            index,
            engine.file if engine else None,
            manifests.generation_settings(read_articles(lake, index.knowledge.ref)),
        ),
        tuned=tuned,
        training=read(context, "training_dataset", TrainingSet),
        knowledge=index.knowledge,
        base_engine=engine.file if engine else None,
    )
    return materialized(
        context,
        record,
        digest=record.manifest.content_hash,
        candidate=record.release_id,
        tuned_model=config.tuned,
        findings=list(record.training.findings),
        inputs={
            config.tuned: tuned.digest if tuned else "",
            "system_prompt": record.manifest.prompt.digest,
            "knowledge_index": index.file.sha256,
            "training_dataset": record.training.rows.ref,
        },
    )
