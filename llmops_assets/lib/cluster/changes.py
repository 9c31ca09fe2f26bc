"""What an apply would change, and in which order objects are applied."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmops_assets.lib.cluster.objects import Object

ORDER = (
    "Namespace",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "NetworkPolicy",
    "ExternalSecret",
    "ConfigMap",
    "PersistentVolumeClaim",
    "Service",
    "Job",
    "Deployment",
)
"""What is there before what needs it. Jobs (migrations) end before the pods of a version begin; the rest is last."""
OWN_OF_SERVER = {
    "metadata": {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"},
}
"""Fields that a server fills in."""


def in_order(objects: Sequence[Object]) -> list[Object]:
    """The objects in the order in which they are applied; of one kind as they were."""
    return sorted(objects, key=lambda o: ORDER.index(o.kind) if o.kind in ORDER else len(ORDER))


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(path, before, after) of every value that would change; None for one that is not there."""
    old, new = dict(_flat(_stripped(before))), dict(_flat(_stripped(after)))
    return [
        (path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]


def _stripped(data: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in data.items() if key != "status"}
    for key, dropped in OWN_OF_SERVER.items():
        kept[key] = {name: value for name, value in (kept.get(key) or {}).items() if name not in dropped}
    return kept


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its path; entries of a list by their name, where all have one."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        names = [entry.get("name") if isinstance(entry, Mapping) else None for entry in value]
        named = all(names) and len(set(names)) == len(names)
        for at, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{names[at] if named else at}]")
    else:
        yield path, value
