"""The HTTP API: a table of endpoints, OpenAI's and ours.

What is done for a request is the chain's (chain.py), the shapes of bodies are the protocol's (protocol/).
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from llmops_assets.gateway.addresses import is_loopback
from llmops_assets.gateway.batching.endpoints import routes as batch_routes
from llmops_assets.gateway.batching.runner import Runner
from llmops_assets.gateway.batching.store import FileStore
from llmops_assets.gateway.body import read_json
from llmops_assets.gateway.callers import Caller, Callers
from llmops_assets.gateway.chain import Chain
from llmops_assets.gateway.errors import EngineBusyError, GatewayError, RequestError, explained
from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.identity.quotas import QuotaError
from llmops_assets.gateway.identity.roles import Scope
from llmops_assets.gateway.metrics import Metrics
from llmops_assets.gateway.pages.state import state_page
from llmops_assets.gateway.protocol import models, openapi
from llmops_assets.gateway.protocol.answering import REPLIES
from llmops_assets.gateway.protocol.embeddings import EmbeddingsBody, check_model, embeddings
from llmops_assets.gateway.protocol.feedback import FeedbackBody
from llmops_assets.gateway.protocol.fields import ignored_in, read
from llmops_assets.gateway.protocol.reply import Reply, error_body, headers
from llmops_assets.gateway.releases import Releases

LOGGER = logging.getLogger(__name__)
Handler = Callable[[Request, Caller], Awaitable[Response]]
PAGES = {
    "/chat": ("chat.html", "text/html"),
    "/chat.js": ("chat.js", "text/javascript"),
    "/chat.css": ("chat.css", "text/css"),
}
"""Files of the pages for people, and what they are."""


def create_app(chain: Chain, callers: Callers | None = None) -> Starlette:
    """The application for the callers that it knows; None: open to everybody, for a loopback address."""
    known_callers = callers or Callers()
    releases, metrics = chain.releases, chain.metrics
    store = FileStore(chain.log.database)
    runner = Runner(store, chain, known_callers)

    def admitted(request: Request, scope: Scope) -> Caller:
        """Who asks, where its key allows what it wants; it looks into a database, so it belongs into a thread."""
        route = request.scope["route"].path
        caller = known_callers.authenticate(request.headers.get("authorization", ""), route)
        if not known_callers.closed:
            only_from_here(request)
        known_callers.allow(caller, scope, route)
        return caller

    def known(scope: Scope, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """A handler that is told who asks, and never reached without a key that allows its scope."""

        async def endpoint(request: Request) -> Response:
            return await handler(request, await asyncio.to_thread(admitted, request, scope))

        return endpoint

    def answering(shapes: type[Reply[Any]]) -> Handler:
        async def answer(request: Request, caller: Caller) -> Response:
            reply = shapes(read(shapes.model, await read_json(request)))
            ask = reply.ask(_moment(request, caller))
            if ask.which != "live":
                await asyncio.to_thread(known_callers.allow, caller, "preview", request.scope["route"].path)
            try:
                async with contextlib.AsyncExitStack() as held:
                    exchange = await held.enter_async_context(chain.exchange(caller, ask))
                    if reply.streaming:
                        return EventStream(_events(chain, exchange, reply), held.pop_all(), headers(exchange))
                    text = await chain.answer(exchange)
                    # Acknowledged means written: the row stands before the answer leaves.
                    await chain.close(exchange)
                    return _json(reply.whole(exchange, text), headers=headers(exchange))
            except GatewayError as error:
                # Counted already, by the exchange's own ending.
                return _refusal(error)

        return answer

    async def embed(request: Request, _: Caller) -> Response:
        body = read(EmbeddingsBody, await read_json(request))
        check_model(body)
        vectors, tokens = await chain.embed(body.texts)
        return _json(embeddings(body, vectors, tokens, ignored_in(body)))

    async def feedback(request: Request, caller: Caller) -> Response:
        body = read(FeedbackBody, await read_json(request), status=422)
        rating, when = body.rating or 0, _moment(request, caller) or datetime.now(UTC)
        texts = body.reason or "", body.correction or ""
        if not await chain.feedback(caller, body.interaction, rating, *texts, body.user or "", when):
            message = "no such interaction: use the answer's x-interaction-id, its user and the key it was asked with"
            raise RequestError(404, message, code="interaction_not_found", param="interaction")
        metrics.feedback.labels(str(rating)).inc()
        return _json({"stored": True})

    async def list_models(_: Request, __: Caller) -> Response:
        return _json({"object": "list", "data": models.served(releases)})

    async def one_model(request: Request, _: Caller) -> Response:
        return _json(models.one(releases, request.path_params["model"]))

    # Health, metrics, description and pages are open: probes, scrapers and browsers bring no keys, and none tells what
    # was asked.

    async def health(_: Request) -> Response:
        state = releases.state
        body = {**state.model_dump(), "error": releases.error, "failed_generation": releases.failed_generation}
        return _json(body, status=200 if state.live else 503)

    async def measured(_: Request) -> Response:
        _measure(metrics, releases)
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def described(_: Request) -> Response:
        return _json(openapi.description(with_keys=await asyncio.to_thread(lambda: known_callers.closed)))

    async def overview(_: Request) -> Response:
        return _page(state_page(releases, metrics).encode(), "text/html")

    def file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
        content = (files("llmops_assets.gateway.pages") / name).read_bytes()

        async def served(_: Request) -> Response:
            return _page(content, kind)

        return served

    async def failed(request: Request, error: Exception) -> Response:
        told: dict[str, str] = {}
        if isinstance(error, HTTPException):
            # Which methods there are (RFC 9110, 15.5.6).
            error, told = _of_the_route(error), dict(error.headers or {})
        # The route and not the path: a path is its sender's, and may hold anything.
        route = getattr(request.scope.get("route"), "path", "unknown")
        status = explained(error)[0]
        metrics.requests.labels(releases.state.live or "", route, str(status)).inc()
        LOGGER.info("refused", extra={"told": {"route": route, "status": status}})
        return _refusal(error, told)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        working = [asyncio.create_task(releases.watch()), asyncio.create_task(runner.run())]
        try:
            yield
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            await asyncio.to_thread(known_callers.close)
            await chain.stop()
            await releases.close()

    app = Starlette(
        routes=[
            *(Route(path, known("answer", answering(shapes)), methods=["POST"]) for path, shapes in REPLIES.items()),
            Route("/v1/embeddings", known("embed", embed), methods=["POST"]),
            Route("/v1/feedback", known("feedback", feedback), methods=["POST"]),
            Route("/v1/models", known("models", list_models)),
            Route("/v1/models/{model}", known("models", one_model)),
            *batch_routes(store, runner, chain.redactor, known),
            Route("/", overview),
            *(Route(path, file(name, kind)) for path, (name, kind) in PAGES.items()),
            Route("/openapi.json", described),
            Route("/healthz", health),
            Route("/metrics", measured),
        ],
        exception_handlers={GatewayError: failed, HTTPException: failed, Exception: failed},
        lifespan=lifespan,
    )
    # A redirect would be an answer that is in no shape.
    app.router.redirect_slashes = False
    return app


class EventStream(StreamingResponse):
    """Server-sent events of an exchange. Whatever ends them, a client that leaves too, what is held is closed first."""

    def __init__(self, events: AsyncGenerator[bytes], held: contextlib.AsyncExitStack, headers: dict[str, str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._events = events
        self._held = held

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Send the events."""
        # Closed here, outside of what Starlette cancels when the client leaves: there, no clean-up could wait.
        async with self._held, contextlib.aclosing(self._events):
            await super().__call__(scope, receive, send)


async def _events(chain: Chain, exchange: Exchange, reply: Reply[Any]) -> AsyncGenerator[bytes]:
    try:
        yield reply.opening(exchange)
        async with contextlib.aclosing(chain.stream(exchange)) as pieces:
            async for piece in pieces:
                yield reply.piece(exchange, piece)
        # The row stands before the answer is said to be whole.
        await chain.close(exchange)
        yield reply.ending(exchange)
    except Exception as error:
        with contextlib.suppress(Exception):
            # Where it is the row that cannot be written, that is what the error tells.
            await chain.close(exchange)
        yield reply.failure(exchange, error)
        if not isinstance(error, GatewayError):
            raise


def _measure(metrics: Metrics, releases: Releases) -> None:
    """What is not counted as it happens but stands: looked at when it is asked for."""
    state, loaded = releases.state, releases.loaded
    metrics.generation.set(state.generation)
    metrics.state_failed.set(bool(releases.error))
    metrics.served.clear()
    for stage in ("live", "canary", "shadow", "preview"):
        if (name := getattr(state, stage)) is not None:
            metrics.served.labels(stage, name).set(1)
    metrics.share.labels("canary").set(state.canary_share if state.canary else 0)
    metrics.share.labels("shadow").set(state.shadow_share if state.shadow else 0)
    waiting = sum(serving.waiting for serving in loaded)
    metrics.engine.labels("running").set(sum(serving.generating for serving in loaded) - waiting)
    metrics.engine.labels("waiting").set(waiting)


def only_from_here(request: Request) -> None:
    """RequestError 403 for what a page of another site has a browser send to a gateway that is open on this machine."""
    host = request.headers.get("host", "")
    name = urlsplit(f"//{host}").hostname or ""
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != host
    if foreign or not is_loopback(name):
        said = "without keys only this machine is answered, by its own name: make a key (llmops keys create)"
        raise RequestError(403, said, code="insufficient_permissions")


def _of_the_route(error: HTTPException) -> RequestError:
    """Why there is no such route, or not with this method, in our shape."""
    if error.status_code == 405:
        return RequestError(405, "not with this method: see /openapi.json", code="method_not_allowed")
    if error.status_code == 404:
        return RequestError(404, "there is no such address: see /openapi.json", code="unknown_url")
    return RequestError(error.status_code, "the request cannot be read", code="invalid_request")


def _json(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type="application/json", headers=headers)


def _page(content: bytes, kind: str) -> Response:
    """Something for a browser, which may load and reach nothing but this gateway, and be framed by nobody."""
    policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'"
    told = {
        "content-security-policy": f"{policy}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }
    return Response(content, media_type=f"{kind}; charset=utf-8", headers=told)


def _refusal(error: Exception, told: Mapping[str, str] = MappingProxyType({})) -> Response:
    status, _, _ = explained(error)
    soon = {"retry-after": str(error.retry_after if isinstance(error, QuotaError | EngineBusyError) else 1)}
    known = {401: {"www-authenticate": "Bearer"}, 429: soon, 503: soon}
    return _json(error_body(error), status=status, headers={**known.get(status, {}), **told})


def _moment(request: Request, caller: Caller) -> datetime | None:
    """The time a request says it is of, where its caller may say so."""
    value = request.headers.get("x-llmops-time")
    if not caller.may_replay or value is None:
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise RequestError(400, "x-llmops-time must be an ISO time", code="invalid_value") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
