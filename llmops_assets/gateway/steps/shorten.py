"""An answer ends where its caller wants, and its tokens are counted."""

import asyncio
import contextlib

from llmops_assets.gateway.engine import Usage
from llmops_assets.gateway.errors import EngineError
from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.steps.base import Step


class Shorten(Step):
    """Cut an answer at the caller's `stop` and `max_tokens`, whichever way it was made.

    The last of the guards: what it cuts is clean already, and a beginning of it is too.
    """

    name = "shorten"

    async def run(self, exchange: Exchange) -> None:
        """Fill `counted`; EngineError when a limit is to be kept and nobody can count."""
        wishes, text = exchange.ask.wishes, exchange.draft or ""
        cuts = [place for place in (text.find(stop) for stop in wishes.stop) if place >= 0]
        if cuts:
            text, exchange.cut, exchange.shortened = text[: min(cuts)].rstrip(), False, True
        if wishes.max_tokens is not None and exchange.path != "generated":
            pieces = await exchange.release.engine.tokens(text)
            if len(pieces) > wishes.max_tokens:
                # A token may be a part of a character: what of one is left at the end is dropped.
                text = b"".join(pieces[: wishes.max_tokens]).decode(errors="ignore").rstrip()
                exchange.cut = exchange.shortened = True
        exchange.draft = text
        exchange.counted = await _counted(exchange)


async def _counted(exchange: Exchange) -> Usage | None:
    """Tokens of the engine where it answered, else of question and answer; None when the engine cannot count."""
    if exchange.usage.input_tokens:
        return exchange.usage
    engine = exchange.release.engine
    with contextlib.suppress(EngineError):
        asked, said = exchange.asked.text, exchange.draft or ""
        read, written = await asyncio.gather(engine.tokens(asked), engine.tokens(said))
        return Usage(len(read), len(written))
    return None
