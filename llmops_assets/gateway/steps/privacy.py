"""No personal data in what the engine made up."""

from llmops_assets.gateway.clearing import Redacts, clear
from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.steps.base import Step
from llmops_assets.lib.guarding import Finding


class ClearAnswer(Step):
    """Redact a generated answer. Published ones stay: of an article, of the release's handover."""

    name = "privacy"

    def __init__(self, redactor: Redacts) -> None:
        self._redactor = redactor

    async def run(self, exchange: Exchange) -> None:
        """RedactionError when the answer cannot be cleared."""
        if exchange.path == "generated" and all(exchange.draft != hit.answer for hit in exchange.hits):
            (cleared,) = await clear(self._redactor, [exchange.draft or ""])
            if cleared != exchange.draft:
                exchange.personal = True
                exchange.found(Finding("personal_data", "answer", "mask"))
            exchange.draft = cleared
