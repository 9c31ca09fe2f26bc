"""`POST /v1/responses`, its text subset: https://platform.openai.com/docs/api-reference/responses.

Nothing is kept to be fetched or continued later: a conversation is sent whole.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import TypedDict

from llmops_assets.gateway.errors import explained
from llmops_assets.gateway.exchange import Ask, Exchange
from llmops_assets.gateway.protocol import models
from llmops_assets.gateway.protocol.chat import NO_TOOLS, Nothing
from llmops_assets.gateway.protocol.completions import Prompt
from llmops_assets.gateway.protocol.fields import Body, Off, honoured, ignored, ignored_in, refused
from llmops_assets.gateway.protocol.formats import FORMAT, ResponseFormat, as_chat, held_to
from llmops_assets.gateway.protocol.messages import (
    MOST_MESSAGES,
    QUESTION,
    Conversation,
    Role,
    Turn,
    bounded,
    conversation_of,
    readable,
)
from llmops_assets.gateway.protocol.reply import About, Reply, about, error_body, event, usage
from llmops_assets.gateway.protocol.sampling import INT64, Metadata, Sampled, conversation, person
from llmops_assets.gateway.wishes import Wishes

NOT_KEPT = "answers are not kept to be continued: send the conversation in `input`"


class Item(Turn):
    """An item of the input: a message, or another that is a record of the past."""

    type: str | None = Field(None, max_length=60)
    role: Role | None = None

    @property
    def speaker(self) -> Role | None:
        """Who says it; nobody where it is no message."""
        return self.role


Items = Annotated[list[Item], Field(min_length=1, max_length=MOST_MESSAGES, json_schema_extra=QUESTION)]


class TextOptions(Body):
    """Options of the text."""

    format: ResponseFormat | None = honoured(FORMAT)
    verbosity: str | None = ignored("the release says how long answers are", max_length=40)


class ResponseBody(Sampled):
    """A response that is asked for."""

    input: Prompt | Items = honoured(
        "a text, or items: the last user message with text is the question, the turns before it tell what it means; "
        "the rest is named as ignored",
        ...,
    )
    max_output_tokens: int | None = honoured(
        "cuts every answer, published ones too; the release's own limit holds beside it", ge=1, lt=INT64
    )
    metadata: Annotated[Metadata, Field(max_length=16)] | None = honoured(
        "`conversation` names the conversation; other entries are named as ignored"
    )
    safety_identifier: str | None = honoured("who asks, where `user` is not given", max_length=512)
    text: TextOptions | None = honoured(
        "`format` as in chat completions' `response_format`; `verbosity` is named as ignored"
    )
    tools: Nothing | None = refused(NO_TOOLS)
    tool_choice: Literal["none", "auto"] | None = refused("the assistant calls no tools: none or auto")
    include: Nothing | None = refused("there is nothing more to include: leave it empty")
    top_logprobs: int | None = refused("an answer has no probabilities: it is guarded as a whole", ge=0, le=0)
    background: Off | None = refused("answers are short, and made at once")
    background_options: None = refused("answers are short, and made at once")
    previous_response_id: None = refused(NOT_KEPT)
    conversation: None = refused(NOT_KEPT)
    prompt: None = refused("the release's prompt is the only one")
    moderation: None = refused("no moderation results are given")
    image: None = refused("only text is read")
    access_programs: None = refused("there are none")
    instructions: str | list[Item] | None = ignored("the release's prompt is the only one")
    max_tool_calls: int | None = ignored("there are no tool calls")
    parallel_tool_calls: bool | None = ignored("there are no tool calls")
    truncation: Literal["auto", "disabled"] | None = ignored("a question that is too long is refused")
    context_management: list[dict[str, Any]] | None = ignored("the newest turns are read")
    reasoning: dict[str, Any] | None = ignored("the model does not reason apart")
    stream_options: dict[str, Any] | None = ignored("no padding is sent")
    service_tier: str | None = ignored("there is one tier", max_length=40)
    store: bool | None = ignored("every exchange is logged, redacted, as the installation keeps it")
    prompt_cache_key: str | None = ignored("the engine's cache needs no key", max_length=512)
    prompt_cache_options: dict[str, Any] | None = ignored("the engine's cache has no options")
    prompt_cache_retention: str | None = ignored("the engine's cache has no retention", max_length=40)


class OutputText(TypedDict):
    """The text of an answer."""

    type: Literal["output_text"]
    text: str
    annotations: list[Any]
    logprobs: list[Any]


class OutputRefusal(TypedDict):
    """A handover in place of the JSON that was asked for."""

    type: Literal["refusal"]
    refusal: str


class OutputMessage(TypedDict):
    """The assistant's message."""

    type: Literal["message"]
    id: str
    role: Literal["assistant"]
    status: Literal["in_progress", "completed", "incomplete"]
    content: list[OutputText | OutputRefusal]


class Details(TypedDict, total=False):
    """Why an answer is incomplete."""

    reason: Literal["max_output_tokens"]


class ResponseUsage(TypedDict):
    """Tokens, as in chat completions by other names; none is cheaper for having been cached, none is reasoned."""

    input_tokens: int
    input_tokens_details: dict[str, int]
    output_tokens: int
    output_tokens_details: dict[str, int]
    total_tokens: int


class Failure(TypedDict):
    """Why there is no answer."""

    code: str
    message: str


class Response(TypedDict):
    """A whole answer, or how far it is."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    model: str
    output: list[OutputMessage]
    usage: ResponseUsage | None
    error: Failure | None
    incomplete_details: Details | None
    instructions: None
    metadata: dict[str, str]
    parallel_tool_calls: bool
    temperature: float | None
    top_p: float | None
    max_output_tokens: int | None
    tool_choice: Literal["none"]
    tools: list[Any]
    llmops: dict[str, Any] | About


class ResponseReply(Reply[ResponseBody]):
    """A response: its stream is a sequence of named and numbered events."""

    model: ClassVar[type[Any]] = ResponseBody

    def __init__(self, body: ResponseBody) -> None:
        super().__init__(body)
        self._sent = 0
        self._text = ""
        self._begun = False

    def ask(self, moment: datetime | None) -> Ask:
        """The text, or the last user message with text and what was said before it."""
        body = self.body
        if isinstance(body.input, str):
            said = Conversation(bounded(readable(body.input), "input"), (), 0, ())
        else:
            said = conversation_of(body.input, "input")
        form = body.text.format if body.text else None
        name, entries = conversation(body.metadata)
        spare = ("safety_identifier",) if body.user and body.safety_identifier else ()
        verbosity = ("text.verbosity",) if body.text and body.text.verbosity else ()
        return Ask(
            which=models.which(body.model),
            text=said.question,
            history=said.history,
            turn=said.turn,
            user=person(body.user, body.safety_identifier),
            conversation=name,
            time=moment,
            wishes=Wishes(
                max_tokens=body.max_output_tokens,
                temperature=body.temperature,
                top_p=body.top_p,
                grammar=held_to(form, "text.format"),
                form=as_chat(form),
            ),
            ignored=(*said.ignored, *entries, *spare, *verbosity, *ignored_in(body)),
        )

    def whole(self, exchange: Exchange, text: str) -> Response:
        """The body of a whole answer."""
        self._text = text
        return self._response(exchange, "incomplete" if exchange.cut else "completed")

    def opening(self, exchange: Exchange) -> bytes:
        """A response without output, with the interaction for who leaves before the end."""
        response = self._response(exchange, "in_progress")
        item = self._message(exchange, "in_progress", [])
        return b"".join(
            [
                self._event("response.created", response=response),
                self._event("response.in_progress", response=response),
                self._event("response.output_item.added", output_index=0, item=item),
            ]
        )

    def piece(self, exchange: Exchange, text: str) -> bytes:
        """The event of a piece of text; before the first of them, what kind of text it is."""
        part = (
            b"" if self._begun else self._about_part(exchange, "response.content_part.added", part=_part(exchange, ""))
        )
        self._text, self._begun = self._text + text, True
        kind, more = _kind(exchange)
        return part + self._about_part(exchange, f"response.{kind}.delta", delta=text, **more)

    def ending(self, exchange: Exchange) -> bytes:
        """Text, part, item and response are whole."""
        kind, more = _kind(exchange)
        response = self._response(exchange, "incomplete" if exchange.cut else "completed")
        return b"".join(
            [
                self._about_part(exchange, f"response.{kind}.done", **{_NAMES[kind]: self._text}, **more),
                self._about_part(exchange, "response.content_part.done", part=_part(exchange, self._text)),
                self._event("response.output_item.done", output_index=0, item=response["output"][0]),
                self._event(f"response.{response['status']}", response=response),
            ]
        )

    def failure(self, exchange: Exchange, error: BaseException) -> bytes:
        """The response with its error."""
        code = error_body(error)["error"]["code"] or "server_error"
        response = self._response(exchange, "failed")
        failed = {**response, "output": [], "error": {"code": code, "message": explained(error)[2]}}
        return self._event("response.failed", response=failed)

    def _response(
        self, exchange: Exchange, status: Literal["in_progress", "completed", "incomplete", "failed"]
    ) -> Response:
        done = status in ("completed", "incomplete")
        body, counted = self.body, usage(exchange) if done else None
        output = [self._message(exchange, status, [_part(exchange, self._text)])] if done else []
        return {
            "id": f"resp_{exchange.id}",
            "object": "response",
            "created_at": exchange.created,
            "status": status,
            "model": exchange.release_id,
            "output": output,
            "usage": counted
            and {
                "input_tokens": counted["prompt_tokens"],
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": counted["completion_tokens"],
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": counted["total_tokens"],
            },
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "instructions": None,
            "metadata": dict(body.metadata or {}),
            "parallel_tool_calls": False,
            "temperature": body.temperature,
            "top_p": body.top_p,
            "max_output_tokens": body.max_output_tokens,
            "tool_choice": "none",
            "tools": [],
            "llmops": about(exchange) if done else {"interaction": exchange.id, "release": exchange.release_id},
        }

    def _message(self, exchange: Exchange, status: Any, content: list[OutputText | OutputRefusal]) -> OutputMessage:
        return {
            "type": "message",
            "id": f"msg_{exchange.id}",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _about_part(self, exchange: Exchange, kind: str, **more: Any) -> bytes:
        return self._event(kind, item_id=f"msg_{exchange.id}", output_index=0, content_index=0, **more)

    def _event(self, kind: str, **more: Any) -> bytes:
        data: Mapping[str, Any] = {"type": kind, "sequence_number": self._sent, **more}
        self._sent += 1
        return event(data, kind)


_NAMES = {"output_text": "text", "refusal": "refusal"}


def _kind(exchange: Exchange) -> tuple[str, dict[str, Any]]:
    """The kind of the one part of an answer, and what its events carry beside the text."""
    return ("refusal", {}) if exchange.refused else ("output_text", {"logprobs": []})


def _part(exchange: Exchange, text: str) -> OutputText | OutputRefusal:
    if exchange.refused:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
