"""What a pod may be: Pod Security `restricted`, amounts that are amounts, requests and limits, pinned images.

For the pods of manifests and for those that Dagster launches. The standard:
https://kubernetes.io/docs/concepts/security/pod-security-standards/.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from llmops_assets.lib.cluster.objects import containers

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
"""Kinds of volumes that `restricted` allows."""
QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
SCALE = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}


def insecure(place: str, pod: Mapping[str, Any]) -> Iterator[str]:
    """Every way in which a pod's spec is not `restricted`; a namespace that enforces it would refuse the pod."""
    for shared in ("hostNetwork", "hostPID", "hostIPC", "hostUsers"):
        if pod.get(shared) and shared != "hostUsers":
            yield f"{place}: {shared} shares the node's own"
    for volume in pod.get("volumes") or ():
        if others := volume.keys() - {"name"} - VOLUMES:
            yield f"{place}: the volume {volume['name']} is a {min(others)}"
    general = pod.get("securityContext") or {}
    if general.get("sysctls"):
        yield f"{place}: sysctls are set"
    for container in containers(pod):
        where, own = f"{place}: container {container['name']}", container.get("securityContext") or {}
        if own.get("privileged"):
            yield f"{where} is privileged"
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"{where} does not set allowPrivilegeEscalation: false"
        if own.get("runAsNonRoot", general.get("runAsNonRoot")) is not True:
            yield f"{where} does not set runAsNonRoot: true"
        if own.get("runAsUser", general.get("runAsUser")) == 0:
            yield f"{where} runs as root"
        abilities = own.get("capabilities") or {}
        if "ALL" not in (abilities.get("drop") or ()) or set(abilities.get("add") or ()) - {"NET_BIND_SERVICE"}:
            yield f"{where} does not drop all capabilities"
        profile = own.get("seccompProfile", general.get("seccompProfile")) or {}
        if profile.get("type") not in ("RuntimeDefault", "Localhost"):
            yield f"{where} has no seccompProfile RuntimeDefault"
        if own.get("procMount", "Default") != "Default":
            yield f"{where} sets procMount"
        if any(port.get("hostPort") for port in container.get("ports") or ()):
            yield f"{where} takes a port of the node"
        # Beyond the standard: a process that cannot write its image is not changed by who breaks into it.
        if own.get("readOnlyRootFilesystem") is not True:
            yield f"{where} does not set readOnlyRootFilesystem: true"


def amount(quantity: str | int | float) -> Decimal:
    """A quantity in its unit (`500m` is 0.5, `1Gi` 1073741824). ValueError when it is none."""
    found = QUANTITY.fullmatch(str(quantity))
    if found is None:
        raise ValueError(f"{quantity!r} is no quantity")
    return Decimal(found[1]) * SCALE[found[2] or ""]


def unfit(place: str, pod: Mapping[str, Any]) -> Iterator[str]:
    """Resources and images that are missing, no amounts, or contradict each other."""
    for volume in pod.get("volumes") or ():
        size = (volume.get("emptyDir") or {}).get("sizeLimit")
        if "emptyDir" in volume and size is None:
            yield f"{place}: the volume {volume['name']} has no sizeLimit and could fill the node's disk"
        elif size is not None:
            yield from _amounts(f"{place}: volume {volume['name']}", {"sizeLimit": size})
    for container in containers(pod):
        where = f"{place}: container {container['name']}"
        resources = container.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        wrong = [*_amounts(f"{where}: requests", requests), *_amounts(f"{where}: limits", limits)]
        yield from wrong
        for name in ("cpu", "memory"):
            if name not in requests:
                yield f"{where} requests no {name}"
        if "memory" not in limits:
            yield f"{where} has no limit of memory and could take a node's"
        if "cpu" in limits:
            yield f"{where} limits cpu, which only slows it down"
        for name in requests.keys() & limits.keys() if not wrong else ():
            if amount(requests[name]) > amount(limits[name]):
                yield f"{where} requests more {name} ({requests[name]}) than its limit ({limits[name]})"
        image = str(container.get("image") or "")
        _, _, tag = image.rpartition("/")[2].partition(":")
        if not image or not tag or tag == "latest":
            yield f"{where}: its image {image!r} is not pinned to a version"


def _amounts(where: str, quantities: Mapping[str, Any]) -> Iterator[str]:
    for name, quantity in quantities.items():
        try:
            amount(quantity)
        except ValueError as error:
            yield f"{where}: {name}: {error}"
