"""Answers the lines of batches while nobody else is being answered: through the chain, as their callers.

A process takes batches by a lease and renews it; one that is killed loses them to the next. What a line was answered is
written in the transaction of its row in the interaction log, so it stands once or not at all, whenever a process ends.
"""

import asyncio
import contextlib
import functools
import logging
import math
import time
import uuid
from collections import Counter
from collections.abc import Callable

import orjson
import sqlalchemy.exc

from llmops_assets.gateway.batching.lines import Asked, Refused, Vectors, answered, unanswered, work
from llmops_assets.gateway.batching.store import (
    LEASE_SECONDS,
    Batch,
    FileStore,
    Line,
    LineGoneError,
    Problem,
    Status,
)
from llmops_assets.gateway.callers import Caller, Callers
from llmops_assets.gateway.chain import Chain
from llmops_assets.gateway.errors import BusyError, EngineBusyError, GatewayError, UnservableError, recognized
from llmops_assets.gateway.identity.quotas import Allowance, QuotaError
from llmops_assets.gateway.protocol.embeddings import embeddings
from llmops_assets.gateway.protocol.reply import error_body

LOGGER = logging.getLogger(__name__)
POLL_SECONDS = 2.0
"""After how long it is looked again for batches that another process took in, or lost."""
PAUSE = 0.05
"""After how long it is looked again whether somebody else is being answered."""
TRIES = 3
"""How often a line is asked whose answer fails by no fault of its own."""
SLOTS = 4
"""Answers at a time of an engine that does not say how many it can write."""
PRUNE_SECONDS = 600.0
REVOKED: Problem = {
    "code": "invalid_api_key",
    "message": "the key that made this batch opens it no more",
    "param": None,
    "line": None,
}


def stored(caller: Caller) -> str:
    """A caller as a batch keeps it."""
    told = {"name": caller.name, "role": caller.role, "owner": caller.owner, "allowance": vars(caller.allowance)}
    return orjson.dumps(told).decode()


def restored(text: str) -> Caller:
    """A caller as it was when it made a batch."""
    told = orjson.loads(text)
    return Caller(told["name"], told["role"], allowance=Allowance(**told["allowance"]), owner=told["owner"])


class Runner:
    """Answers batches of a store, those of all processes that have ended, as long as `run` runs."""

    def __init__(
        self, store: FileStore, chain: Chain, callers: Callers, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._chain, self._callers = store, chain, callers
        self._clock = clock
        self._me = uuid.uuid4().hex
        self._more = asyncio.Event()
        self._tries: Counter[tuple[str, int]] = Counter()
        self._rests: dict[str, float] = {}
        self._pruned = -math.inf

    def wake(self) -> None:
        """Look for batches now."""
        self._more.set()

    async def run(self) -> None:
        """Answer until cancelled; what is being answered then is left to the next process."""
        lease = asyncio.create_task(self._keep())
        try:
            while True:
                # Cleared before it is looked: what is made meanwhile sets it again.
                self._more.clear()
                try:
                    going = await self._round()
                except Exception:
                    # The database may be away for a while.
                    LOGGER.exception("batches could not be answered")
                    going = False
                await self._wait(going)
        finally:
            lease.cancel()
            with contextlib.suppress(Exception):
                await asyncio.shield(asyncio.to_thread(self._store.let_go, self._me))

    async def _wait(self, going: bool) -> None:
        """Until there is something to do: nobody else is being answered, or a batch came in."""
        until = time.monotonic() + POLL_SECONDS
        while time.monotonic() < until and (not going or self._hurried()):
            if self._more.is_set():
                return
            await asyncio.sleep(PAUSE)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            with contextlib.suppress(Exception):
                await asyncio.to_thread(self._store.hold, self._me)

    def _hurried(self) -> bool:
        """Whether somebody who waits is being answered; asked while no line is."""
        return self._chain.running > 0

    async def _round(self) -> bool:
        """A few lines of each batch; whether there are more."""
        if self._clock() - self._pruned > PRUNE_SECONDS:
            self._pruned = self._clock()
            await asyncio.to_thread(self._store.prune)
        batches = await asyncio.to_thread(self._store.hold, self._me)
        going = [await self._advance(batch) for batch in batches]
        return any(going)

    async def _advance(self, batch: Batch) -> bool:
        """Some lines of a batch, or its end; whether there is more to do now."""
        if batch.status == "cancelling":
            return await self._end(batch, "cancelled")
        if self._clock() >= batch.expires:
            await asyncio.to_thread(self._expire, batch)
            return await self._end(batch, "expired")
        caller = await asyncio.to_thread(self._callers.still, restored(batch.caller), "batch")
        if caller is None:
            return await self._end(batch, "failed", REVOKED)
        if self._clock() < self._rests.get(batch.id, 0.0) or self._hurried():
            return False
        lines = await asyncio.to_thread(self._store.pending, batch, self._places())
        if not lines:
            return await self._end(batch, "completed")
        rests = await asyncio.gather(*(self._line(batch, line, caller) for line in lines))
        self._rests[batch.id] = self._clock() + max(rests)
        return max(rests) == 0

    async def _end(self, batch: Batch, status: Status, *problems: Problem) -> bool:
        """A batch is over; False: there is no more of it to do."""
        self._rests.pop(batch.id, None)
        for known in [known for known in self._tries if known[0] == batch.id]:
            del self._tries[known]
        await asyncio.to_thread(self._store.end, batch, self._me, status, problems)
        return False

    def _places(self) -> int:
        """Lines at a time: half of what the engine writes, so that who comes meanwhile finds a place."""
        live = self._chain.releases.serving("live")
        slots = live.engine.slots if live is not None else None
        return max(1, (slots or SLOTS) // 2)

    async def _line(self, batch: Batch, line: Line, caller: Caller) -> float:
        """Answer a line; the seconds after which its batch goes on: 0 at once."""
        outcome, rest = "answered", 0.0
        try:
            outcome = await self._answer(batch, line, caller)
        except (sqlalchemy.exc.IntegrityError, LineGoneError):
            # Another process was faster, or the line was erased.
            outcome = "gone"
        except Exception as error:
            known = recognized(error)
            if not isinstance(known, GatewayError):
                LOGGER.exception("a line of a batch failed")
            if (rest := self._rest(known)) or self._again(batch, line, known):
                outcome = "later"
            else:
                outcome = "refused"
                await self._refuse(batch, line, known)
        self._chain.metrics.batched.labels(outcome).inc()
        return rest

    async def _answer(self, batch: Batch, line: Line, caller: Caller) -> str:
        chain, todo = self._chain, await asyncio.to_thread(work, line)
        if isinstance(todo, Refused):
            text = answered(batch.id, line, todo.status, "", todo.body)
            await asyncio.to_thread(self._store.done, batch, line, "error", text)
            return "refused"
        if isinstance(todo, Vectors):
            vectors, tokens = await chain.embed(todo.body.texts)
            text = answered(batch.id, line, 200, "", embeddings(todo.body, vectors, tokens, todo.ignored))
            await asyncio.to_thread(self._store.done, batch, line, "output", text)
            return "answered"
        assert isinstance(todo, Asked)
        async with chain.exchange(caller, todo.ask) as exchange:
            said = await chain.answer(exchange)
            text = answered(batch.id, line, 200, exchange.id, todo.reply.whole(exchange, said))
            exchange.beside = functools.partial(self._written, batch, line, text)
            await chain.close(exchange)
        return "answered"

    def _written(self, batch: Batch, line: Line, text: str, connection: sqlalchemy.Connection) -> None:
        self._store.done(batch, line, "output", text, connection)

    @staticmethod
    def _rest(error: BaseException) -> float:
        """Seconds after which what a line lacks may be there: a place, a release, money; 0 where it lacks nothing."""
        if isinstance(error, QuotaError | EngineBusyError):
            return float(error.retry_after)
        return 1.0 if isinstance(error, BusyError | UnservableError) else 0.0

    def _again(self, batch: Batch, line: Line, error: BaseException) -> bool:
        """Whether a line is asked again whose answer failed."""
        if isinstance(error, GatewayError) and error.status < 500:
            return False
        self._tries[batch.id, line.number] += 1
        return self._tries[batch.id, line.number] < TRIES

    async def _refuse(self, batch: Batch, line: Line, error: BaseException) -> None:
        status = error.status if isinstance(error, GatewayError) else 500
        text = answered(batch.id, line, status, "", error_body(error))
        with contextlib.suppress(sqlalchemy.exc.IntegrityError, LineGoneError):
            await asyncio.to_thread(self._store.done, batch, line, "error", text)

    def _expire(self, batch: Batch) -> None:
        said = "the batch ended before this line's turn came: send it in another"
        while lines := self._store.pending(batch, 1000):
            for line in lines:
                with contextlib.suppress(sqlalchemy.exc.IntegrityError, LineGoneError):
                    self._store.done(batch, line, "error", unanswered(batch.id, line, "batch_expired", said))
                self._chain.metrics.batched.labels("expired").inc()
