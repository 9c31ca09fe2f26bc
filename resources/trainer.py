"""Trainers behind one recipe: our own loop where it is faster (CPU), Hugging Face's Trainer for GPUs."""

import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from llmops_assets.lib.records import Recipe
from llmops_assets.lib.records.base import Record
from llmops_assets.lib.training.loop import Checkpoints, Progress, TrainingResult, train_lora
from llmops_assets.lib.training.rows import Example
from resources.models import ResolvedModel


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


TASK, RESULT = "task.json", "result.json"


class Task(Record):
    """What several processes train; files and folders are of this machine. `threads` are of each process."""

    base: str
    base_name: str
    recipe: Recipe
    examples: tuple[Example, ...]
    held_out: tuple[Example, ...]
    folder: str
    warm_start: str
    threads: int


class Result(Record):
    """What the first of them says when all have ended."""

    digest: str
    metrics: dict[str, float]
    losses: list[float]


Launch = Callable[[Sequence[str]], None]
"""Runs a command to its end, and raises an error where it fails."""


def run(command: Sequence[str]) -> None:
    """As a child of this process. subprocess.CalledProcessError."""
    subprocess.run(command, check=True)


class ProcessesTrainer(Trainer):
    """The project's own loop in the recipe's number of processes on this machine, by torchrun.

    They share each step's rows, so the adapter is that of one process but for the order in which numbers are summed.
    """

    def __init__(self, launch: Launch = run) -> None:
        self._launch = launch

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

        with tempfile.TemporaryDirectory() as scratch:
            task = Task(
                base=str(model.folder),
                base_name=model.source,
                recipe=recipe,
                examples=tuple(examples),
                held_out=tuple(held_out),
                folder=str(folder),
                warm_start=str(warm_start or ""),
                threads=max(1, torch.get_num_threads() // recipe.processes),
            )
            (Path(scratch) / TASK).write_text(task.model_dump_json())
            torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
            torchrun += ["--nproc-per-node", str(recipe.processes), "-m", "llmops_assets.training.processes", scratch]
            self._launch(torchrun)
            found = Result.model_validate_json((Path(scratch) / RESULT).read_bytes())
        return TrainingResult(folder, found.digest, found.metrics, found.losses)


def trainer_for(recipe: Recipe, launch: Launch = run) -> Trainer:
    """The trainer a recipe names; `launch` is how it starts processes where the recipe has several."""
    if recipe.processes > 1:
        return ProcessesTrainer(launch)
    return {"loop": LoopTrainer, "huggingface": HuggingFaceTrainer}[recipe.trainer]()
