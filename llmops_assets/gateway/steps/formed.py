"""No answer in another form than its caller reads."""

import json

from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.steps.base import Step


class Formed(Step):
    """Hand over where JSON was asked for and is none any more: the guards before have changed its text.

    One that a limit of tokens cut stays: its end says so.
    """

    name = "formed"

    async def run(self, exchange: Exchange) -> None:
        """Leave the answer, or let a person answer."""
        if not exchange.ask.wishes.grammar or exchange.path != "generated" or exchange.cut:
            return
        try:
            json.loads(exchange.draft or "")
        except ValueError:
            exchange.hand_over()
