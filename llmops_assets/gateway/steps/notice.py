"""The first answer of a conversation says that a machine writes."""

from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.steps.base import Step


class Notice(Step):
    """Put the release's notice before the first answer, where the release and not the client tells it.

    The last of the guards: a caller's limits cut the answer and not what must be told. Who reads JSON, or asks a
    preview, is no customer in a chat. The log keeps the answer without it.
    """

    name = "notice"

    async def run(self, exchange: Exchange) -> None:
        """Fill `notice`, and put it before the draft."""
        told_here = exchange.release.bundle.manifest.ai_notice == "first_answer"
        in_a_chat = exchange.ask.logged and not exchange.ask.wishes.grammar
        # Who asked whether a machine writes is told that already.
        told = (exchange.draft or "").startswith(exchange.words("notice"))
        if told_here and in_a_chat and exchange.first and not told:
            exchange.notice = exchange.words("notice") + "\n\n"
            exchange.draft = exchange.notice + (exchange.draft or "")
