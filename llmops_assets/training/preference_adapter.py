"""The adapter tuned further on corrected answers (direct preference optimisation)."""

import dagster as dg
from pydantic import Field

from llmops_assets.handover.contents import read_rows
from llmops_assets.handover.memory import Memory
from llmops_assets.handover.reading import read
from llmops_assets.lib.records import BaseModelRef, DatasetRef, PromptRef, Recipe, TunedModel
from llmops_assets.training.adapter import adapter
from llmops_assets.training.base_model import base_model
from llmops_assets.training.tuning import Plan, Tools, tune
from resources.lake.base import Lake
from resources.models import Models
from resources.registry import Registry
from resources.workspace import Workspace

MINIMUM_PAIRS = 8


class PreferenceConfig(dg.Config):
    """Settings of preference tuning."""

    learning_rate: float = Field(5e-5, gt=0)
    beta: float = Field(0.1, gt=0, description="how strongly the result is tied to the adapter it starts from")
    epochs: float = Field(1.0, gt=0)
    max_pairs: int = Field(120, ge=1)
    seed: int = 17


@dg.asset(
    deps=[base_model, adapter, "preference_dataset", "system_prompt"],
    kinds={"pytorch", "mlflow"},
    owners=["team:ml-engineering"],
    code_version="3",
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
    start = read(context, "adapter", TunedModel)
    pairs = read(context, "preference_dataset", DatasetRef)
    prompt = read(context, "system_prompt", PromptRef)
    base = read(context, "base_model", BaseModelRef)
    if pairs.rows < MINIMUM_PAIRS:
        raise dg.Failure(f"{pairs.rows} preference pairs; at least {MINIMUM_PAIRS} corrections are needed first")
    memory = Memory(context, lake, config, base.ref.digest, start.digest, pairs.digest, prompt.digest)
    if memory.result is not None:
        return memory.result
    from llmops_assets.lib.training.preference import train_dpo

    recipe = Recipe(
        method="dpo",
        rank=start.recipe.rank,
        alpha=start.recipe.alpha,
        learning_rate=config.learning_rate,
        beta=config.beta,
        epochs=config.epochs,
        seed=config.seed,
    )
    rows = read_rows(lake, pairs.ref)[: config.max_pairs]
    return tune(
        context,
        Tools(lake, registry, models, workspace),
        # Corrections say nothing of purposes: what the adapter it starts from allows, it allows.
        Plan("adapter", recipe, base, pairs, prompt, start.terms, start, {"max_pairs": config.max_pairs}),
        memory,
        lambda bench: train_dpo(
            bench.model.folder,
            recipe,
            prompt.template,
            rows,
            bench.given,
            bench.folder,
            base_name=bench.model.source,
            progress=bench.progress,
        ),
        {"pairs": len(rows)},
    )
