"""A GGUF model as a Hugging Face folder and back, and LoRA adapters as GGUF: numpy only, bit-identical, in seconds.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. llama.cpp stores the rows of q and k interleaved
for its rotary embedding; the two permutations here undo and redo that.
"""

import json
import re
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gguf import GGUFReader

HF_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
GGUF_NAMES = {hf: gguf for gguf, hf in HF_NAMES.items()}
CONTROL_TOKEN = 3
SIZES = {
    "hidden_size": "llama.embedding_length",
    "intermediate_size": "llama.feed_forward_length",
    "num_attention_heads": "llama.attention.head_count",
    "num_key_value_heads": "llama.attention.head_count_kv",
}
"""What a checkpoint must have in common with the GGUF file that lends it its metadata: setting, GGUF field."""
OF_THE_FILE = ("general.architecture", "general.file_type")
"""Fields that are made anew: the architecture by the writer; the file type is read off the matrices."""
OF_THE_WEIGHTS = ("general.name", "general.size_label", "general.basename", "general.finetune")
"""Fields that name one set of weights, and would be wrong on another one."""


def read_fields(path: Path) -> dict[str, Any]:
    """Metadata of a GGUF file. ValueError when it is not a llama-like model with a byte-level BPE vocabulary."""
    from gguf import GGUFReader

    fields = {name: field.contents() for name, field in GGUFReader(str(path)).fields.items()}
    if fields.get("general.architecture") != "llama" or fields.get("tokenizer.ggml.model") != "gpt2":
        raise ValueError(
            f"{path.name} is a {fields.get('general.architecture')} model with a {fields.get('tokenizer.ggml.model')} "
            "vocabulary: only llama models with a gpt2 (byte-level BPE) vocabulary are converted; give the Hugging "
            "Face folder instead"
        )
    return fields


def converted(gguf: Path, digest: str, cache: Path) -> Path:
    """The Hugging Face folder of a model, made once under the hash of its file; `parameters` in it is their number."""
    folder = cache / digest[:32]
    if folder.exists():
        return folder
    unfinished = cache / f"unfinished-{uuid.uuid4().hex}"
    unfinished.mkdir(parents=True)
    try:
        count = convert(gguf, unfinished)
        (unfinished / "parameters").write_text(str(count))
        # Another process may have been first; either result is the same.
        if not folder.exists():
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def convert(gguf: Path, folder: Path) -> int:
    """Write config.json, model.safetensors (float32) and the tokenizer into an existing folder; returns parameters."""
    from gguf import GGUFReader
    from gguf.quants import dequantize
    from safetensors.numpy import save_file

    fields = read_fields(gguf)
    heads, kv_heads = fields["llama.attention.head_count"], fields["llama.attention.head_count_kv"]
    tensors: dict[str, np.ndarray] = {}
    for tensor in GGUFReader(str(gguf)).tensors:
        shape = tuple(int(n) for n in reversed(tensor.shape))
        values = np.asarray(dequantize(tensor.data, tensor.tensor_type), np.float32).reshape(shape)
        name = hf_name(tensor.name)
        if name.endswith("q_proj.weight"):
            values = unpermute(values, heads)
        elif name.endswith("k_proj.weight"):
            values = unpermute(values, kv_heads)
        tensors[name] = np.ascontiguousarray(values)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": fields["llama.embedding_length"],
        "intermediate_size": fields["llama.feed_forward_length"],
        "num_hidden_layers": fields["llama.block_count"],
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": fields["llama.context_length"],
        "rms_norm_eps": fields["llama.attention.layer_norm_rms_epsilon"],
        "rope_theta": fields["llama.rope.freq_base"],
        "vocab_size": len(fields["tokenizer.ggml.tokens"]),
        "tie_word_embeddings": "lm_head.weight" not in tensors,
        "hidden_act": "silu",
        "bos_token_id": fields.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": fields["tokenizer.ggml.eos_token_id"],
        "pad_token_id": 0,
        "dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    _write_tokenizer(fields, folder)
    return sum(t.size for t in tensors.values())


def _write_tokenizer(fields: dict[str, Any], folder: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in fields["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    # The `smollm` pre-tokenizer of llama.cpp takes digits one by one.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    control = [t for t, kind in zip(tokens, fields["tokenizer.ggml.token_type"], strict=True) if kind == CONTROL_TOKEN]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": tokens[fields["tokenizer.ggml.eos_token_id"]],
        # The file's own padding token is its end token, which would be masked out of the labels with it.
        "pad_token": tokens[0],
        "chat_template": fields.get("tokenizer.chat_template", ""),
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(about, indent=1))


def hf_name(name: str) -> str:
    """Name of a GGUF tensor in a Hugging Face checkpoint."""
    match = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", name)
    if match:
        return f"model.layers.{match[1]}.{HF_NAMES[match[2]]}.weight"
    return f"{HF_NAMES[name.removesuffix('.weight')]}.weight"


def gguf_name(name: str) -> str:
    """Name of a Hugging Face weight (without `.weight`) in a GGUF file (with it); ValueError when llama has none."""
    match = re.fullmatch(r"(?:model\.layers\.(\d+)\.)?(.+)", name)
    if match is None or match[2] not in GGUF_NAMES:
        raise ValueError(f"{name} is no weight of a llama model: it has no place in a GGUF file")
    return f"{'' if match[1] is None else f'blk.{match[1]}.'}{GGUF_NAMES[match[2]]}.weight"


def permute(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows (out, …) from Hugging Face's order into llama.cpp's."""
    out = weight.shape[0]
    return weight.reshape(heads, 2, out // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def unpermute(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows (out, …) from llama.cpp's order into Hugging Face's."""
    out = weight.shape[0]
    return weight.reshape(heads, out // heads // 2, 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def adapter_to_gguf(adapter: Path, config: Path, target: Path) -> None:
    """A peft LoRA folder as a GGUF adapter for llama.cpp; `config` is the base model's config.json."""
    from gguf import GGUFWriter
    from safetensors.numpy import load_file

    settings = json.loads((adapter / "adapter_config.json").read_text())
    base = json.loads(config.read_text())
    writer = GGUFWriter(str(target), "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(settings["lora_alpha"]))
    for name, values in sorted(load_file(adapter / "adapter_model.safetensors").items()):
        match = re.fullmatch(r"base_model\.model\.(.+)\.lora_([AB])\.weight", name)
        if match is None:
            raise ValueError(f"{name} is no LoRA weight: only plain LoRA adapters become GGUF")
        values = values.astype(np.float32)
        if match[2] == "B" and match[1].endswith("q_proj"):
            values = permute(values, base["num_attention_heads"])
        elif match[2] == "B" and match[1].endswith("k_proj"):
            values = permute(values, base["num_key_value_heads"])
        writer.add_tensor(f"{gguf_name(match[1])}.lora_{match[2].lower()}", np.ascontiguousarray(values, np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def checkpoint_to_gguf(folder: Path, like: Path, target: Path, kind: str = "F16") -> None:
    """A Hugging Face llama checkpoint (config.json, *.safetensors) as GGUF, its matrices as `F32`, `F16` or `Q8_0`.

    Tokenizer, chat template and the settings of attention are those of `like`, the base model's file; the number of
    layers is the checkpoint's own. ValueError when the two are not of one family (other widths, another vocabulary).
    """
    from gguf import GGUFReader
    from safetensors.torch import load_file

    config, fields = json.loads((folder / "config.json").read_text()), read_fields(like)
    expected = {"model_type": "llama", "vocab_size": len(fields["tokenizer.ggml.tokens"])}
    expected |= {key: fields[field] for key, field in SIZES.items()}
    different = [
        f"{key} {config.get(key)} instead of {value}" for key, value in expected.items() if config.get(key) != value
    ]
    if different:
        raise ValueError(f"{folder.name} does not go with {like.name}: {', '.join(different)}")
    tensors: dict[str, np.ndarray] = {}
    for file in sorted(folder.glob("*.safetensors")):
        # Through torch: numpy has no bfloat16, in which most checkpoints are.
        for name, tensor in load_file(file).items():
            values = tensor.float().numpy()
            if name.endswith("q_proj.weight"):
                values = permute(values, config["num_attention_heads"])
            elif name.endswith("k_proj.weight"):
                values = permute(values, config["num_key_value_heads"])
            tensors[gguf_name(name.removesuffix(".weight"))] = values
    if not tensors:
        raise ValueError(f"{folder.name} holds no safetensors: there are no weights to convert")
    reader = GGUFReader(str(like))
    layers = {"llama.block_count": config["num_hidden_layers"]}
    _write_model(target, reader, tensors.items(), kind, changed=layers, without=OF_THE_WEIGHTS)


def requantize(gguf: Path, target: Path, kind: str) -> None:
    """Copy a GGUF model with its matrices in another quantization (`Q8_0`, `Q4_0`, `F16`); metadata is kept."""
    from gguf import GGUFReader
    from gguf.quants import dequantize

    reader = GGUFReader(str(gguf))
    tensors = (
        (t.name, np.asarray(dequantize(t.data, t.tensor_type), np.float32).reshape([int(n) for n in t.shape[::-1]]))
        for t in reader.tensors
    )
    _write_model(target, reader, tensors, kind)


def quantization(gguf: Path) -> str:
    """Name of the quantization that the matrices of a GGUF file have, as `requantize` takes it."""
    from gguf import GGUFReader

    (kind,) = {tensor.tensor_type.name for tensor in GGUFReader(str(gguf)).tensors if len(tensor.shape) > 1}
    return kind


def _write_model(
    target: Path,
    like: "GGUFReader",
    tensors: Iterable[tuple[str, np.ndarray]],
    kind: str,
    *,
    changed: Mapping[str, Any] | None = None,
    without: Sequence[str] = (),
) -> None:
    """Write float32 tensors, matrices in quantization `kind`, with the metadata of `like`."""
    from gguf import GGMLQuantizationType, GGUFWriter
    from gguf.quants import quantize

    wanted, changed = GGMLQuantizationType[kind], changed or {}
    writer = GGUFWriter(str(target), "llama")
    for name, field in like.fields.items():
        if name.startswith("GGUF.") or name in OF_THE_FILE or name in without:
            continue
        sub_type = field.types[1] if len(field.types) > 1 else None
        writer.add_key_value(name, changed.get(name, field.contents()), field.types[0], sub_type)
    for name, values in tensors:
        if values.ndim < 2:
            writer.add_tensor(name, values)
        else:
            raw = None if wanted in (GGMLQuantizationType.F16, GGMLQuantizationType.F32) else wanted
            writer.add_tensor(name, quantize(values, wanted), raw_dtype=raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
