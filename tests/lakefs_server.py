"""A lakeFS server for tests: the operations the client uses, over real HTTP, with faults on demand.

Its shape is not written down here: operations, paths, parameters, statuses and models are rebuilt from the installed
lakefs_sdk, and a request or an answer that does not fit them fails the test. What it does (staging shared per branch,
409 without paths, no expected parent, deletes only in the store) follows the notes on lakeFS in docs/decisions.
"""

import base64
import functools
import hashlib
import inspect
import json
import pkgutil
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ACCESS_KEY, SECRET_KEY = "AKIATESTS", "tests-secret"
PREFIX = "/api/v1"
META_HEADER = "x-lakefs-meta-"


@dataclass(frozen=True)
class Operation:
    """One operation of the API as the SDK calls it."""

    name: str
    method: str
    path: re.Pattern[str]
    query: frozenset[str]
    body: str | None
    statuses: dict[int, str | None]


@functools.cache
def operations() -> tuple[Operation, ...]:
    """All operations of the installed SDK, read from the source of its methods."""
    import lakefs_sdk.api

    found = []
    for module in pkgutil.iter_modules(lakefs_sdk.api.__path__):
        loaded = __import__(f"lakefs_sdk.api.{module.name}", fromlist=["*"])
        for api in vars(loaded).values():
            if inspect.isclass(api) and api.__module__ == loaded.__name__:
                found += [
                    _operation(name.removesuffix("_with_http_info"), inspect.getsource(method))
                    for name, method in vars(api).items()
                    if name.endswith("_with_http_info")
                ]
    return tuple(sorted(found, key=lambda operation: -len(operation.path.pattern)))


def _operation(name: str, source: str) -> Operation:
    path, method = re.search(r"call_api\(\s*'([^']+)', '([A-Z]+)'", source).groups()
    parts = re.sub(r"\\{(\w+)\\}", lambda part: f"(?P<{_snake(part[1])}>[^/]+)", re.escape(path))
    pattern = re.compile(parts)
    query = frozenset(re.findall(r"_query_params\.append\(\('(\w+)'", source))
    body = re.search(r"_body_params = _params\['(\w+)'\]", source)
    model = re.search(rf":type {body[1]}: (\w+)", source)[1] if body else None
    mapped = re.search(r"_response_types_map = \{(.*?)\}", source, re.S)
    kinds = re.findall(r"'(\d+)': (?:\"([^\"]+)\"|None)", mapped[1]) if mapped else []
    return Operation(name, method, pattern, query, model, {int(status): kind or None for status, kind in kinds})


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", lambda letter: "_" + letter[1].lower(), name)


SILENT, STALLED = -1, -2
"""Statuses of a fault: nothing is answered, or headers and the beginning of a body, and the connection stays open."""


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, status: int, message: str, answer: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.answer = answer or {"message": message}


@dataclass
class Entry:
    """An object's entry: where its bytes are."""

    address: str
    checksum: str
    size: int
    metadata: dict[str, str]
    mtime: int = field(default_factory=lambda: int(time.time()))

    @property
    def identity(self) -> tuple:
        return (self.checksum, tuple(sorted(self.metadata.items())))


@dataclass
class Branch:
    """A branch with what all its writers have staged."""

    commit: str
    staged: dict[str, Entry | None] = field(default_factory=dict)


@dataclass
class Fault:
    """What goes wrong at an operation, `times` times: a status, a broken connection (0), no answer or half of one."""

    operation: str
    status: int
    times: int = 1
    afterwards: bool = False
    """The operation has worked before it goes wrong."""


class FakeLakeFS:
    """A repository `llmops` of a lakeFS server; `violations` lists what did not fit the SDK's description."""

    def __init__(self, folder: Path, *, pre_signed: bool = False) -> None:
        self.folder = folder
        self.pre_signed = pre_signed
        self.signatures: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self.commits: dict[str, dict[str, Any]] = {}
        self.trees: dict[str, dict[str, Entry]] = {}
        self.tags: dict[str, str] = {}
        self.branches: dict[str, Branch] = {}
        self.protected: set[str] = set()
        self.hook: Callable[[str, dict[str, Entry]], str | None] = lambda operation, tree: None
        self.truncate = False
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self.violations: list[str] = []
        self.before: dict[str, Callable[[], None]] = {}
        """What happens once, just before the next call of an operation is served: another writer's doing."""
        self.released = threading.Event()
        self.branches["main"] = Branch(self._commit({}, "Repository created", {}, []))
        fake = self

        class Handler(_Handler):
            server_state = fake

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

        class StoreHandler(_StoreHandler):
            server_state = fake

        # A store has an address of its own, so that the client must not send lakeFS's credentials there.
        self._store = ThreadingHTTPServer(("127.0.0.1", 0), StoreHandler)
        self._store.daemon_threads = True
        for server in (self._server, self._store):
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.released.set()
        for server in (self._server, self._store):
            server.shutdown()
            server.server_close()

    def sign(self, method: str, address: str) -> str:
        """A pre-signed URL of the store for one method and object."""
        signature = uuid.uuid4().hex
        self.signatures[signature] = f"{method} {Path(address).name}"
        return f"http://127.0.0.1:{self._store.server_port}/{Path(address).name}?signature={signature}"

    def fail(self, operation: str, status: int = 0, times: int = 1, *, afterwards: bool = False) -> None:
        """Let the next calls of an operation go wrong."""
        self.faults.append(Fault(operation, status, times, afterwards))

    # -- state ------------------------------------------------------------------------------------------------------

    def _commit(self, tree: dict[str, Entry], message: str, metadata: dict[str, str], parents: list[str]) -> str:
        made = uuid.uuid4().hex
        name = hashlib.sha256(made.encode()).hexdigest()
        self.trees[name] = tree
        self.commits[name] = {
            "id": name,
            "parents": parents,
            "committer": "tests",
            "message": message,
            "creation_date": int(time.time()),
            "meta_range_id": made,
            "metadata": metadata,
            "generation": max([self.commits[p]["generation"] for p in parents], default=0) + 1,
            "order": len(self.commits),
        }
        return name

    def _find(self, ref: str) -> str:
        if ref in self.branches:
            return self.branches[ref].commit
        if ref in self.tags:
            return self.tags[ref]
        found = [name for name in self.commits if name.startswith(ref)] if len(ref) >= 6 else []
        if len(found) != 1:
            raise Refused(404, f"ref {ref} not found")
        return found[0]

    def _tree(self, ref: str) -> dict[str, Entry]:
        tree = dict(self.trees[self._find(ref)])
        if ref in self.branches:
            for path, entry in self.branches[ref].staged.items():
                if entry is None:
                    tree.pop(path, None)
                else:
                    tree[path] = entry
        return tree

    def _branch(self, name: str) -> Branch:
        if name not in self.branches:
            raise Refused(404, f"branch {name} not found")
        return self.branches[name]

    def _writable(self, name: str) -> Branch:
        if name in self.protected:
            raise Refused(403, "cannot write to protected branch")
        return self._branch(name)

    def _ancestors(self, commit: str) -> set[str]:
        seen, todo = set(), [commit]
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo += self.commits[name]["parents"]
        return seen

    def _base(self, left: str, right: str) -> str:
        common = self._ancestors(left) & self._ancestors(right)
        return max(common, key=lambda name: (self.commits[name]["generation"], self.commits[name]["order"]))

    @staticmethod
    def _changes(old: dict[str, Entry], new: dict[str, Entry]) -> dict[str, str]:
        def identity(tree, path):
            return tree[path].identity if path in tree else None

        kinds = {path: (identity(old, path), identity(new, path)) for path in old.keys() | new.keys()}
        return {
            path: "added" if before is None else "removed" if after is None else "changed"
            for path, (before, after) in kinds.items()
            if before != after
        }

    # -- operations: (query, body, headers) -> (status, answer) ------------------------------------------------------

    def get_config(self, **_):
        storage = {
            "blockstore_type": "local",
            "blockstore_namespace_example": "local://example",
            "blockstore_namespace_ValidityRegex": "^local://",
            "pre_sign_support": self.pre_signed,
            "pre_sign_support_ui": False,
            "import_support": False,
            "import_validity_regex": "^local://",
        }
        return 200, {"storage_config": storage, "version_config": {"version": "1.86.0"}}

    def get_repository(self, repository, **_):
        about = {"id": repository, "creation_date": 1, "default_branch": "main", "storage_namespace": "local://tests"}
        return 200, about

    def list_branches(self, query, **_):
        return 200, self._page(query, [{"id": n, "commit_id": b.commit} for n, b in sorted(self.branches.items())])

    def get_branch(self, branch, **_):
        return 200, {"id": branch, "commit_id": self._branch(branch).commit}

    def create_branch(self, body, **_):
        if not re.fullmatch(r"\w[-\w]*", body["name"], re.ASCII):
            raise Refused(400, f"invalid branch name {body['name']}")
        if body["name"] in self.branches:
            raise Refused(409, "branch already exists")
        self.branches[body["name"]] = Branch(self._find(body["source"]))
        return 201, self.branches[body["name"]].commit

    def delete_branch(self, branch, **_):
        self._writable(branch)
        del self.branches[branch]
        return 204, None

    def diff_branch(self, branch, query, **_):
        found = self._changes(self.trees[self._branch(branch).commit], self._tree(branch))
        return 200, self._page(query, _diffs(found), "path")

    def list_tags(self, query, **_):
        return 200, self._page(query, [{"id": n, "commit_id": c} for n, c in sorted(self.tags.items())])

    def get_tag(self, tag, **_):
        if tag not in self.tags:
            raise Refused(404, f"tag {tag} not found")
        return 200, {"id": tag, "commit_id": self.tags[tag]}

    def create_tag(self, body, **_):
        if body["id"] in self.tags:
            raise Refused(409, "tag already exists")
        self.tags[body["id"]] = self._find(body["ref"])
        return 201, {"id": body["id"], "commit_id": self.tags[body["id"]]}

    def upload_object(self, branch, query, body, headers, **_):
        target = self._writable(branch)
        data = body[: len(body) // 2] if self.truncate else body
        name = uuid.uuid4().hex
        (self.folder / name).write_bytes(data)
        metadata = {k.lower().removeprefix(META_HEADER): v for k, v in headers if k.lower().startswith(META_HEADER)}
        entry = Entry(f"local://{self.folder / name}", hashlib.md5(data).hexdigest(), len(data), metadata)
        target.staged[query["path"]] = entry
        return 201, _stats(query["path"], entry)

    def get_physical_address(self, branch, query, **_):
        self._writable(branch)
        address = f"local://{self.folder / uuid.uuid4().hex}"
        location = {"physical_address": address, "presigned_url": self.sign("PUT", address)}
        return 200, location if query.get("presign") == "True" else {"physical_address": address}

    def link_physical_address(self, branch, query, body, **_):
        metadata = {k.lower(): v for k, v in (body.get("user_metadata") or {}).items()}
        entry = Entry(body["staging"]["physical_address"], body["checksum"], body["size_bytes"], metadata)
        self._writable(branch).staged[query["path"]] = entry
        return 200, _stats(query["path"], entry)

    def delete_object(self, branch, query, **_):
        self._writable(branch).staged[query["path"]] = None
        return 204, None

    def stat_object(self, ref, query, **_):
        return 200, _stats(query["path"], self._entry(ref, query["path"]))

    def get_object(self, ref, query, headers, **_):
        entry = self._entry(ref, query["path"])
        file = Path(entry.address.removeprefix("local://"))
        if self.pre_signed and query.get("presign") == "True":
            return 302, self.sign("GET", entry.address)
        if not file.exists():
            raise Refused(410, "object expired")
        return _ranged(file.read_bytes(), dict(headers))

    def list_objects(self, ref, query, **_):
        prefix = query.get("prefix", "")
        found = [_stats(path, entry) for path, entry in sorted(self._tree(ref).items()) if path.startswith(prefix)]
        return 200, self._page(query, found, "path")

    def commit(self, branch, body, **_):
        target = self._writable(branch)
        tree = self._tree(branch)
        if not self._changes(self.trees[target.commit], tree) and not body.get("allow_empty"):
            raise Refused(400, "commit: no changes")
        refusal = self.hook("commit", tree)
        if refusal:
            raise Refused(412, refusal)
        target.commit = self._commit(tree, body["message"], body.get("metadata") or {}, [target.commit])
        target.staged.clear()
        return 201, self._described(target.commit)

    def find_merge_base(self, source_ref, destination_branch, **_):
        source, into = self._find(source_ref), self._find(destination_branch)
        found = {"source_commit_id": source, "destination_commit_id": into, "base_commit_id": self._base(source, into)}
        return 200, found

    def merge_into_branch(self, source_ref, destination_branch, body, **_):
        theirs, target = self._find(source_ref), self._branch(destination_branch)
        if target.staged:
            raise Refused(400, "uncommitted changes (dirty branch)")
        base = self.trees[self._base(theirs, target.commit)]
        ours_changed = self._changes(base, self.trees[target.commit])
        theirs_changed = self._changes(base, self.trees[theirs])
        both = self._changes(self.trees[target.commit], self.trees[theirs])
        if ours_changed.keys() & theirs_changed.keys() & both.keys():
            # lakeFS answers a conflict with an empty reference and no paths.
            raise Refused(409, "Conflict", {"reference": ""})
        tree = dict(self.trees[target.commit])
        for path in theirs_changed:
            if path in self.trees[theirs]:
                tree[path] = self.trees[theirs][path]
            else:
                tree.pop(path, None)
        if not self._changes(self.trees[target.commit], tree) and not body.get("allow_empty"):
            raise Refused(400, "merge: no changes")
        refusal = self.hook("merge", tree)
        if refusal:
            raise Refused(412, refusal)
        parents = [target.commit, theirs]
        target.commit = self._commit(tree, body["message"], body.get("metadata") or {}, parents)
        return 200, {"reference": target.commit}

    def revert_branch(self, branch, body, **_):
        target, reverted = self._writable(branch), self._find(body["ref"])
        if target.staged:
            raise Refused(400, "uncommitted changes (dirty branch)")
        parents, number = self.commits[reverted]["parents"], body["parent_number"]
        if (number == 0) != (len(parents) == 1):
            raise Refused(400, "parent number does not fit the commit")
        undone, before = self.trees[reverted], self.trees[parents[max(number, 1) - 1]]
        tree = dict(self.trees[target.commit])
        later = self._changes(undone, tree)
        for path in self._changes(undone, before):
            if path in later:
                raise Refused(409, "Conflict")
            if path in before:
                tree[path] = before[path]
            else:
                tree.pop(path, None)
        if not self._changes(self.trees[target.commit], tree) and not body.get("allow_empty"):
            raise Refused(400, "revert: no changes")
        about = body.get("commit_overrides") or {}
        message = about.get("message") or f"Revert {reverted}"
        target.commit = self._commit(tree, message, about.get("metadata") or {}, [target.commit])
        return 204, None

    def log_commits(self, ref, query, **_):
        names = sorted(self._ancestors(self._find(ref)), key=lambda name: -self.commits[name]["order"])
        objects, prefixes = query.get("objects", []), query.get("prefixes", [])
        if objects or prefixes:
            names = [
                name
                for name in names
                if any(
                    path in objects or any(path.startswith(prefix) for prefix in prefixes)
                    for parent in [*self.commits[name]["parents"][:1]]
                    for path in self._changes(self.trees[parent], self.trees[name])
                )
            ]
        return 200, self._page(query, [self._described(name) for name in names])

    def diff_refs(self, left_ref, right_ref, query, **_):
        left, right = self._find(left_ref), self._find(right_ref)
        if query.get("type", "three_dot") == "two_dot":
            found = self._changes(self.trees[left], self.trees[right])
        else:
            base = self.trees[self._base(left, right)]
            found = self._changes(base, self.trees[right])
            both = self._changes(self.trees[left], self.trees[right])
            for path in self._changes(base, self.trees[left]).keys() & found.keys() & both.keys():
                found[path] = "conflict"
        prefix = query.get("prefix", "")
        found = {path: kind for path, kind in found.items() if path.startswith(prefix)}
        return 200, self._page(query, _diffs(found), "path")

    # -- helpers ----------------------------------------------------------------------------------------------------

    def _entry(self, ref: str, path: str) -> Entry:
        tree = self._tree(ref)
        if path not in tree:
            raise Refused(404, f"path {path} not found")
        return tree[path]

    def _described(self, name: str) -> dict[str, Any]:
        return {key: value for key, value in self.commits[name].items() if key != "order"}

    @staticmethod
    def _page(query: dict[str, Any], found: list[dict[str, Any]], key: str = "id") -> dict[str, Any]:
        amount = int(query.get("amount", 100))
        if after := query.get("after"):
            position = next((n for n, item in enumerate(found) if item[key] == after), None)
            found = found[position + 1 :] if position is not None else [i for i in found if i[key] > after]
        page = found[:amount]
        more = len(found) > amount
        pagination = {
            "has_more": more,
            "next_offset": page[-1][key] if more else "",
            "results": len(page),
            "max_per_page": 1000,
        }
        return {"pagination": pagination, "results": page}

    # -- one request ------------------------------------------------------------------------------------------------

    def answer(self, method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> tuple[int, Any, bool]:
        """(status, answer, whether the status is a fault of the connection's instead of an answer)."""
        split = urlsplit(target)
        query_lists = parse_qs(split.query, keep_blank_values=True)
        place = split.path.removeprefix(PREFIX)
        operation = next((o for o in operations() if o.method == method and o.path.fullmatch(place)), None)
        if operation is None or not split.path.startswith(PREFIX):
            self.violations.append(f"no operation {method} {split.path}")
            return 404, {"message": "no such operation"}, False
        if unknown := query_lists.keys() - operation.query:
            self.violations.append(f"{operation.name}: unknown parameters {sorted(unknown)}")
        self.calls.append(operation.name)
        query: dict[str, Any] = {k: v if k in ("objects", "prefixes") else v[0] for k, v in query_lists.items()}
        parts = {key: unquote(value) for key, value in operation.path.fullmatch(place).groupdict().items()}
        content: Any = body
        if operation.body and body:
            content = json.loads(body)
            self._check(operation.body, content, f"request of {operation.name}")
        with self.lock:
            if meanwhile := self.before.pop(operation.name, None):
                meanwhile()
            fault = next((f for f in self.faults if f.operation == operation.name and f.times), None)
            if fault:
                fault.times -= 1
                if not fault.afterwards:
                    return fault.status, {"message": "a fault of the test"}, fault.status <= 0
            try:
                if f"Basic {base64.b64encode(f'{ACCESS_KEY}:{SECRET_KEY}'.encode()).decode()}" not in dict(headers).get(
                    "Authorization", ""
                ):
                    raise Refused(401, "error authenticating request")
                status, result = getattr(self, operation.name)(query=query, body=content, headers=headers, **parts)
            except Refused as refused:
                status, result = refused.status, refused.answer
            except Exception as error:
                self.violations.append(f"{operation.name}: {error!r}")
                status, result = 500, {"message": repr(error)}
        known = operation.statuses
        if known and status not in known and status < 400:
            self.violations.append(f"{operation.name}: status {status} is not one of {sorted(known)}")
        elif isinstance(result, dict) and known.get(status):
            self._check(known[status], result, f"answer of {operation.name}")
        if fault:
            return fault.status, {"message": "a fault of the test"}, fault.status <= 0
        return status, result, False

    def _check(self, model: str, content: Any, where: str) -> None:
        import lakefs_sdk

        try:
            getattr(lakefs_sdk, model).from_dict(content)
            extra = content.keys() - {f.alias for f in getattr(lakefs_sdk, model).__fields__.values()}
            if extra:
                self.violations.append(f"{where}: unknown fields {sorted(extra)}")
        except ValueError as error:
            self.violations.append(f"{where}: {error}")


def _ranged(data: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    wanted = {name.lower(): value for name, value in headers.items()}.get("range")
    if not wanted:
        return 200, data
    start, end = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted).groups()
    if int(start) >= len(data):
        raise Refused(416, "range not satisfiable")
    return 206, data[int(start) : int(end) + 1 if end else None]


def _diffs(found: dict[str, str]) -> list[dict[str, str]]:
    return [{"type": kind, "path": path, "path_type": "object"} for path, kind in sorted(found.items())]


def _stats(path: str, entry: Entry) -> dict[str, Any]:
    return {
        "path": path,
        "path_type": "object",
        "physical_address": entry.address,
        "checksum": entry.checksum,
        "size_bytes": entry.size,
        "mtime": entry.mtime,
        "metadata": entry.metadata,
    }


class _Handler(BaseHTTPRequestHandler):
    server_state: FakeLakeFS
    protocol_version = "HTTP/1.1"
    # Headers and body in one packet: two small ones wait 40 ms for each other.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        pass

    def _serve(self) -> None:
        body = b"".join(self._pieces())
        status, result, broken = self.server_state.answer(self.command, self.path, self.headers.items(), body)
        if broken:
            self._break(status)
            return
        if status == 302:
            self.send_response(status)
            self.send_header("Location", result)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = b"" if result is None else result if isinstance(result, bytes) else None
        kind = "application/octet-stream" if data is not None else "application/json"
        if data is None:
            data = json.dumps(result).encode() if not isinstance(result, str) else result.encode()
            kind = "text/html" if isinstance(result, str) else kind
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve

    def _break(self, fault: int) -> None:
        self.close_connection = True
        if fault == STALLED:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"{")
            self.wfile.flush()
        if fault in (SILENT, STALLED):
            self.server_state.released.wait()
        self.connection.close()

    def _pieces(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            yield self.rfile.read(int(self.headers.get("Content-Length") or 0))


class _StoreHandler(_Handler):
    """The object store behind pre-signed addresses: knows its objects, no entries and no credentials of lakeFS."""

    def _serve(self) -> None:
        body = b"".join(self._pieces())
        split = urlsplit(self.path)
        name = split.path.removeprefix("/")
        signature = parse_qs(split.query).get("signature", [""])[0]
        state, file = self.server_state, self.server_state.folder / name
        if "Authorization" in self.headers:
            state.violations.append(f"{self.command} of the store was sent lakeFS's credentials")
        operation = f"store_{self.command.lower()}"
        state.calls.append(operation)
        for fault in state.faults:
            if fault.operation == operation and fault.times:
                fault.times -= 1
                self._break(fault.status)
                return
        status, data, tag = 200, b"", ""
        try:
            if state.signatures.get(signature) != f"{self.command} {name}":
                raise Refused(403, "signature does not match")
            if self.command == "PUT":
                file.write_bytes(body)
                tag = hashlib.md5(body).hexdigest()
            elif not file.exists():
                raise Refused(404, "no such key")
            else:
                status, data = _ranged(file.read_bytes(), dict(self.headers))
        except Refused as refused:
            status, data = refused.status, str(refused).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if tag:
            self.send_header("ETag", f'"{tag}"')
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = _serve
