"""How much money an answer may cost."""

import asyncio

from llmops_assets.gateway import budget
from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.identity.budgets import Budgets
from llmops_assets.gateway.steps.base import Step


class ReserveMoney(Step):
    """Set aside what an answer can cost at most, and settle what it did when the exchange is over."""

    name = "money"

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets

    async def run(self, exchange: Exchange) -> None:
        """QuotaError 429 where the key, its team or the installation has not as much left today."""
        caller, release = exchange.caller, exchange.release
        written = budget.answer_tokens(release, exchange.ask.wishes)
        read = release.engine.context - written
        reserved = await asyncio.to_thread(self._budgets.reserve, caller.name, caller.owner, read, written)

        async def settle() -> None:
            await asyncio.to_thread(reserved.settle, exchange.usage)

        exchange.held.push_async_callback(settle)
