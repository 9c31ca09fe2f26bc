"""What the gateway does for one request: one table of steps, and one body that runs them.

An answer is the collected stream: both run the same steps and send the same text. Steps work on redacted text only;
when redaction fails the request fails. However an exchange ends, its endings run, so nothing is sent without a trace.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import datetime

import numpy as np

from llmops_assets.gateway.cache import AnswerCache
from llmops_assets.gateway.callers import ANONYMOUS, Caller
from llmops_assets.gateway.clearing import Redacts, clear
from llmops_assets.gateway.errors import RedactionError, RequestError, explained
from llmops_assets.gateway.exchange import Ask, Exchange
from llmops_assets.gateway.identity.budgets import Budgets
from llmops_assets.gateway.identity.quotas import Quotas
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.gateway.logs import about
from llmops_assets.gateway.metrics import Metrics
from llmops_assets.gateway.releases import Releases
from llmops_assets.gateway.shadow import Shadow
from llmops_assets.gateway.spans import NO_TRACES, Traces
from llmops_assets.gateway.steps import Step, Steps
from llmops_assets.gateway.steps.cache import Recall, Remember
from llmops_assets.gateway.steps.filled import Filled
from llmops_assets.gateway.steps.fit import Fit
from llmops_assets.gateway.steps.formed import Formed
from llmops_assets.gateway.steps.generation import Generate
from llmops_assets.gateway.steps.grounded import Grounded
from llmops_assets.gateway.steps.guarding import GuardAnswer, GuardQuestion, HeedQuestion
from llmops_assets.gateway.steps.limit import Limit
from llmops_assets.gateway.steps.meter import Meter
from llmops_assets.gateway.steps.money import ReserveMoney
from llmops_assets.gateway.steps.notice import Notice
from llmops_assets.gateway.steps.privacy import ClearAnswer
from llmops_assets.gateway.steps.question import ClearQuestion
from llmops_assets.gateway.steps.quota import CountRequest, ReserveTokens
from llmops_assets.gateway.steps.record import Record
from llmops_assets.gateway.steps.release import ChooseRelease
from llmops_assets.gateway.steps.report import Report
from llmops_assets.gateway.steps.retrieval import Courtesy, Retrieve, Route
from llmops_assets.gateway.steps.shorten import Shorten
from llmops_assets.lib.answering.embedding import EmbedsAndCounts
from llmops_assets.lib.records import Feedback, HostingOption

PIECE = 24
"""Characters of a streamed piece. The text is guarded as a whole before, so it may be cut anywhere."""


class Chain:
    """The steps of a request over the resources of one gateway process, and feedback on what came of it.

    `log` is where exchanges are written, `redactor` what clears them. At most `max_running` requests are answered
    at a time; `budgets` of money are kept where there are any. `cache` remembers answers, None: each is made anew;
    `hosting` has the prices that answers are counted at. `steps` is the table; another one may be put in its place
    before the first request.
    """

    def __init__(
        self,
        redactor: Redacts,
        embedder: EmbedsAndCounts,
        log: InteractionLog,
        releases: Releases,
        *,
        quotas: Quotas | None = None,
        budgets: Budgets | None = None,
        max_running: int = 64,
        cache: AnswerCache | None = None,
        traces: Traces = NO_TRACES,
        hosting: HostingOption | None = None,
    ) -> None:
        self.releases = releases
        self.metrics = Metrics()
        self.log = log
        self.redactor = redactor
        self._embedder = embedder
        self._traces = traces
        self._limit = Limit(max_running, self.metrics)
        self._shadow = Shadow(releases, log, self.metrics, self._unseen)
        allowed = quotas or Quotas(log.tokens_of)
        recall, remember = (
            ((), ()) if cache is None else ((Recall(cache, self.metrics),), (Remember(cache, self.metrics),))
        )
        self.steps = Steps(
            admission=(
                CountRequest(allowed),
                self._limit,
                ClearQuestion(redactor),
                ChooseRelease(releases),
                Fit(),
                ReserveTokens(allowed),
                *((ReserveMoney(budgets),) if budgets else ()),
            ),
            answering=(
                *recall,
                Courtesy(),
                GuardQuestion(),
                Retrieve(embedder),
                Route(),
                HeedQuestion(),
                Generate(),
            ),
            guards=(
                GuardAnswer(),
                Grounded(),
                ClearAnswer(redactor),
                Filled(),
                Formed(),
                Shorten(),
                *remember,
                Notice(),
            ),
            endings=(Record(log), Meter(self.metrics, hosting), Report(), self._shadow),
        )

    @property
    def running(self) -> int:
        """How many requests are being answered."""
        return self._limit.running

    @contextlib.asynccontextmanager
    async def exchange(self, caller: Caller, ask: Ask) -> AsyncGenerator[Exchange]:
        """Admit a request and close it at the end. A GatewayError refuses it."""
        exchange = Exchange(caller, ask)
        exchange.span = self._traces.begin(exchange)
        about(exchange.id, exchange.span.trace)
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
            # An answer that its caller cut to nothing is one empty piece.
            for start in range(0, len(text) or 1, PIECE):
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

    async def stop(self) -> None:
        """The process ends: leave what nobody waits for, send what was traced."""
        await self._shadow.stop()
        await asyncio.to_thread(self._traces.close)

    async def embed(self, texts: Sequence[str]) -> tuple[np.ndarray, int]:
        """Vectors of texts, cleared of personal data as questions are, and how many tokens they had.

        RequestError 400 for a text of which the embedder would read a part only.
        """
        with self._limit.place():
            cleared = [(await clear(self.redactor, [text]))[0] for text in texts]
            tokens = await asyncio.to_thread(self._embedder.count, cleared)
            if max(tokens) > self._embedder.most_tokens:
                said = f"a text has {max(tokens)} tokens, {self._embedder.most_tokens} are read at most: shorten it"
                raise RequestError(400, said, code="context_length_exceeded", param="input")
            return await asyncio.to_thread(self._embedder.embed, cleared), sum(tokens)

    async def feedback(
        self, caller: Caller, interaction: str, rating: int, reason: str, correction: str, user: str, moment: datetime
    ) -> bool:
        """Store feedback with its texts cleared; False when the interaction is unknown, was asked by another owner's
        key, or is not of `user` if given."""
        reason, correction = await clear(self.redactor, [reason, correction])
        if not await asyncio.to_thread(self._is_of, interaction, user, caller):
            return False
        record = Feedback.model_validate(
            {"interaction": interaction, "time": moment, "rating": rating, "reason": reason, "correction": correction}
        )
        return await asyncio.to_thread(self.log.add_feedback, record)

    def _is_of(self, interaction: str, user: str, caller: Caller) -> bool:
        try:
            subject = self.redactor.subject(user) if user else ""
        except Exception:
            raise RedactionError from None
        return any(
            row.id == interaction
            and (not subject or row.subject == subject)
            and (caller.may("feedback_any") or row.owner in ("", ANONYMOUS, caller.owner))
            for row in self.log.find(interaction)
        )

    def _unseen(self) -> tuple[Sequence[Step], Sequence[Step]]:
        """The steps that make and guard an answer which nobody is sent: no cache, and no notice of an AI."""
        left_out = (Recall, Remember, Notice)
        answering, guards = (
            [step for step in steps if not isinstance(step, left_out)]
            for steps in (self.steps.answering, self.steps.guards)
        )
        return answering, guards

    async def _answer(self, exchange: Exchange) -> None:
        for step in self.steps.answering:
            await self._run([step], exchange)
            if exchange.draft is not None:
                break
        guards = self.steps.guards
        if exchange.recalled_after is not None:
            # It passed those before that when it was made.
            made = next((place for place, step in enumerate(guards) if isinstance(step, Remember)), -1)
            guards = guards[made + 1 :]
        await self._run(guards, exchange)

    async def _close(self, exchange: Exchange) -> None:
        if not exchange.progress.ended:
            exchange.progress.leave()
        for step in reversed(self.steps.endings):
            # On the stack each of them runs, in their order and before what is held is freed, even when one fails.
            exchange.held.push_async_callback(self._run, [step], exchange)
        try:
            await exchange.held.aclose()
        finally:
            exchange.span.end(exchange)

    async def _run(self, steps: Iterable[Step], exchange: Exchange) -> None:
        for step in steps:
            started = time.perf_counter()
            with exchange.span.step(step.name, exchange):
                try:
                    await step.run(exchange)
                except Exception as error:
                    self.metrics.refusals.labels(step.name, str(explained(error)[0])).inc()
                    raise
            self.metrics.steps.labels(step.name).observe(time.perf_counter() - started)
