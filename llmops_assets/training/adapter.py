"""The LoRA adapter: trained from a recipe, logged to MLflow with its dataset, stored in the lake."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import dagster as dg
from pydantic import Field

from llmops_assets.lib import datasets, tables
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import AdapterRef, Deployment, ModelRef, PromptRef, Recipe, Release, TrainingSet
from llmops_assets.provenance import find_record, materialized, publish, read_record, run_tags
from llmops_assets.training.base_model import base_model
from resources.lake.base import Lake
from resources.models import Models
from resources.registry import Registry
from resources.workspace import Workspace

NAME = "adapter"
FILES = ("adapter_model.safetensors", "adapter_config.json", "adapter.gguf")
LOG_EVERY = 10
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
    )


def native_precision() -> Literal["fp32", "bf16"]:
    """bf16 on CPUs with matrix instructions for it; elsewhere it is several times slower than fp32."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return "bf16" if "avx512_bf16" in flags or "amx_bf16" in flags else "fp32"


def serving_release(context: dg.AssetExecutionContext, lake: Lake) -> Release | None:
    """The release that serves, or None before the first one."""
    serving = find_record(context, "deployment", Deployment)
    if serving is None:
        return None
    return Release.model_validate_json(lake.get("main", f"releases/{serving.release_id}/release.json"))


@dg.asset(
    deps=[base_model, "training_dataset", "system_prompt"],
    kinds={"pytorch", "mlflow"},
    owners=["team:ml-engineering"],
    code_version="1",
    pool="training",
)
def adapter(
    context: dg.AssetExecutionContext,
    config: RecipeConfig,
    lake: dg.ResourceParam[Lake],
    registry: dg.ResourceParam[Registry],
    models: dg.ResourceParam[Models],
    workspace: dg.ResourceParam[Workspace],
) -> Iterator[dg.MaterializeResult]:
    """The LoRA adapter of the training dataset, with its GGUF form for the engine. Equal inputs train only once."""
    from llmops_assets.lib.training import rows as row_tools
    from llmops_assets.lib.training.gguf_weights import adapter_to_gguf
    from resources.trainer import trainer_for

    dataset = read_record(context, "training_dataset", TrainingSet)
    prompt = read_record(context, "system_prompt", PromptRef)
    base = read_record(context, "base_model", ModelRef)
    model = models.resolve(workspace.settings.base_model)
    if model.ref.digest != base.digest:
        raise dg.Failure(f"{base.name} is not the model that base_model recorded: materialize base_model again")
    tokenizer = row_tools.load_tokenizer(model.folder)
    serving = serving_release(context, lake) if config.warm_start else None
    start = serving.adapter if serving else None
    stored = [tables.from_parquet(lake.read(part.ref)) for part in (dataset.rows, dataset.held_out)]
    if serving is not None and serving.training is not None:
        known = {row["row_id"] for row in tables.from_parquet(lake.read(serving.training.rows.ref))}
        stored[0] = datasets.with_replay(stored[0], known, config.replay_rows, config.seed)
    (examples, too_long), (held_out, _) = (
        row_tools.encode_rows(tokenizer, prompt.template, rows, config.max_length) for rows in stored
    )
    recipe = recipe_of(config, sum(len(e.ids) for e in examples))
    previous = find_record(context, NAME, AdapterRef)
    taught = tables.digest(stored[0], LEARNED)
    terms = dataset.terms.merge(start.terms) if start else dataset.terms
    parts = [recipe.content_hash, base.digest, taught, terms.content_hash, prompt.digest, start.digest if start else ""]
    wanted = hash_json(parts)
    if previous is not None and previous.inputs_digest == wanted:
        context.log.info("recipe, base model, dataset and prompt are unchanged: the adapter is kept")
        yield materialized(context, previous, lake=lake, ref=previous.ref, digest=previous.digest, unchanged=True)
        return
    context.log.info("training on %d examples (%d too long), %s", len(examples), too_long, recipe.precision)

    def progress(step: int, steps: int, loss: float) -> None:
        if step % LOG_EVERY == 0 or step == steps:
            context.log.info("step %d of %d, loss %.3f", step, steps, loss)

    with workspace.scratch() as scratch, registry.run(NAME, run_tags(context)) as run:
        run.log_dataset(dataset.rows, "training")
        run.log(params={**recipe.model_dump(mode="json"), "base_model": base.name, "base_digest": base.digest})
        warm = None
        if start is not None:
            warm = scratch / "warm"
            warm.mkdir()
            for name in FILES[:2]:
                (warm / name).write_bytes(lake.get(start.ref.commit, f"{start.ref.path}/{name}"))
        folder = scratch / "adapter"
        folder.mkdir()
        result = trainer_for(recipe).train(
            model, recipe, examples, held_out, folder, warm_start=warm, progress=progress
        )
        adapter_to_gguf(folder, model.folder / "config.json", folder / "adapter.gguf")
        run.log(metrics=result.metrics)
        run.log_steps("loss", result.losses)
        path = f"adapters/{result.digest[:16]}"
        commit = publish(context, lake, {f"{path}/{name}": folder / name for name in FILES}, mlflow_run=run.run_id)
        case = prompt.name.removesuffix("-system-prompt")
        record = AdapterRef(
            name=case,
            ref=lake.uri(commit, path),
            digest=result.digest,
            base=base,
            recipe=recipe,
            dataset=dataset.rows,
            terms=terms,
            warm_start=start.digest if start else "",
            inputs_digest=wanted,
            mlflow_run=run.run_id,
            metrics={key: round(value, 6) for key, value in result.metrics.items()},
        )
        version = registry.register_adapter(case, record, run.run_id)
        registry.set_alias(case, "challenger", version)
        record = record.model_copy(update={"model_version": version})
        yield materialized(
            context,
            record,
            lake=lake,
            ref=record.ref,
            digest=record.digest,
            mlflow_run=dg.MetadataValue.url(run.url),
            model_version=dg.MetadataValue.url(registry.model_url(case, version)),
            examples=len(examples),
            too_long=too_long,
            figures=record.metrics,
            inputs={"training_dataset": dataset.rows.ref, "base_model": base.digest, "warm_start": record.warm_start},
        )
