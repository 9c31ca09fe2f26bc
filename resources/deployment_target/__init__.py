"""Where releases are served: one contract, a local process here, a cluster beside it.

What the contract needs is light; the local target is loaded when it is first asked for.
"""

from typing import TYPE_CHECKING, Any

from resources.deployment_target.base import DeploymentError, DeploymentTarget, ReleaseRefusedError, Seal, TargetStatus
from resources.deployment_target.client import Ask, TargetReply, Which
from resources.deployment_target.rollout import Stage

if TYPE_CHECKING:
    from resources.deployment_target.local import LocalTarget

__all__ = [
    "Ask",
    "DeploymentError",
    "DeploymentTarget",
    "LocalTarget",
    "ReleaseRefusedError",
    "Seal",
    "Stage",
    "TargetReply",
    "TargetStatus",
    "Which",
]


def __getattr__(name: str) -> Any:
    if name != "LocalTarget":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from resources.deployment_target.local import LocalTarget

    return LocalTarget
