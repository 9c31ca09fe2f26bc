"""Objects of the Kubernetes API as they are written in manifests, and the pods among them.

Read only; what is right and wrong about them is in the modules beside. Reference:
https://kubernetes.io/docs/reference/kubernetes-api/.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from llmops_assets.lib.errors import LlmopsError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")


class ManifestError(LlmopsError, ValueError):
    """A text that holds no objects of the Kubernetes API."""


@dataclass(frozen=True)
class Object:
    """One object; `data` as it stands in the manifest."""

    data: Mapping[str, Any]

    @property
    def api_version(self) -> str:
        """Group and version, `apps/v1`."""
        return str(self.data["apiVersion"])

    @property
    def kind(self) -> str:
        """Its kind, `Deployment`."""
        return str(self.data["kind"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.data["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Its namespace; "" for what has none."""
        return str(self.data["metadata"].get("namespace", ""))

    @property
    def place(self) -> str:
        """How people are told of it: `Deployment llmops-serving/gateway`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its spec; empty where it has none."""
        return self.data.get("spec") or {}

    @property
    def template(self) -> Mapping[str, Any] | None:
        """The pod template of a workload, a bare pod itself, None for everything else."""
        if self.kind == "Pod":
            return self.data
        if self.kind == "CronJob":
            return self.spec.get("jobTemplate", {}).get("spec", {}).get("template")
        return self.spec.get("template") if self.kind in WORKLOADS else None

    @property
    def pod(self) -> Mapping[str, Any]:
        """The pod's spec; empty where there is no pod."""
        return (self.template or {}).get("spec") or {}

    @property
    def pod_labels(self) -> Mapping[str, str]:
        """Labels of its pods."""
        return ((self.template or {}).get("metadata") or {}).get("labels") or {}


def parse(text: str) -> list[Object]:
    """The objects of a YAML text with several documents. ManifestError names the document that is none."""
    try:
        documents = [document for document in yaml.load_all(text, LOADER) if document is not None]
    except yaml.YAMLError as error:
        raise ManifestError(f"no YAML: {' '.join(str(error).split())}") from error
    for number, document in enumerate(documents, 1):
        if not isinstance(document, dict) or not {"apiVersion", "kind"} <= document.keys():
            raise ManifestError(f"document {number} is no object of Kubernetes: it has no apiVersion or kind")
        if not (document.get("metadata") or {}).get("name"):
            raise ManifestError(f"document {number} ({document['kind']}) has no metadata.name")
    return [Object(document) for document in documents]


def containers(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every container of a pod, those that begin it first."""
    yield from pod.get("initContainers") or ()
    yield from pod.get("containers") or ()


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector (matchLabels, matchExpressions) takes these labels; an empty one takes all."""
    chosen = selector or {}
    if any(labels.get(key) != value for key, value in (chosen.get("matchLabels") or {}).items()):
        return False
    return all(_holds(expression, labels) for expression in chosen.get("matchExpressions") or ())


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[expression["operator"]]


def of_kind(objects: Sequence[Object], *kinds: str) -> list[Object]:
    """The objects of some kinds."""
    return [found for found in objects if found.kind in kinds]
