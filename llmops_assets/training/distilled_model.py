"""A smaller student of the tuned model: fewer layers, healed on the teacher's distributions."""

import dagster as dg
from pydantic import Field

from llmops_assets.handover.contents import read_rows
from llmops_assets.handover.memory import Memory
from llmops_assets.handover.reading import read
from llmops_assets.lib.records import BaseModelRef, PromptRef, Recipe, TrainingSet, TunedModel
from llmops_assets.training.adapter import adapter
from llmops_assets.training.base_model import base_model
from llmops_assets.training.tuning import Plan, Tools, resolved, tune
from resources.lake.base import Lake
from resources.models import Models
from resources.registry import Registry
from resources.workspace import Workspace


class DistillationConfig(dg.Config):
    """How small the student is and how long it learns."""

    drop_layers: int = Field(4, ge=1, description="layers taken out of the middle")
    steps: int = Field(60, ge=1, description="optimiser steps")
    learning_rate: float = Field(2e-4, gt=0)
    max_length: int = Field(384, ge=32, description="tokens per row; longer rows are left out")
    seed: int = 17


@dg.asset(
    deps=[base_model, adapter, "training_dataset", "system_prompt"],
    kinds={"pytorch", "mlflow"},
    owners=["team:ml-engineering"],
    code_version="3",
    pool="training",
)
def distilled_model(
    context: dg.AssetExecutionContext,
    config: DistillationConfig,
    lake: dg.ResourceParam[Lake],
    registry: dg.ResourceParam[Registry],
    models: dg.ResourceParam[Models],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """The base model with the adapter merged in and layers taken out, trained towards the whole one's distribution."""
    teacher = read(context, "adapter", TunedModel)
    dataset = read(context, "training_dataset", TrainingSet)
    prompt = read(context, "system_prompt", PromptRef)
    base = read(context, "base_model", BaseModelRef)
    parts = [base.ref.digest, teacher.digest, dataset.rows.digest, dataset.terms.content_hash, prompt.digest]
    memory = Memory(context, lake, config, *parts)
    if memory.result is not None:
        return memory.result
    from llmops_assets.lib.training import rows as row_tools
    from llmops_assets.lib.training.distillation import distil

    tokenizer = row_tools.load_tokenizer(resolved(models, base).folder)
    examples, held_out = (
        row_tools.encode_rows(tokenizer, prompt.template, read_rows(lake, part.ref), config.max_length)[0]
        for part in (dataset.rows, dataset.held_out)
    )
    recipe = Recipe(method="distil", learning_rate=config.learning_rate, max_length=config.max_length, seed=config.seed)
    return tune(
        context,
        Tools(lake, registry, models, workspace),
        Plan("model", recipe, base, dataset.rows, prompt, dataset.terms, teacher, config.model_dump()),
        memory,
        lambda bench: distil(
            bench.model.folder,
            bench.given,
            examples,
            held_out,
            bench.folder,
            drop_layers=config.drop_layers,
            steps=config.steps,
            learning_rate=config.learning_rate,
            seed=config.seed,
            progress=bench.progress,
        ),
        {"examples": len(examples)},
    )
