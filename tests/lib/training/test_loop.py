"""Training on a tiny model made on the fly: deterministic, learning, and alike in both trainers' files."""

import json

import dagster as dg
import numpy as np
import pytest
from training_support import ROWS

from llmops_assets.lib.records import Recipe
from llmops_assets.lib.training import loop
from llmops_assets.lib.training import rows as row_tools
from llmops_assets.training.checkpoints import LakeCheckpoints
from llmops_assets.training.tuning import launcher
from resources.models import Models
from resources.trainer import trainer_for

pytestmark = pytest.mark.slow

RECIPE = Recipe(rank=4, alpha=8, learning_rate=5e-3, epochs=6, batch_tokens=400, max_length=384)


def trained(tiny_model, examples, folder, recipe=RECIPE, **options):
    folder.mkdir()
    return loop.train_lora(tiny_model.folder, recipe, examples, examples[:2], folder, base_name="tiny", **options)


def weights(folder) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(folder / "adapter_model.safetensors")


def train_with(trainer, tiny_model, examples, folder, recipe, **options):
    """Train through the trainer called `trainer`; returns its result."""
    folder.mkdir()
    recipe = recipe.model_copy(update={"trainer": trainer})
    return trainer_for(recipe).train(tiny_model, recipe, examples, [], folder, **options)


def test_equal_inputs_give_the_same_adapter_twice_and_another_seed_another(tiny_model, examples, tmp_path):
    first = trained(tiny_model, examples, tmp_path / "1")
    second = trained(tiny_model, examples, tmp_path / "2")
    other = trained(tiny_model, examples, tmp_path / "3", RECIPE.model_copy(update={"seed": 1}))
    assert first.digest == second.digest
    assert first.losses == second.losses
    assert other.digest != first.digest
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    assert str(tmp_path) not in (tmp_path / "1" / "adapter_config.json").read_text()


def test_training_lowers_the_loss_and_a_warm_start_goes_on_from_there(tiny_model, examples, tmp_path):
    steps: list[tuple[int, int]] = []
    first = trained(tiny_model, examples, tmp_path / "1", progress=lambda step, of, loss: steps.append((step, of)))
    assert first.metrics["loss_last"] < first.metrics["loss_first"] - 0.5
    assert steps == [(n, len(first.losses)) for n in range(1, len(first.losses) + 1)]
    warm = trained(tiny_model, examples, tmp_path / "2", warm_start=tmp_path / "1")
    assert warm.metrics["loss_first"] < first.metrics["loss_first"] - 0.5
    assert warm.metrics["loss_held_out"] < first.metrics["loss_held_out"]


class Preempted(Exception):
    """The node is wanted by somebody else."""


def test_a_training_whose_pod_is_lost_goes_on_elsewhere_and_ends_in_the_same_bytes(
    tiny_model, examples, tmp_path, lake
):
    recipe = RECIPE.model_copy(update={"epochs": 3.0, "dropout": 0.1})
    steps: list[int] = []

    def until(last: int | None):
        def told(step: int, of: int, loss: float) -> None:
            steps.append(step)
            if step == last:
                raise Preempted

        return told

    def go_on(folder: str, last: int | None, digest: str = "d" * 64):
        kept = LakeCheckpoints(lake, "adapter", digest, seconds=0.0)
        return trained(tiny_model, examples, tmp_path / folder, recipe, progress=until(last), checkpoints=kept)

    whole = trained(tiny_model, examples, tmp_path / "whole", recipe)
    for folder, last in (("1", 2), ("2", 5)):
        with pytest.raises(Preempted):
            go_on(folder, last)
    ended = go_on("3", None)
    assert steps == list(range(1, len(whole.losses) + 1))
    assert (ended.digest, ended.losses) == (whole.digest, whole.losses)
    assert ended.metrics["tokens"] == whole.metrics["tokens"]
    # Another training begins anew, and what nobody will end is dropped.
    steps.clear()
    with pytest.raises(Preempted):
        go_on("4", 1, "e" * 64)
    assert steps == [1]
    assert [branch for branch in lake.branches() if branch != "main"] == [f"checkpoint-adapter-{'e' * 16}"]


@pytest.mark.parametrize("sharding", ["none", "full"])
def test_two_processes_share_each_step_and_make_the_adapter_of_one(tiny_model, examples, tmp_path, sharding):
    # An odd number of rows in a step, and steps of one row: somebody has nothing to do.
    recipe = RECIPE.model_copy(update={"epochs": 1.0, "batch_tokens": 200})
    sizes = {len(batch) for batch in row_tools.batches(examples, recipe.batch_tokens)}
    assert 1 in sizes
    assert max(sizes) > 1
    alone = train_with("loop", tiny_model, examples, tmp_path / "1", recipe)
    shared = recipe.model_copy(update={"processes": 2, "sharding": sharding})
    made = []

    @dg.asset
    def tuned(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        (tmp_path / "2").mkdir()
        trainer = trainer_for(shared, launcher(context, shared))
        made.append(trainer.train(tiny_model, shared, examples, examples[:2], tmp_path / "2"))
        return dg.MaterializeResult()

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize([tuned], instance=instance)
        said = [entry.user_message for entry in instance.all_logs(run.run_id)]
    (together,) = made
    assert f"step {len(alone.losses)} of {len(alone.losses)}, loss {together.losses[-1]:.3f}" in said
    assert together.metrics["loss_held_out"] > 0
    assert together.losses == pytest.approx(alone.losses, rel=1e-5)
    one, two = weights(tmp_path / "1"), weights(tmp_path / "2")
    assert one.keys() == two.keys()
    for name, values in one.items():
        # Float32's noise of sums in another order; the weights moved by hundredths.
        assert np.abs(values - two[name]).max() < 1e-6, name
    assert {p.name for p in (tmp_path / "2").iterdir()} == {"adapter_model.safetensors", "adapter_config.json"}
    held = together.metrics["parameters_of_the_first_process"] / whole_size(tiny_model, shared)
    assert held == pytest.approx({"none": 1.0, "full": 0.5}[sharding], abs=0.01)


def whole_size(tiny_model, recipe) -> int:
    return sum(p.numel() for p in loop.with_lora(loop.load_model(tiny_model.folder), recipe).parameters())


def test_nothing_to_learn_from_is_an_error(tiny_model, tmp_path):
    with pytest.raises(ValueError, match="no training example"):
        trained(tiny_model, [], tmp_path / "1")


def test_only_the_last_layers_are_adapted_when_the_recipe_says_so(tiny_model, examples, tmp_path):
    trained(tiny_model, examples, tmp_path / "1", RECIPE.model_copy(update={"top_layers": 1, "epochs": 1.0}))
    names = list(weights(tmp_path / "1"))
    assert len(names) == 7 * 2
    assert all(".layers.1." in name for name in names)


@pytest.mark.parametrize("trainer", ["loop", "huggingface"])
def test_every_trainer_learns_and_leaves_the_same_files(tiny_model, examples, tmp_path, trainer):
    recipe = RECIPE.model_copy(update={"trainer": trainer})
    folder = tmp_path / "adapter"
    folder.mkdir()
    result = trainer_for(recipe).train(tiny_model, recipe, examples, examples[:2], folder)
    assert result.metrics["loss_last"] < result.metrics["loss_first"]
    assert {"loss_held_out", "tokens", "seconds", "steps"} <= result.metrics.keys()
    assert {p.name for p in folder.iterdir()} == {"adapter_model.safetensors", "adapter_config.json"}
    assert json.loads((folder / "adapter_config.json").read_text())["r"] == recipe.rank


@pytest.mark.parametrize("trainer", ["loop", "huggingface"])
def test_the_loss_that_is_trained_on_is_that_of_the_answers_tokens_and_no_others(
    tiny_model, examples, tmp_path, trainer
):
    """Both first losses against a sum written out here: a fresh adapter changes nothing yet."""
    import torch

    model = loop.load_model(tiny_model.folder)
    total, of_all, count, positions = 0.0, 0.0, 0, 0
    for example in examples:
        with torch.no_grad():
            scores = torch.log_softmax(model(input_ids=torch.tensor([example.ids])).logits[0].double(), -1)
        # The token at `position` is foretold from the one before it.
        losses = [-float(scores[position - 1, example.ids[position]]) for position in range(1, len(example.ids))]
        total += sum(losses[example.start - 1 :])
        count += len(example.ids) - example.start
        of_all += sum(losses)
        positions += len(losses)
    assert abs(total / count - of_all / positions) > 0.01
    recipe = RECIPE.model_copy(update={"batch_tokens": 100_000, "epochs": 1.0})
    result = train_with(trainer, tiny_model, examples, tmp_path / "1", recipe)
    assert result.metrics["steps"] == 1
    assert result.losses == pytest.approx([total / count], abs=1e-4)
    assert loop.mean_loss(model, examples, 400) == pytest.approx(total / count, abs=1e-4)


@pytest.mark.parametrize("trainer", ["loop", "huggingface"])
def test_a_warm_start_goes_on_from_the_adapter_s_own_weights(tiny_model, examples, strong_adapter, tmp_path, trainer):
    before = weights(strong_adapter)
    still = RECIPE.model_copy(update={"learning_rate": 1e-12, "epochs": 1.0})
    train_with(trainer, tiny_model, examples, tmp_path / "still", still, warm_start=strong_adapter)
    moved = RECIPE.model_copy(update={"learning_rate": 1e-3, "epochs": 1.0})
    result = train_with(trainer, tiny_model, examples, tmp_path / "moved", moved, warm_start=strong_adapter)
    assert weights(tmp_path / "still").keys() == weights(tmp_path / "moved").keys() == before.keys()
    for name, values in before.items():
        assert np.allclose(weights(tmp_path / "still")[name], values, rtol=0, atol=1e-9), name
        distance = np.abs(weights(tmp_path / "moved")[name] - values).max()
        # Adam moves a number by about the learning rate a step.
        assert 1e-5 < distance < 1.5e-3 * result.metrics["steps"], name


@pytest.mark.parametrize("trainer", ["loop", "huggingface"])
def test_an_adapter_names_its_base_model_so_that_peft_finds_it(tiny_model, examples, tmp_path, trainer):
    from peft import AutoPeftModelForCausalLM, PeftConfig

    # The converted folder: what transformers can load.
    model = Models(tmp_path / "cache").resolve(str(tiny_model.folder))
    train_with(trainer, model, examples, tmp_path / "1", RECIPE.model_copy(update={"epochs": 1.0}))
    assert PeftConfig.from_pretrained(str(tmp_path / "1")).base_model_name_or_path == str(tiny_model.folder)
    loaded = AutoPeftModelForCausalLM.from_pretrained(str(tmp_path / "1"))
    assert loaded.get_base_model().config.num_hidden_layers == 2


def test_logits_are_computed_at_answer_positions_only(tiny_model, examples):
    model = loop.load_model(tiny_model.folder)
    batch = loop.collate(examples[:3], pad=0)
    logits, targets = loop.answer_logits(model, *batch)
    expected = [token for e in examples[:3] for token in e.ids[e.start :]]
    assert targets.tolist() == expected
    assert logits.shape == (len(expected), model.config.vocab_size)
    full = model(input_ids=batch[0], attention_mask=batch[1]).logits
    wanted = np.concatenate(
        [full[row, e.start - 1 : len(e.ids) - 1].detach().numpy() for row, e in enumerate(examples[:3])]
    )
    assert np.allclose(logits.detach().numpy(), wanted, atol=1e-5)


def test_the_learning_rate_rises_then_falls_to_a_tenth():
    factors = [loop.schedule(step, 100, 0.05) for step in range(100)]
    assert factors[0] == pytest.approx(0.2)
    assert max(factors) == pytest.approx(1.0)
    assert factors[-1] == pytest.approx(0.1, abs=0.01)
    assert factors[5:] == sorted(factors[5:], reverse=True)


def test_rows_become_chats_with_the_end_mark_in_the_answer_and_long_ones_are_left_out(tiny_model):
    tokenizer = row_tools.load_tokenizer(tiny_model.folder)
    (example,), dropped = row_tools.encode_rows(tokenizer, "Be brief.", ROWS[:1], 384)
    assert dropped == 0
    assert tokenizer.decode(example.ids[example.start :], skip_special_tokens=False) == "it is 0<|im_end|>"
    assert row_tools.encode_rows(tokenizer, "Be brief.", ROWS, 10) == ([], len(ROWS))


def test_batches_are_sorted_by_length_within_the_token_limit():
    examples = [row_tools.Example(tuple(range(n)), 1) for n in (9, 3, 5, 2, 30, 7)]
    made = row_tools.batches(examples, 20)
    assert sorted(len(e.ids) for batch in made for e in batch) == [2, 3, 5, 7, 9, 30]
    assert all(max(len(e.ids) for e in batch) * len(batch) <= 20 or len(batch) == 1 for batch in made)
    assert row_tools.batches(examples[::-1], 20) == made
