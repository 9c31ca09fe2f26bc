"""Trainers behind one recipe: our own loop where it is faster (CPU), Hugging Face's Trainer for GPUs."""

import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from llmops_assets.lib.records import Recipe
from llmops_assets.lib.records.base import Record
from llmops_assets.lib.training.loop import Checkpoints, Progress, TrainingResult, train_lora
from llmops_assets.lib.training.rows import Example
from resources.models import ResolvedModel
from resources.training_launchers import HereLauncher, Launcher


class Trainer(ABC):
    """Makes an adapter."""

    @abstractmethod
    def train(
        self,
        model: ResolvedModel,
        recipe: Recipe,
        examples: Sequence[Example],
        held_out: Sequence[Example],
        folder: Path,
        *,
        warm_start: Path | None = None,
        progress: Progress | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> TrainingResult:
        """Train on tokenised examples; leaves adapter_model.safetensors and adapter_config.json in an empty folder.

        The configuration names the base model by its `source`. Our loop in one process goes on from `checkpoints`; the
        others begin anew.
        """


class LoopTrainer(Trainer):
    """The project's own loop (`llmops_assets.lib.training.loop`)."""

    def train(
        self,
        model: ResolvedModel,
        recipe: Recipe,
        examples: Sequence[Example],
        held_out: Sequence[Example],
        folder: Path,
        *,
        warm_start: Path | None = None,
        progress: Progress | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> TrainingResult:
        """Train with our loop."""
        return train_lora(
            model.folder,
            recipe,
            examples,
            held_out,
            folder,
            base_name=model.source,
            warm_start=warm_start,
            progress=progress,
            checkpoints=checkpoints,
        )


class HuggingFaceTrainer(Trainer):
    """`transformers.Trainer`: GPUs, mixed precision, several devices."""

    def train(
        self,
        model: ResolvedModel,
        recipe: Recipe,
        examples: Sequence[Example],
        held_out: Sequence[Example],
        folder: Path,
        *,
        warm_start: Path | None = None,
        progress: Progress | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> TrainingResult:
        """Train with transformers.Trainer."""
        from llmops_assets.lib.training.huggingface import train_with_trainer

        return train_with_trainer(
            model.folder,
            recipe,
            examples,
            held_out,
            folder,
            base_name=model.source,
            warm_start=warm_start,
            progress=progress,
        )


TASK, RESULT, START, ADAPTER = "task.json", "result.json", "start", "adapter"
"""What lies in the folder of a task: what to do, what came of it, the adapter to start from, the one that was made."""


class Task(Record):
    """What several processes train. `base` is a folder that each of their machines has; `threads` are of a process."""

    base: str
    base_name: str
    recipe: Recipe
    examples: tuple[Example, ...]
    held_out: tuple[Example, ...]
    threads: int


class Result(Record):
    """What the first of them says when all have ended."""

    digest: str
    metrics: dict[str, float]
    losses: list[float]


class ProcessesTrainer(Trainer):
    """The project's own loop in the recipe's number of processes, by torchrun.

    They share each step's rows, so the adapter is that of one process but for the order in which numbers are summed.
    """

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    def train(
        self,
        model: ResolvedModel,
        recipe: Recipe,
        examples: Sequence[Example],
        held_out: Sequence[Example],
        folder: Path,
        *,
        warm_start: Path | None = None,
        progress: Progress | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> TrainingResult:
        """Train with our loop; progress is told by the processes themselves where a step of the graph launched them."""
        import torch

        with tempfile.TemporaryDirectory(dir=self._launcher.folder) as scratch:
            task = Task(
                base=str(model.folder),
                base_name=model.source,
                recipe=recipe,
                examples=tuple(examples),
                held_out=tuple(held_out),
                threads=max(1, torch.get_num_threads() * self._launcher.nodes // recipe.processes),
            )
            shared = Path(scratch)
            (shared / TASK).write_text(task.model_dump_json())
            (shared / ADAPTER).mkdir()
            if warm_start is not None:
                shutil.copytree(warm_start, shared / START)
            self._launcher.launch(recipe.processes, ["-m", "llmops_assets.training.processes", scratch])
            found = Result.model_validate_json((shared / RESULT).read_bytes())
            shutil.copytree(shared / ADAPTER, folder, dirs_exist_ok=True)
        return TrainingResult(folder, found.digest, found.metrics, found.losses)


def trainer_for(recipe: Recipe, launcher: Launcher | None = None) -> Trainer:
    """The trainer a recipe names; `launcher` starts its processes where it has several, none: this machine."""
    if recipe.processes > 1:
        return ProcessesTrainer(launcher or HereLauncher())
    return {"loop": LoopTrainer, "huggingface": HuggingFaceTrainer}[recipe.trainer]()
