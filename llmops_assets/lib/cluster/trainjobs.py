"""A training on several nodes as Kubeflow Trainer's TrainJob (v1alpha1): what is asked for, and what became of it.

The runtime that it names brings torchrun's rendezvous as PET_… variables, so `torchrun` needs none of its options.
https://www.kubeflow.org/docs/components/trainer/, https://docs.pytorch.org/docs/stable/elastic/run.html.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from llmops_assets.lib.cluster.placement import Placement, PlacementError

API_VERSION, KIND = "trainer.kubeflow.org/v1alpha1", "TrainJob"


def train_job(
    name: str,
    namespace: str,
    arguments: Sequence[str],
    *,
    runtime: str,
    nodes: int,
    processes: int,
    place: Placement,
    image: str = "",
) -> dict[str, Any]:
    """The manifest of a training in `processes` processes, spread evenly over pods on `nodes` nodes.

    `arguments` are torchrun's; `place` is what one pod asks of its node, whose kind of GPU the runtime names. No
    `image`: the runtime's. PlacementError where the processes cannot be spread evenly.
    """
    if processes % nodes:
        raise PlacementError(
            f"{processes} processes do not spread evenly over {nodes} nodes: make `processes` of the adapter a "
            f"multiple of {nodes}"
        )
    asked = {"cpu": str(place.cpu), "memory": f"{place.memory}Gi"}
    trainer: dict[str, Any] = {
        "command": ["torchrun"],
        "args": list(arguments),
        "numNodes": nodes,
        "numProcPerNode": processes // nodes,
        "resourcesPerNode": {"requests": asked, "limits": {"memory": asked["memory"]}},
    }
    if image:
        trainer["image"] = image
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "llmops"}},
        "spec": {"runtimeRef": {"name": runtime}, "trainer": trainer},
    }


def outcome(job: Mapping[str, Any]) -> tuple[bool, str] | None:
    """Whether an ended TrainJob succeeded, and what its condition says; None while it runs or waits."""
    for condition in job.get("status", {}).get("conditions", ()):
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            return condition["type"] == "Complete", str(condition.get("message") or condition.get("reason") or "")
    return None
