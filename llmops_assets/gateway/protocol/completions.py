"""`POST /v1/completions`: https://platform.openai.com/docs/api-reference/completions. The prompt is the question."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import TypedDict

from llmops_assets.gateway.exchange import Ask, Exchange
from llmops_assets.gateway.protocol import models
from llmops_assets.gateway.protocol.fields import Off, honoured, ignored_in, refused
from llmops_assets.gateway.protocol.messages import SEEN, bounded, readable
from llmops_assets.gateway.protocol.reply import About, Reply, Usage, about, error_body, event, usage
from llmops_assets.gateway.protocol.sampling import Completing, stream_options

Prompt = Annotated[str, Field(pattern=SEEN)]


class CompletionBody(Completing):
    """A completion that is asked for."""

    prompt: Prompt | Annotated[list[Prompt], Field(min_length=1, max_length=1)] = honoured(
        "the question: a text, or a list of one; no lists of tokens", ...
    )
    echo: Off | None = refused("the question is not sent back")
    suffix: None = refused("nothing is written into a text")
    best_of: int | None = refused("one answer is made, so best_of is 1", ge=1, le=1)
    logprobs: None = refused("an answer has no probabilities: it is guarded as a whole")


class CompletionChoice(TypedDict):
    """The one answer. `finish_reason` is `length` when a limit of tokens cut it."""

    index: int
    text: str
    finish_reason: Literal["stop", "length"]
    logprobs: None


class Completion(TypedDict):
    """A whole answer."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[CompletionChoice]
    usage: Usage | None
    llmops: About


class CompletionReply(Reply[CompletionBody]):
    """A completion."""

    model: ClassVar[type[Any]] = CompletionBody

    def ask(self, moment: datetime | None) -> Ask:
        """The prompt as the question."""
        body = self.body
        asked = readable(body.prompt if isinstance(body.prompt, str) else body.prompt[0])
        return Ask(
            which=models.which(body.model),
            text=bounded(asked, "prompt"),
            user=body.user or "",
            time=moment,
            wishes=body.wishes(body.max_tokens),
            ignored=(*stream_options(body), *ignored_in(body)),
        )

    def whole(self, exchange: Exchange, text: str) -> Completion:
        """The body of a whole answer."""
        choice: CompletionChoice = {"index": 0, "text": text, "finish_reason": exchange.finish, "logprobs": None}
        return {
            "id": f"cmpl-{exchange.id}",
            "object": "text_completion",
            "created": exchange.created,
            "model": exchange.release_id,
            "system_fingerprint": exchange.release_id,
            "choices": [choice],
            "usage": usage(exchange),
            "llmops": about(exchange),
        }

    def opening(self, exchange: Exchange) -> bytes:
        """A chunk without text, with the interaction for who leaves before the end."""
        known = {"interaction": exchange.id, "release": exchange.release_id}
        return event({**self._chunk(exchange, ""), "llmops": known})

    def piece(self, exchange: Exchange, text: str) -> bytes:
        """A chunk with text."""
        return event(self._chunk(exchange, text))

    def ending(self, exchange: Exchange) -> bytes:
        """The last chunk, that of the tokens where it was asked for, and the end."""
        end = event({**self._chunk(exchange, "", exchange.finish), "llmops": about(exchange)})
        if self.body.with_usage:
            end += event({**self._chunk(exchange, ""), "choices": [], "usage": usage(exchange)})
        return end + b"data: [DONE]\n\n"

    def failure(self, exchange: Exchange, error: BaseException) -> bytes:
        """The error as an event."""
        return event(error_body(error))

    def _chunk(self, exchange: Exchange, text: str, finish: str | None = None) -> dict[str, Any]:
        chunk = {
            "id": f"cmpl-{exchange.id}",
            "object": "text_completion",
            "created": exchange.created,
            "model": exchange.release_id,
            "system_fingerprint": exchange.release_id,
            "choices": [{"index": 0, "text": text, "finish_reason": finish, "logprobs": None}],
        }
        return {**chunk, "usage": None} if self.body.with_usage else chunk
