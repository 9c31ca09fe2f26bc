"""Gateways on a Kubernetes cluster: what they serve is one ConfigMap, which this target writes and they follow.

The cluster has the gateways (k8s/base/serving/gateway); this brings no pod about, but takes their number to none and
back. A write carries the version that was read, so of two deployers at once one is refused.
"""

import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmops_assets.gateway.identity.own import own_key
from llmops_assets.gateway.state import ServingState
from llmops_assets.lib.hashing import hash_stream
from llmops_assets.lib.records import ReleaseManifest, SubjectPattern
from resources.cluster import Cluster, ClusterError, ConflictError
from resources.deployment_target.base import DeploymentError, DeploymentTarget, Seal, TargetStatus
from resources.deployment_target.routes import Routes, from_data
from resources.lake.base import Lake
from resources.models import Models

CONFIG_MAP, DEPLOYMENT, CONTAINER = "routes", "gateway", "gateway"
LABELS = "app.kubernetes.io/name=gateway"
MANAGER = "llmops-deployer"
REPLICAS = "llmops/replicas"
"""Annotation of the ConfigMap: how many gateways there were before `stop`."""
SECONDS = 300.0
"""How long gateways may take to a new state; a kubelet passes a changed ConfigMap on within about 90 s."""
POLL_SECONDS = 0.2


class KubernetesTarget(DeploymentTarget):
    """The gateways of a namespace, asked by customers and by us at `address`, their Service."""

    name = "kubernetes"

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        address: str,
        *,
        lake: Lake,
        models: Models,
        trusted: Path,
        identifiers: Sequence[SubjectPattern] = (),
        allow: Sequence[str] = (),
        key: Path | None = None,
        seconds: float = SECONDS,
    ) -> None:
        super().__init__(lake, models, trusted)
        self._cluster, self._namespace, self._address = cluster, namespace, address.rstrip("/")
        self._redaction = {"identifiers": [p.model_dump(mode="json") for p in identifiers], "allow": list(allow)}
        self._key = key
        self._seconds = seconds

    @property
    def address(self) -> str:
        """The Service in front of the gateways."""
        return self._address

    @property
    def key(self) -> str:
        """The installation's own key."""
        return "" if self._key is None else own_key(self._key)

    # -- the gateways ---------------------------------------------------------------------------------------------

    def start(self) -> TargetStatus:
        """Give the gateways what they begin with, where nothing was served yet, and wait until they answer."""
        found = self._read()
        routes = from_data(found.get("data"))
        if routes is None:
            routes = Routes(ServingState(), self._redaction)
            found = self._write(found, routes)
        scale = self._scale()
        if scale["spec"].get("replicas", 0) == 0:
            before = int((found["metadata"].get("annotations") or {}).get(REPLICAS, 1))
            self._rescale(scale, before)
        self._follow(routes.state)
        return self.status()

    def stop(self) -> None:
        """Take the gateways' number to none; the ConfigMap keeps what they served."""
        scale = self._scale()
        replicas = scale["spec"].get("replicas", 0)
        if replicas:
            found = self._read()
            metadata = found["metadata"]
            noted = {**(metadata.get("annotations") or {}), REPLICAS: str(replicas)}
            self._update({**found, "metadata": {**metadata, "annotations": noted}})
            self._rescale(scale, 0)
        deadline = time.monotonic() + self._seconds
        while self._healths():
            if time.monotonic() > deadline:
                raise DeploymentError(
                    f"gateways of {self._namespace} still answer {self._seconds:.0f} s after their end"
                )
            time.sleep(POLL_SECONDS)

    def status(self) -> TargetStatus:
        """What the gateway serves that is furthest behind."""
        healths = [health for health in self._healths().values() if health is not None]
        if not healths:
            raise DeploymentError(
                f"no gateway answers in the namespace {self._namespace}: start it (`llmops cluster apply`, deploy; "
                "`llmops cluster doctor` says what its pods wait for)"
            )
        last = min(healths, key=lambda health: health["generation"])
        return TargetStatus(last["live"], last["previous"], last["canary"], self.address, last["error"])

    def _healths(self) -> dict[str, dict[str, Any] | None]:
        """Pod to what its gateway says of itself; None where it does not answer. Pods that end are not counted."""
        try:
            pods = self._cluster.find("v1", "Pod", self._namespace, LABELS)
        except ClusterError as error:
            raise DeploymentError(str(error)) from error
        return {
            pod["metadata"]["name"]: _health(_address_of(pod))
            for pod in pods
            if _runs(pod) and not pod["metadata"].get("deletionTimestamp")
        }

    def _follow(self, wanted: ServingState) -> None:
        """Return when every gateway serves a state. DeploymentError when one refuses it or takes too long."""
        deadline = time.monotonic() + self._seconds
        while True:
            healths = self._healths()
            states = {pod: health["generation"] if health else None for pod, health in healths.items()}
            if healths and set(states.values()) == {wanted.generation}:
                return
            for pod, health in healths.items():
                if health is not None and health["failed_generation"] == wanted.generation:
                    raise DeploymentError(f"{pod}: {health['error']} (its container `releases` logs why)")
            if time.monotonic() > deadline:
                late = sorted(pod for pod, generation in states.items() if generation != wanted.generation)
                raise DeploymentError(
                    f"not served within {self._seconds:.0f} s by {', '.join(late) or 'any gateway'}: `llmops cluster "
                    "doctor` says what pods wait for, their container `releases` logs what it fetches"
                )
            time.sleep(POLL_SECONDS)

    # -- releases -------------------------------------------------------------------------------------------------

    def _bring(self, manifest: ReleaseManifest, seal: Seal) -> None:
        """Gateways fetch files and seal themselves; that the lake has them, as they must be, is seen here before."""
        for file in (manifest.engine_model, manifest.adapter, manifest.knowledge_index):
            if file is not None:
                with self.lake.open(file.ref.commit, file.ref.path) as source:
                    if hash_stream(source) != file.sha256:
                        raise DeploymentError(
                            f"{manifest.release_id} cannot be served: {file.ref} is not the file its manifest names"
                        )
        found = self._read()
        routes = from_data(found.get("data")) or Routes(ServingState(), self._redaction)
        changed = routes.redaction != self._redaction
        if changed or routes.find(manifest.release_id) is None:
            self._write(found, replace(routes.holding(manifest), redaction=self._redaction))
        if changed:
            raise DeploymentError(
                "the rules of redaction changed, and gateways take them at their start: kubectl -n "
                f"{self._namespace} rollout restart deployment/{DEPLOYMENT}, then deploy again"
            )

    def _state(self) -> ServingState:
        routes = from_data(self._read().get("data"))
        return routes.state if routes else ServingState()

    def _serve(self, before: ServingState, wanted: ServingState) -> TargetStatus:
        found = self._read()
        routes = from_data(found.get("data"))
        if routes is None or routes.state != before:
            raise DeploymentError("somebody else changed what is served meanwhile: look at it and deploy again")
        written = self._write(found, replace(routes, state=wanted))
        try:
            self._follow(wanted)
        except DeploymentError as error:
            back = before.model_copy(update={"generation": wanted.generation + 1})
            self._write(written, replace(routes, state=back))
            with contextlib.suppress(DeploymentError):
                self._follow(back)
            raise DeploymentError(f"the gateways did not take the release: {error}") from error
        return self.status()

    # -- the cluster ----------------------------------------------------------------------------------------------

    def _read(self) -> dict[str, Any]:
        try:
            found = self._cluster.get("v1", "ConfigMap", CONFIG_MAP, self._namespace)
        except ClusterError as error:
            raise DeploymentError(str(error)) from error
        if found is None:
            raise DeploymentError(
                f"{self._namespace} has no ConfigMap {CONFIG_MAP}: install with `llmops cluster apply`"
            )
        return found

    def _write(self, found: Mapping[str, Any], routes: Routes) -> dict[str, Any]:
        return self._update({**found, "data": routes.data()})

    def _update(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self._cluster.update(changed, MANAGER)
        except ConflictError as error:
            # Our own write may have come through although its answer was lost.
            found = self._read()
            same = found.get("data") == changed.get("data")
            if same and found["metadata"].get("annotations") == changed["metadata"].get("annotations"):
                return found
            raise DeploymentError(
                f"somebody else changed what is served meanwhile: look at it and deploy again ({error})"
            ) from error
        except ClusterError as error:
            raise DeploymentError(str(error)) from error

    def _scale(self) -> dict[str, Any]:
        try:
            found = self._cluster.scale("apps/v1", "Deployment", DEPLOYMENT, self._namespace)
        except ClusterError as error:
            raise DeploymentError(str(error)) from error
        return found

    def _rescale(self, scale: Mapping[str, Any], replicas: int) -> None:
        try:
            self._cluster.rescale("apps/v1", "Deployment", {**scale, "spec": {"replicas": replicas}})
        except ClusterError as error:
            raise DeploymentError(str(error)) from error


def _runs(pod: Mapping[str, Any]) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any(s["name"] == CONTAINER and "running" in (s.get("state") or {}) for s in statuses)


def _address_of(pod: Mapping[str, Any]) -> str:
    (container,) = (c for c in pod["spec"]["containers"] if c["name"] == CONTAINER)
    address = pod["status"]["podIP"]
    return f"http://{f'[{address}]' if ':' in address else address}:{container['ports'][0]['containerPort']}"


def _health(address: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=5) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        # A gateway that serves nothing yet says so with 503.
        with error:
            return json.load(error)
    except (OSError, ValueError):
        return None
