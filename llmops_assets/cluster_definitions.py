"""The code location on a cluster: the same graph, whose training jobs give every step a pod of its own.

Light jobs stay in the run's pod (llmops_assets/jobs.py says which). What a step's pod needs is worked out in
llmops_assets/lib/cluster/placement.py. Concept: https://docs.dagster.io/deployment/oss/deployment-options/kubernetes.
"""

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.executor_definition import multiple_process_executor_requirements
from dagster._core.events import DagsterEvent
from dagster._core.execution.plan.objects import StepRetryData
from dagster._core.executor.step_delegating import StepDelegatingExecutor
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


LOST_PODS = 2
"""Pods of a step that may be lost before the step has failed."""
LOOK_SECONDS = 10
"""How often it is looked whether the pods of steps are still there."""


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


class Pods(StepDelegatingExecutor):
    """dagster-k8s' executor, which starts a step again whose pod was lost: evicted, preempted, out of memory, or gone
    with its node. A step that ended by itself, in an error too, has said so and is not asked twice.

    Run retries do not help there: they take a lost step for a failed one, and failed ones are not to be retried
    (`retry_on_asset_or_op_failure` in dagster.yaml).
    """

    @classmethod
    def around(cls, made: StepDelegatingExecutor) -> "Pods":
        """The executor that dagster-k8s made of its configuration, with this in addition."""
        return cls(
            made._step_handler,
            made.retries,
            max_concurrent=made._max_concurrent,
            tag_concurrency_limits=made._tag_concurrency_limits,
            should_verify_step=made._should_verify_step,
            step_dependency_config=made.step_dependency_config,
            check_step_health_interval_seconds=LOOK_SECONDS,
        )

    def log_failure_or_retry_event_after_error(
        self, step_context: Any, err_info: Any, known_state: Any
    ) -> DagsterEvent:
        """Called for steps whose own process did not say how they ended."""
        lost = known_state.get_retry_state().get_attempt_count(step_context.step.key)
        if lost >= LOST_PODS or step_context.retry_mode.disabled:
            return super().log_failure_or_retry_event_after_error(step_context, err_info, known_state)
        return DagsterEvent.step_retry_event(step_context, StepRetryData(error=err_info))


def _pods(context: dg.InitExecutorContext) -> Pods:
    made = k8s_job_executor.executor_creation_fn
    assert made is not None
    executor = made(context)
    assert isinstance(executor, StepDelegatingExecutor)
    return Pods.around(executor)


PODS = dg.ExecutorDefinition(
    "pods",
    config_schema=k8s_job_executor.config_schema.as_field(),
    requirements=multiple_process_executor_requirements(),
    executor_creation_fn=_pods,
)
"""A pod for every step."""


def executor_of(profile: Profile) -> dg.ExecutorDefinition:
    """A pod for every step; those that train have what they need."""
    config = {
        "max_concurrent": profile.max_steps,
        "per_step_k8s_config": steps(profile),
        # Steps go with their run's pod, whoever deletes it.
        "enable_owner_references": True,
    }
    return PODS.configured(config, name=PODS.name)


@dg.definitions
def defs() -> dg.Definitions:
    """The code location."""
    return build_defs(executor=executor_of(profile_of(os.environ)), resources={"io_manager": NoValues()})
