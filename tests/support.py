"""What several tests need: an embedder over words, a tiny model made on the fly, and shorthand for records."""

import hashlib
import json
import random
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np

from llmops_assets.lib.records import Article, DatasetRef, DriftReport, DriftWindow, EvalItem, LakeRef
from resources.models import ResolvedModel

Item = TypeVar("Item")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class WordEmbedder:
    """Unit vectors from the words of a text: alike when they share words. An `Embeds` without weights."""

    digest = "words"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        result = np.zeros((len(texts), 256), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()) or ["?"]:
                result[row, int(hashlib.sha256(word.encode()).hexdigest(), 16) % 256] += 1
        return result / np.linalg.norm(result, axis=1, keepdims=True)

    most_tokens = 128

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def vectors(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        unique = list(dict.fromkeys(texts))
        return dict(zip(unique, self.embed(unique), strict=True))


def ref(path: str = "data/x.parquet", commit: str = COMMIT) -> LakeRef:
    return LakeRef(repository="llmops", commit=commit, path=path)


def dataset(rows: int = 10, digest: str = "d" * 64) -> DatasetRef:
    return DatasetRef(name="rows", ref=ref(), digest=digest, rows=rows)


def article(name: str, answer: str, *questions: str, facts=(), held_out=(), intent: str = "") -> Article:
    return Article(
        id=name,
        intent=intent or name,
        title=name,
        answer=answer,
        facts=facts,
        questions=questions or (f"What about {name}?",),
        held_out=tuple(held_out),
    )


def item(name: str, slice_: str = "faq", article_: str | None = "a", facts=(), reference: str = "") -> EvalItem:
    return EvalItem(id=name, slice=slice_, question=name, article=article_, intent="", reference=reference, facts=facts)


def drift_report(day: date, flags: Sequence[bool], *, alarm: int | None = None, size: int = 60) -> DriftReport:
    """A day whose windows drifted as flagged."""
    start = datetime(day.year, day.month, day.day, 6, tzinfo=UTC)
    windows = tuple(
        DriftWindow(
            start=start + timedelta(hours=n),
            end=start + timedelta(hours=n, minutes=59),
            size=size,
            novelty_share=0.3 if flag else 0.05,
            novelty_p=0.0001 if flag else 0.6,
            intents_p=0.5,
            drifted=flag,
        )
        for n, flag in enumerate(flags)
    )
    return DriftReport(
        day=day,
        reference=ref(),
        reference_size=600,
        calibration_size=400,
        novelty_threshold=0.4,
        alpha=0.05,
        windows=windows,
        cusum=9.0 if alarm else 1.0,
        cusum_alarm_at=alarm,
        interactions=size * len(windows),
        drifted=any(flags) or alarm is not None,
        report=ref("monitoring/drift_report/x.html"),
    )


def shuffled(items: Sequence[Item], seed: int, group: Callable[[Item], str]) -> list[Item]:
    """The groups in the order of a seed, and the items within each; a group's items stay together."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(group(item), []).append(item)
    order, names = random.Random(seed), list(groups)
    order.shuffle(names)
    for name in names:
        order.shuffle(groups[name])
    return [item for name in names for item in groups[name]]


def tiny_lora(model: ResolvedModel, folder: Path, seed: int = 1, rank: int = 16) -> Path:
    """The GGUF file of a LoRA adapter of one matrix of a model, random weights; `folder` is made for it."""
    from safetensors.numpy import save_file

    from llmops_assets.lib.training.gguf_weights import adapter_to_gguf

    folder.mkdir(parents=True)
    size, rng = json.loads((model.folder / "config.json").read_text())["hidden_size"], np.random.default_rng(seed)
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"
    shapes = {"A": (rank, size), "B": (size, rank)}
    weights = {name.format(part): rng.normal(size=shape).astype(np.float32) for part, shape in shapes.items()}
    save_file(weights, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"lora_alpha": 32}))
    adapter_to_gguf(folder, model.folder / "config.json", folder / "adapter.gguf")
    return folder / "adapter.gguf"


def write_tiny_gguf(path: Path, seed: int = 3) -> None:
    """A llama model with two layers and a byte-level vocabulary, random weights, as llama.cpp and `convert` read it."""
    from gguf import GGUFWriter, TokenType

    hidden, wide, layers, heads, kv_heads = 64, 128, 2, 4, 2
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = sorted(_byte_letters().values())
    merges = ["t h", "h e", "a n", "i n", "o r", "e r"]
    tokens = special + letters + [merge.replace(" ", "") for merge in merges]
    kinds = [TokenType.CONTROL] * len(special) + [TokenType.NORMAL] * (len(tokens) - len(special))
    writer = GGUFWriter(str(path), "llama")
    writer.add_context_length(2048)
    writer.add_embedding_length(hidden)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(wide)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    rng = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return rng.normal(0, 0.08, (rows, columns)).astype(np.float32)

    head = hidden // heads
    writer.add_tensor("token_embd.weight", matrix(len(tokens), hidden))
    writer.add_tensor("output_norm.weight", np.ones(hidden, np.float32))
    for layer in range(layers):
        name = f"blk.{layer}."
        writer.add_tensor(f"{name}attn_norm.weight", np.ones(hidden, np.float32))
        writer.add_tensor(f"{name}ffn_norm.weight", np.ones(hidden, np.float32))
        writer.add_tensor(f"{name}attn_q.weight", matrix(hidden, hidden))
        writer.add_tensor(f"{name}attn_k.weight", matrix(kv_heads * head, hidden))
        writer.add_tensor(f"{name}attn_v.weight", matrix(kv_heads * head, hidden))
        writer.add_tensor(f"{name}attn_output.weight", matrix(hidden, hidden))
        writer.add_tensor(f"{name}ffn_gate.weight", matrix(wide, hidden))
        writer.add_tensor(f"{name}ffn_up.weight", matrix(wide, hidden))
        writer.add_tensor(f"{name}ffn_down.weight", matrix(hidden, wide))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _byte_letters() -> dict[int, str]:
    """GPT-2's printable letter of every byte."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in kept}
    letters.update({byte: chr(256 + n) for n, byte in enumerate(b for b in range(256) if b not in kept)})
    return letters
