"""Several upstreams as one engine: who is asked, who next when that fails, and how long one waits for whom.

An attempt may be made again as long as nothing of its answer has come, by another upstream first. From its first piece
on a stream is never begun anew here; what its collector may do with the pieces is `Engine.generate`'s to know.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from llmops_assets.gateway.engine import Engine, Generated, Usage, collected
from llmops_assets.gateway.errors import EngineBusyError, EngineError, EngineLostError
from llmops_assets.gateway.upstreams.breaker import Attempt
from llmops_assets.gateway.upstreams.health import Health, Outcome
from llmops_assets.gateway.upstreams.remote import UnavailableError, UpstreamBusyError
from llmops_assets.gateway.upstreams.settings import UpstreamPolicy
from llmops_assets.gateway.wishes import NONE, Wishes
from llmops_assets.lib.records import GenerationSettings

LONGEST_PAUSE = 5.0
SOON = 0.05
"""Seconds after which it is looked again whether a member's trial has ended."""


@dataclass(frozen=True)
class Member:
    """An upstream with its engine for one release."""

    engine: Engine
    health: Health


class Pool(Engine):
    """Answers by whichever of its members does. Its context is the smallest of theirs, so that each may."""

    def __init__(
        self,
        members: Sequence[Member],
        policy: UpstreamPolicy,
        *,
        rng: random.Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.context = min(member.engine.context for member in members)
        self._members = tuple(members)
        self._policy = policy
        self._rng = rng or random.Random()
        self._sleep = sleep
        self._started = False

    async def start(self) -> None:
        """Start all members. EngineError where none answers, or the embedded one does not: then the release is bad."""
        results = await asyncio.gather(*(member.engine.start() for member in self._members), return_exceptions=True)
        errors: list[str] = []
        for member, error in zip(self._members, results, strict=True):
            if isinstance(error, EngineError):
                errors.append(str(error))
                member.health.error = str(error)
            elif isinstance(error, BaseException):
                raise error
            if error is not None and member.health.upstream.embedded:
                raise EngineError(str(error)) from error
        if len(errors) == len(self._members):
            raise EngineError(f"no upstream answers: {'; '.join(errors)}")
        self._started = True

    async def stop(self) -> None:
        """Stop all members."""
        self._started = False
        await asyncio.gather(*(member.engine.stop() for member in self._members))

    async def tokens(self, text: str) -> list[bytes]:
        """As the first member counts that can."""
        error: EngineError | None = None
        for member in self._members:
            try:
                return await member.engine.tokens(text)
            except EngineError as failed:
                error = failed
        raise error or EngineError("there is no upstream")

    async def count(self, messages: Sequence[Mapping[str, str]]) -> int:
        """As the member counts that counts most, so that the chat fits whoever is asked."""
        results = await asyncio.gather(
            *(member.engine.count(messages) for member in self._members), return_exceptions=True
        )
        counts: list[int] = []
        for result in results:
            if isinstance(result, int):
                counts.append(result)
            elif not isinstance(result, EngineError):
                raise result
        if not counts:
            raise EngineError("no upstream counts tokens")
        return max(counts)

    async def stream(
        self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings, wishes: Wishes = NONE
    ) -> AsyncGenerator[str | Usage]:
        """Answer a chat by the first member that begins to. EngineBusyError where all are busy or left alone."""
        async with contextlib.aclosing(self._answer(messages, settings, wishes, set())) as pieces:
            async for piece in pieces:
                yield piece

    async def generate(
        self,
        messages: Sequence[Mapping[str, str]],
        settings: GenerationSettings,
        wishes: Wishes = NONE,
        told: Callable[[Usage], None] = lambda usage: None,
    ) -> Generated:
        """The collected stream. One that breaks off is asked of the other members, each once, before it fails."""
        lost: set[str] = set()
        for _ in self._members:
            with contextlib.suppress(EngineLostError):
                return await collected(self._answer(messages, settings, wishes, lost), told)
        return await collected(self._answer(messages, settings, wishes, lost), told)

    async def _answer(
        self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings, wishes: Wishes, lost: set[str]
    ) -> AsyncGenerator[str | Usage]:
        """The stream. `lost` are members that are asked last, and gets the one that breaks off."""
        if not self._started:
            raise EngineError("the upstreams are stopped")

        def ask(member: Member, attempt: Attempt) -> "_Asked":
            return _Asked(member, attempt, member.engine.stream(messages, settings, wishes))

        async with await self._begun(ask, lost) as asked, contextlib.aclosing(asked.pieces()) as pieces:
            try:
                async for piece in pieces:
                    yield piece
            except EngineLostError:
                lost.add(asked.name)
                raise

    async def _begun(self, ask: Callable[[Member, Attempt], "_Asked"], lost: set[str]) -> "_Asked":
        """An attempt whose first piece has come; the last error where attempts, members or patience have run out."""
        left, pause, patience = self._policy.attempts, self._policy.pause_seconds, self._policy.patience_seconds
        error: EngineError | None = None
        tried = set(lost)
        while True:
            while left and (found := self._next(tried)) is not None:
                tried.add(found[0].health.name)
                left -= 1
                try:
                    return await self._raced(ask(*found), ask, tried)
                except (UnavailableError, UpstreamBusyError, EngineLostError) as failed:
                    error = failed
            waits = min(member.health.waits for member in self._members)
            # At random, so that requests that failed together do not come back together.
            delay = max(waits, self._rng.uniform(0, pause) if tried else SOON)
            if not left or delay > patience:
                break
            await self._sleep(delay)
            patience, pause, tried = patience - delay, min(2 * pause, LONGEST_PAUSE), set()
        if error is None or isinstance(error, UpstreamBusyError):
            raise EngineBusyError(waits) from error
        raise error

    async def _raced(self, first: "_Asked", ask: Callable[[Member, Attempt], "_Asked"], tried: set[str]) -> "_Asked":
        """The attempt, or after a while the one beside it that is faster."""
        if self._policy.hedge_after_seconds is None:
            return await first.begin()
        running = {asyncio.create_task(first.begin()): first}
        error: EngineError | None = None
        wait: float | None = self._policy.hedge_after_seconds
        try:
            while running:
                done, _ = await asyncio.wait(running, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    asked = running.pop(task)
                    try:
                        return task.result()
                    except (UnavailableError, UpstreamBusyError, EngineLostError) as failed:
                        error = failed
                if not done and (found := self._next(tried)) is not None:
                    tried.add(found[0].health.name)
                    asked = ask(*found)
                    running[asyncio.create_task(asked.begin())] = asked
                wait = None
            assert error is not None
            raise error
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            for asked in running.values():
                await asked.close()

    def _next(self, tried: set[str]) -> tuple[Member, Attempt] | None:
        """The member to be asked now, by order, then at random by weight; None where there is none."""
        able = [m for m in self._members if m.health.name not in tried and m.health.open_to_requests]
        if not able:
            return None
        first = min(member.health.upstream.order for member in able)
        able = [member for member in able if member.health.upstream.order == first]
        (chosen,) = self._rng.choices(able, [member.health.upstream.weight for member in able])
        attempt = chosen.health.breaker.admit()
        assert attempt is not None, "it was open to requests"
        return chosen, attempt


class _Asked:
    """One attempt at one member: what comes of it is told to the member's health once, whatever ends it."""

    def __init__(self, member: Member, attempt: Attempt, stream: AsyncGenerator[str | Usage]) -> None:
        self._health = member.health
        self._attempt = attempt
        self._stream = stream
        self._first: list[str | Usage] = []
        self._ended = False
        self._health.running += 1

    @property
    def name(self) -> str:
        """Of the member that is asked."""
        return self._health.name

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def begin(self) -> Self:
        """Wait for the first item of its answer."""
        try:
            self._first.append(await anext(self._stream))
        except BaseException as error:
            if self._health.upstream.embedded and type(error) is EngineError:
                # It tells no faults of its own from those of a request: another one may answer.
                error = UnavailableError(str(error))
            await self._failed(error)
            raise error from None
        return self

    async def pieces(self) -> AsyncGenerator[str | Usage]:
        """The items of its answer. What fails from here on is lost: a part of the answer may be used already."""
        for item in self._first:
            yield item
        while True:
            try:
                item = await anext(self._stream)
            except StopAsyncIteration:
                break
            except BaseException as error:
                await self._failed(error)
                if isinstance(error, UnavailableError | UpstreamBusyError):
                    raise EngineLostError(str(error)) from error
                raise
            yield item
        self._end("answered")

    async def close(self) -> None:
        """End it where it is."""
        self._end("dropped")
        await self._stream.aclose()

    async def _failed(self, error: BaseException) -> None:
        if isinstance(error, UpstreamBusyError):
            self._health.busy_until = max(self._health.busy_until, self._health.clock() + error.retry_after)
            self._end("busy", str(error))
        elif isinstance(error, EngineLostError):
            self._end("lost", str(error))
        elif isinstance(error, UnavailableError):
            self._end("failed", str(error))
        elif isinstance(error, EngineError):
            # Another server would say the same, or this one was stopped.
            self._end("refused", str(error))
        else:
            self._end("dropped")
        with contextlib.suppress(RuntimeError):
            await self._stream.aclose()

    def _end(self, outcome: Outcome, error: str = "") -> None:
        if self._ended:
            return
        self._ended = True
        self._health.running -= 1
        self._health.outcomes[outcome] += 1
        if outcome == "dropped":
            self._attempt.dropped()
        elif outcome in ("failed", "lost"):
            self._health.error = error
            self._attempt.failed()
        elif outcome == "answered":
            self._health.error = ""
            self._attempt.succeeded()
        else:
            # It answers: not with an answer, but what it says is to be believed.
            self._health.error = error
            self._attempt.dropped() if outcome == "busy" else self._attempt.succeeded()
