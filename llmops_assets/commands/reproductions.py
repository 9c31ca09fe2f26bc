"""Makes a release or a tuned model again from what its manifest and builds name, and compares bytes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from llmops_assets.data import knowledge_base
from llmops_assets.handover import serving
from llmops_assets.lib.corpus.articles import from_jsonl
from llmops_assets.lib.hashing import hash_bytes, hash_file
from llmops_assets.lib.records import FileRef, LakeRef, Release, ReleaseManifest, TunedModel
from llmops_assets.training import rebuilding
from llmops_assets.training.rebuilding import NotRebuildableError
from llmops_assets.training.tuning import FOLDERS
from resources import home_folder, open_lake
from resources.embedder import InstalledEmbedder
from resources.lake.base import GoneError, Lake, NotFoundError
from resources.models import Models
from resources.wiring import open_models
from resources.workspace import Workspace

DIGITS = 16
"""Of a tuned model's hash, which name its folder in the lake."""
LEAST = 8
"""Digits of a hash from which on it is looked for."""


@dataclass(frozen=True)
class Part:
    """One part that was made again: files that are not equal to the lake's, and what differs from the time it was made.

    What differs is no reproach where the bytes are equal; where they are not, the first of it is where to look.
    """

    name: str
    differing: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether every byte is the same."""
        return not self.differing

    def told(self) -> str:
        """The part as a line."""
        if self.equal:
            return f"{self.name}: equal bytes" + (f", though {'; '.join(self.changes)}" if self.changes else "")
        first = f"first that differs: {self.changes[0]}" if self.changes else "no recorded input differs"
        return f"{self.name}: {', '.join(self.differing)} not equal; {first}"


@dataclass(frozen=True)
class Reproduction:
    """The systems that a reproduction reads; it writes to a scratch branch and a scratch folder only."""

    lake: Lake
    models: Models
    workspace: Workspace
    embedder: InstalledEmbedder

    def parts(self, name: str, *, whole: bool = True) -> Iterator[Part]:
        """Every part of a release, or a tuned model by its hash or its folder in the lake, one after the other.

        With `whole` also what it started from. It ends at the first part that is not equal. NotRebuildableError.
        """
        for part in self._of_release(name, whole) if name.startswith("r-") else self._models(self._folder(name), whole):
            yield part
            if not part.equal:
                return

    def _of_release(self, name: str, whole: bool) -> Iterator[Part]:
        release = self._release(name)
        if release.tuned is not None:
            if release.tuned.kind == "adapter" and release.manifest.adapter_digest != release.tuned.digest:
                raise NotRebuildableError(f"{name} serves another adapter than {release.tuned.digest}, which it names")
            yield from self._models(release.tuned.ref, whole, release.tuned)
        index, engine = release.manifest.knowledge_index, release.manifest.engine_model
        if index is not None:
            yield self._index(index)
        if engine is not None and (release.tuned is None or release.tuned.kind == "adapter"):
            yield self._engine(release, engine)

    def _release(self, name: str) -> Release:
        try:
            release = serving.published(self.lake, name)
        except NotFoundError:
            raise NotRebuildableError(f"{name} was never released: name a release that was") from None
        manifest = ReleaseManifest.model_validate_json(self.lake.read(release.manifest_ref))
        for where, found in {"manifest": manifest, "record": release.manifest}.items():
            if found.release_id != name:
                raise NotRebuildableError(f"the {where} of {name} hashes to {found.release_id}: it was changed since")
        return release

    def _folder(self, name: str) -> LakeRef:
        if "://" in name:
            try:
                return LakeRef.model_validate(name)
            except ValueError:
                raise NotRebuildableError(f"{name!r} is no address in a lake") from None
        commit = self.lake.resolve("main")
        found = {
            stat.path.rpartition("/")[0]
            for folder in FOLDERS.values()
            if len(name) >= LEAST
            for stat in self.lake.list(commit, f"{folder}/{name[:DIGITS]}")
        }
        if len(found) != 1:
            what = f"{len(found)} tuned models begin with" if found else "no release or tuned model is called"
            raise NotRebuildableError(f"{what} {name!r}: give a release, an adapter's hash, or its folder in the lake")
        return self.lake.uri(commit, found.pop())

    def _models(self, folder: LakeRef, whole: bool, claimed: TunedModel | None = None) -> Iterator[Part]:
        """A tuned model after those it started from; each starts from what was made again before it."""
        links = rebuilding.chain(self.lake, folder) if whole else [(folder, rebuilding.build_at(self.lake, folder))]
        # Everything is there, or nothing is begun.
        for at, build in links:
            model = rebuilding.base_model(self.models, build, self.workspace.settings.base_model)
            said = claimed if at == folder else None
            rebuilding.insist_inputs(self.lake, model, build, said)
            if said is not None:
                rebuilding.insist_recorded(self.lake, at, build, said)
        with (
            self.workspace.scratch() as scratch,
            rebuilding.scratch_branch(self.lake, "reproduce", folder.commit) as branch,
        ):
            start: Path | None = None
            for number, (at, build) in enumerate(links):
                made = scratch / str(number)
                made.mkdir()
                model = rebuilding.base_model(self.models, build, self.workspace.settings.base_model)
                rebuilding.make(self.lake, model, build, start, made)
                yield Part(
                    f"{build.kind} {at.path.rpartition('/')[2]} ({build.recipe.method}, {build.dataset.rows} rows)",
                    tuple(rebuilding.differing(self.lake, branch, at, made)),
                    tuple(rebuilding.changed_since(build)),
                )
                start = made

    def _index(self, file: FileRef) -> Part:
        from llmops_assets.lib.answering.knowledge import KnowledgeIndex

        try:
            articles = from_jsonl(self.lake.get(file.ref.commit, knowledge_base.PATHS["articles"]))
        except (GoneError, NotFoundError) as error:
            raise NotRebuildableError(f"knowledge index: its articles cannot be read: {error}") from None
        made = hash_bytes(KnowledgeIndex.fitted(articles, self.embedder).to_bytes())
        return _same("knowledge index", file, made)

    def _engine(self, release: Release, file: FileRef) -> Part:
        from llmops_assets.lib.training.gguf_weights import quantization, requantize

        base = release.tuned.base if release.tuned else release.manifest.base
        model = self.models.resolve(self.workspace.settings.base_model)
        if model.ref.digest != base.digest:
            raise NotRebuildableError(f"base model: {model.ref.digest} here, {base.digest} was recorded")
        if model.gguf is None:
            raise NotRebuildableError(f"{model.ref.name} has no GGUF file to quantize: give a folder that holds one")
        with self.workspace.scratch() as scratch:
            stored = scratch / "stored.gguf"
            stored.write_bytes(self.lake.read(file.ref))
            requantize(model.gguf, scratch / "made.gguf", quantization(stored))
            return _same("engine model", file, hash_file(scratch / "made.gguf"))


def _same(name: str, file: FileRef, made: str) -> Part:
    at = file.ref.path.rpartition("/")[2]
    return Part(f"{name} {at}", () if made == file.sha256 else (at,), ())


def reproduce(name: str, *, whole: bool, tell: Callable[[str], None]) -> bool:
    """Make a release or a tuned model of this installation again and tell of each part; whether all are equal."""
    workspace = Workspace(home_folder())
    lake = open_lake(workspace)
    work = Reproduction(lake, open_models(workspace), workspace, InstalledEmbedder(workspace.embeddings))
    equal = True
    for part in work.parts(name, whole=whole):
        tell(part.told())
        equal = equal and part.equal
    return equal
