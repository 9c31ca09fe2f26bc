"""What a lake is: branches, commits, tags and objects, with one set of errors, whatever stores the bytes.

The semantics are lakeFS's (https://docs.lakefs.io/understand/model/): staged writes per branch, a commit is a
snapshot, merges are three-way by path. Implementations are beside this module.
"""

import builtins
import contextlib
import re
import shutil
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO
from urllib.parse import quote

from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import LakeRef

WRITER_BRANCH = re.compile(r".*-([0-9a-f]{8})[0-9a-f]{8}")
"""Names made by `Lake.new_branch_name`, with the second they were made in: the only branches dropped by age."""
PIECE = 1 << 20
Progress = Callable[[str, int], None]
"""Told a path and its size when it is transferred; calls come one at a time."""
_thread = threading.local()
"""`_thread.writing`: the lakes (by identity) in whose transaction this thread is."""


class LakeError(LlmopsError):
    """Anything the lake refuses or cannot do; the message says what, where and what to do."""


class NotFoundError(LakeError):
    """No such repository, branch, tag, commit or object."""


class AlreadyExistsError(LakeError):
    """A branch or tag of that name exists (and points elsewhere)."""


class InvalidNameError(LakeError):
    """A path, branch or tag name the lake does not accept."""


class NothingToCommitError(LakeError):
    """The branch has no staged change."""


class ConflictError(LakeError):
    """Both sides changed the same paths, or the branch head is not the one required."""

    def __init__(self, message: str, paths: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.paths = paths


class ProtectedBranchError(LakeError):
    """Direct writes to this branch are not allowed: use a transaction."""


class HookRefusedError(LakeError):
    """A server-side hook refused the commit or merge."""


class GoneError(LakeError):
    """The object's bytes were erased."""


class UnavailableError(LakeError):
    """The lake cannot be reached, or is locked, or out of space."""


@dataclass(frozen=True)
class ObjectStat:
    """An object's path, size in bytes, sha256 and user metadata."""

    path: str
    size: int
    sha256: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Commit:
    """A snapshot with its message, metadata and parents."""

    id: str
    message: str
    time: datetime
    metadata: Mapping[str, str]
    parents: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One path that differs between two commits."""

    path: str
    kind: str
    """`added`, `removed` or `changed`."""


class Transaction:
    """A short-lived branch of one writer; `lake.transaction` merges or drops it."""

    def __init__(self, lake: "Lake", branch: str) -> None:
        self.lake = lake
        self.branch = branch
        self.merged: str | None = None
        """Commit of the base branch after the merge; None until then, or when nothing changed."""

    def put(
        self, path: str, source: bytes | Path | IO[bytes], *, metadata: Mapping[str, str] | None = None
    ) -> ObjectStat:
        """Stage one object."""
        return self.lake.put(self.branch, path, source, metadata=metadata)

    def delete(self, path: str) -> None:
        """Stage a removal."""
        self.lake.delete(self.branch, path)

    def clear(self, prefix: str) -> None:
        """Stage the removal of everything under a prefix, so that a re-run replaces instead of appending."""
        for stat in list(self.lake.list(self.branch, prefix)):
            self.lake.delete(self.branch, stat.path)


class Lake(ABC):
    """Versioned data store of one repository."""

    scheme: str
    repository: str
    browser: str | None = None
    """Address of a web page that shows commits and objects; None when there is none."""

    def link(self, ref: LakeRef) -> str | None:
        """Where a person can look at a commit (empty path) or an object."""
        if self.browser is None:
            return None
        place = f"object/{ref.commit}/{quote(ref.path)}" if ref.path else f"commit/{ref.commit}"
        return f"{self.browser.rstrip('/')}/{place}"

    def uri(self, commit: str, path: str = "") -> LakeRef:
        """The immutable address of a path at a commit."""
        return LakeRef.model_validate(
            {"scheme": self.scheme, "repository": self.repository, "commit": commit, "path": path}
        )

    @abstractmethod
    def resolve(self, ref: str) -> str:
        """Commit id of a branch, tag or (prefix of at least 8 digits of a) commit. NotFoundError otherwise."""

    @abstractmethod
    def put(
        self, branch: str, path: str, source: bytes | Path | IO[bytes], *, metadata: Mapping[str, str] | None = None
    ) -> ObjectStat:
        """Stage an object on a branch, streaming; replaces what was there."""

    @abstractmethod
    def get(self, ref: str, path: str) -> bytes:
        """An object's bytes. NotFoundError, or GoneError after `erase`."""

    @abstractmethod
    def open(self, ref: str, path: str) -> IO[bytes]:
        """A seekable binary file for reading, without holding it in memory."""

    @abstractmethod
    def stat(self, ref: str, path: str) -> ObjectStat:
        """Size, hash and metadata."""

    @abstractmethod
    def list(self, ref: str, prefix: str = "") -> Iterator[ObjectStat]:
        """Objects under a prefix, sorted by path. A branch lists its staged state."""

    @abstractmethod
    def delete(self, branch: str, path: str) -> None:
        """Stage the removal of an object."""

    @abstractmethod
    def branch(self, name: str, source: str = "main") -> None:
        """Create a branch."""

    @abstractmethod
    def delete_branch(self, name: str) -> None:
        """Drop a branch with what is staged on it."""

    @abstractmethod
    def branches(self) -> tuple[str, ...]:
        """Names of all branches."""

    @abstractmethod
    def commit(
        self, branch: str, message: str, metadata: Mapping[str, str] | None = None, *, expected_head: str | None = None
    ) -> str:
        """Commit what is staged. NothingToCommitError; ConflictError when the head is not the expected one."""

    @abstractmethod
    def merge(
        self,
        source: str,
        into: str,
        message: str = "",
        metadata: Mapping[str, str] | None = None,
        *,
        expected_head: str | None = None,
    ) -> str:
        """Three-way merge by path; the new head of `into`. ConflictError with the paths."""

    @abstractmethod
    def tag(self, name: str, ref: str) -> None:
        """Name a commit for ever. Tagging the same commit twice is fine; another one is AlreadyExistsError."""

    @abstractmethod
    def tags(self) -> dict[str, str]:
        """Tag name to commit."""

    @abstractmethod
    def log(self, ref: str, *, path: str | None = None, limit: int | None = None) -> Iterator[Commit]:
        """Commits reachable from ref, newest first; with `path`, those that changed it (a prefix counts)."""

    @abstractmethod
    def diff(self, old: str, new: str, prefix: str = "") -> tuple[Change, ...]:
        """Paths that differ, sorted."""

    @abstractmethod
    def erase(self, path: str) -> int:
        """Remove the bytes that ever stood at a path, in every commit; later reads raise GoneError. Returns objects."""

    def read(self, ref: LakeRef) -> bytes:
        """The bytes at an address of this lake."""
        return self.get(self._own(ref).commit, ref.path)

    def _own(self, ref: LakeRef) -> LakeRef:
        if (ref.scheme, ref.repository) != (self.scheme, self.repository):
            raise NotFoundError(f"{ref} is in another lake than {self.scheme}://{self.repository}")
        return ref

    @contextlib.contextmanager
    def transaction(
        self,
        message: str,
        metadata: Mapping[str, str] | None = None,
        *,
        name: str,
        base: str = "main",
        keep_on_error: bool = False,
    ) -> Generator[Transaction]:
        """Write-audit-publish: a branch of your own; leave cleanly to merge it into base, raise to drop it.

        `name` becomes part of the branch name (letters, digits, `-`, `_`). With `keep_on_error` the failed
        branch stays for a look. A transaction that changed nothing merges nothing and leaves `merged` at base's head.
        LakeError inside another one of this lake: the inner one would publish whatever becomes of the outer one.
        """
        writing: set[int] = _thread.__dict__.setdefault("writing", set())
        if id(self) in writing:
            raise LakeError("a transaction of this lake is open here: put into it, or leave it first")
        writing.add(id(self))
        try:
            yield from self._transaction(message, metadata, name, base, keep_on_error)
        finally:
            writing.discard(id(self))

    def _transaction(
        self, message: str, metadata: Mapping[str, str] | None, name: str, base: str, keep_on_error: bool
    ) -> Generator[Transaction]:
        branch = self.new_branch_name(name)
        # Claimed before it exists: there is no moment at which it looks abandoned.
        with self._claimed(branch):
            self.branch(branch, base)
            transaction = Transaction(self, branch)
            try:
                yield transaction
                try:
                    self.commit(branch, message, metadata)
                except NothingToCommitError:
                    transaction.merged = self.resolve(base)
                else:
                    transaction.merged = self.merge(branch, base, message, metadata)
            except BaseException:
                if not keep_on_error:
                    self.delete_branch(branch)
                raise
            self.delete_branch(branch)

    @abstractmethod
    def _claimed(self, branch: str) -> AbstractContextManager[None]:
        """Mark a writer's branch as in use for as long as the context is open."""

    @abstractmethod
    def _in_use(self, branch: str) -> bool:
        """Whether the transaction of a writer's branch may still be alive."""

    @staticmethod
    def new_branch_name(name: str) -> str:
        """A name no other writer has, within what lakeFS accepts (no slash, no dot)."""
        made = f"{int(time.time()):08x}{uuid.uuid4().hex[:8]}"
        return f"{re.sub(r'[^A-Za-z0-9_-]', '-', name)[:80]}-{made}"

    def drop_abandoned(self, older_than: timedelta = timedelta(days=7)) -> tuple[str, ...]:
        """Drop the branches of transactions that began longer ago and never ended; returns their names.

        A branch whose transaction may still be alive is kept, whatever its age.
        """
        limit = time.time() - older_than.total_seconds()
        old = []
        for branch in self.branches():
            began = self._began(branch)
            if began is None or began > limit or self._in_use(branch):
                continue
            # Its transaction may have ended and dropped it since.
            with contextlib.suppress(NotFoundError):
                self.delete_branch(branch)
                old.append(branch)
        return tuple(old)

    @staticmethod
    def _began(branch: str) -> int | None:
        """The second a writer's branch was named in, None for any other branch."""
        made = WRITER_BRANCH.fullmatch(branch)
        return None if made is None else int(made[1], 16)

    # -- many objects at once ---------------------------------------------------------------------------------------

    def upload(
        self, branch: str, files: Mapping[str, bytes | Path], *, workers: int = 8, progress: Progress | None = None
    ) -> tuple[ObjectStat, ...]:
        """Stage many objects side by side, in the order given; the first failure ends it."""
        return self._side_by_side(lambda path: self.put(branch, path, files[path]), list(files), workers, progress)

    def download(
        self, ref: str, prefix: str, folder: Path, *, workers: int = 8, progress: Progress | None = None
    ) -> tuple[ObjectStat, ...]:
        """Write the objects under a prefix into a folder, each under its path after the prefix, side by side.

        A file appears whole or not at all. A branch is read at the commit it names now.
        """
        commit = self.resolve(ref)

        def fetch(path: str) -> ObjectStat:
            target = folder / path.removeprefix(prefix).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished = target.with_name(f".{uuid.uuid4().hex}")
            try:
                with self.open(commit, path) as source, unfinished.open("wb") as written:
                    shutil.copyfileobj(source, written, PIECE)
                unfinished.replace(target)
            finally:
                unfinished.unlink(missing_ok=True)
            return self.stat(commit, path)

        return self._side_by_side(fetch, [stat.path for stat in self.list(commit, prefix)], workers, progress)

    @staticmethod
    def _side_by_side(
        transfer: Callable[[str], ObjectStat], paths: builtins.list[str], workers: int, progress: Progress | None
    ) -> tuple[ObjectStat, ...]:
        done = []
        with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="lake") as pool:
            try:
                for stat in pool.map(transfer, paths):
                    done.append(stat)
                    if progress is not None:
                        progress(stat.path, stat.size)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return tuple(done)
