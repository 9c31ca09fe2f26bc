"""Trainers behind one recipe: our own loop where it is faster (CPU), Hugging Face's Trainer for GPUs."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from llmops_assets.lib.records import Recipe
from llmops_assets.lib.training.loop import Progress, TrainingResult, train_lora
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
    ) -> TrainingResult:
        """Train on tokenised examples; leaves adapter_model.safetensors and adapter_config.json in an empty folder.

        The configuration names the base model by its `source`.
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


def trainer_for(recipe: Recipe) -> Trainer:
    """The trainer a recipe names."""
    return {"loop": LoopTrainer, "huggingface": HuggingFaceTrainer}[recipe.trainer]()
