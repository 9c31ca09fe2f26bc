"""A release on the serving machine: one folder per release, complete and verified, or absent.

`<root>/bundles/<release id>/` holds manifest.json, model.gguf, and where the release has them adapter.gguf and
index.zip. What is served is only what hashes to the manifest; what customers are served is signed too, and its folder
holds model.sig, bom.json and evidence/ beside them (docs/decisions/signing.md). A candidate under judgement has no
signature yet: it answers only those who ask for it by name. A gateway whose upstreams answer needs no weights: its
bundles are made `weightless`.
"""

import functools
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from llmops_assets.lib import signing
from llmops_assets.lib.hashing import hash_file
from llmops_assets.lib.records import FileRef, ReleaseManifest
from llmops_assets.lib.signing import RefusedError

Fetch = Callable[[FileRef, Path], None]
"""Writes the bytes a FileRef names to a path."""


class BundleError(RefusedError):
    """A bundle is incomplete or not what its manifest says."""


@dataclass(frozen=True)
class Bundle:
    """A verified release on disk."""

    folder: Path
    manifest: ReleaseManifest
    model: Path
    adapter: Path | None
    index: Path | None
    signed_by: str = ""
    """Id of the key whose signature was verified; empty: nobody asked for one."""

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
    root: Path,
    manifest: ReleaseManifest,
    fetch: Fetch,
    base_model: Path | None,
    seal: Mapping[str, bytes] | None = None,
    *,
    weightless: bool = False,
) -> Bundle:
    """Put a release's files in place, atomically; a complete one that is there already is kept.

    `base_model` is the base model's own GGUF file, linked or copied when the manifest names no other engine model.
    `seal` are the small files that were signed with it, and the signature; none: it is not released yet.
    """
    name = manifest.release_id
    folder = bundle_folder(root, name)
    if folder.exists():
        try:
            bundle = load_bundle(folder, weightless=weightless)
            # Neither touches what was just verified.
            if seal:
                _put_seal(folder, seal)
                for file in set(_files(folder, name)) - {*seal, *signing.model_files(manifest)}:
                    (folder / file).unlink()
            return bundle
        except RefusedError:
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
        (unfinished / signing.MANIFEST).write_text(manifest.text())
        _put_seal(unfinished, seal or {})
        load_bundle(unfinished, named=name, weightless=weightless)
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
        told = "names no engine model, and the base model has no file for it"
        raise BundleError(manifest.release_id, "model.gguf", told)
    if manifest.adapter is not None:
        fetch(manifest.adapter, folder / "adapter.gguf")


def load_bundle(
    folder: Path, named: str | None = None, trusted: signing.TrustedKeys | None = None, *, weightless: bool = False
) -> Bundle:
    """Read and verify a bundle. RefusedError with the file's name when one is missing, too many, or another.

    With `trusted` keys, as for everything that customers are served, first in this order: the signature is one of
    theirs and about this release; the files that lie there are those that it names; each has the hash that it names;
    the gate's evidence is about this release and lets it pass. Then, always: the manifest can be read and is that of
    the release of this name; the files of model and index have the hashes that it names. Of a `weightless` bundle the
    weights may be missing: who has them checks them against the manifest.
    """
    name = named or folder.name
    absent = signing.WEIGHTS if weightless else frozenset[str]()
    found: dict[str, str] = {}
    signed_by = ""
    if trusted is not None:
        signed_by, statement = signing.insist_signed(_bytes(folder / signing.SIGNATURE), name, trusted)
        found = {file: hash_file(folder / file) for file in _files(folder, name)}
        signing.insist_same(statement, found, absent)
        signing.insist_judged({file: (folder / file).read_bytes() for file in found if file in signing.SEALED}, name)
    try:
        manifest = ReleaseManifest.model_validate_json((folder / signing.MANIFEST).read_text())
    except (OSError, ValueError) as error:
        told = f"no readable {signing.MANIFEST} ({error}); apply the release again"
        raise BundleError(name, signing.MANIFEST, told) from error
    if manifest.release_id != name:
        told = f"{signing.MANIFEST} is that of {manifest.release_id}; apply the release again"
        raise BundleError(name, signing.MANIFEST, told)
    for file, sha256 in signing.model_files(manifest).items():
        if not (folder / file).exists():
            if file in absent:
                continue
            raise BundleError(name, file, f"{file} is missing; apply the release again")
        if (found.get(file) or hash_file(folder / file)) != sha256:
            raise BundleError(name, file, f"{file} is not the file its manifest names; apply the release again")
    return Bundle(
        folder,
        manifest,
        folder / "model.gguf",
        folder / "adapter.gguf" if manifest.adapter else None,
        folder / "index.zip" if manifest.knowledge_index else None,
        signed_by,
    )


def _files(folder: Path, name: str) -> list[str]:
    """Every file of a bundle but the signature. RefusedError for what is neither a file nor a folder."""
    found = []
    for path in sorted(folder.rglob("*")):
        file = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise BundleError(name, file, f"{file} is no plain file")
        if path.is_file() and file != signing.SIGNATURE:
            found.append(file)
    return found


def _bytes(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _put_seal(folder: Path, seal: Mapping[str, bytes]) -> None:
    """Write what was signed with a release beside it, the signature last: without it nothing counts."""
    for file in sorted(seal, key=lambda name: name == signing.SIGNATURE):
        target = folder / file
        if _bytes(target) == seal[file]:
            continue
        target.parent.mkdir(exist_ok=True)
        # Beside the folder: whatever is left behind in it would be a file that nobody signed.
        unfinished = folder.with_name(f".unfinished-{uuid.uuid4().hex}")
        unfinished.write_bytes(seal[file])
        os.replace(unfinished, target)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
