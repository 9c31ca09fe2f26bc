"""The row of an exchange in the interaction log."""

import asyncio

from llmops_assets.gateway.errors import SHORTENED
from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.gateway.steps.base import Step
from llmops_assets.lib.records import Interaction


class Record(Step):
    """Log what was asked and what was sent, without the notice of an AI before it, with how it ended; also of answers
    that failed or lost their client.

    Not logged are exchanges without a cleared question or without a release, and tests of a canary or preview.
    """

    name = "log"

    def __init__(self, log: InteractionLog) -> None:
        self._log = log

    async def run(self, exchange: Exchange) -> None:
        """Returns when the row is written."""
        question, progress = exchange.question, exchange.progress
        if question is None or exchange.serving is None or not exchange.ask.logged:
            return
        row = Interaction(
            id=exchange.id,
            time=question.time,
            release_id=exchange.release_id,
            subject=question.subject,
            conversation=question.conversation,
            question=question.text,
            answer=_answer(exchange),
            path=exchange.path or "refused",
            turn=exchange.ask.turn,
            caller=exchange.caller.name,
            owner=exchange.caller.owner,
            guards=",".join(map(str, exchange.findings)),
            article=exchange.article,
            similarity=exchange.similarity,
            latency_seconds=exchange.seconds,
            input_tokens=exchange.usage.input_tokens,
            output_tokens=exchange.usage.output_tokens,
            cached_seconds=exchange.recalled_after,
            # No fault of the answer's, but nothing to learn from or to judge it by either.
            status=SHORTENED if exchange.shortened and progress.status == 200 else progress.status,
        )
        await asyncio.to_thread(self._log.append, row, exchange.beside if progress.status == 200 else None)


def _answer(exchange: Exchange) -> str:
    """What was sent of the answer itself."""
    sent = exchange.progress.sent
    return "" if exchange.notice.startswith(sent) else sent.removeprefix(exchange.notice)
