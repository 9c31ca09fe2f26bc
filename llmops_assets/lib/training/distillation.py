"""Distillation: a student with fewer layers learns the teacher's distributions (https://arxiv.org/abs/1503.02531)."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmops_assets.lib.hashing import hash_file
from llmops_assets.lib.training.loop import (
    Progress,
    TrainingResult,
    answer_logits,
    collate,
    load_model,
    mean_loss,
    seed_everything,
)
from llmops_assets.lib.training.rows import Example, batches

BATCH_TOKENS = 1024
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


def distil(
    base: Path,
    adapter: Path,
    examples: Sequence[Example],
    held_out: Sequence[Example],
    folder: Path,
    *,
    drop_layers: int,
    steps: int,
    learning_rate: float,
    seed: int,
    progress: Progress | None = None,
) -> TrainingResult:
    """Merge the adapter into the base, take layers out of the middle, train all that is left towards the teacher.

    Leaves a Hugging Face folder: the weights, config.json, and the tokenizer of the base. Metrics: held-out loss of
    the teacher, of the student before and after, and its parameters. ValueError when no layer would be left.
    """
    import torch
    from peft import PeftModel

    seed_everything(seed)
    teacher = PeftModel.from_pretrained(load_model(base), str(adapter)).merge_and_unload()
    teacher.eval()
    student = PeftModel.from_pretrained(load_model(base), str(adapter)).merge_and_unload()
    _drop(student, drop_layers)
    metrics = {
        "loss_teacher": mean_loss(teacher, held_out, BATCH_TOKENS),
        "loss_before": mean_loss(student, held_out, BATCH_TOKENS),
    }
    trained = list(student.model.layers.parameters())
    for parameter in trained:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(trained, lr=learning_rate)
    prepared = batches(examples, BATCH_TOKENS)
    rng = random.Random(seed)
    student.train()
    losses: list[float] = []
    for step in range(steps):
        inputs = collate(rng.choice(prepared), student.config.pad_token_id or 0)
        with torch.no_grad():
            wanted, _ = answer_logits(teacher, *inputs)
        logits, targets = answer_logits(student, *inputs)
        soft = torch.nn.functional.kl_div(
            torch.log_softmax(logits, -1), torch.log_softmax(wanted, -1), log_target=True, reduction="batchmean"
        )
        loss = soft + torch.nn.functional.cross_entropy(logits, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))
        if progress is not None:
            progress(step + 1, steps, losses[-1])
    metrics["loss_after"] = mean_loss(student, held_out, BATCH_TOKENS)
    metrics["parameters"] = float(sum(p.numel() for p in student.parameters()))
    student.save_pretrained(str(folder), safe_serialization=True)
    for name in TOKENIZER_FILES:
        if (base / name).exists():
            shutil.copyfile(base / name, folder / name)
    return TrainingResult(folder, hash_file(folder / "model.safetensors"), metrics, losses)


def _drop(model: Any, count: int) -> None:
    """Take `count` layers out of the middle; the first and the last ones matter most."""
    import torch

    layers = list(model.model.layers)
    if count >= len(layers):
        raise ValueError(f"the model has {len(layers)} layers: {count} cannot be dropped")
    start = (len(layers) - count) // 2
    kept = layers[:start] + layers[start + count :]
    for position, layer in enumerate(kept):
        layer.self_attn.layer_idx = position
    model.model.layers = torch.nn.ModuleList(kept)
    model.config.num_hidden_layers = len(kept)
