"""What a release becomes for vLLM: the base model as a Hugging Face folder, the adapter as a folder that peft reads.

`<models>/<hash>/` and `<adapters>/<release id>/`, both made of the verified files of a bundle, whole or not at all. A
name is never given to other weights: vLLM keeps what it computed for a name.
"""

import shutil
import uuid
from pathlib import Path

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.errors import EngineError


class Folders:
    """The folders of all releases of a gateway. Adapters of an earlier life are removed."""

    def __init__(self, adapters: Path, models: Path) -> None:
        self.adapters, self.models = adapters.resolve(), models.resolve()
        shutil.rmtree(self.adapters, ignore_errors=True)
        self.adapters.mkdir(parents=True)

    def model(self, bundle: Bundle) -> Path:
        """The model of a release, made once for all releases that share it (seconds to minutes). EngineError."""
        from llmops_assets.lib.training.gguf_weights import converted

        try:
            return converted(bundle.model, model_digest(bundle), self.models)
        except ValueError as error:
            raise EngineError(f"the model of {bundle.release_id} cannot be served by vLLM: {error}") from error

    def adapter(self, bundle: Bundle, model: Path, most_rank: int) -> str:
        """The name under which vLLM finds the adapter of a release, which has one. EngineError."""
        from llmops_assets.lib.training.peft_folders import adapter_from_gguf

        assert bundle.adapter is not None
        folder = self.adapters / bundle.release_id
        if folder.exists():
            return folder.name
        unfinished = self.adapters / f".unfinished-{uuid.uuid4().hex}"
        unfinished.mkdir()
        try:
            config, digest = model / "config.json", model_digest(bundle)
            rank = adapter_from_gguf(bundle.adapter, config, unfinished, base=str(model), revision=digest)
            if rank > most_rank:
                raise ValueError(f"its rank is {rank}: set `rank` of `vllm` to at least that")
            unfinished.rename(folder)
        except ValueError as error:
            raise EngineError(f"the adapter of {bundle.release_id} cannot be served by vLLM: {error}") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return folder.name

    def drop(self, release_id: str) -> None:
        """Remove the adapter of a release; fine where there is none."""
        shutil.rmtree(self.adapters / release_id, ignore_errors=True)


def model_digest(bundle: Bundle) -> str:
    """sha256 of the weights that a release runs on without its adapter."""
    manifest = bundle.manifest
    return manifest.engine_model.sha256 if manifest.engine_model else manifest.base.digest
