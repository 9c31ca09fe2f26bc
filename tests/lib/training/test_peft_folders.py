"""A GGUF adapter as peft's folder: the numbers of the one it was made of, and what vLLM reads of its configuration."""

import json

import numpy as np
import pytest

from llmops_assets.lib.hashing import hash_file
from llmops_assets.lib.training.gguf_weights import adapter_to_gguf
from llmops_assets.lib.training.peft_folders import CONFIG, WEIGHTS, adapter_from_gguf

pytestmark = pytest.mark.slow


@pytest.fixture
def written(tiny_model, strong_adapter, tmp_path):
    """A function that writes the strong adapter's folder anew, as vLLM gets it."""
    config = tiny_model.folder / "config.json"
    adapter_to_gguf(strong_adapter, config, tmp_path / "adapter.gguf")

    def write(name: str):
        folder = tmp_path / name
        folder.mkdir()
        rank = adapter_from_gguf(tmp_path / "adapter.gguf", config, folder, base="/models/tiny", revision="abc")
        return folder, rank

    return write


def test_every_matrix_comes_back_in_half_precision(written, strong_adapter):
    from safetensors.numpy import load_file

    folder, rank = written("one")
    before, after = load_file(strong_adapter / WEIGHTS), load_file(folder / WEIGHTS)
    assert rank == 4
    assert before.keys() == after.keys()
    for name, values in before.items():
        assert np.array_equal(after[name], values.astype(np.float16)), name


def test_its_configuration_names_the_base_model_and_what_it_is(written, strong_adapter):
    theirs, ours = (
        json.loads((strong_adapter / CONFIG).read_text()),
        json.loads((written("one")[0] / CONFIG).read_text()),
    )
    assert (ours["base_model_name_or_path"], ours["revision"]) == ("/models/tiny", "abc")
    for field in ("peft_type", "task_type", "r", "lora_alpha", "bias", "target_modules", "fan_in_fan_out"):
        assert ours[field] == theirs[field], field


def test_peft_loads_it_as_the_adapter_that_it_was(written, tiny_model, strong_adapter):
    import torch
    from peft import PeftModel

    from llmops_assets.lib.training import loop

    ids = torch.tensor([[1, 20, 30, 40]])
    with torch.no_grad():
        said, again, plain = (
            model(input_ids=ids).logits
            for model in (
                PeftModel.from_pretrained(loop.load_model(tiny_model.folder), str(strong_adapter)),
                PeftModel.from_pretrained(loop.load_model(tiny_model.folder), str(written("one")[0])),
                loop.load_model(tiny_model.folder),
            )
        )
    assert float((said - plain).abs().max()) > 1
    assert float((said - again).abs().max()) < 0.02


def test_the_same_adapter_is_written_in_the_same_bytes(written):
    one, other = written("one")[0], written("other")[0]
    assert [hash_file(one / name) for name in (CONFIG, WEIGHTS)] == [hash_file(other / n) for n in (CONFIG, WEIGHTS)]


def test_what_is_no_adapter_is_refused(tiny_model, tmp_path):
    config = tiny_model.folder / "config.json"
    with pytest.raises(ValueError, match="is no LoRA adapter"):
        adapter_from_gguf(tiny_model.gguf, config, tmp_path, base="x", revision="x")
    assert not (tmp_path / WEIGHTS).exists()
