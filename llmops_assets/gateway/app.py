"""The HTTP API: OpenAI-compatible chat completions, feedback, metrics and health.

What is done for a request is the chain's (chain.py), the shapes of bodies are in openai.py.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from llmops_assets.gateway import openai
from llmops_assets.gateway.callers import Caller, Callers
from llmops_assets.gateway.chain import Chain
from llmops_assets.gateway.errors import GatewayError, RequestError, explained
from llmops_assets.gateway.exchange import Exchange

MAX_BODY = 256 * 1024
MAX_FEEDBACK = 8000
Handler = Callable[[Request, Caller], Awaitable[Response]]


def create_app(chain: Chain, *, keys: Sequence[str] = (), replay: bool = False) -> Starlette:
    """The application. `keys` are the accepted bearer keys (none: open, for a loopback address only); `replay` takes
    the time of a request from its `x-llmops-time` header, for traffic of past days."""
    callers = Callers(keys, may_replay=replay)
    releases, metrics = chain.releases, chain.metrics

    def known(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """A handler that is told who asks, and never reached without a valid key."""

        async def endpoint(request: Request) -> Response:
            return await handler(request, callers.authenticate(request.headers.get("authorization", "")))

        return endpoint

    async def completions(request: Request, caller: Caller) -> Response:
        asked = openai.chat_request(await _json(request), _moment(request, caller))
        try:
            async with contextlib.AsyncExitStack() as held:
                exchange = await held.enter_async_context(chain.exchange(caller, asked.ask))
                if asked.streaming:
                    events = _events(chain, exchange, with_usage=asked.with_usage)
                    return EventStream(events, held.pop_all(), openai.headers(exchange))
                text = await chain.answer(exchange)
                # Acknowledged means written: the row stands before the answer leaves.
                await chain.close(exchange)
                body, headers = openai.completion(exchange, text), openai.headers(exchange)
                return Response(body, media_type="application/json", headers=headers)
        except GatewayError as error:
            # Counted already, by the exchange's own ending.
            return _refusal(error)

    async def feedback(request: Request, caller: Caller) -> Response:
        body = await _json(request)
        interaction, rating = body.get("interaction"), body.get("rating", 0)
        reason, correction = body.get("reason", ""), body.get("correction", "")
        if not isinstance(interaction, str) or rating not in (-1, 0, 1) or isinstance(rating, bool):
            raise RequestError(422, "interaction (text) and rating (-1, 0 or 1) are needed")
        if not isinstance(reason, str) or not isinstance(correction, str):
            raise RequestError(422, "reason and correction must be texts")
        if max(len(reason), len(correction)) > MAX_FEEDBACK:
            raise RequestError(422, f"at most {MAX_FEEDBACK} characters")
        when = _moment(request, caller) or datetime.now(UTC)
        if not await chain.feedback(interaction, rating, reason, correction, when):
            message = f"no interaction {interaction[:40]!r}: use the answer's x-interaction-id"
            raise RequestError(404, message, "not_found_error")
        metrics.feedback.labels(str(rating)).inc()
        return JSONResponse({"stored": True})

    async def models(_: Request, __: Caller) -> Response:
        served = {name: getattr(releases.state, which) for name, which in openai.MODELS.items()}
        data = [{"id": n, "object": "model", "owned_by": "llmops", "release": r} for n, r in served.items() if r]
        return JSONResponse({"object": "list", "data": data})

    # Health and metrics are open: probes and scrapers bring no keys, and neither tells anything that was asked.

    async def health(_: Request) -> Response:
        state = releases.state
        body = {**state.model_dump(), "error": releases.error, "failed_generation": releases.failed_generation}
        return JSONResponse(body, status_code=200 if state.live else 503)

    async def measured(_: Request) -> Response:
        metrics.generation.set(releases.state.generation)
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def failed(request: Request, error: Exception) -> Response:
        metrics.requests.labels(releases.state.live or "", request.url.path, str(explained(error)[0])).inc()
        return _refusal(error)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        watcher = asyncio.create_task(releases.watch())
        try:
            yield
        finally:
            watcher.cancel()
            await releases.close()

    return Starlette(
        routes=[
            Route("/v1/chat/completions", known(completions), methods=["POST"]),
            Route("/v1/feedback", known(feedback), methods=["POST"]),
            Route("/v1/models", known(models)),
            Route("/healthz", health),
            Route("/metrics", measured),
        ],
        exception_handlers={GatewayError: failed, Exception: failed},
        lifespan=lifespan,
    )


class EventStream(StreamingResponse):
    """Server-sent events of an exchange. Whatever ends them, a client that leaves too, what is held is closed first."""

    def __init__(self, events: AsyncGenerator[bytes], held: contextlib.AsyncExitStack, headers: dict[str, str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._events = events
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        # Closed here, outside of what Starlette cancels when the client leaves: there, no clean-up could wait.
        async with self._held, contextlib.aclosing(self._events):
            await super().__call__(scope, receive, send)


async def _events(chain: Chain, exchange: Exchange, *, with_usage: bool) -> AsyncGenerator[bytes]:
    try:
        yield openai.first_event(exchange)
        async with contextlib.aclosing(chain.stream(exchange)) as pieces:
            async for piece in pieces:
                yield openai.piece_event(exchange, piece)
        # The row stands before the answer is said to be whole.
        await chain.close(exchange)
        yield openai.last_events(exchange, with_usage=with_usage)
    except Exception as error:
        with contextlib.suppress(Exception):
            # Where it is the row that cannot be written, that is what the error tells.
            await chain.close(exchange)
        yield openai.error_event(error)
        if not isinstance(error, GatewayError):
            raise


def _refusal(error: Exception) -> Response:
    status, _, _ = explained(error)
    told = {401: {"www-authenticate": "Bearer"}, 429: {"retry-after": "1"}, 503: {"retry-after": "1"}}
    return JSONResponse(openai.error_body(error), status_code=status, headers=told.get(status))


def _moment(request: Request, caller: Caller) -> datetime | None:
    """The time a request says it is of, where its caller may say so."""
    value = request.headers.get("x-llmops-time")
    if not caller.may_replay or value is None:
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise RequestError(400, "x-llmops-time must be an ISO time") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


async def _json(request: Request) -> dict[str, Any]:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY:
            raise RequestError(413, f"the body has more than {MAX_BODY} bytes")
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise RequestError(400, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise RequestError(400, "the body must be a JSON object")
    return body
