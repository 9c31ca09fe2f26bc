"""No answer with a gap in it: a placeholder of redacted training texts, a template's variable, nothing at all.

Nor with HTML in it, which a chat shows as it stands: it goes out as text.
"""

from llmops_assets.gateway.errors import UnservableError
from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.steps.base import Step
from llmops_assets.lib.auditing.placeholders import placeholders
from llmops_assets.lib.markup import untagged


class Filled(Step):
    """The last look at an answer, whichever way it was made: without HTML, and a handover where it has a gap."""

    name = "filled"

    async def run(self, exchange: Exchange) -> None:
        """UnservableError when the handover itself is no better."""
        # Markup first: what is hidden in it (`{{<b>name</b>}}`) is a slot like another.
        exchange.draft = untagged(exchange.draft or "")
        if _lacking(exchange.draft):
            exchange.hand_over()
            exchange.draft = untagged(exchange.draft or "")
        if _lacking(exchange.draft):
            raise UnservableError(f"the handover of {exchange.release_id} is empty or holds an unfilled slot")


def _lacking(text: str | None) -> bool:
    return not (text or "").strip() or bool(placeholders(text or ""))
