"""Beside vLLM on a cluster: keeps a folder of adapters at what gateways may be told to serve, verified and whole.

`python -m resources.deployment_target.adapters --routes DIR --adapters DIR --model DIR`. vLLM itself never speaks to
the lake; it looks up a name that it does not know in that folder (lora_filesystem_resolver). An adapter is called by
its release, whose name is the hash of everything in it, so a name never gets other weights.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from llmops_assets.gateway.state import ServingState
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.hashing import hash_file
from llmops_assets.lib.records import ReleaseManifest
from resources.deployment_target.fetching import fetch, follow, lake_of_environment, say
from resources.deployment_target.routes import from_folder
from resources.lake.base import Lake, LakeError
from resources.models import Models

COMPLETE = ".complete"
"""A file that is there once every adapter that gateways serve was: the pod is ready from then on."""


class AdapterError(LlmopsError):
    """An adapter cannot be served by this vLLM; the message says why."""


class Adapters:
    """The folder `adapters` of a vLLM that serves the model in `model`, under that very path.

    `digest` is the model's, as `Models` takes it; `most_rank` is vLLM's --max-lora-rank.
    """

    def __init__(
        self, routes: Path, adapters: Path, model: Path, digest: str, lake: Lake, *, most_rank: int = 16
    ) -> None:
        self.routes, self.adapters, self.model = routes, adapters, model
        self._digest, self._lake, self._most_rank = digest, lake, most_rank
        self._refused: set[str] = set()

    def step(self) -> bool:
        """Take over what is routed now; whether all that gateways serve is there.

        The newest release is fetched before anything is routed to it. LakeError when the lake does not answer: what is
        there stays. One that this vLLM cannot serve is said once, and no gateway takes it.
        """
        routes = from_folder(self.routes)
        state = routes.state if routes else ServingState()
        releases = routes.releases if routes else ()
        newest = releases[-1].release_id if releases else None
        wanted = {*state.releases(), state.previous, newest}
        needed = [m for m in releases if m.release_id in wanted and m.adapter is not None]
        missing, error = [m for m in needed if not self._is_done(m.release_id)], None
        for manifest in missing:
            try:
                self._bring(manifest)
            except LakeError as failed:
                error = failed
            except (AdapterError, ValueError) as failed:
                self._refused.add(manifest.release_id)
                say(f"{manifest.release_id} cannot be served here: {failed}")
        for folder in self.adapters.iterdir():
            if folder.is_dir() and not folder.name.startswith(".") and folder.name not in wanted:
                shutil.rmtree(folder, ignore_errors=True)
        complete = all(self._is_done(m.release_id) for m in needed if m.release_id in state.releases())
        if complete:
            (self.adapters / COMPLETE).touch()
        if error is not None:
            raise error
        return complete

    def _is_done(self, release_id: str) -> bool:
        return release_id in self._refused or (self.adapters / release_id).exists()

    def _bring(self, manifest: ReleaseManifest) -> None:
        from llmops_assets.lib.training.peft_folders import adapter_from_gguf

        if manifest.engine_model is not None or manifest.base.digest != self._digest:
            raise AdapterError("it is of another base model than this vLLM serves")
        assert manifest.adapter is not None
        with tempfile.TemporaryDirectory(dir=self.adapters, prefix=".unfinished-") as scratch:
            file, folder = Path(scratch) / "adapter.gguf", Path(scratch) / "adapter"
            fetch(self._lake, manifest.adapter, file)
            if hash_file(file) != manifest.adapter.sha256:
                raise AdapterError(f"{manifest.adapter.ref} is not the file its manifest names")
            folder.mkdir()
            config, base = self.model / "config.json", str(self.model)
            rank = adapter_from_gguf(file, config, folder, base=base, revision=self._digest)
            if rank > self._most_rank:
                raise AdapterError(f"its rank is {rank}: raise --max-lora-rank and --most-rank to at least that")
            folder.rename(self.adapters / manifest.release_id)


def main() -> None:
    """Keep the folder until a signal ends it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--routes", type=Path, required=True, help="folder that the ConfigMap is mounted at")
    parser.add_argument("--adapters", type=Path, required=True, help="vLLM's VLLM_LORA_RESOLVER_CACHE_DIR")
    parser.add_argument("--model", type=Path, required=True, help="the folder that vLLM serves, at the same path")
    parser.add_argument("--most-rank", type=int, default=16, help="vLLM's --max-lora-rank")
    arguments = parser.parse_args()
    lake = lake_of_environment(parser)
    digest = Models(Path("/tmp/models")).resolve(str(arguments.model)).ref.digest
    routes, adapters, model = arguments.routes, arguments.adapters, arguments.model
    follow(Adapters(routes, adapters, model, digest, lake, most_rank=arguments.most_rank).step)


if __name__ == "__main__":
    main()
