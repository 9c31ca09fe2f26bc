"""The same recipe through `transformers.Trainer`, for GPUs: https://huggingface.co/docs/transformers/trainer."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmops_assets.lib.records import Recipe
from llmops_assets.lib.training.loop import (
    Progress,
    TrainingResult,
    load_model,
    mean_loss,
    save_adapter,
    seed_everything,
    with_lora,
)
from llmops_assets.lib.training.rows import Example, batches


def train_with_trainer(
    base: Path,
    recipe: Recipe,
    examples: Sequence[Example],
    held_out: Sequence[Example],
    folder: Path,
    *,
    base_name: str,
    warm_start: Path | None = None,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train an adapter as `loop.train_lora` does: same examples, same schedule of epochs, same files."""
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    if not examples:
        raise ValueError("no training example is left: every row was longer than the recipe's max_length")
    seed_everything(recipe.seed)
    model = with_lora(load_model(base), recipe, warm_start)
    pad = model.config.pad_token_id or 0
    losses: list[float] = []

    def collate(features: list[dict]) -> dict:
        length = max(len(f["input_ids"]) for f in features)
        rows = {
            "input_ids": [f["input_ids"] + [pad] * (length - len(f["input_ids"])) for f in features],
            "attention_mask": [[1] * len(f["input_ids"]) + [0] * (length - len(f["input_ids"])) for f in features],
            "labels": [f["labels"] + [-100] * (length - len(f["labels"])) for f in features],
        }
        return {name: torch.tensor(values) for name, values in rows.items()}

    class _Report(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **kwargs):
            if logs and "loss" in logs:
                losses.append(float(logs["loss"]))
                if progress is not None:
                    progress(state.global_step, state.max_steps, losses[-1])

    data: Any = [{"input_ids": list(e.ids), "labels": [-100] * e.start + list(e.ids[e.start :])} for e in examples]
    # As many rows a step as the loop's batches hold on average, so that both make about as many steps.
    rows_per_step = max(1, round(len(examples) / len(batches(examples, recipe.batch_tokens))))
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            per_device_train_batch_size=rows_per_step,
            num_train_epochs=recipe.epochs,
            learning_rate=recipe.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=recipe.warmup_share,
            weight_decay=recipe.weight_decay,
            max_grad_norm=recipe.gradient_clip,
            bf16=recipe.precision == "bf16",
            dataloader_pin_memory=torch.cuda.is_available(),
            seed=recipe.seed,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = Trainer(model=model, args=arguments, train_dataset=data, data_collator=collate, callbacks=[_Report()])
        started = time.monotonic()
        trainer.train()
        seconds = time.monotonic() - started
    tokens = sum(len(e.ids) for e in examples) * recipe.epochs
    metrics = {
        "loss_first": losses[0],
        "loss_last": sum(losses[-10:]) / len(losses[-10:]),
        "steps": float(len(losses)),
        "tokens": float(tokens),
        "seconds": seconds,
        "tokens_per_second": tokens / max(seconds, 1e-9),
    }
    if held_out:
        metrics["loss_held_out"] = mean_loss(model, held_out, recipe.batch_tokens)
    return save_adapter(model, folder, base_name, metrics, losses)
