"""A tuned model made once more out of the build that lies beside it in the lake: its inputs, its bytes, what differs.

No run, no registry and no settings are asked: the build names everything, and the lake and the base model hold it. Why
this is enough, and where it ends: docs/decisions/reproduce.md.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from llmops_assets.handover.contents import read_rows
from llmops_assets.handover.publishing import git_sha
from llmops_assets.lib import tables
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.hashing import hash_bytes, hash_file
from llmops_assets.lib.records import Build, DatasetRef, Environment, FileRef, LakeRef, ReleaseManifest, TunedModel
from llmops_assets.training.tuning import BUILD, ENGINE_FILES, Bench, fetched, for_the_engine
from resources.lake.base import GoneError, Lake, NotFoundError, NothingToCommitError
from resources.models import ModelNotFoundError, Models, ResolvedModel

if TYPE_CHECKING:
    from llmops_assets.lib.training.loop import TrainingResult
    from llmops_assets.lib.training.rows import Example

SCRATCH = "scratch"
"""Folder of the lake, on branches that are dropped, of what is served for a look."""
Method = Callable[[Lake, Build, Bench], "TrainingResult"]


class NotRebuildableError(LlmopsError):
    """An input is missing, or is not the one that was recorded; the message names the first such input."""


# -- methods -----------------------------------------------------------------------------------------------------------


def rows_to_learn(lake: Lake, dataset: DatasetRef, known: DatasetRef | None, replayed: int, seed: int) -> list[dict]:
    """The dataset's rows; for a warm start those that are not `known`, and `replayed` that are."""
    from llmops_assets.lib.corpus import datasets

    rows = read_rows(lake, dataset.ref)
    if known is None:
        return rows
    return datasets.with_replay(rows, {row["row_id"] for row in read_rows(lake, known.ref)}, replayed, seed)


def lora(lake: Lake, build: Build, bench: Bench) -> "TrainingResult":
    """An adapter by the trainer of its recipe."""
    from resources.trainer import trainer_for

    return trainer_for(build.recipe).train(
        bench.model,
        build.recipe,
        _examples(lake, build, bench.model),
        [],
        bench.folder,
        warm_start=bench.start,
        progress=bench.progress,
    )


def dpo(lake: Lake, build: Build, bench: Bench) -> "TrainingResult":
    """An adapter tuned on preferences."""
    from llmops_assets.lib.training.preference import train_dpo

    return train_dpo(
        bench.model.folder,
        build.recipe,
        build.prompt.template,
        _learned(lake, build)[: build.more["max_pairs"]],
        bench.given,
        bench.folder,
        base_name=bench.model.source,
        progress=bench.progress,
    )


def distil(lake: Lake, build: Build, bench: Bench) -> "TrainingResult":
    """A student of the tuned model."""
    from llmops_assets.lib.training.distillation import distil

    return distil(
        bench.model.folder,
        bench.given,
        _examples(lake, build, bench.model),
        [],
        bench.folder,
        drop_layers=build.more["drop_layers"],
        steps=build.more["steps"],
        learning_rate=build.recipe.learning_rate,
        seed=build.recipe.seed,
        progress=bench.progress,
    )


METHODS: Mapping[str, Method] = {"lora": lora, "dpo": dpo, "distil": distil}
"""A recipe's method to what runs it again. One of your own is one more entry."""


def _examples(lake: Lake, build: Build, model: ResolvedModel) -> "list[Example]":
    from llmops_assets.lib.training import rows as row_tools

    tokenizer = row_tools.load_tokenizer(model.folder)
    return row_tools.encode_rows(tokenizer, build.prompt.template, _learned(lake, build), build.recipe.max_length)[0]


def _learned(lake: Lake, build: Build) -> list[dict]:
    rows = rows_to_learn(lake, build.dataset, build.known, build.replayed, build.recipe.seed)
    return [row for row in rows if row["row_id"] not in build.without]


# -- inputs ------------------------------------------------------------------------------------------------------------


def build_at(lake: Lake, folder: LakeRef) -> Build:
    """The build of a tuned model's folder. NotRebuildableError when it has none."""
    try:
        return Build.model_validate_json(lake.get(folder.commit, f"{folder.path}/{BUILD}"))
    except NotFoundError:
        raise NotRebuildableError(
            f"{folder} has no {BUILD}: it was made before builds were kept, or by another method; train it again"
        ) from None


def chain(lake: Lake, folder: LakeRef) -> list[tuple[LakeRef, Build]]:
    """A tuned model and all that it started from, each with its folder and build, the first one first."""
    links: list[tuple[LakeRef, Build]] = []
    at: LakeRef | None = folder
    while at is not None:
        build = build_at(lake, at)
        links.append((at, build))
        at = build.start
    return links[::-1]


def base_model(models: Models, build: Build, installed: str) -> ResolvedModel:
    """The base model of a build by the name it had then, or where nothing has that name here, the `installed` one.

    It keeps the recorded name, which an adapter's configuration holds.
    """
    try:
        return models.resolve(build.base.source)
    except ModelNotFoundError:
        return dataclasses.replace(models.resolve(installed), source=build.base.source)


def insist_inputs(lake: Lake, model: ResolvedModel, build: Build, claimed: TunedModel | None) -> None:
    """NotRebuildableError that names the first input which is gone, or differs from what was recorded of it.

    `claimed` is what a release says of the model. In this order: dataset, rows known before, prompt, base model, method
    and recipe (the seed last).
    """
    for what, dataset in {"dataset": build.dataset, "dataset known before": build.known}.items():
        if dataset is not None:
            _insist_rows(lake, what, dataset)
    found = {"prompt": (hash_bytes(build.prompt.template.encode()), build.prompt.digest)}
    if claimed is not None:
        found["dataset of the release"] = (str(build.dataset.ref), str(claimed.dataset.ref))
    found["base model"] = (model.ref.digest, build.base.ref.digest)
    if claimed is not None:
        recipe, told = build.recipe.model_dump(mode="json"), claimed.recipe.model_dump(mode="json")
        names = sorted(recipe, key=lambda name: name == "seed")
        found |= {f"recipe's {name}": (recipe[name], told[name]) for name in names}
    for what, (here, recorded) in found.items():
        if here != recorded:
            raise NotRebuildableError(f"{what}: {here} here, {recorded} was recorded")
    if build.recipe.method not in METHODS:
        known = ", ".join(METHODS)
        raise NotRebuildableError(f"method: nothing here runs {build.recipe.method!r} again, only {known}")


def _insist_rows(lake: Lake, what: str, dataset: DatasetRef) -> None:
    try:
        digest = tables.digest(read_rows(lake, dataset.ref))
    except GoneError:
        raise NotRebuildableError(f"{what}: {dataset.ref} was erased, so nothing can be made of it again") from None
    except NotFoundError as error:
        raise NotRebuildableError(f"{what}: {error}") from None
    if digest != dataset.digest:
        raise NotRebuildableError(f"{what}: {dataset.ref} has digest {digest}, {dataset.digest} was recorded")


def changed_since(build: Build) -> list[str]:
    """What this process would train with instead of what a build was trained with, each as a sentence."""
    from llmops_assets.lib.training.environment import environment, threads

    with threads(build.environment.threads):
        return changes(build.environment, environment(), build.code, git_sha())


def changes(then: Environment, now: Environment, code_then: str = "", code_now: str = "") -> list[str]:
    """What differs between two environments, in this order: packages, threads, device, kernels, Python, code."""
    names = sorted(then.packages.keys() | now.packages.keys())
    found = {name: (now.packages.get(name, "none"), then.packages.get(name, "none")) for name in names}
    found |= {part: (getattr(now, part), getattr(then, part)) for part in ("threads", "device", "cpu", "python")}
    found["code"] = (code_now or "unknown", code_then or "unknown")
    return [f"{what}: {here} here, {was} then" for what, (here, was) in found.items() if here != was]


# -- making it again ---------------------------------------------------------------------------------------------------


def make(lake: Lake, model: ResolvedModel, build: Build, start: Path | None, folder: Path) -> str:
    """Run a build's method with as many threads as then; leaves the files of a tuned model in an empty folder.

    `start` holds the weights it starts from; none of a build that starts from some: they are fetched. The digest.
    """
    from llmops_assets.lib.training.environment import threads

    if start is None and build.start is not None:
        start = fetched(lake, build.start, folder.with_name(f"{folder.name}-start"))
    with threads(build.environment.threads):
        result = METHODS[build.recipe.method](lake, build, Bench(model, start, folder, lambda *_: None))
    for_the_engine(build.kind, folder, model, folder / ENGINE_FILES[build.kind])
    return result.digest


def on_branch(lake: Lake, branch: str, folder: Path, build: Build) -> FileRef:
    """The form for the engine of what was made in a folder, committed to a branch: a target fetches it from there."""
    engine = folder / ENGINE_FILES[build.kind]
    path = f"{SCRATCH}/{engine.name}"
    lake.put(branch, path, engine)
    with contextlib.suppress(NothingToCommitError):
        lake.commit(branch, f"A {build.kind} for a look")
    return FileRef(ref=lake.uri(lake.resolve(branch), path), sha256=hash_file(engine), size=engine.stat().st_size)


def as_served(manifest: ReleaseManifest, build: Build, file: FileRef | None, digest: str) -> ReleaseManifest:
    """A release with another tuned model and the prompt that it was trained with."""
    if build.kind == "model":
        return manifest.model_copy(update={"engine_model": file, "prompt": build.prompt})
    return manifest.model_copy(update={"adapter": file, "adapter_digest": digest, "prompt": build.prompt})


def differing(lake: Lake, branch: str, at: LakeRef, folder: Path) -> list[str]:
    """Names of the files that differ between a tuned model's folder in the lake and one made again, which is put on a
    branch of its own. The build itself is no weight."""
    put = {file.name: lake.put(branch, f"{at.path}/{file.name}", file).sha256 for file in folder.iterdir()}
    stored = {s.path.rpartition("/")[2]: s.sha256 for s in lake.list(at.commit, f"{at.path}/")}
    stored.pop(BUILD, None)
    return sorted(name for name in put.keys() | stored.keys() if put.get(name) != stored.get(name))


def insist_recorded(lake: Lake, at: LakeRef, build: Build, claimed: TunedModel) -> None:
    """NotRebuildableError when the lake's own files are not those that a release names."""
    weights = "adapter_model.safetensors" if build.kind == "adapter" else "model.safetensors"
    named = {weights: claimed.digest}
    if claimed.engine_file is not None:
        named[ENGINE_FILES[build.kind]] = claimed.engine_file.sha256
    for name, digest in named.items():
        found = lake.stat(at.commit, f"{at.path}/{name}").sha256
        if found != digest:
            raise NotRebuildableError(f"{name}: the lake has {found}, the release names {digest}")


@contextlib.contextmanager
def scratch_branch(lake: Lake, name: str, commit: str) -> Generator[str]:
    """A branch at a commit, dropped at the end: whatever is put there is seen by nobody else."""
    branch = lake.new_branch_name(name)
    lake.branch(branch, commit)
    try:
        yield branch
    finally:
        lake.delete_branch(branch)
