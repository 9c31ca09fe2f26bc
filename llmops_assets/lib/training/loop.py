"""A small LoRA training loop: logits at label positions only, length-sorted batches, deterministic on a CPU.

About what `transformers.Trainer` does with the same recipe, at a fraction of the time on a CPU: benchmarks/training.py.
LoRA: https://arxiv.org/abs/2106.09685.
"""

import functools
import io
import json
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llmops_assets.lib.hashing import hash_file
from llmops_assets.lib.records import Recipe
from llmops_assets.lib.training.rows import Example, batches

if TYPE_CHECKING:
    import torch

Progress = Callable[[int, int, float], None]
"""Called after each optimiser step with (step, steps, loss)."""
LOG_EVERY = 10
"""Steps between two lines of a log."""


@dataclass(frozen=True)
class World:
    """The processes that train together: the place of this one, and how many there are. Several are members of
    torch.distributed's default group."""

    rank: int = 0
    size: int = 1


ALONE = World()


class Checkpoints(Protocol):
    """Where an unfinished training is kept, so that another process can end it: one state, the newest."""

    seconds: float
    """Time between two of them."""

    def load(self) -> bytes | None:
        """The state that was kept; None where there is none."""
        ...

    def save(self, state: bytes) -> None:
        """Keep a state in place of the one before."""
        ...


@dataclass(frozen=True)
class TrainingResult:
    """What a training left in its folder, and its figures (losses are mean nats per answer token)."""

    folder: Path
    digest: str
    metrics: dict[str, float]
    losses: list[float]


def seed_everything(seed: int) -> None:
    """Seed Python and torch and demand deterministic kernels."""
    import torch

    random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)


def load_model(folder: Path) -> Any:
    """The base model in float32, without gradients."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    model.requires_grad_(False)
    return model


def with_lora(model: Any, recipe: Recipe, warm_start: Path | None = None) -> Any:
    """The model wrapped by peft with a fresh LoRA adapter, or a trainable copy of one on disk."""
    from peft import LoraConfig, PeftModel, get_peft_model

    if warm_start is not None:
        return PeftModel.from_pretrained(model, str(warm_start), is_trainable=True)
    layers = None
    if recipe.top_layers is not None:
        total = model.config.num_hidden_layers
        layers = list(range(max(0, total - recipe.top_layers), total))
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        layers_to_transform=layers,
        target_modules=list(recipe.target_modules),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def collate(batch: Sequence[Example], pad: int) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
    """Right-padded ids (b, t), attention mask (b, t) and labels (b, t) with -100 outside answers."""
    import torch

    length = max(len(e.ids) for e in batch)
    ids = torch.full((len(batch), length), pad)
    mask = torch.zeros((len(batch), length), dtype=torch.long)
    labels = torch.full((len(batch), length), -100)
    for row, example in enumerate(batch):
        tokens = torch.tensor(example.ids)
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
        labels[row, example.start : len(tokens)] = tokens[example.start :]
    return ids, mask, labels


def answer_logits(model: Any, ids: "torch.Tensor", mask: "torch.Tensor", labels: "torch.Tensor") -> Any:
    """Logits (n, vocabulary) and targets (n,) at the label positions of a batch; nothing is computed elsewhere."""
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = causal.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
    wanted = labels[:, 1:] != -100
    return causal.lm_head(hidden[:, :-1][wanted]), labels[:, 1:][wanted]


def mean_loss(
    model: Any, examples: Sequence[Example], batch_tokens: int, answers: Callable[..., Any] | None = None
) -> float:
    """Mean negative log-likelihood per answer token, in nats; `answers` is asked in place of `answer_logits`."""
    import torch

    answers = answers or functools.partial(answer_logits, model)
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for batch in batches(examples, batch_tokens):
            logits, targets = answers(*collate(batch, model.config.pad_token_id or 0))
            total += float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))
            count += len(targets)
    return total / max(count, 1)


def schedule(step: int, steps: int, warmup_share: float) -> float:
    """Learning-rate factor: linear warm-up, then half a cosine down to a tenth."""
    warmup = max(1, round(steps * warmup_share))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return 0.1 + 0.45 * (1 + math.cos(math.pi * done))


def train_lora(
    base: Path,
    recipe: Recipe,
    examples: Sequence[Example],
    held_out: Sequence[Example],
    folder: Path,
    *,
    base_name: str,
    warm_start: Path | None = None,
    progress: Progress | None = None,
    world: World = ALONE,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult:
    """Train an adapter on a model folder and save it as peft does, for the base model called `base_name`.

    Several processes of a `world` share the rows of each step and sum their gradients, so that a step learns from the
    same rows as in one; only the first saves, and its result is the one to take. From a checkpoint a training goes
    on to the same bytes as without a break. ValueError when there is nothing to learn from.
    """
    import torch

    if not examples:
        raise ValueError("no training example is left: every row was longer than the recipe's max_length")
    seed_everything(recipe.seed)
    model = with_lora(load_model(base), recipe, warm_start)
    pad = model.config.pad_token_id or 0
    # Sharding replaces parameters: the optimiser must see what is there afterwards.
    answers = _answers(model, recipe, world)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    prepared = batches(examples, recipe.batch_tokens)
    steps = max(1, round(len(prepared) * recipe.epochs))
    order: list[int] = []
    rng = random.Random(recipe.seed)
    losses, before = _resumed(checkpoints, trained, optimiser)
    done, tokens, kept = len(losses), 0, time.monotonic()
    # As if it had begun so much earlier.
    started = kept - before
    model.train()
    for step in range(steps):
        if not order:
            order = list(range(len(prepared)))
            rng.shuffle(order)
        batch = prepared[order.pop()]
        tokens += sum(len(e.ids) for e in batch)
        if step < done:
            continue
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * schedule(step, steps, recipe.warmup_share)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bf16"):
            # A process without a row takes part in the sum all the same.
            logits, targets = answers(*collate(batch[world.rank :: world.size] or batch[:1], pad))
        if world.size == 1:
            loss = torch.nn.functional.cross_entropy(logits.float(), targets)
        else:
            loss = _share_of_loss(logits.float(), targets, batch, world)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, recipe.gradient_clip)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(_whole_loss(loss.detach(), world))
        if checkpoints is not None and time.monotonic() - kept >= checkpoints.seconds:
            checkpoints.save(_state(trained, optimiser, losses, time.monotonic() - started))
            kept = time.monotonic()
        if progress is not None:
            progress(step + 1, steps, losses[-1])
    seconds = time.monotonic() - started
    metrics = {
        "loss_first": losses[0],
        "loss_last": sum(losses[-10:]) / len(losses[-10:]),
        "steps": float(steps),
        "tokens": float(tokens),
        "seconds": seconds,
        "tokens_per_second": tokens / max(seconds, 1e-9),
    }
    if world.size > 1:
        metrics["parameters_of_the_first_process"] = float(_held(model))
    # Of sharded weights no process has all: each takes part in what the first one does with them.
    sharded = _is_sharded(recipe, world)
    if world.rank and not sharded:
        return TrainingResult(folder, "", metrics, losses)
    if held_out:
        metrics["loss_held_out"] = mean_loss(model, held_out, recipe.batch_tokens, answers if sharded else None)
    weights = _gathered(model) if sharded else None
    if world.rank:
        return TrainingResult(folder, "", metrics, losses)
    return save_adapter(model, folder, base_name, metrics, losses, weights)


def _state(trained: Sequence[Any], optimiser: Any, losses: Sequence[float], seconds: float) -> bytes:
    """All that the next steps depend on and the recipe does not say, and the time it took; the order of batches follows
    from the seed."""
    import torch

    state = {
        "weights": [weight.detach() for weight in trained],
        "optimiser": optimiser.state_dict(),
        "random": torch.get_rng_state(),
        "losses": list(losses),
        "seconds": seconds,
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def _resumed(checkpoints: Checkpoints | None, trained: Sequence[Any], optimiser: Any) -> tuple[list[float], float]:
    """Weights and optimiser as they were kept: the losses of the steps until then, and the seconds they took."""
    import torch

    data = checkpoints.load() if checkpoints is not None else None
    if data is None:
        return [], 0.0
    state = torch.load(io.BytesIO(data), weights_only=True)
    with torch.no_grad():
        for weight, value in zip(trained, state["weights"], strict=True):
            weight.copy_(value)
    optimiser.load_state_dict(state["optimiser"])
    torch.set_rng_state(state["random"])
    return state["losses"], state["seconds"]


def _is_sharded(recipe: Recipe, world: World) -> bool:
    return world.size > 1 and recipe.sharding == "full"


def _answers(model: Any, recipe: Recipe, world: World) -> Callable[..., Any]:
    """`answer_logits` of a model; of several processes as a module whose gradients are their mean.

    Each process holds the whole model (DDP), or its share of every layer, which is put together while that layer
    computes (FSDP2, https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html).
    """
    import torch

    if world.size == 1:
        return functools.partial(answer_logits, model)

    class Answers(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: "torch.Tensor", mask: "torch.Tensor", labels: "torch.Tensor") -> Any:
            return answer_logits(self.model, ids, mask, labels)

    if not _is_sharded(recipe, world):
        return torch.nn.parallel.DistributedDataParallel(Answers())
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cpu", (world.size,))
    for layer in model.get_base_model().model.layers:
        fully_shard(layer, mesh=mesh)
    answers = Answers()
    fully_shard(answers, mesh=mesh)
    return answers


def _held(model: Any) -> int:
    """Parameters of the model that lie in this process."""
    return sum((p.to_local() if hasattr(p, "to_local") else p).numel() for p in model.parameters())


def _gathered(model: Any) -> dict[str, Any]:
    """The trained weights of a sharded model, whole in the first process and nowhere else. All processes must ask."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)
    return get_model_state_dict(model, options=options)


def _share_of_loss(logits: Any, targets: Any, batch: Sequence[Example], world: World) -> Any:
    """What a process adds to the mean loss of a batch, times their number: gradients are averaged over processes."""
    import torch

    tokens = sum(len(example.ids) - example.start for example in batch)
    own = world.size / tokens if len(batch) > world.rank else 0.0
    return torch.nn.functional.cross_entropy(logits, targets, reduction="sum") * own


def _whole_loss(loss: Any, world: World) -> float:
    """The mean loss of a batch out of the shares of all processes."""
    if world.size > 1:
        import torch.distributed as distributed

        distributed.all_reduce(loss)
        loss = loss / world.size
    return float(loss)


def save_adapter(
    model: Any,
    folder: Path,
    base_name: str,
    metrics: dict[str, float],
    losses: list[float],
    weights: dict[str, Any] | None = None,
) -> TrainingResult:
    """Write adapter_model.safetensors and adapter_config.json, which names the base model as `base_name`.

    `weights`, where given, are written in place of those that the model holds in this process. peft's AutoPeftModel
    loads the base by that name; vLLM's resolver takes an adapter only when it is its `--model`.
    """
    # Embeddings are never adapted. To find that out itself, peft would look for the base of a warm start on the hub.
    model.save_pretrained(str(folder), state_dict=weights, safe_serialization=True, save_embedding_layers=False)
    file = folder / "adapter_config.json"
    config = json.loads(file.read_text())
    # peft wrote the folder the weights were read from: a cache of this machine.
    config["base_model_name_or_path"] = base_name
    for key in ("target_modules", "modules_to_save", "exclude_modules"):
        # peft keeps sets: their order in the file changes from process to process.
        if isinstance(config.get(key), list):
            config[key] = sorted(config[key])
    file.write_text(json.dumps(config, indent=1, sort_keys=True))
    (folder / "README.md").unlink(missing_ok=True)
    return TrainingResult(folder, hash_file(folder / "adapter_model.safetensors"), metrics, losses)
