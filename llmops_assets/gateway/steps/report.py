"""The line of an exchange in the process's log."""

import logging

from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.steps.base import Step

LOGGER = logging.getLogger("llmops_assets.gateway")


class Report(Step):
    """Tell how a request ended, in figures and names of ours: nothing that was asked or answered, and nobody."""

    name = "report"

    async def run(self, exchange: Exchange) -> None:
        """Returns when it is told."""
        told = {
            "release": exchange.release_id,
            "path": exchange.path or "refused",
            "status": exchange.progress.status,
            "seconds": exchange.seconds,
            "input_tokens": exchange.usage.input_tokens,
            "output_tokens": exchange.usage.output_tokens,
            "cached_seconds": exchange.recalled_after,
        }
        LOGGER.info("answered" if exchange.progress.status == 200 else "not answered", extra={"told": told})
