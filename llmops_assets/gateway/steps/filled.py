"""No answer with a gap in it: a placeholder of redacted training texts, a template's variable, nothing at all."""

from llmops_assets.gateway.errors import UnservableError
from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.steps.base import Step
from llmops_assets.lib.auditing.placeholders import placeholders


class Filled(Step):
    """Hand over in place of an answer that is empty or holds an unfilled slot, whichever way it was made."""

    name = "filled"

    async def run(self, exchange: Exchange) -> None:
        """UnservableError when the handover itself is no better."""
        if _lacking(exchange.draft):
            exchange.hand_over()
        if _lacking(exchange.draft):
            raise UnservableError(f"the handover of {exchange.release_id} is empty or holds an unfilled slot")


def _lacking(text: str | None) -> bool:
    return not (text or "").strip() or bool(placeholders(text or ""))
