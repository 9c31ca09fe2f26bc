"""How much a caller asks."""

from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.identity.quotas import Quotas
from llmops_assets.gateway.steps.base import Step


class CountRequest(Step):
    """Refuse a caller that asks more often than its key allows, before anything is read."""

    name = "requests"

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas

    async def run(self, exchange: Exchange) -> None:
        """QuotaError 429."""
        self._quotas.request(exchange.caller.name, exchange.caller.allowance)


class ReserveTokens(Step):
    """Set aside as many tokens as an answer can take at most, and settle what it took when the exchange is over."""

    name = "tokens"

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas

    async def run(self, exchange: Exchange) -> None:
        """QuotaError 429 where the key has not as many left."""
        caller, most = exchange.caller, exchange.release.engine.context
        reserved = self._quotas.reserve(caller.name, caller.allowance, most)
        exchange.held.callback(lambda: reserved.settle(exchange.usage.input_tokens + exchange.usage.output_tokens))
