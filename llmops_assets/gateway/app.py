"""The HTTP API: OpenAI-compatible chat completions, feedback, metrics and health.

Errors have OpenAI's shape. The protocol: https://platform.openai.com/docs/api-reference/chat.
"""

import asyncio
import contextlib
import hmac
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from llmops_assets.gateway.chain import Chain, RedactionError, Reply
from llmops_assets.gateway.engine import EngineError
from llmops_assets.gateway.releases import NoReleaseError, Releases

MAX_BODY = 256 * 1024
MAX_QUESTION = 8000
MODELS = {"": "live", "assistant": "live", "assistant-canary": "canary", "assistant-preview": "preview"}


class ApiError(Exception):
    """A refused request: HTTP status, OpenAI error type and a message that says what to do."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class Metrics:
    """Prometheus metrics of one gateway process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "gateway_requests_total",
            "Requests by release, path and status",
            ["release", "path", "status"],
            registry=self.registry,
        )
        self.latency = Histogram(
            "gateway_latency_seconds",
            "Time to the whole answer",
            ["path"],
            registry=self.registry,
            buckets=(0.01, 0.03, 0.1, 0.3, 1, 2, 4, 8, 16, 32),
        )
        self.tokens = Counter("gateway_tokens_total", "Tokens of the engine", ["direction"], registry=self.registry)
        self.feedback = Counter("gateway_feedback_total", "Ratings", ["rating"], registry=self.registry)
        self.running = Gauge("gateway_requests_running", "Requests being answered", registry=self.registry)
        self.generation = Gauge("gateway_state_generation", "Generation of the served state", registry=self.registry)

    def answered(self, reply: Reply) -> None:
        """Count an answered request."""
        self.requests.labels(reply.release_id, reply.path, "200").inc()
        self.latency.labels(reply.path).observe(reply.latency_seconds)
        self.tokens.labels("input").inc(reply.input_tokens)
        self.tokens.labels("output").inc(reply.output_tokens)


def create_app(
    chain: Chain,
    releases: Releases,
    *,
    keys: Sequence[str] = (),
    replay: bool = False,
    max_running: int = 64,
) -> Starlette:
    """The application. `keys` are the accepted bearer keys (none: open, for a loopback address only); `replay` takes
    the time of a request from its `x-llmops-time` header, for traffic of past days."""
    metrics = Metrics()
    running = 0

    def authenticate(request: Request) -> None:
        if not keys:
            return
        given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not any(hmac.compare_digest(given.encode(), key.encode()) for key in keys):
            raise ApiError(401, "invalid_request_error", "give a valid key: Authorization: Bearer <key>")

    def moment(request: Request) -> datetime | None:
        value = request.headers.get("x-llmops-time")
        if not replay or value is None:
            return None
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            raise ApiError(400, "invalid_request_error", "x-llmops-time must be an ISO time") from None
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)

    async def completions(request: Request) -> Response:
        nonlocal running
        authenticate(request)
        body = await _json(request)
        which, text, user, conversation, streaming = _completion_request(body)
        if running >= max_running:
            raise ApiError(429, "rate_limit_error", f"{max_running} requests are being answered: try again in a second")
        running += 1
        metrics.running.inc()
        held = contextlib.AsyncExitStack()
        handed_over = False
        try:
            question = await chain.question(text, user, conversation, moment(request))
            serving = await held.enter_async_context(releases.use(which, question.conversation))
            # Whoever names the canary or the preview is testing it, not asking as a customer.
            logged = which == "live"
            if streaming:
                source = chain.stream(serving, question, logged=logged, done=metrics.answered)
                response = StreamingResponse(_events(source, finish, held), media_type="text/event-stream")
                response.headers["x-release-id"] = serving.bundle.release_id
                handed_over = True
                return response
            reply = await chain.answer(serving, question, logged=logged)
            metrics.answered(reply)
            return _completion(reply)
        finally:
            if not handed_over:
                await finish(held)

    async def finish(held: contextlib.AsyncExitStack) -> None:
        nonlocal running
        await held.aclose()
        running -= 1
        metrics.running.dec()

    async def feedback(request: Request) -> Response:
        authenticate(request)
        body = await _json(request)
        interaction, rating = body.get("interaction"), body.get("rating", 0)
        reason, correction = body.get("reason", ""), body.get("correction", "")
        if not isinstance(interaction, str) or rating not in (-1, 0, 1) or isinstance(rating, bool):
            raise ApiError(422, "invalid_request_error", "interaction (text) and rating (-1, 0 or 1) are needed")
        if not isinstance(reason, str) or not isinstance(correction, str):
            raise ApiError(422, "invalid_request_error", "reason and correction must be texts")
        if max(len(reason), len(correction)) > MAX_QUESTION:
            raise ApiError(422, "invalid_request_error", f"at most {MAX_QUESTION} characters")
        when = moment(request) or datetime.now(UTC)
        if not await chain.feedback(interaction, rating, reason, correction, when):
            raise ApiError(
                404, "not_found_error", f"no interaction {interaction[:40]!r}: use the answer's x-interaction-id"
            )
        metrics.feedback.labels(str(rating)).inc()
        return JSONResponse({"stored": True})

    async def models(request: Request) -> Response:
        authenticate(request)
        state = releases.state
        served = {"assistant": state.live, "assistant-canary": state.canary, "assistant-preview": state.preview}
        data = [{"id": n, "object": "model", "owned_by": "llmops", "release": r} for n, r in served.items() if r]
        return JSONResponse({"object": "list", "data": data})

    async def health(_: Request) -> Response:
        state = releases.state
        body = {**state.model_dump(), "error": releases.error, "failed_generation": releases.failed_generation}
        return JSONResponse(body, status_code=200 if state.live else 503)

    async def measured(_: Request) -> Response:
        metrics.generation.set(releases.state.generation)
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def failed(request: Request, error: Exception) -> Response:
        status, kind, message = _explain(error)
        metrics.requests.labels(releases.state.live or "", request.url.path, str(status)).inc()
        headers = {"retry-after": "1"} if status in (429, 503) else None
        return JSONResponse({"error": {"message": message, "type": kind}}, status_code=status, headers=headers)

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
            Route("/v1/chat/completions", completions, methods=["POST"]),
            Route("/v1/feedback", feedback, methods=["POST"]),
            Route("/v1/models", models),
            Route("/healthz", health),
            Route("/metrics", measured),
        ],
        exception_handlers=dict.fromkeys((ApiError, NoReleaseError, RedactionError, EngineError, TimeoutError), failed),
        lifespan=lifespan,
    )


def _explain(error: Exception) -> tuple[int, str, str]:
    if isinstance(error, ApiError):
        return error.status, error.kind, str(error)
    if isinstance(error, NoReleaseError):
        return 503, "server_error", f"{error}; deploy one first"
    if isinstance(error, RedactionError):
        return 503, "server_error", "the text could not be cleared of personal data, so nothing was done with it"
    return 502, "server_error", "the engine did not answer; try again"


async def _json(request: Request) -> dict[str, Any]:
    data = await request.body()
    if len(data) > MAX_BODY:
        raise ApiError(413, "invalid_request_error", f"the body has more than {MAX_BODY} bytes")
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise ApiError(400, "invalid_request_error", "the body is not JSON") from None
    if not isinstance(body, dict):
        raise ApiError(400, "invalid_request_error", "the body must be a JSON object")
    return body


def _completion_request(body: Mapping[str, Any]) -> tuple[str, str, str, str, bool]:
    """(which release, last user message, user, conversation, streaming) of a request body."""
    which = MODELS.get(body.get("model", "") if isinstance(body.get("model", ""), str) else "?")
    if which is None:
        known = ", ".join(name for name in MODELS if name)
        raise ApiError(404, "not_found_error", f"no model {str(body.get('model'))[:40]!r}; there are {known}")
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise ApiError(400, "invalid_request_error", "messages must be a list")
    asked = [m.get("content") for m in messages if isinstance(m, dict) and m.get("role") == "user"]
    if not asked or not isinstance(asked[-1], str) or not asked[-1].strip():
        raise ApiError(400, "invalid_request_error", "messages need a user message with text")
    if len(asked[-1]) > MAX_QUESTION:
        raise ApiError(400, "invalid_request_error", f"the question has more than {MAX_QUESTION} characters")
    user = body.get("user") if isinstance(body.get("user"), str) else ""
    metadata = body.get("metadata")
    conversation = str(metadata.get("conversation", ""))[:500] if isinstance(metadata, dict) else ""
    return which, asked[-1].strip(), user or "", conversation, body.get("stream") is True


def _completion(reply: Reply) -> Response:
    body = {
        "id": f"chatcmpl-{reply.interaction}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": reply.release_id,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": reply.answer}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": reply.input_tokens,
            "completion_tokens": reply.output_tokens,
            "total_tokens": reply.input_tokens + reply.output_tokens,
        },
        "llmops": {
            "interaction": reply.interaction,
            "path": reply.path,
            "article": reply.article,
            "similarity": reply.similarity,
            "latency_seconds": reply.latency_seconds,
        },
    }
    headers = {
        "x-release-id": reply.release_id,
        "x-interaction-id": reply.interaction,
        "x-answer-path": reply.path,
    }
    return Response(orjson.dumps(body), media_type="application/json", headers=headers)


async def _events(
    source: AsyncIterator[str],
    finish: Callable[[contextlib.AsyncExitStack], Awaitable[None]],
    held: contextlib.AsyncExitStack,
) -> AsyncIterator[bytes]:
    try:
        async for piece in source:
            chunk = {
                "object": "chat.completion.chunk",
                "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}],
            }
            yield b"data: " + orjson.dumps(chunk) + b"\n\n"
        end = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        yield b"data: " + orjson.dumps(end) + b"\n\ndata: [DONE]\n\n"
    except (EngineError, RedactionError) as error:
        yield b"data: " + orjson.dumps({"error": {"message": _explain(error)[2], "type": "server_error"}}) + b"\n\n"
    finally:
        await finish(held)
