"""The code location on a cluster: the same graph, whose training jobs give every step a pod of its own.

Light jobs stay in the run's pod (llmops_assets/jobs.py says which). What a step's pod needs is worked out in
llmops_assets/lib/cluster/placement.py. Concept: https://docs.dagster.io/deployment/oss/deployment-options/kubernetes.
"""

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_k8s import k8s_job_executor
from pydantic import ValidationError

from llmops_assets.definitions import build_defs
from llmops_assets.lib.cluster.placement import Profile, steps
from llmops_assets.lib.errors import LlmopsError, in_a_sentence

VARIABLES = {
    "gpus": "LLMOPS_GPUS",
    "gpu_resource": "LLMOPS_GPU_RESOURCE",
    "gpu_memory": "LLMOPS_GPU_MEMORY",
    "parameters": "LLMOPS_MODEL_PARAMETERS",
    "training_image": "LLMOPS_TRAINING_IMAGE",
    "max_steps": "LLMOPS_MAX_STEPS",
}
"""Field of the profile to its environment variable, which k8s/base/orchestration/environment.env sets."""


class ValueHandedOverError(LlmopsError):
    """An asset handed a value to the next one, whose pod would not find it."""


class NoValues(dg.IOManager):
    """Pods of steps share no disk: assets hand over references as metadata, and a value is refused where it is made."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Nothing is stored. ValueHandedOverError for anything but None."""
        if obj is not None:
            raise ValueHandedOverError(
                f"{context.step_key} returns a {type(obj).__name__}: put it into the lake and return MaterializeResult"
            )

    def load_input(self, context: dg.InputContext) -> Any:
        """ValueHandedOverError: nothing was stored."""
        raise ValueHandedOverError(
            f"{context.op_def.name} takes {context.name} as a value: name it in deps and read its record"
        )


def profile_of(environment: Mapping[str, str]) -> Profile:
    """What the cluster offers to steps. LlmopsError names the variable that does not fit."""
    given = {field: environment[name] for field, name in VARIABLES.items() if environment.get(name)}
    try:
        return Profile.model_validate(given)
    except ValidationError as error:
        told = in_a_sentence(error)
        for field, name in VARIABLES.items():
            told = told.replace(f"{field}: ", f"{name}: ")
        raise LlmopsError(told) from None


def executor_of(profile: Profile) -> dg.ExecutorDefinition:
    """A pod for every step; those that train have what they need."""
    config = {
        "max_concurrent": profile.max_steps,
        "per_step_k8s_config": steps(profile),
        # Steps go with their run's pod, whoever deletes it.
        "enable_owner_references": True,
    }
    return k8s_job_executor.configured(config, name="pods")


@dg.definitions
def defs() -> dg.Definitions:
    """The code location."""
    return build_defs(executor=executor_of(profile_of(os.environ)), resources={"io_manager": NoValues()})
