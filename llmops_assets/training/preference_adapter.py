"""The adapter tuned further on corrected answers (direct preference optimisation)."""

import dagster as dg
from pydantic import Field

from llmops_assets.lib import tables
from llmops_assets.lib.records import AdapterRef, DatasetRef, PromptRef, Recipe
from llmops_assets.provenance import materialized, publish, read_record, run_tags
from llmops_assets.training.adapter import FILES, adapter
from resources.lake.base import Lake
from resources.models import Models
from resources.registry import Registry
from resources.workspace import Workspace

NAME = "preference_adapter"
MINIMUM_PAIRS = 8


class PreferenceConfig(dg.Config):
    """Settings of preference tuning."""

    learning_rate: float = Field(5e-5, gt=0)
    beta: float = Field(0.1, gt=0, description="how strongly the result is tied to the adapter it starts from")
    epochs: float = Field(1.0, gt=0)
    max_pairs: int = Field(120, ge=1)
    seed: int = 17


@dg.asset(
    deps=[adapter, "preference_dataset", "system_prompt"],
    kinds={"pytorch", "mlflow"},
    owners=["team:ml-engineering"],
    code_version="1",
    pool="training",
)
def preference_adapter(
    context: dg.AssetExecutionContext,
    config: PreferenceConfig,
    lake: dg.ResourceParam[Lake],
    registry: dg.ResourceParam[Registry],
    models: dg.ResourceParam[Models],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """The adapter after DPO on corrections against the answers they corrected; needs at least eight pairs."""
    from llmops_assets.lib.training.gguf_weights import adapter_to_gguf
    from llmops_assets.lib.training.preference import train_dpo

    start = read_record(context, "adapter", AdapterRef)
    pairs_ref = read_record(context, "preference_dataset", DatasetRef)
    prompt = read_record(context, "system_prompt", PromptRef)
    pairs = tables.from_parquet(lake.read(pairs_ref.ref))[: config.max_pairs]
    if len(pairs) < MINIMUM_PAIRS:
        raise dg.Failure(f"{len(pairs)} preference pairs; at least {MINIMUM_PAIRS} corrections are needed first")
    model = models.resolve(workspace.settings.base_model)
    recipe = Recipe(
        method="dpo", learning_rate=config.learning_rate, beta=config.beta, epochs=config.epochs, seed=config.seed
    )
    with workspace.scratch() as scratch, registry.run(NAME, run_tags(context)) as run:
        run.log_dataset(pairs_ref, "training")
        run.log(params=recipe.model_dump(mode="json"))
        warm, folder = scratch / "warm", scratch / "adapter"
        warm.mkdir()
        folder.mkdir()
        for name in FILES[:2]:
            (warm / name).write_bytes(lake.get(start.ref.commit, f"{start.ref.path}/{name}"))
        result = train_dpo(model.folder, recipe, prompt.template, pairs, warm, folder)
        adapter_to_gguf(folder, model.folder / "config.json", folder / "adapter.gguf")
        run.log(metrics=result.metrics)
        path = f"adapters/{result.digest[:16]}"
        commit = publish(context, lake, {f"{path}/{name}": folder / name for name in FILES}, mlflow_run=run.run_id)
    record = AdapterRef(
        name=start.name,
        ref=lake.uri(commit, path),
        digest=result.digest,
        base=start.base,
        recipe=recipe,
        dataset=pairs_ref,
        warm_start=start.digest,
        mlflow_run=run.run_id,
        metrics={key: round(value, 6) for key, value in result.metrics.items()},
    )
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.ref,
        digest=record.digest,
        mlflow_run=dg.MetadataValue.url(run.url),
        pairs=len(pairs),
        figures=record.metrics,
        inputs={"adapter": start.digest, "preference_dataset": pairs_ref.ref},
    )
