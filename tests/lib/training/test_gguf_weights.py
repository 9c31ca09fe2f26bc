"""Weights in and out of GGUF: order of rows, names, what comes back; llama.cpp computes what transformers does."""

import json

import numpy as np
import pytest
from training_support import PROMPTS, engine_server, greedy, log_probabilities

from llmops_assets.lib.training import loop
from llmops_assets.lib.training import rows as row_tools
from llmops_assets.lib.training.gguf_weights import (
    adapter_to_gguf,
    checkpoint_to_gguf,
    convert,
    gguf_name,
    hf_name,
    permute,
    read_fields,
    requantize,
    unpermute,
)

pytestmark = pytest.mark.slow

TOLERANCE = 0.02
"""Nats. llama.cpp keeps keys and values, and we the adapter, in half precision: 0.005 on these models."""
EFFECT = 1.0
"""Nats that the strong adapter moves some token by, at least."""
EIGHTS = [0, 4, 1, 5, 2, 6, 3, 7]
"""Rows of a head of eight as llama.cpp wants them: the first half and the second half of Hugging Face's in turn."""


def read_tensors(file) -> dict[str, np.ndarray]:
    from gguf import GGUFReader
    from gguf.quants import dequantize

    return {
        t.name: np.asarray(dequantize(t.data, t.tensor_type)).reshape([int(n) for n in t.shape[::-1]])
        for t in GGUFReader(str(file)).tensors
    }


def test_rows_of_every_head_are_reordered_as_llama_cpp_wants_them():
    two_heads = EIGHTS + [8 + row for row in EIGHTS]
    rows = np.arange(16)[:, None] * np.ones((1, 3))
    assert permute(rows, 2)[:, 0].tolist() == two_heads
    assert unpermute(rows[two_heads], 2).tolist() == rows.tolist()
    assert permute(np.arange(8), 2).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_tensors_are_called_as_llama_cpp_calls_them():
    names = {
        "model.layers.3.self_attn.q_proj": "blk.3.attn_q.weight",
        "model.layers.12.self_attn.o_proj": "blk.12.attn_output.weight",
        "model.layers.0.mlp.down_proj": "blk.0.ffn_down.weight",
        "model.layers.0.mlp.gate_proj": "blk.0.ffn_gate.weight",
        "model.layers.0.input_layernorm": "blk.0.attn_norm.weight",
        "model.layers.0.post_attention_layernorm": "blk.0.ffn_norm.weight",
        "model.embed_tokens": "token_embd.weight",
        "model.norm": "output_norm.weight",
        "lm_head": "output.weight",
    }
    assert {name: gguf_name(name) for name in names} == names
    assert {hf_name(name) for name in names.values()} == {f"{name}.weight" for name in names}


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


def test_a_converted_model_holds_the_rows_of_the_file_in_hugging_face_s_order(tiny_model):
    from safetensors.numpy import load_file

    stored, converted = read_tensors(tiny_model.gguf), load_file(tiny_model.folder / "model.safetensors")
    assert len(converted) == len(stored)
    for name, values in stored.items():
        if "attn_q" in name or "attn_k" in name:
            heads_of_sixteen = values.reshape(-1, 16, values.shape[1])
            values = np.concatenate([heads_of_sixteen[:, 0::2], heads_of_sixteen[:, 1::2]], 1).reshape(values.shape)
        assert np.array_equal(converted[hf_name(name)], values), name


def test_the_engine_with_the_gguf_adapter_computes_what_peft_s_merged_model_does(tiny_model, strong_adapter, tmp_path):
    from peft import PeftModel

    adapter_to_gguf(strong_adapter, tiny_model.folder / "config.json", tmp_path / "adapter.gguf")
    tokenizer, plain = row_tools.load_tokenizer(tiny_model.folder), loop.load_model(tiny_model.folder)
    merged = PeftModel.from_pretrained(loop.load_model(tiny_model.folder), str(strong_adapter)).merge_and_unload()
    with engine_server(tiny_model.gguf, tmp_path / "adapter.gguf") as engine:
        for prompt in PROMPTS:
            wanted = log_probabilities(merged, tokenizer, prompt)
            assert np.abs(log_probabilities(plain, tokenizer, prompt) - wanted).max() > EFFECT
            assert np.abs(engine.log_probabilities(prompt, len(wanted)) - wanted).max() < TOLERANCE


def test_the_gguf_adapter_holds_every_matrix_of_the_peft_one(tiny_model, strong_adapter, tmp_path):
    from gguf import GGUFReader
    from safetensors.numpy import load_file

    adapter_to_gguf(strong_adapter, tiny_model.folder / "config.json", tmp_path / "adapter.gguf")
    reader = GGUFReader(str(tmp_path / "adapter.gguf"))
    weights = load_file(strong_adapter / "adapter_model.safetensors")
    assert len(reader.tensors) == len(weights) == 2 * 7 * 2
    assert reader.fields["adapter.lora.alpha"].contents() == 8
    plain = weights["base_model.model.model.layers.1.mlp.up_proj.lora_A.weight"]
    stored = next(t for t in reader.tensors if t.name == "blk.1.ffn_up.weight.lora_a")
    assert np.array_equal(stored.data, plain.astype(np.float16))


def test_what_is_no_plain_lora_is_not_written_as_an_adapter(tiny_model, strong_adapter, tmp_path):
    from safetensors.numpy import load_file, save_file

    (tmp_path / "adapter_config.json").write_bytes((strong_adapter / "adapter_config.json").read_bytes())
    weights = load_file(strong_adapter / "adapter_model.safetensors")
    weights["base_model.model.model.layers.0.mlp.up_proj.lora_magnitude_vector"] = np.ones(3, np.float32)
    save_file(weights, tmp_path / "adapter_model.safetensors")
    with pytest.raises(ValueError, match=r"lora_magnitude_vector is no LoRA weight"):
        adapter_to_gguf(tmp_path, tiny_model.folder / "config.json", tmp_path / "adapter.gguf")


def test_a_checkpoint_comes_back_from_gguf_bit_for_bit(student, tiny_model, tmp_path):
    from safetensors.numpy import load_file

    checkpoint_to_gguf(student, tiny_model.gguf, tmp_path / "student.gguf", "F32")
    convert(tmp_path / "student.gguf", tmp_path)
    before, after = (load_file(folder / "model.safetensors") for folder in (student, tmp_path))
    assert before.keys() == after.keys()
    for name, values in before.items():
        assert values.dtype == after[name].dtype == np.float32
        assert np.array_equal(values, after[name]), name
    assert json.loads((tmp_path / "config.json").read_text())["num_hidden_layers"] == 1
    # The tokenizer that came along is the one the teacher was converted with.
    assert (tmp_path / "tokenizer.json").read_bytes() == (tiny_model.folder / "tokenizer.json").read_bytes()


def test_a_checkpoint_in_bfloat16_and_in_several_files_is_read(student, tiny_model, tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    rounded = {name: values.to(torch.bfloat16) for name, values in load_file(student / "model.safetensors").items()}
    (tmp_path / "config.json").write_bytes((student / "config.json").read_bytes())
    for part in (0, 1):
        some = {name: values for n, (name, values) in enumerate(rounded.items()) if n % 2 == part}
        save_file(some, tmp_path / f"model-0000{part + 1}-of-00002.safetensors")
    checkpoint_to_gguf(tmp_path, tiny_model.gguf, tmp_path / "student.gguf", "F32")
    (tmp_path / "again").mkdir()
    convert(tmp_path / "student.gguf", tmp_path / "again")
    after = load_file(tmp_path / "again" / "model.safetensors")
    assert after.keys() == rounded.keys()
    assert all(torch.equal(after[name], values.float()) for name, values in rounded.items())


def test_a_checkpoint_s_file_has_the_metadata_of_the_base_model_s_but_its_own_layers(student, tiny_model, tmp_path):
    checkpoint_to_gguf(student, tiny_model.gguf, tmp_path / "student.gguf")
    of_base, of_student = read_fields(tiny_model.gguf), read_fields(tmp_path / "student.gguf")
    assert of_student.pop("llama.block_count") == 1
    assert of_base.pop("llama.block_count") == 2
    assert {k: v for k, v in of_student.items() if "GGUF." not in k} == {
        k: v for k, v in of_base.items() if "GGUF." not in k
    }


@pytest.mark.parametrize(("kind", "worst"), [("F32", 0.0), ("F16", 2.0**-11), ("Q8_0", 0.5 / 127 + 2.0**-11)])
def test_matrices_are_rounded_as_asked_and_norms_never(student, tiny_model, tmp_path, kind, worst):
    """`worst`: error of a number, relative to the largest in its block of 32."""
    from gguf import GGUFReader

    checkpoint_to_gguf(student, tiny_model.gguf, tmp_path / "exact.gguf", "F32")
    checkpoint_to_gguf(student, tiny_model.gguf, tmp_path / "student.gguf", kind)
    exact = read_tensors(tmp_path / "exact.gguf")
    for name, values in read_tensors(tmp_path / "student.gguf").items():
        allowed = 0.0 if values.ndim == 1 else worst * np.abs(exact[name].reshape(-1, 32)).max(1, keepdims=True)
        assert (np.abs(values - exact[name]).reshape(-1, 32) <= allowed).all(), name
    kinds = {t.tensor_type.name for t in GGUFReader(str(tmp_path / "student.gguf")).tensors}
    assert kinds == {"F32", kind}


def test_the_engine_serves_a_student_as_transformers_does(student, tiny_model, tmp_path):
    checkpoint_to_gguf(student, tiny_model.gguf, tmp_path / "student.gguf", "F32")
    tokenizer, model = row_tools.load_tokenizer(tiny_model.folder), loop.load_model(student)
    with engine_server(tmp_path / "student.gguf") as engine:
        for prompt in PROMPTS:
            wanted = log_probabilities(model, tokenizer, prompt)
            assert np.abs(engine.log_probabilities(prompt, len(wanted)) - wanted).max() < TOLERANCE
            assert engine.greedy(prompt, 12) == greedy(model, tokenizer, prompt, 12)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"hidden_size": 32}, "hidden_size 32 instead of 64"),
        ({"num_key_value_heads": 4}, "num_key_value_heads 4 instead of 2"),
        ({"vocab_size": 300}, "vocab_size 300 instead of 265"),
        ({"model_type": "qwen2"}, "model_type qwen2 instead of llama"),
    ],
)
def test_a_checkpoint_of_another_family_than_the_base_model_is_refused(student, tiny_model, tmp_path, changed, said):
    config = json.loads((student / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | changed))
    with pytest.raises(ValueError, match=said):
        checkpoint_to_gguf(tmp_path, tiny_model.gguf, tmp_path / "student.gguf")
    assert not (tmp_path / "student.gguf").exists()


def test_a_checkpoint_without_weights_or_with_others_is_refused(student, tiny_model, tmp_path):
    from safetensors.numpy import load_file, save_file

    (tmp_path / "config.json").write_bytes((student / "config.json").read_bytes())
    with pytest.raises(ValueError, match="holds no safetensors"):
        checkpoint_to_gguf(tmp_path, tiny_model.gguf, tmp_path / "student.gguf")
    weights = load_file(student / "model.safetensors")
    weights["model.layers.0.self_attn.q_proj.bias"] = np.ones(64, np.float32)
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"q_proj\.bias"):
        checkpoint_to_gguf(tmp_path, tiny_model.gguf, tmp_path / "student.gguf")


def test_another_quantization_keeps_metadata_and_nearly_the_weights(tiny_model, tmp_path):
    requantize(tiny_model.gguf, tmp_path / "q8.gguf", "Q8_0")
    exact, rounded = read_tensors(tiny_model.gguf), read_tensors(tmp_path / "q8.gguf")
    assert exact.keys() == rounded.keys()
    for name, values in exact.items():
        limit = np.abs(values.reshape(-1, 32)).max(1, keepdims=True) * (0.5 / 127 + 2.0**-11)
        assert (np.abs(rounded[name] - values).reshape(-1, 32) <= limit).all(), name
    before, after = read_fields(tiny_model.gguf), read_fields(tmp_path / "q8.gguf")
    assert {k: v for k, v in after.items() if "GGUF" not in k} == {k: v for k, v in before.items() if "GGUF" not in k}
