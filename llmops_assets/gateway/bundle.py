"""A release on the serving machine: one folder per release, complete and verified, or absent.

`<root>/bundles/<release id>/` holds manifest.json, model.gguf, and where the release has them adapter.gguf and
index.zip. What is served is only what hashes to the manifest. A gateway whose upstreams answer needs no weights: its
bundles are made `weightless`.
"""

import functools
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from llmops_assets.lib.hashing import hash_file
from llmops_assets.lib.records import FileRef, ReleaseManifest

Fetch = Callable[[FileRef, Path], None]
"""Writes the bytes a FileRef names to a path."""


class BundleError(Exception):
    """A bundle is incomplete or not what its manifest says."""


@dataclass(frozen=True)
class Bundle:
    """A verified release on disk."""

    folder: Path
    manifest: ReleaseManifest
    model: Path
    adapter: Path | None
    index: Path | None

    @functools.cached_property
    def release_id(self) -> str:
        """Name of the release: a hash of the whole manifest, taken once and not for every request."""
        return self.manifest.release_id

    @property
    def written(self) -> int:
        """When it was put in place here, in Unix seconds."""
        return int((self.folder / "manifest.json").stat().st_mtime)


def bundle_folder(root: Path, release_id: str) -> Path:
    """Where a release lies."""
    return root / "bundles" / release_id


def write_bundle(
    root: Path, manifest: ReleaseManifest, fetch: Fetch, base_model: Path | None, *, weightless: bool = False
) -> Bundle:
    """Put a release's files in place, atomically; a complete one that is there already is kept.

    `base_model` is the base model's own GGUF file, linked or copied when the manifest names no other engine model.
    """
    folder = bundle_folder(root, manifest.release_id)
    if folder.exists():
        try:
            return load_bundle(folder, weightless=weightless)
        except BundleError:
            # Damaged after it was written: made again from the lake.
            shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".unfinished-{uuid.uuid4().hex}")
    unfinished.mkdir()
    try:
        if not weightless:
            _fetch_weights(manifest, fetch, base_model, unfinished)
        if manifest.knowledge_index is not None:
            fetch(manifest.knowledge_index, unfinished / "index.zip")
        (unfinished / "manifest.json").write_text(manifest.text())
        load_bundle(unfinished, named=manifest.release_id, weightless=weightless)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return load_bundle(folder, weightless=weightless)


def _fetch_weights(manifest: ReleaseManifest, fetch: Fetch, base_model: Path | None, folder: Path) -> None:
    if manifest.engine_model is not None:
        fetch(manifest.engine_model, folder / "model.gguf")
    elif base_model is not None:
        _link(base_model, folder / "model.gguf")
    else:
        raise BundleError(f"{manifest.release_id} names no engine model, and the base model has no file for it")
    if manifest.adapter is not None:
        fetch(manifest.adapter, folder / "adapter.gguf")


def load_bundle(folder: Path, named: str | None = None, *, weightless: bool = False) -> Bundle:
    """Read and verify a bundle; BundleError when a file is missing or differs from the manifest."""
    try:
        manifest = ReleaseManifest.model_validate_json((folder / "manifest.json").read_text())
    except (OSError, ValueError) as error:
        raise BundleError(f"{folder.name}: no readable manifest.json ({error}); apply the release again") from error
    if manifest.release_id != (named or folder.name):
        raise BundleError(f"{folder.name} holds the manifest of {manifest.release_id}: apply the release again")
    expected = {
        "model.gguf": manifest.engine_model.sha256 if manifest.engine_model else manifest.base.digest,
        "adapter.gguf": manifest.adapter.sha256 if manifest.adapter else None,
        "index.zip": manifest.knowledge_index.sha256 if manifest.knowledge_index else None,
    }
    for name, sha256 in expected.items():
        if sha256 is None or (weightless and name.endswith(".gguf")):
            continue
        file = folder / name
        if not file.exists():
            raise BundleError(f"{folder.name}: {name} is missing; apply the release again")
        if hash_file(file) != sha256:
            raise BundleError(f"{folder.name}: {name} is not the file its manifest names; apply the release again")
    return Bundle(
        folder,
        manifest,
        folder / "model.gguf",
        folder / "adapter.gguf" if manifest.adapter else None,
        folder / "index.zip" if manifest.knowledge_index else None,
    )


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
