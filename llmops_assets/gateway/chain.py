"""What the gateway does for one request: one table of steps, and one body that runs them.

An answer is the collected stream: both run the same steps and send the same text. Steps work on redacted text only;
when redaction fails the request fails. However an exchange ends, its endings run, so nothing is sent without a trace.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Iterable
from datetime import datetime

from llmops_assets.gateway.callers import Caller
from llmops_assets.gateway.clearing import Redacts, clear
from llmops_assets.gateway.errors import explained
from llmops_assets.gateway.exchange import Ask, Exchange
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.gateway.metrics import Metrics
from llmops_assets.gateway.releases import Releases
from llmops_assets.gateway.steps import Step, Steps
from llmops_assets.gateway.steps.filled import Filled
from llmops_assets.gateway.steps.generation import Generate
from llmops_assets.gateway.steps.limit import Limit
from llmops_assets.gateway.steps.meter import Meter
from llmops_assets.gateway.steps.privacy import ClearAnswer
from llmops_assets.gateway.steps.question import ClearQuestion
from llmops_assets.gateway.steps.record import Record
from llmops_assets.gateway.steps.release import ChooseRelease
from llmops_assets.gateway.steps.retrieval import Retrieve, Route
from llmops_assets.lib.answering.embedding import Embeds
from llmops_assets.lib.records import Feedback

PIECE = 24
"""Characters of a streamed piece. The text is guarded as a whole before, so it may be cut anywhere."""


class Chain:
    """The steps of a request over the resources of one gateway process, and feedback on what came of it.

    At most `max_running` requests are answered at a time. `steps` is the table; another one may be put in its place
    before the first request.
    """

    def __init__(
        self, redactor: Redacts, embedder: Embeds, log: InteractionLog, releases: Releases, *, max_running: int = 64
    ) -> None:
        self.releases = releases
        self.metrics = Metrics()
        self._redactor = redactor
        self._log = log
        self.steps = Steps(
            admission=(Limit(max_running, self.metrics), ClearQuestion(redactor), ChooseRelease(releases)),
            answering=(Retrieve(embedder), Route(), Generate()),
            guards=(ClearAnswer(redactor), Filled()),
            endings=(Record(log), Meter(self.metrics)),
        )

    @contextlib.asynccontextmanager
    async def exchange(self, caller: Caller, ask: Ask) -> AsyncGenerator[Exchange]:
        """Admit a request and close it at the end. A GatewayError refuses it."""
        exchange = Exchange(caller, ask)
        try:
            try:
                await self._run(self.steps.admission, exchange)
            except Exception as error:
                exchange.progress.fail(explained(error)[0])
                raise
            yield exchange
        finally:
            await self.close(exchange)

    async def stream(self, exchange: Exchange) -> AsyncGenerator[str]:
        """The answer of an admitted exchange in pieces, guarded before the first of them."""
        try:
            await self._answer(exchange)
            exchange.stop_clock()
            text = exchange.draft or ""
            for start in range(0, len(text), PIECE):
                piece = text[start : start + PIECE]
                exchange.progress.piece(piece)
                yield piece
            exchange.progress.end()
        except Exception as error:
            exchange.progress.fail(explained(error)[0])
            raise

    async def answer(self, exchange: Exchange) -> str:
        """The collected stream."""
        async with contextlib.aclosing(self.stream(exchange)) as pieces:
            return "".join([piece async for piece in pieces])

    async def close(self, exchange: Exchange) -> None:
        """Run the endings and free what is held, once however often it is called; returns when that is done.

        An exchange that has neither ended nor failed by now has lost its client.
        """
        if exchange.closing is None:
            exchange.closing = asyncio.create_task(self._close(exchange))
        # A client that leaves cancels whoever waits here, but must not cancel the writing of its row.
        await asyncio.shield(exchange.closing)

    async def feedback(self, interaction: str, rating: int, reason: str, correction: str, moment: datetime) -> bool:
        """Store feedback with its texts cleared; False when the interaction is unknown."""
        reason, correction = await clear(self._redactor, [reason, correction])
        record = Feedback.model_validate(
            {"interaction": interaction, "time": moment, "rating": rating, "reason": reason, "correction": correction}
        )
        return await asyncio.to_thread(self._log.add_feedback, record)

    async def _answer(self, exchange: Exchange) -> None:
        for step in self.steps.answering:
            await self._run([step], exchange)
            if exchange.draft is not None:
                break
        await self._run(self.steps.guards, exchange)

    async def _close(self, exchange: Exchange) -> None:
        if not exchange.progress.ended:
            exchange.progress.leave()
        for step in reversed(self.steps.endings):
            # On the stack each of them runs, in their order and before what is held is freed, even when one fails.
            exchange.held.push_async_callback(self._run, [step], exchange)
        await exchange.held.aclose()

    async def _run(self, steps: Iterable[Step], exchange: Exchange) -> None:
        for step in steps:
            started = time.perf_counter()
            await step.run(exchange)
            self.metrics.steps.labels(step.name).observe(time.perf_counter() - started)
