"""The installation on a cluster: what would change, apply it, what runs, what is wrong.

Nothing is applied that is wrong in itself, that the cluster lacks something for, or that the API server would refuse:
everything is tried first without effect. What is checked is in llmops_assets/lib/cluster.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llmops_assets import __version__
from llmops_assets.commands import manifests
from llmops_assets.lib.cluster import diagnosis
from llmops_assets.lib.cluster.changes import differences, in_order
from llmops_assets.lib.cluster.objects import Object, containers, of_kind, parse
from llmops_assets.lib.cluster.placement import misfits
from llmops_assets.lib.errors import LlmopsError
from resources.cluster import Cluster, ClusterError

MIGRATION_SECONDS = 900.0
Tell = Callable[[str], object]


def wanted(overlay: str) -> list[Object]:
    """The objects of an overlay. LlmopsError where it does not render."""
    return parse(manifests.render(manifests.overlay(overlay)))


def flaws(objects: Sequence[Object]) -> list[str]:
    """What is wrong with objects in themselves, whatever the cluster."""
    return manifests.distinct(manifests.problems(objects, manifests.secrets_of(manifests.FOLDER / "secrets.yaml")))


# -- diff -----------------------------------------------------------------------------------------------------------


def diff(overlay: str, cluster: Cluster) -> Iterator[str]:
    """What an apply would change, a line per object and one per value: the API server says what it would make of it."""
    changed = 0
    for one in in_order(wanted(overlay)):
        if cluster.api(one.api_version, one.kind) is None:
            yield f"? {one.place}: the cluster knows no {one.kind} of {one.api_version}"
            changed += 1
            continue
        before = cluster.get(one.api_version, one.kind, one.name, one.namespace)
        if before is None:
            yield f"+ {one.place}"
            changed += 1
            continue
        found = differences(before, cluster.apply(one.data, dry_run=True, force=True))
        if found:
            yield f"~ {one.place}"
            yield from (f"    {path}: {_short(old)} -> {_short(new)}" for path, old, new in found)
            changed += 1
    yield f"{changed} objects would change"


def _short(value: Any) -> str:
    text = "nothing" if value is None else " ".join(str(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


# -- apply ----------------------------------------------------------------------------------------------------------


def apply(
    overlay: str, cluster: Cluster, tell: Tell, *, force: bool = False, seconds: float = MIGRATION_SECONDS
) -> list[str]:
    """Bring the cluster to what the overlay says; what keeps it from that, and then nothing was applied.

    ClusterError in the middle (a server that went away) says how far it came; the same command goes on from there.
    """
    objects = wanted(overlay)
    if obstacles := [*flaws(objects), *lacking(objects, cluster)]:
        return obstacles
    ordered = in_order(objects)
    namespaces, others = of_kind(ordered, "Namespace"), [o for o in ordered if o.kind != "Namespace"]
    # In a namespace that is not there nothing can be tried.
    for one in namespaces:
        cluster.apply(one.data, force=force)
    refused = []
    for one in others:
        try:
            cluster.apply(one.data, dry_run=True, force=force)
        except ClusterError as error:
            if not 400 <= error.status < 500:
                raise
            refused.append(f"{one.place}: {error}")
    if refused:
        return refused
    done = len(namespaces)
    for one in others:
        try:
            cluster.apply(one.data, force=force)
        except ClusterError as error:
            raise ClusterError(
                f"{error}: {done} of {len(ordered)} objects were applied before; the same command goes on from there",
                error.status,
            ) from None
        done += 1
        if one.kind == "Job":
            tell(f"waiting for {one.place}")
            _await_job(one, cluster, seconds)
    tell(f"{done} objects applied")
    return []


def _await_job(job: Object, cluster: Cluster, seconds: float) -> None:
    """Return when a Job has succeeded. LlmopsError when it failed, or has not ended in time, with what its pods say."""
    deadline = time.monotonic() + seconds
    while True:
        found = cluster.get(job.api_version, job.kind, job.name, job.namespace) or {}
        ended = {c["type"] for c in (found.get("status") or {}).get("conditions") or () if c["status"] == "True"}
        if "Complete" in ended:
            return
        late = time.monotonic() > deadline
        if "Failed" in ended or late:
            labels = ",".join(f"{k}={v}" for k, v in job.pod_labels.items())
            told = diagnosis.waiting(cluster.find("v1", "Pod", job.namespace, labels))
            why = "; ".join(told) or f"kubectl -n {job.namespace} logs job/{job.name}"
            raise LlmopsError(
                f"{job.place} {'has not ended' if late else 'failed'}, the pods were left as they are: {why}"
            )
        time.sleep(cluster.pause)


# -- doctor ---------------------------------------------------------------------------------------------------------


def lacking(objects: Sequence[Object], cluster: Cluster) -> list[str]:
    """What the cluster lacks for these objects. What the caller may not look at is left out and said so."""
    known = {(o.api_version, o.kind) for o in objects if cluster.api(o.api_version, o.kind) is not None}
    pods = [*objects, *manifests.launched_pods(objects)]
    told = list(diagnosis.missing_kinds(objects, known))
    told += _if_allowed("nodes", lambda: diagnosis.missing_devices(pods, cluster.find("v1", "Node")))
    classes = ("storage.k8s.io/v1", "StorageClass")
    if of_kind(objects, "PersistentVolumeClaim"):
        told += _if_allowed("storage classes", lambda: diagnosis.missing_storage(objects, cluster.find(*classes)))

    def secrets() -> Iterator[str]:
        found = {}
        for namespace, name in diagnosis.named_secrets(pods):
            secret = cluster.get("v1", "Secret", name, namespace)
            if secret is not None:
                found[namespace, name] = secret.get("data") or {}
        yield from diagnosis.missing_secrets(pods, found)
        yield from diagnosis.wrong_secrets(found)

    return [*told, *_if_allowed("secrets", secrets)]


def _if_allowed(what: str, look: Callable[[], Iterator[str]]) -> list[str]:
    try:
        return list(look())
    except ClusterError as error:
        if error.status not in (401, 403):
            raise
        return [f"Whether {what} are missing cannot be told: {error}"]


def doctor(overlay: str, cluster: Cluster) -> list[str]:
    """Everything that is wrong: with the manifests, with the cluster for them, and with what runs."""
    objects = wanted(overlay)
    told = [*flaws(objects), *misfits_of(objects), *lacking(objects, cluster)]
    live = [
        Object(found)
        for o in of_kind(objects, "Deployment")
        if (found := cluster.get(o.api_version, o.kind, o.name, o.namespace)) is not None
    ]
    told += diagnosis.other_versions(live, __version__)
    for namespace in sorted({o.namespace for o in objects if o.template}):
        told += diagnosis.waiting(cluster.find("v1", "Pod", namespace))
        told += diagnosis.refused_pods(cluster.find("v1", "Event", namespace))
    return manifests.distinct(iter(told))


def misfits_of(objects: Sequence[Object]) -> list[str]:
    """Trainings that do not fit into what a step may take."""
    from llmops_assets.cluster_definitions import profile_of

    return misfits(profile_of(manifests.environment(objects)))


# -- status ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Running:
    """A workload as it is on the cluster."""

    place: str
    ready: int
    wanted: int
    image: str
    note: str = ""


def status(overlay: str, cluster: Cluster) -> list[Running]:
    """Every Deployment of an overlay: pods that are ready and that are wanted, and its image."""
    rows = []
    for one in of_kind(wanted(overlay), "Deployment"):
        found = cluster.get(one.api_version, one.kind, one.name, one.namespace)
        if found is None:
            rows.append(Running(one.place, 0, one.spec.get("replicas", 1), "", "not applied"))
            continue
        image = str(next(iter(containers(Object(found).pod)), {}).get("image", ""))
        state, count = found.get("status") or {}, found["spec"].get("replicas", 1)
        behind = state.get("observedGeneration", 0) < found["metadata"].get("generation", 0)
        rows.append(Running(one.place, state.get("readyReplicas", 0), count, image, "being changed" if behind else ""))
    return rows
