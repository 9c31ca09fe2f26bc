"""No question that the release's engine could not read."""

from llmops_assets.gateway import budget
from llmops_assets.gateway.errors import EngineLostError
from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.steps.base import Step


class Fit(Step):
    """Refuse what is too long before anything is sent, whichever way it would be answered."""

    name = "fit"

    async def run(self, exchange: Exchange) -> None:
        """RequestError 400 when the question does not fit; EngineError when nobody can count."""
        asked = exchange.release, exchange.asked.text, exchange.ask.wishes
        try:
            await budget.admit(*asked)
        except EngineLostError:
            # A fresh engine is there by now.
            await budget.admit(*asked)
