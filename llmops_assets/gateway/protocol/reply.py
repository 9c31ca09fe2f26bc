"""What the endpoints that answer have in common: a request as it is read, an exchange in the shapes of a protocol."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Generic

import orjson
from typing_extensions import TypedDict

from llmops_assets.gateway.errors import GatewayError, RequestError, explained, recognized
from llmops_assets.gateway.exchange import Ask, Exchange
from llmops_assets.gateway.progress import State
from llmops_assets.gateway.protocol.fields import B


class Citation(TypedDict):
    """An article that an answer rests on: which, how near it is to the question, in which version of the knowledge."""

    article: str
    similarity: float
    knowledge: str | None


class Guarded(TypedDict):
    """A guard that found something: in the question, the history, an article or the answer, and what was done."""

    guard: str
    place: str
    action: str


class About(TypedDict):
    """What is ours in an answer. `ignored` names the parameters of the request that changed nothing.

    `path` says who answered: published articles (matched), the model (generated), a person will (handover), nobody
    had to (small_talk), or nobody may (refused). `guards` names the guards that found something. A handover's citations
    are what the person may want to see. `language` is the question's. `cached_seconds` is the age of an answer that was
    given before to the same question, null where it was made for this one. `ai_generated` is always true: a machine
    chose or wrote the answer; `notice`, of a conversation's first answer, is what to tell people of that, unless
    `noticed` says that the answer begins with it.
    """

    interaction: str
    release: str
    path: str | None
    article: str | None
    similarity: float | None
    latency_seconds: float
    cached_seconds: float | None
    citations: list[Citation]
    ignored: list[str]
    guards: list[Guarded]
    language: str
    ai_generated: bool
    notice: str | None
    noticed: bool


class Usage(TypedDict):
    """Tokens of the engine where it answered, else of question and answer as the engine's model counts them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Reply(ABC, Generic[B]):
    """One request of one protocol: what it asks of the chain, and in which shapes the answer goes out.

    Made for one request, so it may count what it has sent.
    """

    model: ClassVar[type[Any]]
    """The shape of the request's body."""

    def __init__(self, body: B) -> None:
        self.body = body

    @property
    def streaming(self) -> bool:
        """Whether the answer goes out in pieces."""
        return self.body.stream is True  # ty: ignore[missing-attribute]

    @abstractmethod
    def ask(self, moment: datetime | None) -> Ask:
        """What is asked of the chain; RequestError where the request makes no sense."""

    @abstractmethod
    def whole(self, exchange: Exchange, text: str) -> Mapping[str, Any]:
        """The body of a whole answer."""

    @abstractmethod
    def opening(self, exchange: Exchange) -> bytes:
        """The events that open a stream, before there is any text."""

    @abstractmethod
    def piece(self, exchange: Exchange, text: str) -> bytes:
        """The event of a piece of text."""

    @abstractmethod
    def ending(self, exchange: Exchange) -> bytes:
        """The events that say that the answer is whole."""

    @abstractmethod
    def failure(self, exchange: Exchange, error: BaseException) -> bytes:
        """The event that ends a stream whose answer is not whole."""


def about(exchange: Exchange) -> About:
    """What is ours in an answer."""
    file = exchange.release.bundle.manifest.knowledge_index
    knowledge = file.ref.commit if file else None
    cited = exchange.cited
    return {
        "interaction": exchange.id,
        "release": exchange.release_id,
        "path": exchange.path,
        "article": exchange.article,
        "similarity": exchange.similarity,
        "latency_seconds": exchange.seconds,
        "cached_seconds": exchange.recalled_after,
        "citations": [
            {"article": hit.article, "similarity": round(hit.similarity, 4), "knowledge": knowledge} for hit in cited
        ],
        "ignored": list(exchange.ignored),
        "guards": [{"guard": found.guard, "place": found.place, "action": found.action} for found in exchange.findings],
        "language": exchange.language,
        "ai_generated": True,
        "notice": exchange.words("notice") if exchange.first else None,
        "noticed": bool(exchange.notice),
    }


def usage(exchange: Exchange) -> Usage | None:
    """The tokens of an answer; None where they could not be counted."""
    counted = exchange.counted
    if counted is None:
        return None
    return {
        "prompt_tokens": counted.input_tokens,
        "completion_tokens": counted.output_tokens,
        "total_tokens": counted.input_tokens + counted.output_tokens,
    }


def headers(exchange: Exchange) -> dict[str, str]:
    """Headers of an answer; its path is known once it is whole."""
    known = {"x-release-id": exchange.release_id, "x-interaction-id": exchange.id, "x-ai-generated": "true"}
    return {**known, "x-answer-path": exchange.path or ""} if exchange.progress.state == State.DONE else known


def event(data: Mapping[str, Any], name: str = "") -> bytes:
    """A server-sent event."""
    named = f"event: {name}\n".encode() if name else b""
    return named + b"data: " + orjson.dumps(data) + b"\n\n"


def error_body(error: BaseException) -> dict[str, Any]:
    """The body of a refusal, in OpenAI's shape."""
    _, kind, message = explained(error)
    error = recognized(error)
    known = isinstance(error, GatewayError)
    code = error.code if known else "internal_error"
    param = error.param if isinstance(error, RequestError) else None
    return {"error": {"message": message, "type": kind, "param": param or None, "code": code or None}}
