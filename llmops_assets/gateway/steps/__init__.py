"""The steps of a request, one module each; their order is the table in llmops_assets/gateway/chain.py."""

from llmops_assets.gateway.steps.base import Step, Steps

__all__ = ["Step", "Steps"]
