"""OpenAI's shapes of requests, answers, streams and errors, with what is ours under `llmops`.

The protocol: https://platform.openai.com/docs/api-reference/chat.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from llmops_assets.gateway.errors import RequestError, explained
from llmops_assets.gateway.exchange import Ask, Exchange, Which
from llmops_assets.gateway.progress import State

MAX_QUESTION = 8000
MAX_CONVERSATION = 500
MODELS: dict[str, Which] = {
    "assistant": "live",
    "assistant-canary": "canary",
    "assistant-shadow": "shadow",
    "assistant-preview": "preview",
}
"""Names of models that a client may ask for; without one it is `assistant`."""


@dataclass(frozen=True)
class ChatRequest:
    """A chat completion that was asked for: what, and in which form the answer goes out."""

    ask: Ask
    streaming: bool
    with_usage: bool


def chat_request(body: Mapping[str, Any], moment: datetime | None) -> ChatRequest:
    """The request of a body; RequestError says what is wrong with it. Its last user message is the question."""
    model = body.get("model") or "assistant"
    if not isinstance(model, str) or model not in MODELS:
        raise RequestError(404, f"no model {str(model)[:40]!r}; there are {', '.join(MODELS)}", "not_found_error")
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise RequestError(400, "messages must be a list")
    asked = [m.get("content") for m in messages if isinstance(m, dict) and m.get("role") == "user"]
    if not asked or not isinstance(asked[-1], str) or not asked[-1].strip():
        raise RequestError(400, "messages need a user message with text")
    if len(asked[-1]) > MAX_QUESTION:
        raise RequestError(400, f"the question has more than {MAX_QUESTION} characters")
    user, metadata, options = body.get("user"), body.get("metadata"), body.get("stream_options")
    ask = Ask(
        which=MODELS[model],
        text=asked[-1].strip(),
        user=user if isinstance(user, str) else "",
        conversation=str(metadata.get("conversation", ""))[:MAX_CONVERSATION] if isinstance(metadata, dict) else "",
        time=moment,
    )
    with_usage = isinstance(options, dict) and options.get("include_usage") is True
    return ChatRequest(ask, body.get("stream") is True, with_usage)


def completion(exchange: Exchange, text: str) -> bytes:
    """The body of a whole answer."""
    message = {"role": "assistant", "content": text}
    body = {
        **_head(exchange, "chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _usage(exchange),
        "llmops": _about(exchange),
    }
    return orjson.dumps(body)


def headers(exchange: Exchange) -> dict[str, str]:
    """Headers of an answer; its path is known once it is whole."""
    known = {"x-release-id": exchange.release_id, "x-interaction-id": exchange.id}
    return {**known, "x-answer-path": exchange.path or ""} if exchange.progress.state == State.DONE else known


def first_event(exchange: Exchange) -> bytes:
    """The event that opens a stream, before there is any text."""
    return _event(_chunk(exchange, {"role": "assistant", "content": ""}))


def piece_event(exchange: Exchange, piece: str) -> bytes:
    """The event of a piece of text."""
    return _event(_chunk(exchange, {"content": piece}))


def last_events(exchange: Exchange, *, with_usage: bool) -> bytes:
    """The events that say that the answer is whole."""
    end = _event({**_chunk(exchange, {}, "stop"), "llmops": _about(exchange)})
    if with_usage:
        end += _event({**_head(exchange, "chat.completion.chunk"), "choices": [], "usage": _usage(exchange)})
    return end + b"data: [DONE]\n\n"


def error_event(error: BaseException) -> bytes:
    """The event that ends a stream whose answer is not whole."""
    return _event(error_body(error))


def error_body(error: BaseException) -> dict[str, Any]:
    """The body of a refusal."""
    _, kind, message = explained(error)
    return {"error": {"message": message, "type": kind}}


def _head(exchange: Exchange, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{exchange.id}",
        "object": kind,
        "created": int(time.time()),
        "model": exchange.release_id,
    }


def _chunk(exchange: Exchange, delta: Mapping[str, str], finish: str | None = None) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {**_head(exchange, "chat.completion.chunk"), "choices": choices}


def _usage(exchange: Exchange) -> dict[str, int]:
    usage = exchange.usage
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _about(exchange: Exchange) -> dict[str, Any]:
    return {
        "interaction": exchange.id,
        "path": exchange.path,
        "article": exchange.article,
        "similarity": exchange.similarity,
        "latency_seconds": exchange.seconds,
    }


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"
