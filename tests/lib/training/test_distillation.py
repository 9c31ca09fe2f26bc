"""Distillation on the tiny model: which layers are left, what they were, and that they learn from the teacher."""

import json

import numpy as np
import pytest

from llmops_assets.lib.records import Recipe
from llmops_assets.lib.training import loop
from llmops_assets.lib.training.distillation import distil
from resources.models import Models

pytestmark = pytest.mark.slow


def make(tiny_model, adapter, examples, folder, **options):
    folder.mkdir()
    settings = {"drop_layers": 1, "steps": 30, "learning_rate": 1e-2, "seed": 1} | options
    return distil(tiny_model.folder, adapter, examples, examples, folder, **settings).metrics


def tensors(folder) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(folder / "model.safetensors")


@pytest.fixture(scope="module")
def merged(tiny_model, strong_adapter):
    from peft import PeftModel

    return PeftModel.from_pretrained(loop.load_model(tiny_model.folder), str(strong_adapter)).merge_and_unload()


def test_a_student_has_the_layers_that_are_left_and_its_loss_falls(
    tiny_model, strong_adapter, examples, merged, tmp_path
):
    steps: list[tuple[int, int]] = []
    metrics = make(
        tiny_model, strong_adapter, examples, tmp_path / "1", progress=lambda step, of, loss: steps.append((step, of))
    )
    assert metrics["loss_after"] < metrics["loss_before"] - 0.5
    assert metrics["loss_teacher"] == pytest.approx(loop.mean_loss(merged, examples, 1024), abs=1e-4)
    assert steps == [(n, 30) for n in range(1, 31)]
    student = loop.load_model(tmp_path / "1")
    assert len(student.model.layers) == student.config.num_hidden_layers == 1
    assert (
        metrics["parameters"]
        == sum(p.numel() for p in student.parameters())
        < sum(p.numel() for p in merged.parameters())
    )
    # What was saved is what was measured.
    assert loop.mean_loss(student, examples, 1024) == pytest.approx(metrics["loss_after"], abs=1e-4)


def test_layers_go_from_the_middle_and_the_rest_begin_as_they_were(tiny_model, examples, tmp_path):
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig.from_pretrained(tiny_model.folder, num_hidden_layers=5)
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    AutoModelForCausalLM.from_config(config).save_pretrained(base)
    # A fresh adapter changes nothing.
    loop.save_adapter(loop.with_lora(loop.load_model(base), Recipe(rank=2)), adapter, "five layers", {}, [])
    student = tmp_path / "student"
    student.mkdir()
    distil(base, adapter, examples, [], student, drop_layers=2, steps=1, learning_rate=1e-12, seed=1)
    before, after = tensors(base), tensors(student)
    for now, then in enumerate((0, 3, 4)):
        name = "model.layers.{}.self_attn.q_proj.weight"
        assert np.allclose(after[name.format(now)], before[name.format(then)], rtol=0, atol=1e-9)
    assert not any(".layers.3." in name for name in after)


def test_a_student_learns_by_its_layers_alone_from_the_teacher_s_distribution_and_from_the_answers(
    tiny_model, strong_adapter, examples, merged, tmp_path
):
    import torch

    one, losses = examples[5:6], []
    make(tiny_model, strong_adapter, one, tmp_path / "before", steps=1, learning_rate=1e-12)
    make(tiny_model, strong_adapter, one, tmp_path / "after", progress=lambda step, of, loss: losses.append(loss))
    student, ids, start = loop.load_model(tmp_path / "before"), one[0].ids, one[0].start
    with torch.no_grad():
        wanted, made = (
            torch.log_softmax(m(input_ids=torch.tensor([ids])).logits[0, start - 1 : -1].double(), -1)
            for m in (merged, student)
        )
    divergence = float((wanted.exp() * (wanted - made)).sum(-1).mean())
    surprise = -sum(float(made[n, token]) for n, token in enumerate(ids[start:])) / len(ids[start:])
    assert divergence > 0.1
    assert losses[0] == pytest.approx(divergence + surprise, abs=1e-4)
    assert losses[-1] < losses[0] - 1
    before, after = tensors(tmp_path / "before"), tensors(tmp_path / "after")
    changed = {name for name in before if not np.allclose(before[name], after[name], rtol=0, atol=1e-6)}
    assert changed == {name for name in before if ".layers." in name}


def test_a_student_is_a_model_folder_like_any_other(student, tiny_model, tmp_path):
    resolved = Models(tmp_path).resolve(str(student))
    assert resolved.folder == student
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (student / name).read_bytes() == (tiny_model.folder / name).read_bytes()
    assert json.loads((student / "config.json").read_text())["num_hidden_layers"] == 1


def test_equal_inputs_give_the_same_student_twice(tiny_model, strong_adapter, examples, tmp_path):
    for name in ("1", "2"):
        make(tiny_model, strong_adapter, examples, tmp_path / name, steps=3)
    assert (tmp_path / "1" / "model.safetensors").read_bytes() == (tmp_path / "2" / "model.safetensors").read_bytes()


def test_a_student_without_layers_is_refused(tiny_model, strong_adapter, examples, tmp_path):
    with pytest.raises(ValueError, match="the model has 2 layers: 2 cannot be dropped"):
        make(tiny_model, strong_adapter, examples, tmp_path / "1", drop_layers=2)
