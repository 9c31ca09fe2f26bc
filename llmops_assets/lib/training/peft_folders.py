"""A GGUF adapter as the folder that peft writes, for servers that read no GGUF: the same numbers, equally precise.

Made of the file that a release names by its hash, so that whoever serves it serves what was judged. The format:
https://huggingface.co/docs/peft/developer_guides/checkpoint. numpy only; equal inputs give equal bytes.
"""

import json
import re
from pathlib import Path

import numpy as np

from llmops_assets.lib.training.gguf_weights import hf_name, unpermute

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def adapter_from_gguf(gguf: Path, model_config: Path, folder: Path, *, base: str, revision: str) -> int:
    """Write an adapter's two files into an existing folder; returns its rank.

    `model_config` is the base model's config.json, `base` the name that the server knows the base model by, and
    `revision` the hash of its weights. ValueError on a file that is no LoRA adapter of one rank.
    """
    from gguf import GGUFReader
    from safetensors.numpy import save_file

    reader, model = GGUFReader(str(gguf)), json.loads(model_config.read_text())
    heads = {"q_proj": model["num_attention_heads"], "k_proj": model["num_key_value_heads"]}
    alpha = reader.fields.get("adapter.lora.alpha")
    if alpha is None:
        raise ValueError(f"{gguf.name} is no LoRA adapter: it names no alpha")
    weights: dict[str, np.ndarray] = {}
    modules, ranks = set(), set()
    for tensor in reader.tensors:
        match = re.fullmatch(r"(.+)\.weight\.lora_([ab])", tensor.name)
        if match is None:
            raise ValueError(f"{tensor.name} is no weight of a LoRA adapter")
        name = hf_name(f"{match[1]}.weight").removesuffix(".weight")
        module = name.rpartition(".")[2]
        values = np.array(tensor.data)
        ranks.add(values.shape[0] if match[2] == "a" else values.shape[1])
        if match[2] == "b" and module in heads:
            values = unpermute(values, heads[module])
        modules.add(module)
        weights[f"base_model.model.{name}.lora_{match[2].upper()}.weight"] = np.ascontiguousarray(values)
    if len(ranks) != 1:
        raise ValueError(f"{gguf.name} has matrices of the ranks {sorted(ranks)}: only adapters of one rank are served")
    (rank,) = ranks
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    about = {
        "base_model_name_or_path": base,
        "revision": revision,
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "inference_mode": True,
        "r": rank,
        "lora_alpha": float(alpha.contents()),
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "target_modules": sorted(modules),
    }
    (folder / CONFIG).write_text(json.dumps(about, indent=1, sort_keys=True))
    return rank
