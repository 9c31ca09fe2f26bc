"""Training on a tiny model made on the fly: deterministic, learning, and alike in both trainers' files."""

import json

import numpy as np
import pytest

from llmops_assets.lib.records import Recipe
from llmops_assets.lib.training import loop
from llmops_assets.lib.training import rows as row_tools
from llmops_assets.lib.training.gguf_weights import adapter_to_gguf, convert, gguf_name, hf_name, permute, unpermute
from resources.trainer import trainer_for

ROWS = [
    {"question": f"what is number {n}?", "passages": ["it is small", "it is big"][: n % 3], "answer": f"it is {n}"}
    for n in range(8)
]
RECIPE = Recipe(rank=4, alpha=8, learning_rate=5e-3, epochs=6, batch_tokens=400, max_length=384)


@pytest.fixture(scope="module")
def examples(tiny_model):
    tokenizer = row_tools.load_tokenizer(tiny_model.folder)
    made, dropped = row_tools.encode_rows(tokenizer, "Be brief.", ROWS, 384)
    assert dropped == 0
    return made


def trained(tiny_model, examples, folder, recipe=RECIPE, **options):
    folder.mkdir()
    return loop.train_lora(tiny_model.folder, recipe, examples, examples[:2], folder, **options)


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


def test_nothing_to_learn_from_is_an_error(tiny_model, tmp_path):
    with pytest.raises(ValueError, match="no training example"):
        trained(tiny_model, [], tmp_path / "1")


def test_only_the_last_layers_are_adapted_when_the_recipe_says_so(tiny_model, examples, tmp_path):
    from safetensors.numpy import load_file

    trained(tiny_model, examples, tmp_path / "1", RECIPE.model_copy(update={"top_layers": 1, "epochs": 1.0}))
    names = load_file(tmp_path / "1" / "adapter_model.safetensors")
    assert names
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


def test_loss_is_measured_on_answers_only(tiny_model, examples):
    model = loop.load_model(tiny_model.folder)
    batch = loop.collate(examples[:3], pad=0)
    logits, targets = loop.answer_logits(model, *batch)
    expected = [token for e in examples[:3] for token in e.ids[e.start :]]
    assert targets.tolist() == expected
    assert logits.shape == (len(expected), model.config.vocab_size)
    full = model(input_ids=batch[0], attention_mask=batch[1]).logits
    wanted = full[0, examples[0].start - 1 : len(examples[0].ids) - 1]
    assert np.allclose(logits[: len(wanted)].detach().numpy(), wanted.detach().numpy(), atol=1e-4)


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


def test_names_and_rows_survive_the_way_through_gguf():
    for name in ("model.layers.3.self_attn.q_proj", "model.layers.0.mlp.down_proj", "model.embed_tokens"):
        assert hf_name(gguf_name(name)) == f"{name}.weight"
    weight = np.arange(48, dtype=np.float32).reshape(16, 3)
    assert np.array_equal(unpermute(permute(weight, 4), 4), weight)
    assert not np.array_equal(permute(weight, 4), weight)


def test_a_gguf_of_another_family_is_refused_by_name(tmp_path):
    from gguf import GGUFWriter

    writer = GGUFWriter(str(tmp_path / "x.gguf"), "mamba")
    writer.add_tokenizer_model("llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ValueError, match="mamba model with a llama vocabulary"):
        convert(tmp_path / "x.gguf", tmp_path)


def test_the_gguf_adapter_holds_every_matrix_of_the_peft_one(tiny_model, examples, tmp_path):
    from gguf import GGUFReader
    from safetensors.numpy import load_file

    trained(tiny_model, examples, tmp_path / "1", RECIPE.model_copy(update={"epochs": 1.0}))
    adapter_to_gguf(tmp_path / "1", tiny_model.folder / "config.json", tmp_path / "adapter.gguf")
    reader = GGUFReader(str(tmp_path / "adapter.gguf"))
    weights = load_file(tmp_path / "1" / "adapter_model.safetensors")
    assert len(reader.tensors) == len(weights) == 2 * 7 * 2
    assert reader.fields["adapter.lora.alpha"].contents() == RECIPE.alpha
    plain = weights["base_model.model.model.layers.1.mlp.up_proj.lora_A.weight"]
    stored = next(t for t in reader.tensors if t.name == "blk.1.ffn_up.weight.lora_a")
    assert np.allclose(stored.data, plain, atol=1e-3)
