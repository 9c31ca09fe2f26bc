"""Where releases are served: one contract, a local process here, a cluster beside it."""

from resources.deployment_target.base import Ask, DeploymentError, DeploymentTarget, TargetReply, TargetStatus, Which
from resources.deployment_target.local import LocalTarget

__all__ = ["Ask", "DeploymentError", "DeploymentTarget", "LocalTarget", "TargetReply", "TargetStatus", "Which"]
