"""Beside a gateway on a cluster: brings the releases that it shall serve from the lake, verified, then tells it.

`python -m resources.deployment_target.fetching --routes DIR --root DIR [--once]`. The gateway itself never speaks to
the API server or the lake; it watches its folder as it does everywhere.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from llmops_assets.gateway.bundle import bundle_folder, write_bundle
from llmops_assets.gateway.state import read_state, write_state
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import FileRef
from llmops_assets.lib.signing import RefusedError, insist_sealed, read_trusted
from resources.deployment_target.base import read_seal
from resources.deployment_target.routes import REDACTION, Routes, from_folder
from resources.lake.base import Lake, LakeError
from resources.models import Models

POLL_SECONDS = 1.0
VARIABLES = ("LAKEFS_ENDPOINT", "LAKEFS_ACCESS_KEY_ID", "LAKEFS_SECRET_ACCESS_KEY")


class RedactionChangedError(LlmopsError):
    """A gateway redacts by the rules that it started with; it must start again before it serves under others."""


class Fetcher:
    """Keeps the folder `root` of a gateway at what `routes` says.

    `base_model` is the name by which `models` finds the base model of releases that bring no engine model; none: the
    name in the manifest. `trusted` is the file of keys that sign releases. `weightless`: the gateway's upstreams have
    the models, so none is fetched.
    """

    def __init__(
        self,
        routes: Path,
        root: Path,
        lake: Lake,
        models: Models,
        trusted: Path,
        base_model: str = "",
        *,
        weightless: bool = False,
    ) -> None:
        self.routes, self.root, self.trusted = routes, root, trusted
        self._weightless = weightless
        self._lake, self._models = lake, models
        self._base_model = base_model

    def step(self) -> bool:
        """Take over what is routed now; whether there is anything at all.

        LakeError when the lake does not answer: what was served still is, and the next step tries again. A release
        whose files are not what its manifest names is told to the gateway all the same, which refuses the whole state.
        """
        routes = from_folder(self.routes)
        if routes is None:
            return False
        self._redact_by(routes)
        if routes.state.generation == read_state(self.root).generation and (self.root / "state.json").exists():
            return True
        for release_id in routes.state.releases():
            self._bring(release_id, routes)
        write_state(self.root, routes.state)
        self._drop(routes)
        return True

    def _redact_by(self, routes: Routes) -> None:
        file = self.root / REDACTION
        rules = json.dumps(routes.redaction, sort_keys=True)
        if not file.exists():
            self.root.mkdir(parents=True, exist_ok=True)
            unfinished = file.with_name(f".{REDACTION}")
            unfinished.write_text(rules)
            unfinished.replace(file)
        elif file.read_text() != rules:
            raise RedactionChangedError(
                "the rules of redaction changed: kubectl rollout restart deployment/gateway; until then nothing new is "
                "served"
            )

    def _bring(self, release_id: str, routes: Routes) -> None:
        manifest = routes.find(release_id)
        if manifest is None:
            say(f"{release_id} shall be served, and its manifest is not among the routes")
            return
        try:
            own = manifest.engine_model is not None or self._weightless
            base = None if own else self._models.resolve(self._base_model or manifest.base.name).gguf
            seal = read_seal(self._lake, release_id) if release_id in routes.state.released() else {}
            if seal:
                insist_sealed(seal, manifest, read_trusted(self.trusted))
            write_bundle(self.root, manifest, self._fetch, base, seal, weightless=self._weightless)
        except (RefusedError, LlmopsError) as error:
            if isinstance(error, LakeError):
                raise
            say(f"{release_id} cannot be served: {error}")

    def _fetch(self, file: FileRef, target: Path) -> None:
        fetch(self._lake, file, target)

    def _drop(self, routes: Routes) -> None:
        """Remove the files of releases that are neither served nor were just before."""
        needed = {*routes.state.releases(), routes.state.previous}
        folder = bundle_folder(self.root, "any").parent
        for bundle in folder.iterdir() if folder.exists() else ():
            if bundle.name not in needed and not bundle.name.startswith("."):
                shutil.rmtree(bundle, ignore_errors=True)


def fetch(lake: Lake, file: FileRef, target: Path) -> None:
    """Write the bytes that a FileRef names to a path."""
    with lake.open(file.ref.commit, file.ref.path) as source, target.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)


def say(told: str) -> None:
    """A line for the container's log."""
    print(told, file=sys.stderr, flush=True)


def main() -> None:
    """Fetch until a signal ends it; with --once until the first state is there."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--routes", type=Path, required=True, help="folder that the ConfigMap is mounted at")
    parser.add_argument("--root", type=Path, required=True, help="the gateway's folder")
    parser.add_argument("--trusted-keys", type=Path, required=True, help="PEM file of the keys that sign releases")
    parser.add_argument("--models", type=Path, default=Path("/tmp/models"), help="cache of base models")
    parser.add_argument("--base-model", default="", help="wheel model or folder; none: the manifest's name")
    parser.add_argument("--weightless", action="store_true", help="fetch no models: the gateway's upstreams have them")
    parser.add_argument("--once", action="store_true", help="end when there is something to serve")
    arguments = parser.parse_args()
    lake, models = lake_of_environment(parser), Models(arguments.models)
    routes, root, trusted = arguments.routes, arguments.root, arguments.trusted_keys
    fetcher = Fetcher(routes, root, lake, models, trusted, arguments.base_model, weightless=arguments.weightless)
    follow(fetcher.step, once=arguments.once)


def lake_of_environment(parser: argparse.ArgumentParser) -> Lake:
    """The lake that the environment names; the program ends where it does not."""
    from resources.lake.lakefs import LakeFSLake

    missing = [name for name in VARIABLES if not os.environ.get(name)]
    if missing:
        parser.error(f"{', '.join(missing)} must be in the environment")
    return LakeFSLake(*(os.environ[name] for name in VARIABLES), os.environ.get("LAKEFS_REPOSITORY", "llmops"))


def follow(step: Callable[[], bool], *, once: bool = False) -> None:
    """Take step after step, with `once` until there was something to do. What goes wrong is said and tried again."""
    said = ""
    while True:
        told = ""
        try:
            if step() and once:
                return
        except (LlmopsError, ValueError, OSError) as error:
            told = str(error)
        if told and told != said:
            say(told)
        said = told
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
