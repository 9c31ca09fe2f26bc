"""The lake on a lakeFS server, through its Python client (https://docs.lakefs.io/integrations/python/).

lakeFS stages per branch and shares that among all writers, so every writer here has a short-lived branch of its own
(`Lake.transaction`). What a lost connection leaves open is looked up by an operation id in the commit's metadata, so a
retry never commits twice. Names are checked by names.py, as in the embedded lake.
"""

import builtins
import contextlib
import functools
import hashlib
import io
import json
import os
import random
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import quote, unquote

from llmops_assets.lib.hashing import canonical_json
from resources.lake import names
from resources.lake.base import (
    AlreadyExistsError,
    Change,
    Commit,
    ConflictError,
    GoneError,
    HookRefusedError,
    InvalidNameError,
    Lake,
    LakeError,
    NotFoundError,
    NothingToCommitError,
    ObjectStat,
    ProtectedBranchError,
    UnavailableError,
)

OPERATION = "llmops_operation"
"""Key of the commit metadata that tells whether an operation whose answer was lost has happened."""
PAGE = 1000
PIECE = 1 << 20
READ_AHEAD = 8 << 20
"""Bytes fetched at a time by `open`."""
CONNECT_SECONDS = 10.0
SILENT_ATTEMPTS = 2
"""Requests sent to a server that does not answer: a kept connection may have died unseen, a new one may not."""
LIVE = timedelta(days=1)
"""A draft that began or was written to less long ago may belong to a living transaction; the server cannot tell."""
LOOK_BACK = 50
"""Commits searched for an operation whose answer was lost."""
KINDS = {"added": "added", "removed": "removed", "changed": "changed"}

Answer = TypeVar("Answer")


class SilentServerError(UnavailableError):
    """The server took the request and said nothing, or stopped in the middle of its answer."""


class LakeFSLake(Lake):
    """A repository of a lakeFS server. Nothing is asked before the first call.

    `timeout` is the longest silence in seconds that one request bears. A request that may pass later (423, 429, 5xx, a
    lost connection) is tried up to `attempts` times with growing pauses from `pause` seconds on, then UnavailableError;
    one that met silence is tried `SILENT_ATTEMPTS` times. Listings come `page` at a time.
    """

    scheme = "lakefs"

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        repository: str = "llmops",
        *,
        timeout: float = 60.0,
        attempts: int = 6,
        pause: float = 0.2,
        page: int = PAGE,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.repository = names.check_repository(repository)
        self.browser = self.endpoint
        self.timeout = timeout
        self.attempts = attempts
        self.pause = pause
        self.page = page
        self._access_key = access_key
        self._secret_key = secret_key

    def link(self, ref) -> str | None:
        """Where a person can look at a commit (empty path) or an object in lakeFS's own pages."""
        place = f"{self.endpoint}/repositories/{self.repository}"
        if not ref.path:
            return f"{place}/commits/{ref.commit}"
        return f"{place}/object?ref={ref.commit}&path={quote(ref.path, safe='')}"

    @functools.cached_property
    def _client(self) -> Any:
        import urllib3
        from lakefs.client import Client

        # With any argument the client reads nothing from the environment or from ~/.lakectl.yaml.
        client = Client(host=self.endpoint, username=self._access_key, password=self._secret_key)
        pools = client.sdk_client.objects_api.api_client.rest_client.pool_manager
        # The client passes "no timeout" with every request for which it was given none, and to many of its own (its
        # configuration, the repository, uploads, reads) none can be given: so it is set where all of them pass.
        pools.urlopen = functools.partial(
            _in_time, pools.urlopen, urllib3.Timeout(connect=min(CONNECT_SECONDS, self.timeout), read=self.timeout)
        )
        # Retries are decided in `_tried`, which knows what may be done twice; redirects are pre-signed reads.
        pools.connection_pool_kw["retries"] = urllib3.Retry(None, connect=0, read=0, status=0, other=0, redirect=5)
        return client

    @property
    def _sdk(self) -> Any:
        return self._client.sdk_client

    @functools.cached_property
    def _pre_signed(self) -> bool:
        """Whether bytes go past the server, to addresses that it signs.

        Asked once: the client asks for every object, and leaves a writer's file open when it gets no answer.
        """
        from lakefs.object import StoredObject

        storage = StoredObject(self.repository, names.MAIN, "", client=self._client).storage_id()
        return bool(self._client.storage_config_by_id(storage).pre_sign_support)

    # -- references -------------------------------------------------------------------------------------------------

    def resolve(self, ref: str) -> str:
        """Commit id of a branch, tag or (prefix of at least 8 digits of a) commit. NotFoundError otherwise."""
        return self._commits(ref, limit=1)[0].id

    def branch(self, name: str, source: str = names.MAIN) -> None:
        """Create a branch at the head of `source`; what is staged there stays there."""
        from lakefs_sdk import BranchCreation

        names.check_branch(name)
        commit = self.resolve(source)

        def happened() -> str | None:
            return commit if self._branch_head(name) == commit else None

        try:
            self._ask(
                self._sdk.branches_api.create_branch,
                BranchCreation(name=name, source=commit),
                happened=happened,
                doing=f"creating branch {name}",
            )
        except ConflictError as error:
            raise AlreadyExistsError(f"branch {name} exists in {self._name}: choose another name") from error

    def delete_branch(self, name: str) -> None:
        """Drop a branch with what is staged on it; its commits stay readable by id until lakeFS collects them."""
        self._refuse_protected(name)
        self._ask(
            self._sdk.branches_api.delete_branch,
            name,
            happened=lambda: True if self._branch_head(name) is None else None,
            doing=f"dropping branch {name}",
        )

    def branches(self) -> tuple[str, ...]:
        """Names of all branches, sorted."""
        return tuple(sorted(found.id for found in self._pages(self._sdk.branches_api.list_branches)))

    def tag(self, name: str, ref: str) -> None:
        """Name a commit for ever. Tagging the same commit twice is fine; another one is AlreadyExistsError."""
        from lakefs_sdk import TagCreation

        names.check_tag(name)
        commit = self.resolve(ref)
        try:
            self._ask(self._sdk.tags_api.create_tag, TagCreation(id=name, ref=commit), doing=f"tagging {name}")
        except ConflictError as error:
            there = self._ask(self._sdk.tags_api.get_tag, name, doing=f"reading tag {name}").commit_id
            if there != commit:
                raise AlreadyExistsError(f"tag {name} exists in {self._name} and names {there}") from error

    def tags(self) -> dict[str, str]:
        """Tag name to commit."""
        return {found.id: found.commit_id for found in self._pages(self._sdk.tags_api.list_tags)}

    # -- objects ----------------------------------------------------------------------------------------------------

    def put(
        self, branch: str, path: str, source: bytes | Path | IO[bytes], *, metadata: Mapping[str, str] | None = None
    ) -> ObjectStat:
        """Stage an object on a branch, streaming; replaces what was there. Equal bytes and metadata are not sent again.

        LakeError when a source file is missing or changes while it is read, UnavailableError when the server stored
        another size.
        """
        self._refuse_protected(branch)
        names.check_path(path)
        known = names.check_metadata(metadata)
        with _seekable(source) as file:
            sha256, size = _digest(file)
            wanted = ObjectStat(path, size, sha256, known)
            if self._stands(branch, wanted):
                return wanted
            stored = {"sha256": sha256}
            if known:
                # Headers carry ASCII only, and lakeFS lower-cases their names.
                stored["llmops"] = quote(canonical_json(known))
            self._ask_object(lambda: self._upload(branch, path, file, sha256, stored, size), doing=f"storing {path}")
        return wanted

    def _stands(self, branch: str, wanted: ObjectStat) -> bool:
        """Whether an equal object stands on the branch and its bytes were not erased."""
        with contextlib.suppress(NotFoundError, GoneError):
            if self.stat(branch, wanted.path) == wanted:
                if wanted.size:
                    self._range(branch, wanted.path, 0, 1)
                return True
        return False

    def _upload(
        self, branch: str, path: str, file: IO[bytes], sha256: str, metadata: dict[str, str], size: int
    ) -> None:
        from lakefs.object import WriteableObject

        file.seek(0)
        sent = hashlib.sha256()
        target = WriteableObject(self.repository, branch, path, client=self._client)
        with target.writer("wb", pre_sign=self._pre_signed, metadata=metadata) as writer:
            while piece := file.read(PIECE):
                sent.update(piece)
                writer.write(piece)
            if sent.hexdigest() != sha256:
                # Raised inside: the writer then uploads nothing.
                raise LakeError(f"the source of {path} changed while it was read: put it again when its writer is done")
        stored = target.stat().size_bytes
        if stored != size:
            raise UnavailableError(f"the server stored {stored} of {size} bytes of {path}: is its disk full?")

    def delete(self, branch: str, path: str) -> None:
        """Stage the removal of an object. NotFoundError when there is none."""
        self._refuse_protected(branch)
        self.stat(branch, path)
        self._ask(self._sdk.objects_api.delete_object, branch, path, doing=f"removing {path}")

    def get(self, ref: str, path: str) -> bytes:
        """An object's bytes with their hash verified. NotFoundError, or GoneError after `erase`."""
        known = self.stat(ref, path)
        data = self._bytes(ref, path, lambda: bytes(self._reader(ref, path).read()))
        if known.sha256 and hashlib.sha256(data).hexdigest() != known.sha256:
            # On a branch the object may have been replaced between the two requests.
            if self.stat(ref, path) == known:
                raise LakeError(f"the bytes of {path} at {ref} are damaged: restore them in the server's store")
            return self.get(ref, path)
        return data

    def open(self, ref: str, path: str) -> IO[bytes]:
        """A seekable binary file for reading by ranges, 8 MB at a time."""
        known = self.stat(ref, path)
        if known.size:
            # The bytes may be erased although the entry stands: say so here, not in the middle of a read.
            self._range(ref, path, 0, 1)
        return io.BufferedReader(_Remote(self, ref, path, known.size), READ_AHEAD)

    def _range(self, ref: str, path: str, start: int, count: int) -> bytes:
        def read() -> bytes:
            reader = self._reader(ref, path)
            reader.seek(start)
            return bytes(reader.read(count))

        return self._bytes(ref, path, read)

    def _bytes(self, ref: str, path: str, read: Callable[[], bytes]) -> bytes:
        """What `read` returns. GoneError where the entry stands and the store has no bytes."""
        try:
            return self._ask_object(read, doing=f"reading {path} at {ref}")
        except NotFoundError:
            # A pre-signed read is answered by the store, which knows no entries: is it the entry that is missing?
            self.stat(ref, path)
            raise GoneError(f"the bytes of {path} at {ref} were erased from the store of {self._name}") from None

    def _reader(self, ref: str, path: str) -> Any:
        from lakefs.object import StoredObject

        return StoredObject(self.repository, ref, path, client=self._client).reader("rb", pre_sign=self._pre_signed)

    def stat(self, ref: str, path: str) -> ObjectStat:
        """Size, hash and metadata. The hash of an object that another client wrote is empty."""
        names.check_path(path)
        found = self._ask(self._sdk.objects_api.stat_object, ref, path, user_metadata=True, doing=f"{path} at {ref}")
        return _stat(found)

    def list(self, ref: str, prefix: str = "") -> Iterator[ObjectStat]:
        """Objects whose path starts with a prefix, sorted by path. A branch lists its staged state."""
        names.check_prefix(prefix)
        self.resolve(ref)
        pages = self._pages(self._sdk.objects_api.list_objects, ref, prefix=prefix, user_metadata=True)
        return (_stat(found) for found in pages if found.path_type == "object")

    # -- commits ----------------------------------------------------------------------------------------------------

    def commit(
        self, branch: str, message: str, metadata: Mapping[str, str] | None = None, *, expected_head: str | None = None
    ) -> str:
        """Commit what is staged. NothingToCommitError; ConflictError when the head is not the expected one.

        lakeFS has no such precondition: the head is compared before, and the commit's parent afterwards; a commit onto
        another head is reverted.
        """
        from lakefs_sdk import CommitCreation

        self._refuse_protected(branch)
        known = names.check_metadata(metadata)
        head = self._require_branch(branch)
        _require_head(branch, head, expected_head)
        if not any(True for _ in self._pages(self._sdk.branches_api.diff_branch, branch)):
            raise NothingToCommitError(f"branch {branch} has nothing staged that differs from its head")
        operation = uuid.uuid4().hex
        body = CommitCreation(
            message=names.check_text(message, "the commit message") or " ", metadata={**known, OPERATION: operation}
        )
        made = self._ask(
            self._sdk.commits_api.commit,
            branch,
            body,
            happened=lambda: self._operation(branch, operation),
            doing=f"committing {branch}",
        )
        self._require_parent(branch, made.id, expected_head)
        return made.id

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

        lakeFS has no precondition on a head: it is compared before, and the merge's first parent afterwards; a merge
        onto another head is reverted. Two writers who change one path differently conflict in the merge itself.
        """
        from lakefs_sdk import Merge

        names.check_branch(into)
        known = names.check_metadata(metadata)
        theirs, head = self.resolve(source), self._require_branch(into)
        _require_head(into, head, expected_head)
        if self._holds(into, theirs):
            return head
        operation = uuid.uuid4().hex
        body = Merge(
            message=names.check_text(message, "the commit message") or f"Merge {source} into {into}",
            metadata={**known, OPERATION: operation},
            # Equal changes on both sides are no conflict, and the merge is recorded although it changes nothing.
            allow_empty=True,
        )
        try:
            made = self._ask(
                self._sdk.refs_api.merge_into_branch,
                theirs,
                into,
                body,
                happened=lambda: self._operation(into, operation),
                doing=f"merging {source} into {into}",
            )
        except ConflictError as error:
            paths = tuple(sorted(self._conflicts(into, theirs)))
            shown = ", ".join(paths[:5]) + (" …" if len(paths) > 5 else "")
            raise ConflictError(
                f"{source} and {into} both changed {len(paths)} path(s): {shown}; start again from {into}", paths
            ) from error
        merged = getattr(made, "reference", None) or made.id
        self._require_parent(into, merged, expected_head)
        return merged

    def _require_parent(self, branch: str, made: str, expected: str | None) -> None:
        """Take back a commit or merge that landed on another head than the expected one, and raise ConflictError."""
        from lakefs_sdk import CommitOverrides, RevertCreation

        if expected is None:
            return
        parents = self._commits(made, limit=1)[0].parents
        if parents[0] == expected:
            return
        moved = f"{branch} moved from {expected} to {parents[0]} meanwhile"
        operation = uuid.uuid4().hex
        body = RevertCreation(
            ref=made,
            parent_number=1 if len(parents) > 1 else 0,
            commit_overrides=CommitOverrides(message=f"Revert {made}: {moved}", metadata={OPERATION: operation}),
            allow_empty=True,
        )
        try:
            self._ask(
                self._sdk.branches_api.revert_branch,
                branch,
                body,
                happened=lambda: self._operation(branch, operation),
                doing=f"reverting {made} on {branch}",
            )
        except LakeError as error:
            raise ConflictError(f"{moved}, and {made} could not be reverted: look at {branch} ({error})") from error
        raise ConflictError(f"{moved}: {made} was reverted, start again")

    def log(self, ref: str, *, path: str | None = None, limit: int | None = None) -> Iterator[Commit]:
        """Commits reachable from ref, newest first; with `path`, those that changed that object or folder."""
        if path is None:
            return iter(self._commits(ref, limit=limit))
        names.check_path(path.removesuffix("/"))
        places: dict[str, Any] = {"prefixes": [path if path.endswith("/") else path + "/"]}
        if not path.endswith("/"):
            places["objects"] = [path]
        found = (commit for commit in self._commits(ref, **places) if len(commit.parents) < 2)
        return (commit for number, commit in enumerate(found) if limit is None or number < limit)

    def diff(self, old: str, new: str, prefix: str = "") -> tuple[Change, ...]:
        """Paths that differ between two commits, sorted; staged changes are not looked at."""
        names.check_prefix(prefix)
        before, after = self.resolve(old), self.resolve(new)
        pages = self._pages(self._sdk.refs_api.diff_refs, before, after, prefix=prefix, type="two_dot")
        changes = [Change(found.path, KINDS[found.type]) for found in pages if found.path_type == "object"]
        return tuple(sorted(changes, key=lambda change: change.path))

    # -- erasing ----------------------------------------------------------------------------------------------------

    def erase(self, path: str) -> int:
        """Remove the bytes that ever stood at a path, in every commit; later reads raise GoneError. Returns objects.

        lakeFS has no hard delete: the addresses of the path in the store are collected over all branches and tags,
        and deleted there through fsspec, which needs its own access to the store.
        """
        import fsspec

        names.check_path(path)
        addresses = {}
        for ref in {*self.branches(), *self.tags()}:
            refs = [ref, *(commit.id for commit in self._commits(ref, objects=[path]))]
            for place in refs:
                with contextlib.suppress(NotFoundError, GoneError):
                    found = self._ask(self._sdk.objects_api.stat_object, place, path, doing=f"{path} at {place}")
                    addresses[found.physical_address] = found
        if not addresses:
            raise NotFoundError(f"nothing ever stood at {path} in {self._name}: check the path")
        erased = 0
        for address in addresses:
            store, place = fsspec.core.url_to_fs(address.replace("local://", "file://", 1))
            with contextlib.suppress(FileNotFoundError):
                store.rm_file(place)
                erased += 1
        return erased

    # -- living writers ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _claimed(self, branch: str) -> Generator[None]:
        """Nothing: the server keeps no claims, so `_in_use` goes by the clock."""
        yield

    def _in_use(self, branch: str) -> bool:
        limit = time.time() - LIVE.total_seconds()
        if (self._began(branch) or 0) > limit:
            return True
        with contextlib.suppress(NotFoundError):
            head = self._commits(branch, limit=1)[0]
            if head.time.timestamp() > limit and not self._holds(names.MAIN, head.id):
                return True
            for change in self._pages(self._sdk.branches_api.diff_branch, branch):
                if change.type != "removed" and self._written(branch, change.path) > limit:
                    return True
        return False

    def _written(self, branch: str, path: str) -> float:
        return self._ask(self._sdk.objects_api.stat_object, branch, path, doing=f"{path} at {branch}").mtime

    # -- asking -----------------------------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return f"{self.scheme}://{self.repository}"

    def _refuse_protected(self, branch: str) -> None:
        names.check_branch(branch)
        if branch == names.MAIN:
            raise ProtectedBranchError(f"{branch} only takes merges: use a transaction")

    def _branch_head(self, name: str) -> str | None:
        """The commit of a branch, None when there is none."""
        with contextlib.suppress(NotFoundError):
            return self._ask(self._sdk.branches_api.get_branch, name, doing=f"reading branch {name}").commit_id
        return None

    def _holds(self, branch: str, commit: str) -> bool:
        """Whether a commit is in the history of a branch."""
        found = self._ask(self._sdk.refs_api.find_merge_base, commit, branch, doing=f"comparing {commit} with {branch}")
        return found.base_commit_id == commit

    def _require_branch(self, name: str) -> str:
        head = self._branch_head(name)
        if head is None:
            raise NotFoundError(f"no branch {name} in {self._name}")
        return head

    def _commits(self, ref: str, limit: int | None = None, **places: Any) -> builtins.list[Commit]:
        if not ref or "/" in ref or ref != ref.strip():
            raise NotFoundError(f"no branch, tag or commit {ref!r} in {self._name}")
        found = []
        pages = self._pages(self._sdk.refs_api.log_commits, ref, page=min(limit or self.page, self.page), **places)
        for commit in pages:
            found.append(_commit(commit))
            if limit is not None and len(found) >= limit:
                break
        return found

    def _operation(self, branch: str, operation: str) -> Any:
        """The commit of an operation on a branch, None when it has not happened."""
        pages = self._pages(self._sdk.refs_api.log_commits, branch, page=LOOK_BACK)
        for number, commit in enumerate(pages):
            if (commit.metadata or {}).get(OPERATION) == operation:
                return commit
            if number >= LOOK_BACK:
                break
        return None

    def _conflicts(self, into: str, theirs: str) -> Iterator[str]:
        """Paths that both sides changed: lakeFS's three-dot diff names them."""
        for found in self._pages(self._sdk.refs_api.diff_refs, into, theirs, type="three_dot"):
            if found.type == "conflict":
                yield found.path

    def _pages(self, operation: Callable[..., Any], *arguments: Any, page: int = 0, **options: Any) -> Iterator[Any]:
        after = ""
        while True:
            answer = self._ask(operation, *arguments, after=after, amount=page or self.page, doing="listing", **options)
            yield from answer.results
            if not answer.pagination.has_more:
                return
            after = answer.pagination.next_offset

    def _ask(
        self,
        operation: Callable[..., Answer],
        *arguments: Any,
        doing: str,
        happened: Callable[[], Any] | None = None,
        **options: Any,
    ) -> Answer:
        """Call an operation of the client on this repository."""
        return self._tried(lambda: operation(self.repository, *arguments, **options), doing, happened)

    def _ask_object(self, transfer: Callable[[], Answer], *, doing: str) -> Answer:
        return self._tried(transfer, doing, None)

    def _tried(self, request: Callable[[], Answer], doing: str, happened: Callable[[], Any] | None) -> Answer:
        """Try until it works or cannot work. `happened` tells what an attempt whose answer was lost has done."""
        from lakefs.exceptions import LakeFSException
        from lakefs_sdk.exceptions import ApiException
        from urllib3.exceptions import HTTPError, TimeoutError

        reason, silent = "", 0
        for attempt in range(self.attempts):
            try:
                return request()
            except (ApiException, LakeFSException) as error:
                status, reason = _status(error), _reason(error)
                if not (status in (423, 429) or status >= 500):
                    # A retry may be refused because the attempt before it, whose answer was lost, has worked.
                    if attempt and happened is not None and (done := happened()) is not None:
                        return done
                    raise self._typed(status, reason, doing) from error
            except (HTTPError, OSError) as error:
                reason = f"{type(error).__name__}: {error}"
                silent += isinstance(getattr(error, "reason", error), TimeoutError)
            if silent >= SILENT_ATTEMPTS:
                raise SilentServerError(
                    f"{doing}: {self.endpoint} gave no answer within {self.timeout:g} s; is it running?"
                )
            if happened is not None and (done := _quietly(happened)) is not None:
                return done
            if attempt + 1 < self.attempts:
                time.sleep(self.pause * 2**attempt * random.uniform(0.5, 1.0))
        raise UnavailableError(
            f"{doing}: {self.endpoint} did not do it in {self.attempts} attempts ({reason[:300]}); is it running?"
        )

    def _typed(self, status: int, reason: str, doing: str) -> LakeError:
        where = f"{doing} in {self._name}: {reason}"
        low = reason.lower()
        if status == 401:
            return UnavailableError(f"{self.endpoint} refused the credentials: check the access key and its secret")
        if status == 403:
            return ProtectedBranchError(where) if "protected" in low else UnavailableError(f"not allowed: {where}")
        if status == 404:
            return NotFoundError(where)
        if status == 409:
            return ConflictError(where)
        if status == 410:
            return GoneError(f"the bytes were erased: {where}")
        if status == 412:
            return HookRefusedError(f"a hook of the server refused {where}")
        if status == 400 and ("no changes" in low or "nothing to commit" in low):
            return NothingToCommitError(where)
        if status == 400 and ("invalid" in low or "validation" in low):
            return InvalidNameError(where)
        return LakeError(f"{where} (status {status})")


class _Remote(io.RawIOBase):
    """Ranged reads of one object as a raw file."""

    def __init__(self, lake: LakeFSLake, ref: str, path: str, size: int) -> None:
        self._lake, self._ref, self._path, self._size, self._position = lake, ref, path, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError("a negative position in a file")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._size - self._position)
        if count <= 0:
            return 0
        data = self._lake._range(self._ref, self._path, self._position, count)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _digest(file: IO[bytes]) -> tuple[str, int]:
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while piece := file.read(PIECE):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


@contextlib.contextmanager
def _seekable(source: bytes | Path | IO[bytes]) -> Generator[IO[bytes]]:
    """A source as a file that can be read twice: a stream is copied to a temporary file first."""
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, Path):
        try:
            file = source.open("rb")
        except OSError as error:
            raise LakeError(f"cannot read {source}: {error.strerror}") from error
        with file:
            yield file
    else:
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(source, copy, PIECE)
            yield copy


def _stat(found: Any) -> ObjectStat:
    stored = dict(found.metadata or {})
    known = json.loads(unquote(stored["llmops"])) if "llmops" in stored else {}
    return ObjectStat(found.path, found.size_bytes or 0, stored.get("sha256", ""), known)


def _commit(found: Any) -> Commit:
    metadata = {key: value for key, value in (found.metadata or {}).items() if key != OPERATION}
    moment = datetime.fromtimestamp(found.creation_date, UTC)
    return Commit(found.id, found.message.strip(), moment, metadata, tuple(found.parents))


def _require_head(branch: str, head: str, expected: str | None) -> None:
    if expected is not None and head != expected:
        raise ConflictError(f"{branch} is at {head}, not at {expected}: somebody else was first, start again")


def _status(error: Any) -> int:
    return int(getattr(error, "status", None) or getattr(error, "status_code", None) or 0)


def _reason(error: Any) -> str:
    """The server's message, without the headers that the client prints along."""
    body = getattr(error, "body", None)
    with contextlib.suppress(ValueError, TypeError):
        body = json.loads(body) if isinstance(body, str | bytes) else body
    if isinstance(body, Mapping) and body.get("message"):
        return str(body["message"])
    return str(getattr(error, "reason", "") or body or type(error).__name__)


def _quietly(look: Callable[[], Any]) -> Any:
    """What a look finds; None when it fails. SilentServerError when the server says nothing at all."""
    try:
        return look()
    except SilentServerError:
        raise
    except LakeError:
        return None


def _in_time(send: Callable[..., Answer], limit: Any, *request: Any, timeout: Any = None, **options: Any) -> Answer:
    """Send a request of the client's with a limit to how long the server may be silent."""
    return send(*request, timeout=timeout or limit, **options)
