"""Preference tuning of an adapter: direct preference optimisation, https://arxiv.org/abs/2305.18290."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmops_assets.lib.answering.prompting import build_messages, render_chat
from llmops_assets.lib.records import Recipe
from llmops_assets.lib.training.loop import (
    Progress,
    TrainingResult,
    answer_logits,
    collate,
    load_model,
    save_adapter,
    seed_everything,
    with_lora,
)
from llmops_assets.lib.training.rows import Example, encode, load_tokenizer


def train_dpo(
    base: Path,
    recipe: Recipe,
    system_prompt: str,
    pairs: Sequence[Mapping[str, Any]],
    start: Path,
    folder: Path,
    *,
    base_name: str,
    progress: Progress | None = None,
) -> TrainingResult:
    """Tune a copy of the adapter in `start` on rows of question, chosen and rejected answers.

    The reference is the adapter as it was; its log-probabilities are computed once before the first step. Metrics:
    loss, and the margin between chosen and rejected (nats, relative to the reference) at the end. ValueError when no
    pair fits into the recipe's max_length.
    """
    import torch

    seed_everything(recipe.seed)
    tokenizer = load_tokenizer(base)
    encoded: list[tuple[Example, Example]] = []
    for pair in pairs:
        prompt = render_chat(build_messages(system_prompt, pair["question"]))
        chosen = encode(tokenizer, prompt, pair["chosen"], recipe.max_length)
        rejected = encode(tokenizer, prompt, pair["rejected"], recipe.max_length)
        if chosen is not None and rejected is not None:
            encoded.append((chosen, rejected))
    if not encoded:
        raise ValueError("no preference pair fits into the recipe's max_length")
    model = with_lora(load_model(base), recipe, start)
    trained = [p for p in model.parameters() if p.requires_grad]
    with torch.no_grad():
        reference = [tuple(float(_log_probability(model, e)) for e in pair) for pair in encoded]
    optimiser = torch.optim.AdamW(trained, lr=recipe.learning_rate)
    rng = random.Random(recipe.seed)
    losses: list[float] = []
    steps = max(1, round(len(encoded) * recipe.epochs))
    order: list[int] = []
    for step in range(steps):
        if not order:
            order = list(range(len(encoded)))
            rng.shuffle(order)
        index = order.pop()
        margin = _margin(model, encoded[index], reference[index])
        loss = -torch.nn.functional.logsigmoid(recipe.beta * margin)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, recipe.gradient_clip)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))
        if progress is not None:
            progress(step + 1, steps, losses[-1])
    with torch.no_grad():
        margins = [float(_margin(model, pair, base_)) for pair, base_ in zip(encoded, reference, strict=True)]
    metrics = {
        "loss_first": losses[0],
        "loss_last": sum(losses[-5:]) / len(losses[-5:]),
        "margin": sum(margins) / len(margins),
        "preferred_share": sum(m > 0 for m in margins) / len(margins),
        "pairs": float(len(encoded)),
    }
    return save_adapter(model, folder, base_name, metrics, losses)


def _margin(model: Any, pair: tuple[Example, Example], reference: tuple[float, ...]) -> Any:
    chosen, rejected = (_log_probability(model, example) for example in pair)
    return (chosen - reference[0]) - (rejected - reference[1])


def _log_probability(model: Any, example: Example) -> Any:
    import torch

    logits, targets = answer_logits(model, *collate([example], model.config.pad_token_id or 0))
    return torch.log_softmax(logits, dim=-1).gather(1, targets[:, None]).sum()
