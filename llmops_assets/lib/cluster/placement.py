"""What a training step needs of a node: GPUs, memory and cores, from the recipe and the size of the base model.

Pure arithmetic on bytes; that a GPU has this much is not checked here but by the scheduler. States of Adam in mixed
precision are counted as in ZeRO (https://arxiv.org/abs/1910.02054, section 3.1).
"""

import contextlib
import math
from typing import Any

from pydantic import Field

from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import Recipe
from llmops_assets.lib.records.base import Record

GIB = 1024**3
TRAINED = {"adapter": "lora", "preference_adapter": "dpo", "distilled_model": "distil"}
"""Asset to the method of its recipe: the steps that are placed. The first is the one that every release needs."""
BYTES = {"fp32": 4, "bf16": 2}
STATES = 16
"""Bytes that a trained parameter keeps: gradient, master copy and two moments of Adam, in fp32."""
LORA_SHARE = 0.04
"""Trained parameters of a LoRA at rank 16 on all seven linear layers, as a share of the model's; it grows with rank."""
ACTIVATIONS = 0.35
"""Activations and workspace, as a share of weights and states."""
LIBRARIES = 3 * GIB
"""torch, transformers, tables and the copies that a step makes of a dataset."""
USABLE = 0.9
"""Share of a GPU's memory that a process can have."""


class PlacementError(LlmopsError, ValueError):
    """A recipe does not fit into what a step may take; the message says what it needs."""


class Profile(Record):
    """What a cluster offers to steps; the code location reads it from its environment."""

    gpus: int = Field(0, ge=0, description="GPUs that one step may take; 0: it trains on the CPU")
    gpu_resource: str = Field("nvidia.com/gpu", min_length=1, description="name of the resource of the device plugin")
    gpu_memory: float = Field(24.0, gt=0, description="GiB of one GPU")
    parameters: int = Field(135_000_000, ge=1, description="parameters of the base model")
    training_image: str = Field("", description="image of GPU steps; none: that of the run")
    max_steps: int = Field(4, ge=1, description="steps of a run at the same time")


class Placement(Record):
    """What one step asks of the scheduler."""

    gpus: int = Field(ge=0)
    cpu: int = Field(ge=1)
    memory: int = Field(ge=1, description="GiB of main memory")


def needed_bytes(recipe: Recipe, parameters: int) -> int:
    """Bytes that training a model of so many parameters takes on its device, without libraries."""
    weights = parameters * BYTES[recipe.precision]
    if recipe.method == "lora":
        trained, held = parameters * LORA_SHARE * recipe.rank / 16, weights
    elif recipe.method == "dpo":
        # The reference that the answers are compared with is held beside the model.
        trained, held = parameters * LORA_SHARE * recipe.rank / 16, 2 * weights
    else:
        # Every parameter is trained; a student's teacher is held beside it.
        trained, held = float(parameters), weights * (2 if recipe.method == "distil" else 1)
    return math.ceil((held + trained * STATES) * (1 + ACTIVATIONS))


def placement(recipe: Recipe, profile: Profile) -> Placement:
    """Where a recipe can be trained. PlacementError when the GPUs that a step may take are too small."""
    bytes_needed = needed_bytes(recipe, profile.parameters)
    if profile.gpus == 0:
        return Placement(gpus=0, cpu=4, memory=math.ceil((bytes_needed + LIBRARIES) / GIB))
    gpus = max(1, math.ceil(bytes_needed / (profile.gpu_memory * USABLE * GIB)))
    if gpus > profile.gpus:
        raise PlacementError(
            f"{recipe.method} of {profile.parameters:,} parameters needs {bytes_needed / GIB:.0f} GiB, "
            f"{gpus} GPUs of {profile.gpu_memory:g} GiB; a step may take {profile.gpus} (LLMOPS_GPUS)"
        )
    # The weights pass through main memory once on their way to the device.
    weights = profile.parameters * BYTES["fp32"]
    return Placement(gpus=gpus, cpu=4 * gpus, memory=math.ceil((weights * 1.2 + LIBRARIES) / GIB))


def pod_of(found: Placement, profile: Profile) -> dict[str, Any]:
    """A placement as dagster-k8s takes it for a step (`per_step_k8s_config`)."""
    memory = f"{found.memory}Gi"
    requests, limits = {"cpu": str(found.cpu), "memory": memory}, {"memory": memory}
    container: dict[str, Any] = {"resources": {"requests": requests, "limits": limits}}
    pod: dict[str, Any] = {}
    if found.gpus:
        requests[profile.gpu_resource] = limits[profile.gpu_resource] = str(found.gpus)
        pod["tolerations"] = [{"key": profile.gpu_resource, "operator": "Exists", "effect": "NoSchedule"}]
        if profile.training_image:
            container["image"] = profile.training_image
    return {"container_config": container, "pod_spec_config": pod} if pod else {"container_config": container}


def steps(profile: Profile) -> dict[str, dict[str, Any]]:
    """Asset to what its step's pod needs, for every asset that trains. PlacementError when the adapter does not fit.

    Another method that does not fit is left out: that nobody can train a student must not keep adapters from training.
    Its step gets the pod of any step, and is ended there for want of memory; `misfits` says so before.
    """
    needed, *others = TRAINED
    placed = {needed: placement(Recipe(method=TRAINED[needed]), profile)}
    for name in others:
        with contextlib.suppress(PlacementError):
            placed[name] = placement(Recipe(method=TRAINED[name]), profile)
    return {name: pod_of(found, profile) for name, found in placed.items()}


def misfits(profile: Profile) -> list[str]:
    """The assets that a step cannot train with what it may take, a sentence each."""
    told = []
    for name, method in TRAINED.items():
        try:
            placement(Recipe(method=method), profile)
        except PlacementError as error:
            told.append(f"{name} cannot be trained here: {error}")
    return told
