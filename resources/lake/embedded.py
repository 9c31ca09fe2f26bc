"""The lake without a server: commits in a bare Git repository, bytes in a content store beside it.

Git holds branches, tags, commits and trees of small JSON pointers; the bytes stand once per sha256 under `objects/`.
What is staged on a branch is a journal bound to the branch's head. All changes of references happen under one lock
of the operating system, which dies with its process. Why it is built like this: docs/decisions/embedded-lake.md.
"""

import builtins
import contextlib
import errno
import fcntl
import hashlib
import io
import json
import math
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, cast

import pygit2
from pygit2.enums import FileMode, ObjectType, SortMode

from llmops_assets.lib.hashing import canonical_json
from resources.lake import names
from resources.lake.base import (
    AlreadyExistsError,
    Change,
    Commit,
    ConflictError,
    GoneError,
    Lake,
    LakeError,
    NotFoundError,
    NothingToCommitError,
    ObjectStat,
    ProtectedBranchError,
    UnavailableError,
)

FORMAT_VERSION = 1
PIECE = 1 << 20
"""Bytes copied at a time."""
VERIFIED_SIZE = 64 << 20
"""`get` verifies the hash of objects up to this many bytes."""
METADATA_LINE = "\n\nLake-Metadata: "
OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


@dataclass(frozen=True)
class Pointer:
    """What the Git tree holds for an object: where its bytes are and what is known of them."""

    sha256: str
    size: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    generation: int = 0
    """How often these bytes had been erased when they were put: older pointers stay erased when they come again."""

    def to_json(self) -> str:
        """One line, equal for equal pointers."""
        return canonical_json(
            {"sha256": self.sha256, "size": self.size, "metadata": dict(self.metadata), "generation": self.generation}
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> "Pointer":
        """Parse what `to_json` wrote. LakeError on anything else."""
        try:
            value = json.loads(text)
            if re.fullmatch("[0-9a-f]{64}", value["sha256"]) is None:
                raise ValueError(value["sha256"])
            return cls(value["sha256"], int(value["size"]), value["metadata"], int(value["generation"]))
        except (ValueError, KeyError, TypeError) as error:
            raise LakeError(f"not a pointer of this lake: {text[:100]!r}; run fsck()") from error


@dataclass(frozen=True)
class Collected:
    """What `gc` removed."""

    branches: tuple[str, ...]
    objects: int
    bytes: int
    temporary: int


@dataclass
class _Journal:
    """The staged changes of a branch as read so far: path to pointer, None for a removal."""

    key: str
    offset: int = 0
    changes: dict[str, Pointer | None] = field(default_factory=dict)


class EmbeddedLake(Lake):
    """A lake in a folder, for any number of processes of one machine. The folder is made when it is missing.

    `lock_timeout` is in seconds; waiting longer for another writer raises UnavailableError.
    With `create=False` a missing lake is a NotFoundError.
    """

    scheme = "lake"

    def __init__(
        self, root: Path, repository: str = "llmops", *, lock_timeout: float = 60.0, create: bool = True
    ) -> None:
        self.root = Path(root)
        self.repository = names.check_repository(repository)
        self.lock_timeout = lock_timeout
        self._git = self.root / "repository.git"
        self._objects = self.root / "objects"
        self._staging = self.root / "staging"
        self._temporary = self.root / "temporary"
        self._writers = self.root / "writers"
        self._ledger_file = self.root / "erased.json"
        self._local = threading.local()
        self._journals: dict[str, _Journal] = {}
        self._journals_lock = threading.Lock()
        if not (self.root / "format.json").exists():
            if not create:
                raise NotFoundError(f"no lake at {self.root}: check the folder")
            self._create()
        self._check_format()

    # -- references --------------------------------------------------------------------

    def resolve(self, ref: str) -> str:
        """Commit id of a branch, tag or (prefix of at least 8 digits of a) commit. NotFoundError otherwise."""
        return str(self._commit(ref).id)

    def branch(self, name: str, source: str = names.MAIN) -> None:
        """Create a branch at the head of `source`; what is staged there stays there."""
        names.check_branch(name)
        with self._lock():
            self._refuse_taken(name)
            commit = self._commit(source)
            shutil.rmtree(self._staging / name, ignore_errors=True)
            self._set_reference(f"refs/heads/{name}", commit.id)

    def delete_branch(self, name: str) -> None:
        """Drop a branch with what is staged on it; its commits stay readable by id until `gc`."""
        self._refuse_protected(name)
        with self._lock():
            self._head(name)
            self._drop_branch(name)

    def branches(self) -> tuple[str, ...]:
        """Names of all branches, sorted."""
        return tuple(sorted(self._references("refs/heads/")))

    def tag(self, name: str, ref: str) -> None:
        """Name a commit for ever. Tagging the same commit twice is fine; another one is AlreadyExistsError."""
        names.check_tag(name)
        with self._lock():
            commit = self._commit(ref)
            existing = self._reference(f"refs/tags/{name}")
            if existing == commit.id:
                return
            self._refuse_taken(name)
            self._set_reference(f"refs/tags/{name}", commit.id)

    def tags(self) -> dict[str, str]:
        """Tag name to commit."""
        return {name: str(target) for name, target in sorted(self._references("refs/tags/").items())}

    # -- objects --------------------------------------------------------------------

    def put(
        self, branch: str, path: str, source: bytes | Path | IO[bytes], *, metadata: Mapping[str, str] | None = None
    ) -> ObjectStat:
        """Stage an object on a branch, streaming; replaces what was there.

        LakeError when a source file is missing or changes while it is read.
        """
        self._refuse_protected(branch)
        names.check_path(path)
        known = names.check_metadata(metadata)
        self._head(branch)
        with _out_of_space(f"storing {path}"), self._copied(source) as (temporary, sha256, size), self._lock():
            head = self._head(branch)
            stored = self._object_file(sha256)
            if not (stored.exists() and stored.stat().st_size == size):
                stored.parent.mkdir(exist_ok=True)
                temporary.replace(stored)
                _sync_folder(stored.parent)
            pointer = Pointer(sha256, size, known, self._ledger().get(sha256, 0))
            self._append(branch, head, {"put": path, "pointer": pointer.to_json()})
        return _stat(path, pointer)

    def delete(self, branch: str, path: str) -> None:
        """Stage the removal of an object. NotFoundError when there is none."""
        self._refuse_protected(branch)
        with self._lock(), _out_of_space(f"removing {path}"):
            self._pointer(branch, path)
            self._append(branch, self._head(branch), {"delete": path})

    def get(self, ref: str, path: str) -> bytes:
        """An object's bytes, up to 64 MB with their hash verified. NotFoundError, or GoneError after `erase`."""
        pointer = self._pointer(ref, path)
        with self._open(path, pointer) as file:
            data = file.read()
        if pointer.size <= VERIFIED_SIZE and hashlib.sha256(data).hexdigest() != pointer.sha256:
            raise LakeError(f"the bytes of {path} at {ref} are damaged: restore them from a backup; fsck() lists all")
        return data

    def open(self, ref: str, path: str) -> IO[bytes]:
        """A seekable binary file for reading, without holding it in memory; its size is checked, not its hash."""
        return self._open(path, self._pointer(ref, path))

    def stat(self, ref: str, path: str) -> ObjectStat:
        """Size, hash and metadata; known of erased objects too."""
        return _stat(path, self._pointer(ref, path))

    def list(self, ref: str, prefix: str = "") -> Iterator[ObjectStat]:
        """Objects whose path starts with a prefix, sorted by path. A branch lists its staged state."""
        names.check_prefix(prefix)
        commit, staged = self._state(ref)
        listed = self._walk(commit.tree, prefix)
        if not staged:
            return (_stat(path, pointer) for path, pointer in listed)
        merged: dict[str, Pointer | None] = dict(listed)
        merged.update((path, pointer) for path, pointer in staged.items() if path.startswith(prefix))
        return (_stat(path, pointer) for path, pointer in sorted(merged.items()) if pointer is not None)

    # -- commits --------------------------------------------------------------------

    def commit(
        self, branch: str, message: str, metadata: Mapping[str, str] | None = None, *, expected_head: str | None = None
    ) -> str:
        """Commit what is staged. NothingToCommitError; ConflictError when the head is not the expected one."""
        self._refuse_protected(branch)
        known = names.check_metadata(metadata)
        with self._lock(), _out_of_space(f"committing {branch}"):
            head = self._head(branch)
            _require_head(branch, head, expected_head)
            tree = self._with_changes(head.tree, self._staged(branch, head))
            if tree == head.tree.id:
                raise NothingToCommitError(f"branch {branch} has nothing staged that differs from its head")
            commit = self._write_commit(tree, message, known, [head])
            self._set_reference(f"refs/heads/{branch}", commit)
            # The journal is bound to the head that was, so a kill before this line leaves nothing staged twice.
            shutil.rmtree(self._staging / branch, ignore_errors=True)
        return str(commit)

    def merge(
        self,
        source: str,
        into: str,
        message: str = "",
        metadata: Mapping[str, str] | None = None,
        *,
        expected_head: str | None = None,
    ) -> str:
        """Three-way merge by path; the new head of `into`. ConflictError with the paths.

        Only what is committed on the source is merged; equal changes on both sides are no conflict. A destination
        with staged changes is refused (LakeError).
        """
        names.check_branch(into)
        known = names.check_metadata(metadata)
        with self._lock(), _out_of_space(f"merging {source} into {into}"):
            theirs, ours = self._commit(source), self._head(into)
            _require_head(into, ours, expected_head)
            if self._staged(into, ours):
                raise LakeError(f"branch {into} has staged changes: commit or drop them before merging into it")
            found = self._repository.merge_base(theirs.id, ours.id)
            if found is None:
                raise LakeError(f"{source} and {into} have no common commit: they are not of one history")
            if found == theirs.id:
                return str(ours.id)
            conflicts: list[str] = []
            base = cast(pygit2.Commit, self._repository[found])
            tree = self._merged(base.tree.id, ours.tree.id, theirs.tree.id, "", conflicts)
            if conflicts:
                shown = ", ".join(conflicts[:5]) + (" …" if len(conflicts) > 5 else "")
                raise ConflictError(
                    f"{source} and {into} both changed {len(conflicts)} path(s): {shown}; start again from {into}",
                    tuple(sorted(conflicts)),
                )
            text = message or f"Merge {source} into {into}"
            commit = self._write_commit(tree or self._empty_tree(), text, known, [ours, theirs])
            self._set_reference(f"refs/heads/{into}", commit)
        return str(commit)

    def log(self, ref: str, *, path: str | None = None, limit: int | None = None) -> Iterator[Commit]:
        """Commits reachable from ref, newest first; with `path`, those that changed that object or folder.

        With `path`, merges are left out: what they bring in was changed by the commits they merge.
        """
        start = self._commit(ref)
        if path is not None:
            names.check_path(path.removesuffix("/"))
        return self._log(start, path, limit)

    def diff(self, old: str, new: str, prefix: str = "") -> tuple[Change, ...]:
        """Paths that differ between two commits, sorted; staged changes are not looked at."""
        names.check_prefix(prefix)
        found: list[Change] = []
        self._compare(self._commit(old).tree, self._commit(new).tree, "", prefix, found)
        return tuple(sorted(found, key=lambda change: change.path))

    # -- erasing and housekeeping --------------------------------------------------------------------

    def erase(self, path: str) -> int:
        """Remove the bytes that ever stood at a path, in every commit; later reads raise GoneError. Returns objects.

        Equal bytes at other paths go with them, and so do the unfinished copies that killed writers left behind.
        Bytes put again afterwards are readable where they are put anew.
        NotFoundError when nothing ever stood there; 0 when everything was erased before.
        """
        names.check_path(path)
        with self._lock(), _out_of_space(f"erasing {path}"):
            pointers = self._ever_at(path)
            if not pointers:
                raise NotFoundError(f"nothing ever stood at {path} in {self._name}: check the path")
            ledger = self._ledger()
            fresh = {p.sha256: p.generation for p in pointers if p.generation >= ledger.get(p.sha256, 0)}
            # The ledger comes first: from here on every read is refused, even when a kill leaves bytes behind.
            if fresh:
                for sha256 in fresh:
                    ledger[sha256] = ledger.get(sha256, 0) + 1
                self._write_ledger(ledger)
            # What an earlier, interrupted call left behind goes now, unless the same bytes were put again since.
            wanted = fresh.keys() | ({p.sha256 for p in pointers} - self._referenced())
            for sha256 in wanted:
                self._object_file(sha256).unlink(missing_ok=True)
            for folder in {self._object_file(sha256).parent for sha256 in wanted}:
                if folder.exists():
                    _sync_folder(folder)
            for file in self._temporary.iterdir():
                _remove_unless_held(file)
        return len(fresh)

    def gc(self, older_than: timedelta = timedelta(days=7)) -> Collected:
        """Drop writers' branches, bytes no branch or tag refers to, and temporary files, older than an age.

        Only branches that a transaction named are dropped (they stay behind after a kill or with `keep_on_error`).
        What a living writer holds is kept whatever its age: the branch of an open transaction, everything staged on a
        branch that stays, a copy that is being made.
        """
        limit = time.time() - older_than.total_seconds()
        with self._lock():
            dropped = [
                name
                for name in self.branches()
                if self._began(name) is not None and self._last_use(name) <= limit and not self._in_use(name)
            ]
            for name in dropped:
                self._drop_branch(name)
            referenced = self._referenced()
            objects = size = 0
            for file in self._objects.glob("??/*"):
                known = file.stat()
                if file.parent.name + file.name not in referenced and known.st_mtime <= limit:
                    file.unlink()
                    objects, size = objects + 1, size + known.st_size
            temporary = sum(_remove_unless_held(file, limit) for file in self._temporary.iterdir())
            for claim in self._writers.glob("*"):
                _remove_unless_held(claim)
        return Collected(tuple(dropped), objects, size, temporary)

    def fsck(self) -> builtins.list[str]:
        """Everything wrong with the lake, one sentence each; empty when all is well. Reads every byte."""
        problems: list[str] = []
        with self._lock():
            ledger = self._ledger()
            alive: dict[str, tuple[int, str]] = {}
            try:
                for place, pointer in self._all_pointers():
                    if pointer.generation >= ledger.get(pointer.sha256, 0):
                        alive[pointer.sha256] = (pointer.size, place)
            except (LakeError, pygit2.GitError, KeyError) as error:
                problems.append(f"the history cannot be read: {error}")
        for sha256, (size, place) in sorted(alive.items(), key=lambda item: item[1][1]):
            file = self._object_file(sha256)
            if not file.exists():
                problems.append(f"the bytes of {place} are missing")
            elif file.stat().st_size != size:
                problems.append(f"the bytes of {place} have size {file.stat().st_size}, not {size}")
            else:
                with file.open("rb") as opened:
                    if hashlib.file_digest(opened, "sha256").hexdigest() != sha256:
                        problems.append(f"the bytes of {place} are damaged")
        problems.extend(
            f"erased bytes {sha256} are still stored: run erase or gc again"
            for sha256 in sorted(ledger.keys() - alive.keys())
            if self._object_file(sha256).exists()
        )
        return problems

    # -- creation and format --------------------------------------------------------------------

    def _create(self) -> None:
        with _out_of_space(f"creating a lake at {self.root}"):
            for folder in (self.root, self._objects, self._staging, self._temporary):
                folder.mkdir(parents=True, exist_ok=True)
            with self._lock():
                if (self.root / "format.json").exists():
                    return
                repository = pygit2.init_repository(str(self._git), bare=True, initial_head=names.MAIN)
                repository.config["core.fsyncObjectFiles"] = True
                commit = self._write_commit(self._empty_tree(), "Repository created", {}, [], seconds=0)
                self._set_reference(f"refs/heads/{names.MAIN}", commit)
                # Written last: a lake without it was never finished and is made again.
                self._replace_json(
                    self.root / "format.json", {"version": FORMAT_VERSION, "repository": self.repository}
                )

    def _check_format(self) -> None:
        file = self.root / "format.json"
        try:
            known = json.loads(file.read_bytes())
            version, repository = known["version"], known["repository"]
        except (ValueError, KeyError, TypeError) as error:
            raise LakeError(f"{file} is not the format note of a lake: restore it or choose another folder") from error
        if version != FORMAT_VERSION:
            raise LakeError(
                f"the lake at {self.root} has format {version}, this program reads {FORMAT_VERSION}: upgrade"
            )
        if repository != self.repository:
            raise LakeError(f"the lake at {self.root} holds repository {repository!r}, not {self.repository!r}")

    @property
    def _name(self) -> str:
        return f"{self.scheme}://{self.repository}"

    @property
    def _repository(self) -> pygit2.Repository:
        # libgit2's handles are not safe to share between threads.
        if not hasattr(self._local, "repository"):
            self._local.repository = pygit2.Repository(str(self._git))
        return self._local.repository

    # -- lock --------------------------------------------------------------------

    @contextlib.contextmanager
    def _lock(self) -> Generator[None]:
        """The one lock of the lake, for all threads and processes; the system frees it when its holder dies."""
        deadline = time.monotonic() + self.lock_timeout
        with (self.root / "lock").open("ab") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise UnavailableError(
                            f"the lake at {self.root} was locked for {self.lock_timeout:g} s: try again later"
                        ) from None
                    time.sleep(0.005)
            yield

    # -- living writers --------------------------------------------------------------------

    @contextlib.contextmanager
    def _claimed(self, branch: str) -> Generator[None]:
        self._writers.mkdir(exist_ok=True)
        with _held(self._writers / branch):
            yield

    def _in_use(self, branch: str) -> bool:
        return _is_held(self._writers / branch)

    # -- references, below the lock --------------------------------------------------------------------

    def _reference(self, name: str) -> pygit2.Oid | None:
        try:
            return cast(pygit2.Oid, self._repository.lookup_reference(name).target)
        except KeyError:
            return None

    def _references(self, prefix: str) -> dict[str, pygit2.Oid]:
        found: dict[str, pygit2.Oid] = {}
        for name in self._repository.listall_references():
            if name.startswith(prefix) and (target := self._reference(name)) is not None:
                found[name.removeprefix(prefix)] = target
        return found

    def _set_reference(self, name: str, target: pygit2.Oid) -> None:
        self._clear_stale_locks(name)
        self._repository.references.create(name, target, force=True)

    def _clear_stale_locks(self, name: str) -> None:
        # Only holders of our lock write references, so a lock file of Git's is one that a killed process left.
        for stale in (self._git / f"{name}.lock", self._git / "packed-refs.lock"):
            stale.unlink(missing_ok=True)

    def _drop_branch(self, name: str) -> None:
        shutil.rmtree(self._staging / name, ignore_errors=True)
        self._clear_stale_locks(f"refs/heads/{name}")
        self._repository.references.delete(f"refs/heads/{name}")

    def _last_use(self, branch: str) -> float:
        files = (self._git / "refs" / "heads" / branch, *(self._staging / branch).glob("*"))
        return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)

    def _head(self, branch: str) -> pygit2.Commit:
        names.check_branch(branch)
        target = self._reference(f"refs/heads/{branch}")
        if target is None:
            raise NotFoundError(f"no branch {branch} in {self._name}: create it with branch()")
        return cast(pygit2.Commit, self._repository[target])

    def _commit(self, ref: str) -> pygit2.Commit:
        target = None
        if isinstance(ref, str) and re.fullmatch(r"\w[-.\w]*", ref, re.ASCII):
            target = self._reference(f"refs/heads/{ref}") or self._reference(f"refs/tags/{ref}")
            if target is None and names.COMMIT_PREFIX.fullmatch(ref) and len(ref) <= 40:
                try:
                    found = self._repository.get(ref)
                except ValueError:
                    raise NotFoundError(f"{ref} begins several ids in {self._name}: give more digits") from None
                if isinstance(found, pygit2.Commit):
                    return found
        if target is None:
            raise NotFoundError(f"no branch, tag or commit {ref!r} in {self._name}")
        return cast(pygit2.Commit, self._repository[target])

    def _refuse_taken(self, name: str) -> None:
        for kind, place in (("branch", "heads"), ("tag", "tags")):
            if self._reference(f"refs/{place}/{name}") is not None:
                raise AlreadyExistsError(f"{kind} {name} exists in {self._name}: choose another name")

    def _refuse_protected(self, branch: str) -> None:
        if branch == names.MAIN:
            raise ProtectedBranchError(f"{branch} takes merges only: write in a transaction")

    # -- staging --------------------------------------------------------------------

    def _append(self, branch: str, head: pygit2.Commit, entry: dict[str, str]) -> None:
        file = self._journal_file(branch, head)
        file.parent.mkdir(exist_ok=True)
        with file.open("a+b") as journal:
            if journal.tell() == 0:
                # Tells this journal from an earlier one of the same branch and head.
                journal.write(canonical_json({"journal": uuid.uuid4().hex}).encode() + b"\n")
            else:
                _cut_torn_line(journal)
            journal.write(canonical_json(entry).encode() + b"\n")

    def _staged(self, branch: str, head: pygit2.Commit) -> dict[str, Pointer | None]:
        """The staged changes; only lines written since the last look are parsed."""
        try:
            journal = self._journal_file(branch, head).open("rb")
        except FileNotFoundError:
            return {}
        with journal, self._journals_lock:
            key = journal.readline().decode()
            known = self._journals.get(branch)
            if known is None or known.key != key:
                known = self._journals[branch] = _Journal(key, journal.tell())
            journal.seek(known.offset)
            for line in journal:
                if not line.endswith(b"\n"):
                    break  # a writer is at it, or was killed there
                entry = json.loads(line)
                if "put" in entry:
                    known.changes[entry["put"]] = Pointer.from_json(entry["pointer"])
                else:
                    known.changes[entry["delete"]] = None
                known.offset += len(line)
            return dict(known.changes)

    def _journal_file(self, branch: str, head: pygit2.Commit) -> Path:
        return self._staging / branch / f"{head.id}.jsonl"

    def _state(self, ref: str) -> tuple[pygit2.Commit, dict[str, Pointer | None]]:
        """The commit behind a ref, and what is staged on it if it is a branch."""
        commit = self._commit(ref)
        return commit, (self._staged(ref, commit) if self._reference(f"refs/heads/{ref}") is not None else {})

    # -- bytes --------------------------------------------------------------------

    @contextlib.contextmanager
    def _copied(self, source: bytes | Path | IO[bytes]) -> Generator[tuple[Path, str, int]]:
        """A durable temporary copy of a source with its hash and size, removed at the end if it is still there."""
        temporary = self._temporary / uuid.uuid4().hex
        digest, size = hashlib.sha256(), 0
        with _held(temporary) as target:
            with _reading(source) as read:
                while piece := read(PIECE):
                    if not isinstance(piece, bytes):
                        raise LakeError(f"the source gives {type(piece).__name__}, not bytes: open it in mode 'rb'")
                    target.write(piece)
                    digest.update(piece)
                    size += len(piece)
                target.flush()
                os.fsync(target.fileno())
            yield temporary, digest.hexdigest(), size

    def _open(self, path: str, pointer: Pointer) -> IO[bytes]:
        try:
            file = self._object_file(pointer.sha256).open("rb")
        except FileNotFoundError:
            file = None
        # The ledger is read after opening: a file opened before an erasure must not pass as one that may be read.
        if pointer.generation < self._ledger().get(pointer.sha256, 0):
            if file is not None:
                file.close()
            raise GoneError(f"the bytes of {path} were erased from {self._name}")
        if file is None:
            raise NotFoundError(
                f"the bytes of {path} are not stored any more: its branch was dropped and collected, or see fsck()"
            )
        size = os.fstat(file.fileno()).st_size
        if size != pointer.size:
            file.close()
            raise LakeError(f"the bytes of {path} have size {size}, not {pointer.size}: restore them from a backup")
        return file

    def _object_file(self, sha256: str) -> Path:
        return self._objects / sha256[:2] / sha256[2:]

    def _ledger(self) -> dict[str, int]:
        """How often each hash was erased."""
        try:
            return json.loads(self._ledger_file.read_bytes())
        except FileNotFoundError:
            return {}

    def _write_ledger(self, ledger: dict[str, int]) -> None:
        self._replace_json(self._ledger_file, ledger)

    def _replace_json(self, file: Path, value: Any) -> None:
        """Write a JSON file so that a reader sees the old one or the new one, whatever happens."""
        temporary = self._temporary / uuid.uuid4().hex
        with temporary.open("xb") as target:
            target.write(canonical_json(value).encode())
            target.flush()
            os.fsync(target.fileno())
        temporary.replace(file)
        _sync_folder(file.parent)

    # -- trees: folders are entries named `+name`, objects `=name`, so that the two never collide --------------------

    def _empty_tree(self) -> pygit2.Oid:
        return self._repository.TreeBuilder().write()

    def _tree(self, oid: pygit2.Oid | None) -> pygit2.Tree | None:
        return None if oid is None else cast(pygit2.Tree, self._repository[oid])

    def _pointer(self, ref: str, path: str) -> Pointer:
        names.check_path(path)
        commit, staged = self._state(ref)
        if path in staged:
            pointer = staged[path]
        else:
            found = _entry(commit.tree, path, "=")
            pointer = None if found is None else self._read_pointer(found)
        if pointer is None:
            raise NotFoundError(f"no object {path} at {ref} in {self._name}")
        return pointer

    def _read_pointer(self, oid: pygit2.Oid) -> Pointer:
        return Pointer.from_json(cast(pygit2.Blob, self._repository[oid]).data)

    def _walk(self, tree: pygit2.Tree, prefix: str, folder: str = "") -> Iterator[tuple[str, Pointer]]:
        """Objects under a prefix in the order of their paths."""
        for key, entry in sorted(_named(tree).items()):
            path = folder + key
            if key.endswith("/"):
                if path.startswith(prefix) or prefix.startswith(path):
                    yield from self._walk(cast(pygit2.Tree, entry), prefix, path)
            elif path.startswith(prefix):
                yield path, self._read_pointer(entry.id)

    def _compare(
        self, old: pygit2.Tree | None, new: pygit2.Tree | None, folder: str, prefix: str, found: builtins.list[Change]
    ) -> None:
        """Add the differences of two trees under a prefix; equal subtrees are not entered."""
        before, after = _named(old), _named(new)
        for key in before.keys() | after.keys():
            left, right, path = before.get(key), after.get(key), folder + key
            if left is not None and right is not None and left.id == right.id:
                continue
            if key.endswith("/"):
                if path.startswith(prefix) or prefix.startswith(path):
                    self._compare(cast(Any, left), cast(Any, right), path, prefix, found)
            elif path.startswith(prefix):
                found.append(Change(path, "added" if left is None else "removed" if right is None else "changed"))

    def _with_changes(self, tree: pygit2.Tree, changes: Mapping[str, Pointer | None]) -> pygit2.Oid:
        """A tree with staged changes applied; every touched folder is written once."""
        nested: dict[str, Any] = {}
        for path, pointer in changes.items():
            *folders, leaf = path.split("/")
            place = nested
            for name in folders:
                place = place.setdefault("+" + name, {})
            place["=" + leaf] = pointer
        return self._applied(tree, nested) or self._empty_tree()

    def _applied(self, tree: pygit2.Tree | None, changes: dict[str, Any]) -> pygit2.Oid | None:
        builder = self._repository.TreeBuilder(tree) if tree is not None else self._repository.TreeBuilder()
        for name, change in changes.items():
            if name.startswith("+"):
                old = cast(pygit2.Tree, tree[name]) if tree is not None and name in tree else None
                oid = self._applied(old, change)
                mode = FileMode.TREE
            else:
                oid = None if change is None else self._repository.create_blob(change.to_json().encode())
                mode = FileMode.BLOB
            if oid is not None:
                builder.insert(name, oid, mode)
            elif builder.get(name) is not None:
                builder.remove(name)
        return builder.write() if len(builder) else None

    def _merged(
        self,
        base: pygit2.Oid | None,
        ours: pygit2.Oid | None,
        theirs: pygit2.Oid | None,
        folder: str,
        conflicts: builtins.list[str],
    ) -> pygit2.Oid | None:
        """Three-way merge of trees: the side that changed a path wins, two different changes of one conflict."""
        if ours == theirs or base == theirs:
            return ours
        if base == ours:
            return theirs
        sides = [_named(self._tree(oid)) for oid in (base, ours, theirs)]
        builder = self._repository.TreeBuilder()
        for key in set().union(*sides):
            before, left, right = (None if (entry := side.get(key)) is None else entry.id for side in sides)
            if key.endswith("/"):
                oid = self._merged(before, left, right, folder + key, conflicts)
                name, mode = "+" + key[:-1], FileMode.TREE
            else:
                if left != right and before not in (left, right):
                    conflicts.append(folder + key)
                oid = right if before == left else left
                name, mode = "=" + key, FileMode.BLOB
            if oid is not None:
                builder.insert(name, oid, mode)
        return builder.write() if len(builder) else None

    # -- commits, below the lock --------------------------------------------------------------------

    def _write_commit(
        self,
        tree: pygit2.Oid,
        message: str,
        metadata: dict[str, str],
        parents: builtins.list[pygit2.Commit],
        *,
        seconds: int | None = None,
    ) -> pygit2.Oid:
        # A clock set back must not put a commit before its parents.
        moment = max([int(time.time()) if seconds is None else seconds, *(p.commit_time for p in parents)])
        author = pygit2.Signature("lake", "lake@localhost", moment, 0)
        text = names.check_text(message, "the commit message") + METADATA_LINE + canonical_json(metadata)
        return self._repository.create_commit(None, author, author, text, tree, [parent.id for parent in parents])

    def _log(self, start: pygit2.Commit, path: str | None, limit: int | None) -> Iterator[Commit]:
        given = 0
        for commit in self._repository.walk(start.id, SortMode.TOPOLOGICAL | SortMode.TIME):
            if limit is not None and given >= limit:
                return
            if path is None or _changed_by(commit, path):
                given += 1
                yield _commit_record(commit)

    # -- everything there is --------------------------------------------------------------------

    def _all_pointers(self) -> Iterator[tuple[str, Pointer]]:
        """Every pointer that branches, tags and staged changes reach, with a place where it stands."""
        seen: set[pygit2.Oid] = set()
        for commit in self._reachable():
            yield from self._unseen(commit.tree, "", str(commit.id)[:12], seen)
        for name, target in self._references("refs/heads/").items():
            staged = self._staged(name, cast(pygit2.Commit, self._repository[target]))
            yield from ((f"{path} staged on {name}", pointer) for path, pointer in staged.items() if pointer)

    def _unseen(
        self, tree: pygit2.Tree, folder: str, commit: str, seen: "set[pygit2.Oid]"
    ) -> Iterator[tuple[str, Pointer]]:
        if tree.id in seen:
            return
        seen.add(tree.id)
        for key, entry in _named(tree).items():
            if key.endswith("/"):
                yield from self._unseen(cast(pygit2.Tree, entry), folder + key, commit, seen)
            elif entry.id not in seen:
                seen.add(entry.id)
                yield f"{folder}{key} at {commit}", self._read_pointer(entry.id)

    def _reachable(self) -> Iterator[pygit2.Commit]:
        walker = self._repository.walk(None)
        for target in {**self._references("refs/heads/"), **self._references("refs/tags/")}.values():
            walker.push(target)
        return walker

    def _referenced(self) -> "set[str]":
        """Hashes of the bytes that some pointer may still read."""
        ledger = self._ledger()
        return {p.sha256 for _, p in self._all_pointers() if p.generation >= ledger.get(p.sha256, 0)}

    def _ever_at(self, path: str) -> builtins.list[Pointer]:
        """All pointers that stood at a path: in every stored commit, dropped branches' too, and staged."""
        oids = set()
        for oid in self._repository:
            if self._repository.odb.read_header(oid)[0] == ObjectType.COMMIT:
                found = _entry(cast(pygit2.Commit, self._repository[oid]).tree, path, "=")
                if found is not None:
                    oids.add(found)
        pointers = [self._read_pointer(oid) for oid in oids]
        for file in self._staging.glob("*/*.jsonl"):
            for line in file.read_bytes().split(b"\n")[:-1]:
                entry = json.loads(line)
                if entry.get("put") == path:
                    pointers.append(Pointer.from_json(entry["pointer"]))
        return list({(p.sha256, p.generation): p for p in pointers}.values())


def _stat(path: str, pointer: Pointer) -> ObjectStat:
    return ObjectStat(path, pointer.size, pointer.sha256, dict(pointer.metadata))


def _named(tree: pygit2.Tree | None) -> dict[str, pygit2.Object]:
    """A tree's entries by path part; folders end in `/`, which makes plain sorting the order of whole paths."""
    if tree is None:
        return {}
    entries = ((cast(str, entry.name), entry) for entry in tree)
    return {(name[1:] + "/" if name.startswith("+") else name[1:]): entry for name, entry in entries}


def _entry(tree: pygit2.Tree, path: str, kind: str) -> pygit2.Oid | None:
    """Id of the object (`=`) or folder (`+`) at a path."""
    *folders, leaf = path.split("/")
    for name in folders:
        if "+" + name not in tree:
            return None
        tree = cast(pygit2.Tree, tree["+" + name])
    return tree[kind + leaf].id if kind + leaf in tree else None


def _changed_by(commit: pygit2.Commit, path: str) -> bool:
    if len(commit.parents) > 1:
        return False
    kinds = ("+",) if path.endswith("/") else ("=", "+")
    trees = [commit.tree, *(parent.tree for parent in commit.parents)]
    states = [tuple(_entry(tree, path.removesuffix("/"), kind) for kind in kinds) for tree in trees]
    return states[0] != (states[1] if len(states) > 1 else (None,) * len(kinds))


def _commit_record(commit: pygit2.Commit) -> Commit:
    message, _, metadata = commit.message.rpartition(METADATA_LINE)
    try:
        known = json.loads(metadata)
    except ValueError as error:
        raise LakeError(f"commit {commit.id} was not written by a lake: its metadata line is missing") from error
    moment = datetime.fromtimestamp(commit.commit_time, UTC)
    return Commit(str(commit.id), message, moment, known, tuple(str(parent) for parent in commit.parent_ids))


def _require_head(branch: str, head: pygit2.Commit, expected: str | None) -> None:
    if expected is not None and str(head.id) != expected:
        raise ConflictError(f"{branch} is at {head.id}, not at {expected}: somebody else was first, start again")


@contextlib.contextmanager
def _reading(source: bytes | Path | IO[bytes]) -> Generator[Callable[[int], bytes]]:
    """A source's read function; a file that changes meanwhile is refused at the end."""
    if isinstance(source, Path):
        try:
            file = source.open("rb")
        except OSError as error:
            raise LakeError(f"cannot read {source}: {error.strerror}") from error
        with file:
            before = os.fstat(file.fileno())
            yield file.read
            after = source.stat() if source.exists() else None
        if after is None or (before.st_size, before.st_mtime_ns, before.st_ino) != (
            after.st_size,
            after.st_mtime_ns,
            after.st_ino,
        ):
            raise LakeError(f"{source} changed while it was read: put it again when its writer is done")
    elif isinstance(source, bytes):
        yield io.BytesIO(source).read
    else:
        yield source.read


def _cut_torn_line(journal: IO[bytes]) -> None:
    """Cut what a killed writer left of its last line; the file is open for appending."""
    size = journal.seek(0, os.SEEK_END)
    end = size
    while end:
        start = max(0, end - 4096)
        journal.seek(start)
        cut = journal.read(end - start).rfind(b"\n")
        if cut >= 0:
            end = start + cut + 1
            break
        end = start
    if end != size:
        journal.truncate(end)


@contextlib.contextmanager
def _held(file: Path) -> Generator[IO[bytes]]:
    """A new or abandoned file that nobody else may remove until the context ends, which removes it.

    The hold is a lock of the operating system's: it dies with its process.
    """
    while True:
        opened = file.open("ab")
        fcntl.flock(opened, fcntl.LOCK_EX)
        if os.fstat(opened.fileno()).st_nlink:
            break
        opened.close()  # removed between opening and locking: once more
    with opened:
        try:
            yield opened
        finally:
            file.unlink(missing_ok=True)


def _is_held(file: Path) -> bool:
    try:
        opened = file.open("rb")
    except FileNotFoundError:
        return False
    with opened:
        return not _locks(opened)


def _remove_unless_held(file: Path, limit: float = math.inf) -> bool:
    """Remove a file that no living process holds and that was last written until `limit`; whether it was removed."""
    try:
        opened = file.open("rb")
    except FileNotFoundError:
        return False
    with opened:
        free = os.fstat(opened.fileno()).st_mtime <= limit and _locks(opened)
        if free:
            # While it is locked here, nobody can begin to hold it.
            file.unlink(missing_ok=True)
    return free


def _locks(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _out_of_space(doing: str) -> Generator[None]:
    """Turn a full or read-only disk, as Python or libgit2 report it, into UnavailableError."""
    try:
        yield
    except (OSError, pygit2.GitError) as error:
        texts = [os.strerror(code) for code in OUT_OF_SPACE]
        if getattr(error, "errno", None) in OUT_OF_SPACE or any(text in str(error) for text in texts):
            raise UnavailableError(f"{doing} failed: {error}; free some space and run again") from error
        raise
