"""Live questions that a candidate answers too, after the customer was answered and unseen by anybody.

What is asked so is redacted already; it goes through the same steps and guards as a customer's, without limits,
budgets, cache and the interaction log, into a table of its own. One is answered at a time, and only while the live
engine writes nothing; what finds no place in the queue is dropped and counted. Nothing waits for it: a candidate that
fails or hangs costs its own answer.
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections import deque
from collections.abc import Callable, Sequence

from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.gateway.metrics import Metrics
from llmops_assets.gateway.releases import NoReleaseError, Releases, share_of
from llmops_assets.gateway.steps.base import Step
from llmops_assets.lib.records import ShadowAnswer

LOGGER = logging.getLogger(__name__)
WAITING = 32
"""Questions that may wait for the candidate."""
SECONDS = 60.0
"""How long the candidate may take to one answer."""
PAUSE = 0.05
"""Seconds after which it is looked again whether the live engine is idle."""


class Shadow(Step):
    """Hand a share of answered live questions to the release in the shadow; an ending that neither waits nor fails.

    `answering` gives the steps that make and guard an answer, in order, when one is made.
    """

    name = "shadow"

    def __init__(
        self,
        releases: Releases,
        log: InteractionLog,
        metrics: Metrics,
        answering: Callable[[], tuple[Sequence[Step], Sequence[Step]]],
        *,
        waiting: int = WAITING,
        seconds: float = SECONDS,
    ) -> None:
        self._releases = releases
        self._log = log
        self._counts = metrics.shadow
        self._answering = answering
        self._most, self._seconds = waiting, seconds
        self._queue: deque[Exchange] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def run(self, exchange: Exchange) -> None:
        """Returns at once."""
        if not self._wanted(exchange):
            return
        if len(self._queue) >= self._most:
            self._counts.labels("dropped").inc()
            return
        self._queue.append(_again(exchange))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Forget what waits, and end what is being answered."""
        self._queue.clear()
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker

    def _wanted(self, exchange: Exchange) -> bool:
        """Whether it is a customer's whom the live release has answered just now, and falls into the share."""
        state = self._releases.state
        if state.shadow is None or not state.shadow_share or not exchange.ask.logged or exchange.question is None:
            return False
        answered = exchange.progress.status == 200 and exchange.recalled_after is None
        by_live = exchange.release_id == state.live
        return answered and by_live and share_of(exchange.question.conversation, state.shadow) < state.shadow_share

    async def _work(self) -> None:
        while self._queue:
            while (live := self._releases.serving("live")) is not None and live.generating:
                await asyncio.sleep(PAUSE)
            if not self._queue:
                return
            exchange = self._queue.popleft()
            try:
                outcome = await self._answer(exchange)
            except Exception as error:
                # Whatever is wrong with the candidate, the next question is asked, and no customer is told.
                outcome = "failed"
                LOGGER.info("shadow failed", extra={"told": {"error": type(error).__name__}})
            self._counts.labels(outcome).inc()

    async def _answer(self, exchange: Exchange) -> str:
        try:
            async with self._releases.use("shadow", exchange.asked.conversation) as serving:
                exchange.serving = serving
                status = 200
                try:
                    async with asyncio.timeout(self._seconds):
                        await self._made(exchange)
                except Exception as error:
                    status = 504 if isinstance(error, TimeoutError) else 500
                exchange.stop_clock()
                await asyncio.to_thread(self._log.add_shadow, _row(exchange, status))
        except NoReleaseError:
            return "gone"
        return "answered" if status == 200 else "failed"

    async def _made(self, exchange: Exchange) -> None:
        answering, guards = self._answering()
        for step in answering:
            await step.run(exchange)
            if exchange.draft is not None:
                break
        for step in guards:
            await step.run(exchange)


def _again(exchange: Exchange) -> Exchange:
    """The same question, for another release. Nothing of what came in unredacted is kept with it."""
    ask = dataclasses.replace(exchange.ask, which="shadow", text="", history=(), user="", conversation="")
    again = Exchange(exchange.caller, ask, id=exchange.id, question=exchange.question, personal=exchange.personal)
    return again


def _row(exchange: Exchange, status: int) -> ShadowAnswer:
    asked = exchange.asked
    return ShadowAnswer(
        interaction=exchange.id,
        release_id=exchange.release_id,
        time=asked.time,
        subject=asked.subject,
        # What a guard had yet to see is kept nowhere.
        answer=(exchange.draft or "") if status == 200 else "",
        path=exchange.path or "refused",
        guards=",".join(map(str, exchange.findings)),
        article=exchange.article,
        similarity=exchange.similarity,
        latency_seconds=exchange.seconds,
        input_tokens=exchange.usage.input_tokens,
        output_tokens=exchange.usage.output_tokens,
        status=status,
    )
