"""An API server of Kubernetes over HTTP, in memory, for what this package asks of one, as strict as a real one.

Discovery, get, list with selectors, watch from a `resourceVersion` (410 when that is too old), create, replace with
`resourceVersion` (409 when it is stale), delete, server-side apply with owners of fields (409 for a field of another
manager), `dryRun`, strict fields by the schemas of Kubernetes 1.36, immutable Job templates (422), namespaces that must
exist (404), roles of service accounts (403). No controllers but what a test asks for; tests/kubelet.py runs pods.
Messages are those of the real one, word for word where a test reads them.
"""

import copy
import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from llmops_assets.commands.manifests import FOLDER
from llmops_assets.lib.cluster.objects import Object
from llmops_assets.lib.cluster.schemas import Schemas

Key = tuple[str, str, str, str]
"""Group and version, plural, namespace, name."""
KINDS = {
    "v1": {
        "Namespace": ("namespaces", False),
        "Node": ("nodes", False),
        "ConfigMap": ("configmaps", True),
        "Secret": ("secrets", True),
        "Service": ("services", True),
        "ServiceAccount": ("serviceaccounts", True),
        "Pod": ("pods", True),
        "Event": ("events", True),
        "PersistentVolumeClaim": ("persistentvolumeclaims", True),
    },
    "apps/v1": {"Deployment": ("deployments", True)},
    "batch/v1": {"Job": ("jobs", True)},
    "policy/v1": {"PodDisruptionBudget": ("poddisruptionbudgets", True)},
    "networking.k8s.io/v1": {"NetworkPolicy": ("networkpolicies", True)},
    "rbac.authorization.k8s.io/v1": {"Role": ("roles", True), "RoleBinding": ("rolebindings", True)},
    "storage.k8s.io/v1": {"StorageClass": ("storageclasses", False)},
}
OPERATORS = {
    "keda.sh/v1alpha1": {"ScaledObject": ("scaledobjects", True)},
    "monitoring.coreos.com/v1": {
        "ServiceMonitor": ("servicemonitors", True),
        "PrometheusRule": ("prometheusrules", True),
    },
    "gateway.networking.k8s.io/v1": {"HTTPRoute": ("httproutes", True)},
    "external-secrets.io/v1": {"ExternalSecret": ("externalsecrets", True)},
    "trainer.kubeflow.org/v1alpha1": {"TrainJob": ("trainjobs", True)},
}
SCHEMAS = Schemas("1.36", FOLDER / "schemas")
SUBRESOURCES = {"jobs": {"status"}, "pods": {"status", "log"}}
REMEMBERED = 1000
"""Changes that a watch can begin before; a real server forgets them after five minutes."""
WATCH_SECONDS = 60.0


class Refusal(Exception):
    """A status of the API server."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class KubernetesServer:
    """Starts with nothing but its kinds. `faults`: statuses that the next requests get; `write_faults`: those of the
    next writes that are no dry run, None lets one through. `forbidden`: plurals that the caller may not look at.
    `job_ends`: what becomes of a Job, Complete, Failed, or "" for neither."""

    def __init__(self, operators: bool = True) -> None:
        self.kinds = copy.deepcopy(KINDS | (OPERATORS if operators else {}))
        self.rules: dict[str, list[Rule]] | None = None
        """Token to what its service account may do; None: nobody is asked who they are."""
        self.refused: list[str] = []
        """What somebody asked for that their roles do not allow."""
        self.logs: dict[tuple[str, str], Path] = {}
        """(namespace, pod) to the file of what it printed."""
        self.changes: deque[tuple[int, str, Key, dict[str, Any]]] = deque(maxlen=REMEMBERED)
        """(resourceVersion, what was done, key, object), the oldest first."""
        self.objects: dict[Key, dict[str, Any]] = {}
        self.owners: dict[Key, dict[tuple, str]] = {}
        self.faults: list[int] = []
        self.write_faults: list[int | None] = []
        self.lost_answers = 0
        """So many objects will be made, and whoever made them will be told that it failed."""
        self.forbidden: set[str] = set()
        self.job_ends = "Complete"
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self._lock = threading.RLock()
        self._version = 0
        self._served: ThreadingHTTPServer | None = None
        self._port = 0

    # -- the process ----------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> "KubernetesServer":
        handler = type("Bound", (Handler,), {"server_of": self})
        self._served = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._port = self._served.server_port
        threading.Thread(target=self._served.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self) -> None:
        """The server is away; what it keeps is there again after `start`, at the same address."""
        assert self._served is not None
        self._served.shutdown()
        self._served.server_close()
        self._served = None

    # -- what a test puts there -----------------------------------------------------------------------------------

    def put(self, api_version: str, kind: str, name: str, namespace: str = "", **fields: Any) -> dict[str, Any]:
        """An object, whatever was there."""
        plural, _ = self.kinds[api_version][kind]
        metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **fields.pop("metadata", {})}
        made = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}
        with self._lock:
            return self._store((api_version, plural, namespace, name), made)

    def find(self, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        """The object as it is kept."""
        with self._lock:
            for (_, _, where, called), found in self.objects.items():
                if (found["kind"], called, where) == (kind, name, namespace):
                    return found
        return None

    def all(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        """The objects of a kind as they are kept."""
        with self._lock:
            return [o for (_, _, where, _), o in self.objects.items() if (o["kind"], where) == (kind, namespace)]

    def writes(self) -> list[tuple[str, str]]:
        """(method, path) of every request that could change something."""
        return [(m, p) for m, p, q in self.requests if m != "GET" and "dryRun" not in q]

    # -- requests -------------------------------------------------------------------------------------------------

    def answer(self, method: str, url: str, body: bytes, kind: str, token: str = "") -> Any:
        """What a request gets: an object, a text (a log), or an iterator of what a watch sees."""
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        with self._lock:
            self.requests.append((method, parts.path, query))
            if self.faults and (status := self.faults.pop(0)):
                raise Refusal(status, "etcdserver: request timed out")
            api_version, rest = self._split(parts.path)
            if not rest:
                return self._discover(api_version)
            self._authorize(method, api_version, rest, query, token)
            if rest[-1] == "scale":
                return self._scale((api_version, rest[2], rest[1], rest[3]), method, body)
            plural, namespace, name = self._place(rest)
            if len(rest) == 5:
                return self._subresource((api_version, plural, namespace, name), rest[4], method)
            if plural in self.forbidden:
                raise Refusal(403, f'{plural} is forbidden: User "operator" cannot {method} resource "{plural}"')
            if (namespaced := self._namespaced(api_version, plural)) is None:
                raise Refusal(404, "the server could not find the requested resource")
            if method == "GET" and not name:
                if query.get("watch") in ("true", "True", "1"):
                    return self._watch(api_version, plural, namespace, query)
                return self._list(api_version, plural, namespace, query)
            key = (api_version, plural, namespace, name)
            if method == "GET":
                return self._get(key)
            if "dryRun" not in query and self.write_faults and (status := self.write_faults.pop(0)):
                raise Refusal(status, "etcdserver: request timed out")
            if namespaced and ("v1", "namespaces", "", namespace) not in self.objects:
                raise Refusal(404, f'namespaces "{namespace}" not found')
            if method == "DELETE":
                return self.remove(key)
            given = json.loads(body)
            if method == "POST":
                key = (*key[:3], given["metadata"]["name"])
                if namespaced:
                    given["metadata"].setdefault("namespace", namespace)
                if key in self.objects:
                    raise Refusal(409, f'{plural} "{key[3]}" already exists')
                made = self._write(key, given, query)
                if self.lost_answers:
                    self.lost_answers -= 1
                    raise Refusal(500, "etcdserver: request timed out")
                return made
            if method == "PUT":
                return self._replace(key, given, query)
            if method == "PATCH" and kind == "application/apply-patch+yaml":
                return self._apply(key, given, query)
            raise Refusal(415, f"the body of the request was in an unknown format: {kind}")

    def _split(self, path: str) -> tuple[str, list[str]]:
        parts = path.strip("/").split("/")
        size = 2 if parts[0] == "api" else 3
        return "/".join(parts[1:size]), parts[size:]

    def _place(self, rest: list[str]) -> tuple[str, str, str]:
        if rest[0] == "namespaces" and len(rest) > 2:
            return rest[2], rest[1], rest[3] if len(rest) > 3 else ""
        return rest[0], "", rest[1] if len(rest) > 1 else ""

    def _discover(self, api_version: str) -> dict[str, Any]:
        if api_version not in self.kinds:
            raise Refusal(404, "the server could not find the requested resource")
        listed = [
            {"name": plural, "kind": kind, "namespaced": namespaced}
            for kind, (plural, namespaced) in self.kinds[api_version].items()
        ]
        return {"kind": "APIResourceList", "groupVersion": api_version, "resources": listed}

    def _namespaced(self, api_version: str, plural: str) -> bool | None:
        found = [n for p, n in self.kinds.get(api_version, {}).values() if p == plural]
        return found[0] if found else None

    def _list(self, api_version: str, plural: str, namespace: str, query: dict[str, str]) -> dict[str, Any]:
        items = [
            found
            for (version, kind, where, _), found in self.objects.items()
            if (version, kind) == (api_version, plural) and namespace in ("", where) and selected(found, query)
        ]
        return {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": str(self._version)}, "items": items}

    def _watch(self, api_version: str, plural: str, namespace: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Changes after a version, as they come; at its end the connection is closed, as a real server does it."""
        seen = int(query.get("resourceVersion") or self._version)
        if self.changes and len(self.changes) == REMEMBERED and seen < self.changes[0][0] - 1:
            raise Refusal(410, f"too old resource version: {seen} ({self.changes[0][0]})")

        def follow() -> Iterator[dict[str, Any]]:
            last, deadline = seen, time.monotonic() + float(query.get("timeoutSeconds", WATCH_SECONDS))
            while time.monotonic() < deadline and self._served is not None:
                with self._lock:
                    fresh = [change for change in self.changes if change[0] > last]
                for number, done, (version, kind, where, _), changed in fresh:
                    last = number
                    if (
                        (version, kind) == (api_version, plural)
                        and namespace in ("", where)
                        and selected(changed, query)
                    ):
                        yield {"type": done, "object": changed}
                time.sleep(0.02)

        return follow()

    def _subresource(self, key: Key, name: str, method: str) -> Any:
        if name not in SUBRESOURCES.get(key[1], ()) or method != "GET":
            raise Refusal(404, "the server could not find the requested resource")
        found = self._get(key)
        if name == "status":
            return found
        log = self.logs.get((key[2], key[3]))
        return log.read_text(errors="replace") if log is not None and log.exists() else ""

    def _authorize(self, method: str, api_version: str, rest: list[str], query: dict[str, str], token: str) -> None:
        if self.rules is None:
            return
        plural, namespace, name = self._place(rest)
        resource = f"{plural}/{rest[4]}" if len(rest) == 5 else plural
        verb = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(method, "get")
        if verb == "get" and not name:
            verb = "watch" if query.get("watch") else "list"
        if token not in self.rules:
            self.refused.append(f"{verb} {resource} by nobody")
            raise Refusal(401, "Unauthorized")
        group = api_version.rpartition("/")[0]
        if not any(rule.allows(namespace, group, resource, verb, name) for rule in self.rules[token]):
            self.refused.append(f"{verb} {resource} {namespace}/{name} by {token}")
            raise Refusal(403, f'{resource} is forbidden: cannot {verb} resource "{resource}" in API group "{group}"')

    def _get(self, key: Key) -> dict[str, Any]:
        if key not in self.objects:
            group = key[0].partition("/")[0] if "/" in key[0] else ""
            raise Refusal(404, f'{key[1]}{f".{group}" if group else ""} "{key[3]}" not found')
        return self.objects[key]

    def _replace(self, key: Key, given: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        before = self._get(key)
        version = given["metadata"].get("resourceVersion")
        if version and version != before["metadata"]["resourceVersion"]:
            raise Refusal(
                409,
                f'Operation cannot be fulfilled on {key[1]} "{key[3]}": the object has been modified; please '
                "apply your changes to the latest version and try again",
            )
        return self._write(key, given, query)

    def _apply(self, key: Key, given: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        manager = query["fieldManager"]
        if query.get("fieldValidation") == "Strict" and (flaws := list(SCHEMAS.problems([Object(given)]))):
            raise Refusal(400, f"strict decoding error: {flaws[0]}")
        before = self.objects.get(key)
        paths = {path: value for path, value in leaves(given) if path[0] not in ("apiVersion", "kind")}
        owners = dict(self.owners.get(key, {}))
        live = dict(leaves(before)) if before else {}
        disputed = [
            (owners[path], path)
            for path, value in paths.items()
            if path in live and live[path] != value and owners.get(path, manager) != manager
        ]
        if disputed and query.get("force") != "true":
            owner, path = disputed[0]
            raise Refusal(
                409, f'Apply failed with {len(disputed)} conflict: conflict with "{owner}": .{".".join(map(str, path))}'
            )
        after = copy.deepcopy(before) if before else {}
        for path in [p for p, owner in owners.items() if owner == manager and p not in paths]:
            remove(after, path)
            owners.pop(path)
        after = merged(after, given)
        if before and key[1] == "jobs" and before["spec"]["template"] != after["spec"]["template"]:
            raise Refusal(422, f'Job.batch "{key[3]}" is invalid: spec.template: field is immutable')
        made = self._write(key, after, query)
        if "dryRun" not in query:
            self.owners[key] = owners | dict.fromkeys(paths, manager)
        return made

    def _scale(self, key: Key, method: str, body: bytes) -> dict[str, Any]:
        found = self._get(key)
        if method == "PUT":
            found["spec"]["replicas"] = json.loads(body)["spec"]["replicas"]
        metadata = {name: found["metadata"].get(name) for name in ("name", "namespace", "resourceVersion")}
        spec = {"replicas": found["spec"].get("replicas", 1)}
        return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec}

    def _write(self, key: Key, made: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        made = copy.deepcopy(made)
        before = self.objects.get(key)
        if key[1] == "deployments":
            # What a real server fills in.
            made["spec"].setdefault("replicas", 1)
        if before is not None and strip(before) == strip(made):
            return before
        if "dryRun" in query:
            return made
        changed = before is None or before.get("spec") != made.get("spec")
        kept = (before or {}).get("metadata", {})
        made["metadata"]["generation"] = kept.get("generation", 0) + changed
        made["metadata"]["uid"] = kept.get("uid", str(uuid.uuid4()))
        stored = self._store(key, made)
        if before is None and key[1] == "jobs" and self.job_ends:
            stored["status"] = {"conditions": [{"type": self.job_ends, "status": "True"}]}
        if query.get("fieldManager"):
            paths = {
                p for p, v in leaves(made) if p not in dict(leaves(before or {})) or dict(leaves(before or {}))[p] != v
            }
            self.owners[key] = self.owners.get(key, {}) | dict.fromkeys(paths, query["fieldManager"])
        return stored

    def _store(self, key: Key, made: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        made["metadata"]["resourceVersion"] = str(self._version)
        done = "MODIFIED" if key in self.objects else "ADDED"
        self.objects[key] = made
        self.changes.append((self._version, done, key, copy.deepcopy(made)))
        return made

    def remove(self, key: Key) -> dict[str, Any]:
        """Delete an object, and what it owns."""
        with self._lock:
            gone = self._get(key)
            self.objects.pop(key)
            self._version += 1
            self.changes.append((self._version, "DELETED", key, copy.deepcopy(gone)))
            for owned in [
                k for k, found in self.objects.items() if owner_of(found) == gone["metadata"].get("uid", key)
            ]:
                self.remove(owned)
            return gone

    def report(self, kind: str, name: str, namespace: str, status: dict[str, Any]) -> None:
        """What a controller or a kubelet says of an object; nothing where it is gone."""
        with self._lock:
            for key, found in self.objects.items():
                if (found["kind"], key[3], key[2]) == (kind, name, namespace):
                    self._store(key, {**found, "status": status})
                    return


@dataclass(frozen=True)
class Rule:
    """One rule of a role in a namespace."""

    namespace: str
    groups: Sequence[str]
    resources: Sequence[str]
    verbs: Sequence[str]
    names: Sequence[str] = ()

    def allows(self, namespace: str, group: str, resource: str, verb: str, name: str) -> bool:
        """Whether a request falls under it."""
        where = namespace == self.namespace and group in self.groups and resource in self.resources
        return where and verb in self.verbs and (not self.names or name in self.names)


def rules_of(objects: Sequence[Object]) -> dict[tuple[str, str], list[Rule]]:
    """(namespace, service account) to its rules, from the Roles and RoleBindings of manifests."""
    roles = {(o.namespace, o.name): o.data["rules"] for o in objects if o.kind == "Role"}
    found: dict[tuple[str, str], list[Rule]] = {}
    for bound in (o for o in objects if o.kind == "RoleBinding"):
        for subject in bound.data["subjects"]:
            for rule in roles[bound.namespace, bound.data["roleRef"]["name"]]:
                found.setdefault((subject["namespace"], subject["name"]), []).append(
                    Rule(
                        bound.namespace, rule["apiGroups"], rule["resources"], rule["verbs"],
                        rule.get("resourceNames", ()),
                    )
                )  # fmt: skip
    return found


def owner_of(found: dict[str, Any]) -> str:
    """uid of the object that owns one, "" for none."""
    owners = found["metadata"].get("ownerReferences") or ()
    return owners[0]["uid"] if owners else ""


def selected(found: dict[str, Any], query: dict[str, str]) -> bool:
    """Whether an object is one that the selectors of a request name."""
    labels = dict(part.split("=", 1) for part in query.get("labelSelector", "").split(",") if part)
    fields = dict(part.split("=", 1) for part in query.get("fieldSelector", "").split(",") if part)

    def field(path: str) -> Any:
        value: Any = found
        for part in path.split("."):
            value = value.get(part, {}) if isinstance(value, dict) else {}
        return value

    matches = all(field(path.strip()) == value.strip() for path, value in fields.items())
    return matches and labels.items() <= (found["metadata"].get("labels") or {}).items()


def strip(made: dict[str, Any]) -> dict[str, Any]:
    own = ("resourceVersion", "generation", "uid")
    metadata = {k: v for k, v in made["metadata"].items() if k not in own}
    return {**{k: v for k, v in made.items() if k != "status"}, "metadata": metadata}


def named(entries: list[Any]) -> bool:
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    return all(names) and len(set(names)) == len(names)


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    """Every leaf with its path: lists whose entries have names are merged by them, others are one value."""
    if isinstance(value, dict) and (value or not path):
        for key, inner in value.items():
            if path != () or key not in ("metadata",):
                yield from leaves(inner, (*path, key))
            else:
                yield from leaves({k: v for k, v in inner.items() if k in ("labels", "annotations")}, (key,))
    elif isinstance(value, list) and value and named(value):
        for entry in value:
            yield from leaves(entry, (*path, f"[{entry['name']}]"))
    else:
        yield path, value


def merged(live: Any, given: Any) -> Any:
    if isinstance(live, dict) and isinstance(given, dict):
        return {**live, **{key: merged(live.get(key), value) for key, value in given.items()}}
    if isinstance(live, list) and isinstance(given, list) and live and given and named(live) and named(given):
        by_name = {entry["name"]: entry for entry in live}
        return list({**by_name, **{e["name"]: merged(by_name.get(e["name"]), e) for e in given}}.values())
    return copy.deepcopy(given)


def remove(value: Any, path: tuple) -> None:
    """Take a leaf away, and what it leaves empty."""
    head, *rest = path
    if isinstance(head, str) and head.startswith("[") and isinstance(value, list):
        entry = next((e for e in value if f"[{e.get('name')}]" == head), None)
        if entry is not None and rest:
            remove(entry, tuple(rest))
            if not entry:
                value.remove(entry)
    elif isinstance(value, dict) and head in value:
        if rest:
            remove(value[head], tuple(rest))
        if not rest or value[head] in ({}, []):
            value.pop(head)


class Handler(BaseHTTPRequestHandler):
    """HTTP around `KubernetesServer.answer`."""

    server_of: KubernetesServer
    protocol_version = "HTTP/1.1"
    # In one piece: in two, every answer would wait for the client's delayed acknowledgement.
    wbufsize = -1

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            token = self.headers.get("authorization", "").removeprefix("Bearer ")
            kind = self.headers.get("content-type", "")
            status, answer = 200, self.server_of.answer(self.command, self.path, body, kind, token)
        except Refusal as refusal:
            status = refusal.status
            answer = {"kind": "Status", "status": "Failure", "code": status, "message": str(refusal)}
        if isinstance(answer, Iterator):
            self._stream(answer)
            return
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _stream(self, changes: Iterator[dict[str, Any]]) -> None:
        """A line for every change, until the watch is over or the client gone."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("connection", "close")
        self.end_headers()
        try:
            self.wfile.flush()
            for change in changes:
                self.wfile.write(json.dumps(change).encode() + b"\n")
                self.wfile.flush()
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass
