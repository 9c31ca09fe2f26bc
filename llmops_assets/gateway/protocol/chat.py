"""`POST /v1/chat/completions`: https://platform.openai.com/docs/api-reference/chat/create."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import TypedDict

from llmops_assets.gateway.exchange import Ask, Exchange
from llmops_assets.gateway.protocol import models
from llmops_assets.gateway.protocol.fields import Off, honoured, ignored, ignored_in, refused
from llmops_assets.gateway.protocol.formats import FORMAT, ChatFormat, as_chat, held_to
from llmops_assets.gateway.protocol.messages import MOST_MESSAGES, QUESTION, Message, conversation_of
from llmops_assets.gateway.protocol.reply import About, Reply, Usage, about, error_body, event, usage
from llmops_assets.gateway.protocol.sampling import (
    INT64,
    Completing,
    Metadata,
    conversation,
    one_limit,
    person,
    stream_options,
)

NO_TOOLS = "the assistant calls no tools: leave it empty"
Nothing = Annotated[list[Any], Field(max_length=0)]


class ChatBody(Completing):
    """A chat completion that is asked for."""

    messages: list[Message] = honoured(
        "the last user message with text is the question, the turns before it tell what it means; instructions, "
        "results of tools and what stands after the question are named as ignored",
        ...,
        schema=QUESTION,
        min_length=1,
        max_length=MOST_MESSAGES,
    )
    max_completion_tokens: int | None = honoured("the same as `max_tokens`", ge=1, lt=INT64)
    metadata: Annotated[Metadata, Field(max_length=16)] | None = honoured(
        "`conversation` names the conversation; other entries are named as ignored"
    )
    safety_identifier: str | None = honoured("who asks, where `user` is not given", max_length=512)
    response_format: ChatFormat | None = honoured(FORMAT)
    logprobs: Off | None = refused("an answer has no probabilities: it is guarded as a whole")
    top_logprobs: int | None = refused("an answer has no probabilities: it is guarded as a whole", ge=0, le=0)
    modalities: Annotated[list[Literal["text"]], Field(max_length=1)] | None = refused("answers are texts")
    audio: None = refused("answers are texts")
    tools: Nothing | None = refused(NO_TOOLS)
    functions: Nothing | None = refused(NO_TOOLS)
    tool_choice: Literal["none", "auto"] | None = refused("the assistant calls no tools: none or auto")
    function_call: Literal["none", "auto"] | None = refused("the assistant calls no tools: none or auto")
    web_search_options: None = refused("nothing but the knowledge base is searched")
    moderation: None = refused("no moderation results are given")
    parallel_tool_calls: bool | None = ignored("there are no tool calls")
    prediction: dict[str, Any] | None = ignored("answers are short")
    reasoning_effort: str | None = ignored("the model does not reason apart", max_length=40)
    verbosity: str | None = ignored("the release says how long answers are", max_length=40)
    service_tier: str | None = ignored("there is one tier", max_length=40)
    store: bool | None = ignored("every exchange is logged, redacted, as the installation keeps it")
    prompt_cache_key: str | None = ignored("the engine's cache needs no key", max_length=512)
    prompt_cache_options: dict[str, Any] | None = ignored("the engine's cache has no options")
    prompt_cache_retention: str | None = ignored("the engine's cache has no retention", max_length=40)


class AnswerMessage(TypedDict):
    """The assistant's message; a handover where JSON was asked for is its refusal."""

    role: str
    content: str | None
    refusal: str | None


class Choice(TypedDict):
    """The one answer. `finish_reason` is `length` when a limit of tokens cut it."""

    index: int
    message: AnswerMessage
    finish_reason: Literal["stop", "length"]
    logprobs: None


class ChatCompletion(TypedDict):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[Choice]
    usage: Usage | None
    llmops: About


class ChatReply(Reply[ChatBody]):
    """A chat completion."""

    model: ClassVar[type[Any]] = ChatBody

    def ask(self, moment: datetime | None) -> Ask:
        """The last user message with text, and what was said before it."""
        body = self.body
        said = conversation_of(body.messages)
        form = held_to(body.response_format, "response_format.json_schema")
        name, entries = conversation(body.metadata)
        spare = ("safety_identifier",) if body.user and body.safety_identifier else ()
        most = one_limit(body.max_tokens, body.max_completion_tokens, ("max_tokens", "max_completion_tokens"))
        return Ask(
            which=models.which(body.model),
            text=said.question,
            history=said.history,
            turn=said.turn,
            user=person(body.user, body.safety_identifier),
            conversation=name,
            time=moment,
            wishes=dataclasses.replace(body.wishes(most), grammar=form, form=as_chat(body.response_format)),
            ignored=(*said.ignored, *entries, *spare, *stream_options(body), *ignored_in(body)),
        )

    def whole(self, exchange: Exchange, text: str) -> ChatCompletion:
        """The body of a whole answer."""
        content, refusal = (None, text) if exchange.refused else (text, None)
        message: AnswerMessage = {"role": "assistant", "content": content, "refusal": refusal}
        return {
            "id": f"chatcmpl-{exchange.id}",
            "object": "chat.completion",
            "created": exchange.created,
            "model": exchange.release_id,
            "system_fingerprint": exchange.release_id,
            "choices": [{"index": 0, "message": message, "finish_reason": exchange.finish, "logprobs": None}],
            "usage": usage(exchange),
            "llmops": about(exchange),
        }

    def opening(self, exchange: Exchange) -> bytes:
        """A chunk with the role, and the interaction for who leaves before the end."""
        known = {"interaction": exchange.id, "release": exchange.release_id}
        return event({**self._chunk(exchange, {"role": "assistant", "content": ""}), "llmops": known})

    def piece(self, exchange: Exchange, text: str) -> bytes:
        """A chunk with text."""
        return event(self._chunk(exchange, {"refusal" if exchange.refused else "content": text}))

    def ending(self, exchange: Exchange) -> bytes:
        """The last chunk, that of the tokens where it was asked for, and the end."""
        end = event({**self._chunk(exchange, {}, exchange.finish), "llmops": about(exchange)})
        if self.body.with_usage:
            end += event({**self._chunk(exchange, {}), "choices": [], "usage": usage(exchange)})
        return end + b"data: [DONE]\n\n"

    def failure(self, exchange: Exchange, error: BaseException) -> bytes:
        """The error as an event."""
        return event(error_body(error))

    def _chunk(self, exchange: Exchange, delta: Mapping[str, str], finish: str | None = None) -> dict[str, Any]:
        chunk = {
            "id": f"chatcmpl-{exchange.id}",
            "object": "chat.completion.chunk",
            "created": exchange.created,
            "model": exchange.release_id,
            "system_fingerprint": exchange.release_id,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}],
        }
        # OpenAI's clients tell the chunk of the tokens by the others' null.
        return {**chunk, "usage": None} if self.body.with_usage else chunk
