"""The LoRA adapter: trained from a recipe, logged to MLflow with its dataset, stored in the lake."""

from pathlib import Path
from typing import Literal

import dagster as dg
from pydantic import Field

from llmops_assets.handover import serving
from llmops_assets.handover.contents import read_rows
from llmops_assets.handover.memory import Memory
from llmops_assets.handover.publishing import git_sha
from llmops_assets.handover.reading import read
from llmops_assets.lib import tables
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import BaseModelRef, PromptRef, Recipe, Release, TrainingSet, TunedModel
from llmops_assets.training.base_model import base_model
from llmops_assets.training.checkpoints import LakeCheckpoints
from llmops_assets.training.rebuilding import rows_to_learn
from llmops_assets.training.tuning import Plan, Tools, launcher, resolved, tune
from resources.lake.base import Lake
from resources.models import Models
from resources.registry import Registry
from resources.workspace import Workspace

LEARNED = ("row_id", "kind", "question", "passages", "answer")
"""Columns of a row that decide what is learned from it."""


class RecipeConfig(dg.Config):
    """Settings of a training; what is not named here is fixed in the Recipe record."""

    trainer: Literal["loop", "huggingface"] = Field("loop", description="own loop (CPU) or transformers.Trainer (GPU)")
    rank: int = Field(16, ge=1, description="rank of the LoRA matrices")
    alpha: int = Field(32, ge=1, description="scale of the LoRA update, times rank")
    learning_rate: float = Field(1.2e-3, gt=0)
    epochs: float = Field(2.0, gt=0)
    batch_tokens: int = Field(512, ge=64, description="padded tokens per optimiser step")
    max_length: int = Field(384, ge=32, description="tokens per row; longer rows are left out")
    max_tokens: int = Field(27_000, ge=500, description="training tokens in all; epochs are cut to fit")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the CPU multiplies it natively"
    )
    seed: int = 17
    processes: int = Field(1, ge=1, description="processes that share the rows of each step, by torchrun (loop only)")
    sharding: Literal["none", "full"] = Field(
        "none", description="full: each of them holds its share of the model (FSDP)"
    )
    warm_start: bool = Field(False, description="start from the serving release's adapter instead of from nothing")
    replay_rows: int = Field(100, ge=0, description="rows the serving adapter knows, repeated in a warm start")


def recipe_of(config: RecipeConfig, tokens_per_epoch: int) -> Recipe:
    """The recipe a configuration means on this machine and these data."""
    return Recipe(
        trainer=config.trainer,
        rank=config.rank,
        alpha=config.alpha,
        learning_rate=config.learning_rate,
        epochs=round(min(config.epochs, config.max_tokens / max(1, tokens_per_epoch)), 3),
        batch_tokens=config.batch_tokens,
        max_length=config.max_length,
        precision=native_precision() if config.precision == "auto" else config.precision,
        seed=config.seed,
        processes=config.processes,
        sharding=config.sharding,
    )


def native_precision() -> Literal["fp32", "bf16"]:
    """bf16 on CPUs with matrix instructions for it; elsewhere it is several times slower than fp32."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return "bf16" if "avx512_bf16" in flags or "amx_bf16" in flags else "fp32"


def warm_start_of(release: Release | None) -> TunedModel | None:
    """The adapter of a release that training can start from; a student is none, and a bare base model has none."""
    tuned = release.tuned if release is not None else None
    return tuned if tuned is not None and tuned.kind == "adapter" else None


@dg.asset(
    deps=[base_model, "training_dataset", "system_prompt"],
    kinds={"pytorch", "mlflow"},
    owners=["team:ml-engineering"],
    code_version="3",
    pool="training",
)
def adapter(
    context: dg.AssetExecutionContext,
    config: RecipeConfig,
    lake: dg.ResourceParam[Lake],
    registry: dg.ResourceParam[Registry],
    models: dg.ResourceParam[Models],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """The LoRA adapter of the training dataset, with its GGUF form for the engine. Equal inputs train only once."""
    dataset = read(context, "training_dataset", TrainingSet)
    prompt = read(context, "system_prompt", PromptRef)
    base = read(context, "base_model", BaseModelRef)
    live = serving.find(context, lake) if config.warm_start else None
    release = live.release if live else None
    start = warm_start_of(release)
    known = release.training.rows if start and release and release.training else None
    rows = rows_to_learn(lake, dataset.rows, known, config.replay_rows, config.seed)
    taught, precision = tables.digest(rows, LEARNED), native_precision()
    parts = [base.ref.digest, taught, dataset.terms.content_hash, prompt.digest, start.digest if start else ""]
    memory = Memory(context, lake, config, precision, *parts)
    if memory.result is not None:
        return memory.result
    from llmops_assets.lib.training import rows as row_tools
    from llmops_assets.lib.training.environment import environment
    from resources.trainer import trainer_for

    tokenizer = row_tools.load_tokenizer(resolved(models, base).folder)
    examples, too_long = row_tools.encode_rows(tokenizer, prompt.template, rows, config.max_length)
    held_out = read_rows(lake, dataset.held_out.ref)
    unseen, _ = row_tools.encode_rows(tokenizer, prompt.template, held_out, config.max_length)
    recipe = recipe_of(config, sum(len(e.ids) for e in examples))

    # Other libraries or threads would end it in other bytes.
    parts = [memory.digest, environment().model_dump(mode="json"), git_sha()]
    checkpoints = LakeCheckpoints(lake, "adapter", hash_json(parts))
    context.log.info("training on %d examples (%d too long), %s", len(examples), too_long, recipe.precision)
    result = tune(
        context,
        Tools(lake, registry, models, workspace),
        Plan(
            "adapter",
            recipe,
            base,
            dataset.rows,
            prompt,
            dataset.terms,
            start,
            known=known,
            replayed=config.replay_rows if known else 0,
        ),
        memory,
        lambda bench: trainer_for(recipe, launcher(context, recipe)).train(
            bench.model,
            recipe,
            examples,
            unseen,
            bench.folder,
            warm_start=bench.start,
            progress=bench.progress,
            checkpoints=checkpoints,
        ),
        {"examples": len(examples), "too_long": too_long, "findings": list(dataset.findings)},
    )
    checkpoints.drop()
    return result
