"""Whether what an object names is there: ports, volumes, ConfigMaps, secrets, claims, accounts, roles, targets.

An API server accepts most of these mistakes and the pods then wait for ever, so they are found before it is asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmops_assets.lib.cluster.objects import Object, containers, of_kind, selects

Secrets = Mapping[tuple[str, str], frozenset[str]]
"""(namespace, name) to the keys of a secret that is made elsewhere."""
LAUNCHED = {"dagster/run-id"}
"""Labels of pods that stand in no manifest: Dagster's runs and steps."""


def broken(objects: Sequence[Object], secrets: Secrets) -> Iterator[str]:
    """Every reference that leads nowhere, a sentence each. `secrets`: those that no manifest makes."""
    index = {(o.kind, o.namespace, o.name): o for o in objects}
    known = dict(secrets)
    for made in of_kind(objects, "ExternalSecret"):
        target = (made.spec.get("target") or {}).get("name", made.name)
        known[made.namespace, target] = frozenset(entry["secretKey"] for entry in made.spec.get("data") or ())
    for workload in [o for o in objects if o.template is not None]:
        yield from _pod(workload, index, known)
    for one in objects:
        check = _CHECKS.get(one.kind)
        if check is not None:
            yield from check(one, objects, index)


Index = Mapping[tuple[str, str, str], Object]


def _pod(workload: Object, index: Index, secrets: Secrets) -> Iterator[str]:
    place, pod, namespace = workload.place, workload.pod, workload.namespace
    chosen = workload.spec.get("selector")
    if workload.kind in ("Deployment", "StatefulSet", "DaemonSet") and not (
        chosen and selects(chosen, workload.pod_labels)
    ):
        yield f"{place}: its selector does not take the labels of its own pods"
    for spread in pod.get("topologySpreadConstraints") or ():
        if not selects(spread.get("labelSelector"), workload.pod_labels):
            yield f"{place}: topologySpreadConstraints count other pods than its own"
    account = pod.get("serviceAccountName", "default")
    if account != "default" and ("ServiceAccount", namespace, account) not in index:
        yield f"{place}: there is no service account {account}"
    volumes = {volume["name"]: volume for volume in pod.get("volumes") or ()}
    for volume in volumes.values():
        yield from _volume(place, namespace, volume, index, secrets)
    mounted = set()
    for container in containers(pod):
        where = f"{place}: container {container['name']}"
        for mount in container.get("volumeMounts") or ():
            mounted.add(mount["name"])
            if mount["name"] not in volumes:
                yield f"{where} mounts the volume {mount['name']}, which the pod does not have"
            elif "subPath" in mount:
                yield from _sub_path(where, namespace, volumes[mount["name"]], mount["subPath"], index)
        yield from _environment(where, namespace, container, index, secrets)
        yield from _probes(where, container)
    if idle := sorted(volumes.keys() - mounted):
        yield f"{place}: no container mounts the volume {idle[0]}"


def _volume(place: str, namespace: str, volume: Mapping[str, Any], index: Index, secrets: Secrets) -> Iterator[str]:
    if "configMap" in volume:
        yield from _config_map(place, namespace, volume["configMap"]["name"], None, index)
    if "secret" in volume:
        yield from _secret(place, namespace, volume["secret"]["secretName"], None, secrets)
    if "persistentVolumeClaim" in volume:
        claim = volume["persistentVolumeClaim"]["claimName"]
        if ("PersistentVolumeClaim", namespace, claim) not in index:
            yield f"{place}: there is no claim {claim}"


def _sub_path(where: str, namespace: str, volume: Mapping[str, Any], path: str, index: Index) -> Iterator[str]:
    if "configMap" in volume:
        yield from _config_map(where, namespace, volume["configMap"]["name"], path, index)


def _environment(
    where: str, namespace: str, container: Mapping[str, Any], index: Index, secrets: Secrets
) -> Iterator[str]:
    for source in container.get("envFrom") or ():
        if "configMapRef" in source:
            yield from _config_map(where, namespace, source["configMapRef"]["name"], None, index)
        if "secretRef" in source:
            yield from _secret(where, namespace, source["secretRef"]["name"], None, secrets)
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        if "configMapKeyRef" in source:
            named = source["configMapKeyRef"]
            yield from _config_map(where, namespace, named["name"], named["key"], index)
        if "secretKeyRef" in source:
            named = source["secretKeyRef"]
            yield from _secret(where, namespace, named["name"], named["key"], secrets)


def _config_map(where: str, namespace: str, name: str, key: str | None, index: Index) -> Iterator[str]:
    found = index.get(("ConfigMap", namespace, name))
    if found is None:
        yield f"{where}: there is no ConfigMap {name}"
    elif key is not None and key not in {**(found.data.get("data") or {}), **(found.data.get("binaryData") or {})}:
        yield f"{where}: the ConfigMap {name} has no key {key}"


def _secret(where: str, namespace: str, name: str, key: str | None, secrets: Secrets) -> Iterator[str]:
    keys = secrets.get((namespace, name))
    if keys is None:
        yield f"{where}: nothing makes a secret {name}"
    elif key is not None and key not in keys:
        yield f"{where}: the secret {name} has no key {key}"


def _probes(where: str, container: Mapping[str, Any]) -> Iterator[str]:
    handlers = [(kind, container.get(kind) or {}) for kind in ("startupProbe", "readinessProbe", "livenessProbe")]
    ports = container.get("ports") or ()
    for kind, probe in handlers:
        for action in ("httpGet", "tcpSocket", "grpc"):
            port = (probe.get(action) or {}).get("port")
            if port is not None and not _has_port(ports, port):
                yield f"{where}: {kind} asks the port {port}, which the container does not have"


def _has_port(ports: Sequence[Mapping[str, Any]], wanted: int | str) -> bool:
    return any(wanted in (port.get("name"), port.get("containerPort")) for port in ports)


def _pods_of(objects: Sequence[Object], namespace: str, selector: Mapping[str, Any]) -> list[Object]:
    return [o for o in objects if o.template and o.namespace == namespace and selects(selector, o.pod_labels)]


def _service(service: Object, objects: Sequence[Object], _: Index) -> Iterator[str]:
    behind = _pods_of(objects, service.namespace, {"matchLabels": service.spec.get("selector") or {}})
    if not service.spec.get("selector") or not behind:
        yield f"{service.place}: no pod has the labels that it selects"
    for port in service.spec.get("ports") or ():
        target = port.get("targetPort", port["port"])
        for workload in behind:
            if not any(_has_port(c.get("ports") or (), target) for c in workload.pod.get("containers") or ()):
                yield f"{service.place}: no container of {workload.place} has the port {target}"


def _budget(budget: Object, objects: Sequence[Object], _: Index) -> Iterator[str]:
    if not _pods_of(objects, budget.namespace, budget.spec.get("selector") or {}):
        yield f"{budget.place}: no pod has the labels that it selects"
    if {"minAvailable", "maxUnavailable"} <= budget.spec.keys():
        yield f"{budget.place}: it has minAvailable and maxUnavailable, of which only one may be set"


def _policy(policy: Object, objects: Sequence[Object], _: Index) -> Iterator[str]:
    chosen = policy.spec.get("podSelector") or {}
    keys = {expression["key"] for expression in chosen.get("matchExpressions") or ()}
    taken = _pods_of(objects, policy.namespace, chosen)
    if chosen and not keys & LAUNCHED and not taken:
        yield f"{policy.place}: no pod has the labels that it selects"
    named = {p["port"] for rule in policy.spec.get("ingress") or () for p in rule.get("ports") or () if "port" in p}
    for port in sorted(map(str, named)):
        for workload in taken:
            wanted = int(port) if port.isdigit() else port
            if not any(_has_port(c.get("ports") or (), wanted) for c in workload.pod.get("containers") or ()):
                yield f"{policy.place}: no container of {workload.place} has the port {port}"


def _binding(binding: Object, _: Sequence[Object], index: Index) -> Iterator[str]:
    role = binding.data["roleRef"]
    if role["kind"] == "Role" and ("Role", binding.namespace, role["name"]) not in index:
        yield f"{binding.place}: there is no role {role['name']}"
    for subject in binding.data.get("subjects") or ():
        at = ("ServiceAccount", subject.get("namespace", binding.namespace), subject["name"])
        if subject["kind"] == "ServiceAccount" and at not in index:
            yield f"{binding.place}: there is no service account {at[1]}/{at[2]}"


def _scaler(scaler: Object, _: Sequence[Object], index: Index) -> Iterator[str]:
    target = scaler.spec["scaleTargetRef"]
    found = index.get((target.get("kind", "Deployment"), scaler.namespace, target["name"]))
    if found is None:
        yield f"{scaler.place}: there is no {target.get('kind', 'Deployment')} {target['name']} to scale"
    elif "replicas" in found.spec:
        yield f"{scaler.place}: {found.place} says replicas too, which every apply would set back"


def _monitor(monitor: Object, objects: Sequence[Object], _: Index) -> Iterator[str]:
    services = [
        o
        for o in of_kind(objects, "Service")
        if o.namespace == monitor.namespace
        and selects(monitor.spec.get("selector"), o.data["metadata"].get("labels") or {})
    ]
    if not services:
        yield f"{monitor.place}: no service has the labels that it selects"
    for endpoint in monitor.spec.get("endpoints") or ():
        for service in services:
            if endpoint.get("port") not in [port.get("name") for port in service.spec.get("ports") or ()]:
                yield f"{monitor.place}: {service.place} has no port {endpoint.get('port')}"


def _route(route: Object, _: Sequence[Object], index: Index) -> Iterator[str]:
    for rule in route.spec.get("rules") or ():
        for backend in rule.get("backendRefs") or ():
            service = index.get(("Service", backend.get("namespace", route.namespace), backend["name"]))
            if service is None:
                yield f"{route.place}: there is no service {backend['name']}"
            elif backend.get("port") not in [port["port"] for port in service.spec.get("ports") or ()]:
                yield f"{route.place}: {service.place} has no port {backend.get('port')}"


_CHECKS = {
    "Service": _service,
    "PodDisruptionBudget": _budget,
    "NetworkPolicy": _policy,
    "RoleBinding": _binding,
    "ScaledObject": _scaler,
    "HorizontalPodAutoscaler": _scaler,
    "ServiceMonitor": _monitor,
    "HTTPRoute": _route,
}
