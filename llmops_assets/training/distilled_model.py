"""A smaller student of the tuned model: fewer layers, healed on the teacher's distributions."""

import dagster as dg
from pydantic import Field

from llmops_assets.lib import tables
from llmops_assets.lib.hashing import hash_file
from llmops_assets.lib.records import AdapterRef, DatasetRef, PromptRef, TrainingSet
from llmops_assets.provenance import materialized, publish, read_record, run_tags
from llmops_assets.training.adapter import FILES, adapter
from resources.lake.base import Lake
from resources.models import Models
from resources.registry import Registry
from resources.workspace import Workspace

NAME = "distilled_model"


class DistillationConfig(dg.Config):
    """How small the student is and how long it learns."""

    drop_layers: int = Field(4, ge=1, description="layers taken out of the middle")
    steps: int = Field(60, ge=1, description="optimiser steps")
    learning_rate: float = Field(2e-4, gt=0)
    seed: int = 17


@dg.asset(
    deps=[adapter, "training_dataset", "system_prompt"],
    kinds={"pytorch", "mlflow"},
    owners=["team:ml-engineering"],
    code_version="1",
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
    from llmops_assets.lib.training import rows as row_tools
    from llmops_assets.lib.training.distillation import distil

    teacher = read_record(context, "adapter", AdapterRef)
    dataset = read_record(context, "training_dataset", TrainingSet)
    prompt = read_record(context, "system_prompt", PromptRef)
    model = models.resolve(workspace.settings.base_model)
    tokenizer = row_tools.load_tokenizer(model.folder)
    parts = [
        row_tools.encode_rows(tokenizer, prompt.template, tables.from_parquet(lake.read(ref.ref)), 384)[0]
        for ref in (dataset.rows, dataset.held_out)
    ]
    with workspace.scratch() as scratch, registry.run(NAME, run_tags(context)) as run:
        run.log_dataset(dataset.rows, "training")
        run.log(params=config.model_dump())
        weights, folder = scratch / "adapter", scratch / "student"
        weights.mkdir()
        folder.mkdir()
        for name in FILES[:2]:
            (weights / name).write_bytes(lake.get(teacher.ref.commit, f"{teacher.ref.path}/{name}"))
        metrics = distil(
            model.folder,
            weights,
            parts[0],
            parts[1],
            folder,
            drop_layers=config.drop_layers,
            steps=config.steps,
            learning_rate=config.learning_rate,
            seed=config.seed,
        )
        run.log(metrics=metrics)
        digest = hash_file(folder / "model.safetensors")
        path = f"models/{digest[:16]}"
        files = {f"{path}/{file.name}": file for file in folder.iterdir()}
        commit = publish(context, lake, files, mlflow_run=run.run_id)
    record = DatasetRef(name=NAME, ref=lake.uri(commit, path), digest=digest, rows=0, inputs={"adapter": teacher.ref})
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.ref,
        digest=digest,
        mlflow_run=dg.MetadataValue.url(run.url),
        figures={key: round(value, 6) for key, value in metrics.items()},
        inputs={"adapter": teacher.digest, "training_dataset": dataset.rows.ref},
    )
