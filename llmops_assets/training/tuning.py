"""What every training method does around its method: start weights, MLflow run, dataset, publishing, registration.

A method is a recipe and a function that leaves weights in a folder; its asset reads what it declares and calls `tune`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg

from llmops_assets.handover.display import lines
from llmops_assets.handover.memory import Memory
from llmops_assets.handover.publishing import git_sha, materialized, publish, run_tags
from llmops_assets.lib.hashing import hash_file
from llmops_assets.lib.records import (
    BaseModelRef,
    Build,
    DatasetRef,
    DataTerms,
    FileRef,
    LakeRef,
    PromptRef,
    Recipe,
    TunedModel,
)
from llmops_assets.lib.training.loop import LOG_EVERY
from resources.lake.base import Lake
from resources.models import Models, ResolvedModel
from resources.registry import Registry
from resources.workspace import Workspace

if TYPE_CHECKING:
    from llmops_assets.lib.training.loop import Progress, TrainingResult
    from resources.training_launchers import Launcher

FOLDERS = {"adapter": "adapters", "model": "models"}
ENGINE_FILES = {"adapter": "adapter.gguf", "model": "model.gguf"}
PROMPT_SUFFIX = "-system-prompt"
WEIGHTS = ("adapter_model.safetensors", "adapter_config.json")
"""Files of an adapter folder that training starts from."""
BUILD = "build.json"
"""File of a tuned model's folder that says what it was made of: llmops_assets/training/rebuilding.py."""


@dataclass(frozen=True)
class Tools:
    """The systems a training works with."""

    lake: Lake
    registry: Registry
    models: Models
    workspace: Workspace


@dataclass(frozen=True)
class Bench:
    """What lies ready for a method: the base model's files, the adapter it starts from (None: from nothing), an empty
    folder for the weights, and where it tells its progress."""

    model: ResolvedModel
    start: Path | None
    folder: Path
    progress: "Progress"

    @property
    def given(self) -> Path:
        """The adapter it starts from, of a method that needs one."""
        assert self.start is not None
        return self.start


@dataclass(frozen=True)
class Plan:
    """What is to be trained: method and inputs. `more` are parameters of the method that no recipe has, `known` are
    rows that the start had learned, of which `replayed` are repeated."""

    kind: Literal["adapter", "model"]
    recipe: Recipe
    base: BaseModelRef
    dataset: DatasetRef
    prompt: PromptRef
    terms: DataTerms
    start: TunedModel | None = None
    more: Mapping[str, object] | None = None
    known: DatasetRef | None = None
    replayed: int = 0

    def build(self) -> Build:
        """The plan as it is kept beside the weights, with what it runs on."""
        from llmops_assets.lib.training.environment import environment

        return Build(
            kind=self.kind,
            recipe=self.recipe,
            base=self.base,
            prompt=self.prompt,
            dataset=self.dataset,
            start=self.start.ref if self.start else None,
            start_digest=self.start.digest if self.start else "",
            known=self.known,
            replayed=self.replayed,
            more=dict(self.more or {}),
            environment=environment(),
            code=git_sha(),
        )


def resolved(models: Models, base: BaseModelRef) -> ResolvedModel:
    """The base model's files. Failure when they are no longer those that `base_model` recorded."""
    model = models.resolve(base.source)
    if model.ref.digest != base.ref.digest:
        raise dg.Failure(f"{base.source} is not the model that base_model recorded: materialize base_model again")
    return model


def tune(
    context: dg.AssetExecutionContext,
    tools: Tools,
    plan: Plan,
    memory: Memory,
    method: "Callable[[Bench], TrainingResult]",
    figures: Mapping[str, Any],
) -> dg.MaterializeResult:
    """Run a method and hand over what it made: weights in the lake with their form for the engine, an MLflow run with
    the dataset as input, and a version of the registered model with the alias `challenger`."""
    name = context.asset_key.to_user_string()
    model = resolved(tools.models, plan.base)
    with tools.workspace.scratch() as scratch, tools.registry.run(name, run_tags(context)) as run:
        run.log_dataset(plan.dataset, "training")
        about = {**plan.recipe.model_dump(mode="json"), **(plan.more or {})}
        run.log(params={**about, "base_model": plan.base.ref.name, "base_digest": plan.base.ref.digest})
        folder = scratch / "tuned"
        folder.mkdir()
        start = fetched(tools.lake, plan.start.ref, scratch / "start") if plan.start else None
        result = method(Bench(model, start, folder, _teller(context)))
        engine = folder / ENGINE_FILES[plan.kind]
        for_the_engine(plan.kind, folder, model, engine)
        (folder / BUILD).write_text(plan.build().model_dump_json(indent=1))
        run.log(metrics=result.metrics)
        run.log_steps("loss", result.losses)
        path = f"{FOLDERS[plan.kind]}/{result.digest[:16]}"
        files = {f"{path}/{file.name}": file for file in folder.iterdir()}
        commit = publish(context, tools.lake, files, mlflow_run=run.run_id)
        at = FileRef(
            ref=tools.lake.uri(commit, f"{path}/{engine.name}"), sha256=hash_file(engine), size=engine.stat().st_size
        )
        record = TunedModel(
            kind=plan.kind,
            name=plan.prompt.name.removesuffix(PROMPT_SUFFIX),
            ref=tools.lake.uri(commit, path),
            digest=result.digest,
            engine_file=at,
            base=plan.base.ref,
            recipe=plan.recipe,
            dataset=plan.dataset,
            terms=plan.terms.merge(plan.start.terms) if plan.start else plan.terms,
            warm_start=plan.start.digest if plan.start else "",
            inputs_digest=memory.digest,
            mlflow_run=run.run_id,
            metrics={key: round(value, 6) for key, value in result.metrics.items()},
        )
        version = tools.registry.register_model(record.name, record, run.run_id)
        tools.registry.set_alias(record.name, "challenger", version)
    return materialized(
        context,
        record.model_copy(update={"model_version": version}),
        lake=tools.lake,
        ref=record.ref,
        digest=record.digest,
        memory=memory,
        mlflow_run=dg.MetadataValue.url(run.url),
        model_version=dg.MetadataValue.url(tools.registry.model_url(record.name, version)),
        loss_curve=lines("loss by optimiser step", {"loss": result.losses}),
        figures={**figures, **record.metrics},
        inputs={"dataset": plan.dataset.ref, "base_model": plan.base.ref.digest, "warm_start": record.warm_start},
    )


def fetched(lake: Lake, adapter: LakeRef, folder: Path) -> Path:
    """An adapter's weights in a new folder."""
    folder.mkdir()
    for name in WEIGHTS:
        (folder / name).write_bytes(lake.get(adapter.commit, f"{adapter.path}/{name}"))
    return folder


def for_the_engine(kind: str, folder: Path, model: ResolvedModel, target: Path) -> None:
    """Write the weights in a folder as GGUF. Failure for a student of a base model without a GGUF file."""
    from llmops_assets.lib.training.gguf_weights import adapter_to_gguf, checkpoint_to_gguf

    if kind == "adapter":
        adapter_to_gguf(folder, model.folder / "config.json", target)
        return
    if model.gguf is None:
        raise dg.Failure(
            f"{model.ref.name} has no GGUF file, whose tokenizer a student of it needs: give a folder that holds one"
        )
    checkpoint_to_gguf(folder, model.gguf, target)


def _teller(context: dg.AssetExecutionContext) -> "Progress":
    def tell(step: int, steps: int, loss: float) -> None:
        if step % LOG_EVERY == 0 or step == steps:
            context.log.info("step %d of %d, loss %.3f", step, steps, loss)

    return tell


def launcher(context: dg.AssetExecutionContext, recipe: Recipe) -> "Launcher":
    """What starts the processes of a training: nodes of the cluster where the installation names them, else this
    machine, where they tell what they do in the step's own log. SettingsError for half of the settings of nodes."""
    from resources.training_launchers import Launcher, nodes_of_environment, standalone

    class PipesLauncher(Launcher):
        def launch(self, processes: int, arguments: Sequence[str]) -> None:
            command = standalone(processes, arguments)
            dg.PipesSubprocessClient().run(context=context.op_execution_context, command=command)

    return nodes_of_environment(recipe) or PipesLauncher()
