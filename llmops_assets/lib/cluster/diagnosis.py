"""Why an installation cannot be applied or does not run, a sentence each: what is missing, what waits and for what.

Pure: functions of the wanted objects and of what an API server said. What to do is part of the sentence.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from llmops_assets.lib.cluster import rules
from llmops_assets.lib.cluster.objects import Object, containers, of_kind
from llmops_assets.lib.cluster.pods import amount
from llmops_assets.lib.redaction.subjects import parse_key

OPERATORS = {
    "keda.sh": "KEDA",
    "monitoring.coreos.com": "the Prometheus Operator",
    "gateway.networking.k8s.io": "the Gateway API",
    "external-secrets.io": "the External Secrets Operator",
}
"""API group to who brings it."""
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
SAME = (
    ("LLMOPS_SUBJECT_KEY", "pseudonyms"),
    ("gateway.key", "the key by which runs ask the gateway"),
    ("trusted.pem", "the keys that sign releases"),
)
"""Keys that are one secret in several places, and what they are for."""


def missing_kinds(objects: Iterable[Object], known: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Kinds that the cluster does not know; `known` are (apiVersion, kind)."""
    there = set(known)
    wanted: dict[tuple[str, str], list[str]] = {}
    for one in objects:
        wanted.setdefault((one.api_version, one.kind), []).append(one.name)
    for (api_version, kind), names in sorted(wanted.items()):
        if (api_version, kind) not in there:
            group = api_version.partition("/")[0]
            who = OPERATORS.get(group, "a version of Kubernetes that has it")
            yield f"The cluster knows no {kind} of {api_version} ({', '.join(sorted(names))}): install {who}."


def missing_devices(objects: Iterable[Object], nodes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Extended resources (GPUs) that pods request and no node has enough of."""
    wanted: dict[str, dict[str, int]] = {}
    for one in objects:
        for container in containers(one.pod):
            for name, quantity in ((container.get("resources") or {}).get("requests") or {}).items():
                if "/" in name:
                    needs = wanted.setdefault(name, {})
                    needs[one.place] = needs.get(one.place, 0) + int(amount(quantity))
    for name, needs in sorted(wanted.items()):
        most = max((int(amount(n.get("status", {}).get("allocatable", {}).get(name, 0))) for n in nodes), default=0)
        if short := sorted(place for place, count in needs.items() if count > most):
            has = f"has more than {most}" if most else "has any"
            yield (
                f"No node {has} of {name}, of which {short[0]}"
                f"{f' and {len(short) - 1} more' if short[1:] else ''} wants {needs[short[0]]}: add a node with GPUs "
                "and its device plugin, or take the overlay without."
            )


def named_secrets(objects: Iterable[Object]) -> dict[tuple[str, str], set[str]]:
    """(namespace, name) to the keys that pods name of a secret; an empty set where all of it is taken."""
    found: dict[tuple[str, str], set[str]] = {}
    for one in objects:
        for volume in one.pod.get("volumes") or ():
            if "secret" in volume:
                found.setdefault((one.namespace, volume["secret"]["secretName"]), set())
        for container in containers(one.pod):
            for source in container.get("envFrom") or ():
                if "secretRef" in source:
                    found.setdefault((one.namespace, source["secretRef"]["name"]), set())
            for variable in container.get("env") or ():
                named = (variable.get("valueFrom") or {}).get("secretKeyRef")
                if named:
                    found.setdefault((one.namespace, named["name"]), set()).add(named["key"])
            for mount in container.get("volumeMounts") or ():
                for volume in one.pod.get("volumes") or ():
                    if volume["name"] == mount["name"] and "secret" in volume and "subPath" in mount:
                        found[one.namespace, volume["secret"]["secretName"]].add(mount["subPath"])
    return found


Values = Mapping[tuple[str, str], Mapping[str, str]]
"""(namespace, name) to a secret's data, base64 as the API server gives it."""


def missing_secrets(objects: Sequence[Object], secrets: Values) -> Iterator[str]:
    """Secrets and keys that are not there; those that an ExternalSecret of the objects makes come by themselves."""
    by_vault = {
        (o.namespace, (o.spec.get("target") or {}).get("name", o.name)) for o in of_kind(objects, "ExternalSecret")
    }
    for (namespace, name), keys in sorted(named_secrets(objects).items()):
        if (namespace, name) in secrets:
            for key in sorted(keys - secrets[namespace, name].keys()):
                yield f"The secret {namespace}/{name} has no key {key}: see k8s/secrets.yaml for what it is."
        elif (namespace, name) not in by_vault:
            yield f"There is no secret {namespace}/{name}: create it with the keys that k8s/secrets.yaml lists."


def wrong_secrets(secrets: Values) -> Iterator[str]:
    """Values that cannot be right; nothing of a value is told."""
    places: dict[str, dict[str, str]] = {}
    for (namespace, name), data in sorted(secrets.items()):
        for key, encoded in sorted(data.items()):
            try:
                value = base64.b64decode(encoded, validate=True).decode().strip()
            except (binascii.Error, UnicodeDecodeError):
                yield f"The key {key} of the secret {namespace}/{name} is no text."
                continue
            if not value:
                yield f"The key {key} of the secret {namespace}/{name} is empty."
            elif key == "LLMOPS_SUBJECT_KEY" and not _is_key(value):
                made = "openssl rand -hex 32 makes one"
                yield f"The key {key} of the secret {namespace}/{name} is no 32-byte key: {made}."
            places.setdefault(key, {})[f"{namespace}/{name}"] = value
    for key, what in SAME:
        if len(set(places.get(key, {}).values())) > 1:
            yield f"{key} differs between the secrets {' and '.join(places[key])}: it is one secret, of {what}."


def _is_key(value: str) -> bool:
    try:
        return all(parse_key(part) for part in value.split(","))
    except ValueError:
        return False


def missing_storage(objects: Sequence[Object], classes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Claims whose storage class is not there, or that rely on a default that is not set."""
    names = {str(found["metadata"]["name"]) for found in classes}
    default = any((c["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true" for c in classes)
    for claim in of_kind(objects, "PersistentVolumeClaim"):
        wanted = claim.spec.get("storageClassName")
        if wanted is None and not default:
            what = f"set storageClassName to one of {_of(names)}"
            yield f"{claim.place} names no storage class and the cluster has no default: {what}."
        elif wanted is not None and wanted not in names:
            yield f"{claim.place} wants the storage class {wanted}, which is not there: the cluster has {_of(names)}."


def _of(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def other_versions(live: Sequence[Object], version: str) -> Iterator[str]:
    """Workloads on the cluster whose image is not of this package's version."""
    for told in rules.one_version(live, version):
        yield f"{told}: push the images of this version and apply again, or use the llmops of that version."


# -- what waits -----------------------------------------------------------------------------------------------------

PULLS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
REFUSALS = (
    (
        r"unauthorized|authentication required|denied|forbidden|no basic auth",
        "the registry lets nobody in without a pull secret",
    ),
    (
        r"not found|manifest unknown|does not exist|no such image",
        "the registry has no such version: build and push it (k8s/images)",
    ),
    (
        r"dial tcp|no such host|timeout|connection refused|i/o|unreachable|TLS|deadline",
        "the registry cannot be reached from the node",
    ),
)
"""What a kubelet says of a pull, and what it means. The first that fits counts."""


def waiting(pods: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Pods that are not ready, and why, as far as their status tells."""
    for pod in pods:
        place = f"Pod {pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"
        yield from _pod(place, pod.get("status") or {})


def _pod(place: str, status: Mapping[str, Any]) -> Iterator[str]:
    if status.get("reason") == "Evicted":
        what = "its disk is full" if "ephemeral" in status.get("message", "") else "its node ran out"
        yield f"{place} was evicted, {what}: {_short(status.get('message', ''))}"
        return
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            message = condition.get("message", "")
            yield f"{place} finds no node: {_short(message)}{_advice(message)}"
    for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waits = (container.get("state") or {}).get("waiting") or {}
        reason, message = waits.get("reason", ""), waits.get("message", "")
        where = f"{place}: container {container['name']}"
        if reason in PULLS:
            yield f"{where} has no image {container.get('image', '')}: {_pull(reason, message)}."
        elif reason == "CreateContainerConfigError":
            yield f"{where} cannot be made: {_short(message)}; create what is missing, the pod then goes on by itself."
        elif reason == "CrashLoopBackOff":
            yield f"{where} ends again and again{_ended(container)}."


def _pull(reason: str, message: str) -> str:
    if reason == "InvalidImageName":
        return "that is no name of an image"
    if reason == "ErrImageNeverPull":
        return "the node has none and is told not to pull"
    for pattern, meaning in REFUSALS:
        if re.search(pattern, message, re.IGNORECASE):
            return f"{meaning} ({_short(message)})"
    return _short(message) or reason


def _ended(container: Mapping[str, Any]) -> str:
    last = (container.get("lastState") or {}).get("terminated") or {}
    if last.get("reason") == "OOMKilled":
        return ": it needs more memory than its limit"
    if "No space left on device" in last.get("message", ""):
        return ": its volume is full"
    return f", the last time with status {last['exitCode']}: look at its logs" if "exitCode" in last else ""


def _advice(message: str) -> str:
    if found := re.search(r"Insufficient (\S+/\w+)", message):
        return f" (no node has a free {found[1]})"
    if "unbound immediate PersistentVolumeClaims" in message:
        return " (no volume could be made for its claim: is there a storage class?)"
    return ""


def refused_pods(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Pods that were never made: a Job or ReplicaSet whose pods are refused waits for ever, and its run with it."""
    for event in events:
        if event.get("reason") == "FailedCreate":
            about = event["involvedObject"]
            message = _short(event.get("message", ""))
            why = "Pod Security refuses them" if "PodSecurity" in message else "they are refused"
            if "exceeded quota" in message:
                why = "the namespace's quota is used up"
            yield f"{about['kind']} {about.get('namespace', '')}/{about['name']} gets no pods, {why}: {message}"


def _short(message: str) -> str:
    text = " ".join(message.split())
    return text if len(text) <= 240 else f"{text[:237]}..."
