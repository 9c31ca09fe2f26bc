"""A Kubernetes API server, with the few verbs that are needed: what it knows, get, find, apply, update.

Which objects there are and what they mean is not known here. Writes are server-side apply, so that what others own is
refused instead of overwritten: https://kubernetes.io/docs/reference/using-api/server-side-apply/.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops_assets.lib.errors import LlmopsError

MANAGER = "llmops"
"""Owner of the fields that we apply."""
IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
PASSING = (429, 500, 502, 503, 504)
"""Statuses of a server that is restarting or busy: asked again."""


class ClusterError(LlmopsError):
    """The API server refused something or does not answer; the message says what."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class ConflictError(ClusterError):
    """Somebody else changed the object meanwhile, or owns the field."""


@dataclass(frozen=True)
class Api:
    """How a kind is asked for."""

    plural: str
    namespaced: bool


class Cluster:
    """Nothing is asked before the first call. `server` is an address without login (a proxy of kubectl, a test); none:
    a pod's own account where it has one, else the kubeconfig and its `context`.

    A request that may pass later is tried up to `attempts` times with growing pauses from `pause` seconds on.
    """

    def __init__(
        self, server: str = "", *, context: str = "", attempts: int = 5, pause: float = 0.5, timeout: float = 30.0
    ) -> None:
        self.server, self.context = server, context
        self.attempts, self.pause, self.timeout = attempts, pause, timeout
        self._opened: Any = None
        self._known: dict[str, dict[str, Api]] = {}

    # -- verbs ----------------------------------------------------------------------------------------------------

    def api(self, api_version: str, kind: str) -> Api | None:
        """How a kind is asked for; None when the server does not know it."""
        if api_version not in self._known:
            try:
                listed = self._request("GET", _group(api_version))["resources"]
            except ClusterError as error:
                if error.status != 404:
                    raise
                listed = []
            self._known[api_version] = {
                entry["kind"]: Api(entry["name"], entry["namespaced"]) for entry in listed if "/" not in entry["name"]
            }
        return self._known[api_version].get(kind)

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        """An object as it is on the server; None when there is none."""
        try:
            return self._request("GET", self._path(api_version, kind, namespace, name))
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    def find(self, api_version: str, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        """Objects of a kind, of one namespace or of all."""
        query = [("labelSelector", labels)] if labels else []
        return self._request("GET", self._path(api_version, kind, namespace), query)["items"]

    def apply(self, wanted: Mapping[str, Any], *, dry_run: bool = False, force: bool = False) -> dict[str, Any]:
        """Make an object what is wanted, or say what it would be.

        ConflictError names the owner of a disputed field; `force` takes the field over.
        """
        metadata = wanted["metadata"]
        path = self._path(wanted["apiVersion"], wanted["kind"], metadata.get("namespace", ""), metadata["name"])
        query = [("fieldManager", MANAGER), ("fieldValidation", "Strict"), ("force", str(force).lower())]
        query += [("dryRun", "All")] if dry_run else []
        return self._request("PATCH", path, query, wanted, "application/apply-patch+yaml")

    def update(self, changed: Mapping[str, Any], manager: str = MANAGER) -> dict[str, Any]:
        """Replace an object that was read before. ConflictError when it was changed since (`resourceVersion`)."""
        metadata = changed["metadata"]
        path = self._path(changed["apiVersion"], changed["kind"], metadata.get("namespace", ""), metadata["name"])
        return self._request("PUT", path, [("fieldManager", manager)], changed, "application/json")

    def scale(self, api_version: str, kind: str, name: str, namespace: str) -> dict[str, Any]:
        """How many pods a workload has, and shall have (its subresource `scale`)."""
        return self._request("GET", f"{self._path(api_version, kind, namespace, name)}/scale")

    def rescale(self, api_version: str, kind: str, changed: Mapping[str, Any]) -> None:
        """Replace a scale that was read before."""
        metadata = changed["metadata"]
        path = f"{self._path(api_version, kind, metadata['namespace'], metadata['name'])}/scale"
        self._request("PUT", path, [], changed, "application/json")

    # -- the connection -------------------------------------------------------------------------------------------

    def _path(self, api_version: str, kind: str, namespace: str, name: str = "") -> str:
        api = self.api(api_version, kind)
        if api is None:
            raise ClusterError(f"the cluster knows no {kind} of {api_version}", 404)
        inside = f"/namespaces/{namespace}" if api.namespaced and namespace else ""
        return f"{_group(api_version)}{inside}/{api.plural}" + (f"/{name}" if name else "")

    def _request(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]] | None = None,
        body: Mapping[str, Any] | None = None,
        kind: str = "",
    ) -> Any:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json", **({"Content-Type": kind} if kind else {})}
        client, pause = self._client(), self.pause
        for attempt in range(1, self.attempts + 1):
            try:
                answer = client.call_api(
                    path, method, query_params=query or [], header_params=dict(headers), body=body,
                    auth_settings=["BearerToken"], _return_http_data_only=True, _preload_content=False,
                    _request_timeout=self.timeout,
                )  # fmt: skip
                return json.loads(answer.data)
            except ApiException as error:
                if error.status not in PASSING or attempt == self.attempts:
                    raise _told(method, path, error) from None
            except HTTPError as error:
                if attempt == self.attempts:
                    raise ClusterError(
                        f"the API server at {client.configuration.host} does not answer: {error}"
                    ) from None
            time.sleep(pause)
            pause *= 2
        raise AssertionError("unreachable")

    def _client(self) -> Any:
        if self._opened is None:
            from kubernetes import client, config

            settings = client.Configuration()
            try:
                if self.server:
                    settings.host = self.server.rstrip("/")
                elif IN_POD.exists():
                    config.load_incluster_config(settings)
                else:
                    config.load_kube_config(context=self.context or None, client_configuration=settings)
            except config.ConfigException as error:
                raise ClusterError(f"no cluster is configured: {error} (kubectl config, or --server)") from None
            settings.retries = False
            self._opened = client.ApiClient(settings)
        return self._opened


def _group(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _told(method: str, path: str, error: Any) -> ClusterError:
    try:
        message = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        message = error.reason or "no reason given"
    made = ConflictError if error.status == 409 else ClusterError
    if error.status in (401, 403):
        message = f"not allowed: {message}"
    return made(f"{method} {path}: {message} ({error.status})", error.status)
