"""A file of requests as it is sent, and each of its lines without personal data: nothing else is ever stored.

A line is a JSON object: `custom_id`, `method`, `url`, `body` (https://platform.openai.com/docs/guides/batch). What
makes a file ambiguous (no JSON, no custom_id or one twice, another method or address) refuses the whole file; what is
wrong in the body of a line is that line's answer.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from llmops_assets.gateway.batching.store import Line
from llmops_assets.gateway.callers import ANONYMOUS
from llmops_assets.gateway.clearing import Redacts, cleared
from llmops_assets.gateway.errors import RedactionError, RequestError
from llmops_assets.gateway.exchange import Ask
from llmops_assets.gateway.protocol.answering import REPLIES
from llmops_assets.gateway.protocol.embeddings import EmbeddingsBody, check_model
from llmops_assets.gateway.protocol.fields import Body, ignored_in, read, treatment
from llmops_assets.gateway.protocol.reply import Reply, error_body
from llmops_assets.lib.answering.conversation import Said

MOST_LINES = 5000
"""Requests in a file."""
MOST_LINE = 256 * 1024
"""Bytes of a line."""
MOST_ID = 200
EMBEDDINGS = "/v1/embeddings"
ENDPOINTS = (*REPLIES, EMBEDDINGS)
"""What a batch may ask."""
_TEXTS = ("messages", "prompt", "input", "user", "safety_identifier", "metadata")
"""Parameters that are not stored as they come: what a person said, and who that is."""


@dataclass(frozen=True)
class Request:
    """A line that is of the right form; `number` is its place in the file, from 1 on."""

    number: int
    custom_id: str
    url: str
    body: dict[str, Any]


def requests(content: bytes) -> list[Request]:
    """The requests of a file; RequestError 400 with the line that is wrong. Empty lines are passed over."""
    found: list[Request] = []
    known: dict[str, int] = {}
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        if len(found) == MOST_LINES:
            raise _wrong(number, f"a file has at most {MOST_LINES} requests: send several", "too_many_lines")
        request = _request(number, line)
        if (first := known.setdefault(request.custom_id, number)) != number:
            raise _wrong(number, f"its custom_id is that of line {first}", "duplicate_custom_id")
        if found and request.url != found[0].url:
            raise _wrong(number, "all lines of a file have one url", "mismatched_url")
        found.append(request)
    if not found:
        raise RequestError(400, "the file has no line", code="empty_file", param="file")
    return found


def _request(number: int, line: bytes) -> Request:
    if len(line) > MOST_LINE:
        raise _wrong(number, f"it has more than {MOST_LINE} bytes", "line_too_large")
    try:
        given = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise _wrong(number, "it is not JSON in UTF-8", "invalid_json_line") from None
    if not isinstance(given, dict) or set(given) != {"custom_id", "method", "url", "body"}:
        said = "it must be an object with custom_id, method, url and body, and nothing else"
        raise _wrong(number, said, "invalid_json_line")
    custom_id, body = given["custom_id"], given["body"]
    if not isinstance(custom_id, str) or not 1 <= len(custom_id) <= MOST_ID:
        raise _wrong(number, f"its custom_id must be a text of 1 to {MOST_ID} characters", "invalid_custom_id")
    if given["method"] != "POST":
        raise _wrong(number, "its method must be POST", "invalid_method")
    if given["url"] not in ENDPOINTS:
        raise _wrong(number, f"its url must be one of {', '.join(ENDPOINTS)}", "invalid_url")
    if not isinstance(body, dict):
        raise _wrong(number, "its body must be an object", "invalid_json_line")
    return Request(number, custom_id, given["url"], body)


def _wrong(number: int, said: str, code: str) -> RequestError:
    return RequestError(400, f"line {number}: {said}", code=code, param="file")


# -- what is stored ---------------------------------------------------------------------------------------------------


def clean(redactor: Redacts, request: Request) -> Line:
    """A request as it is stored: redacted as a conversation, its person and conversation as pseudonyms.

    A body that cannot be answered is stored as its refusal alone. RedactionError where the redactor fails; RequestError
    400 where a custom_id is personal data: it must come back as it was.
    """
    if _leaks(redactor, [request.custom_id]):
        raise _wrong(request.number, "its custom_id holds personal data: number the lines instead", "personal_data")
    subject = ""
    body: dict[str, Any] | None = None
    try:
        subject = _person(redactor, request.body)
        body, run = _vectors(redactor, request) if request.url == EMBEDDINGS else _question(redactor, request)
        if _leaks(redactor, list(_walk([body, run]))):
            said = "personal data stands outside of the conversation: leave it out"
            raise RequestError(400, said, code="personal_data")
    except RequestError as error:
        body, run = None, {"refused": error.status, "error": error_body(error)}
    text = {"custom_id": request.custom_id, "method": "POST", "url": request.url, "body": body}
    return Line(request.number, subject, orjson.dumps(text).decode(), orjson.dumps(run).decode())


def _person(redactor: Redacts, body: dict[str, Any]) -> str:
    """The pseudonym of whom a body names; "" where it names nobody."""
    named = next((body[name] for name in ("user", "safety_identifier") if body.get(name)), "")
    try:
        return redactor.subject(named) if isinstance(named, str) and named else ""
    except Exception:
        raise RedactionError from None


def _question(redactor: Redacts, request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    shapes = REPLIES[request.url]
    body = read(shapes.model, request.body)
    reply = shapes(body)
    ask = reply.ask(None)
    if reply.streaming:
        raise RequestError(400, "a batch has no streams", code="unsupported_parameter", param="stream")
    if not ask.logged:
        said = "a batch is answered by what customers are served: the model `assistant`"
        raise RequestError(400, said, code="model_not_found", param="model")
    *before, text = cleared(redactor, [*(said.text for said in ask.history), ask.text])
    history = [Said(said.speaker, told) for said, told in zip(ask.history, before, strict=True)]
    try:
        conversation = redactor.subject(ask.conversation) if ask.conversation else ""
        subject = redactor.subject(ask.user or ANONYMOUS)
    except Exception:
        raise RedactionError from None
    messages = [{"role": said.speaker, "content": said.text} for said in (*history, Said("user", text))]
    asked = {"prompt": text} if request.url == "/v1/completions" else {_place(request.url): messages}
    run = {"subject": subject, "conversation": conversation, "turn": ask.turn, "ignored": ask.ignored}
    return {**_rest(body), **asked}, run


def _vectors(redactor: Redacts, request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    body = read(EmbeddingsBody, request.body)
    check_model(body)
    texts = [cleared(redactor, [text])[0] for text in body.texts]
    return {**_rest(body), "input": texts}, {"ignored": ignored_in(body)}


def _place(url: str) -> str:
    return "input" if url == "/v1/responses" else "messages"


def _rest(body: Body) -> dict[str, Any]:
    """The parameters that are honoured, but for texts and persons."""
    given = body.model_dump(mode="json", exclude_unset=True, by_alias=True)
    return {
        name: value
        for name, value in given.items()
        if value is not None and name not in _TEXTS and treatment(type(body), name) == "honoured"
    }


def _leaks(redactor: Redacts, texts: Sequence[str]) -> bool:
    try:
        return any(redactor.leaks(text) for text in texts)
    except Exception:
        raise RedactionError from None


def _walk(value: Any) -> Iterator[str]:
    """Every text in a JSON value, names too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from _walk(part)
    elif isinstance(value, list | tuple):
        yield from itertools.chain.from_iterable(map(_walk, value))


# -- how it is answered -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refused:
    """A line that is answered by its refusal."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A line that the chain answers."""

    reply: Reply[Any]
    ask: Ask


@dataclass(frozen=True)
class Vectors:
    """A line that the embedder answers."""

    body: EmbeddingsBody
    ignored: tuple[str, ...]


def custom_id(line: Line) -> str:
    """How its sender calls a line."""
    return orjson.loads(line.text)["custom_id"]


def work(line: Line) -> Refused | Asked | Vectors:
    """How a stored line is answered."""
    stored, run = orjson.loads(line.text), orjson.loads(line.run)
    if "refused" in run:
        return Refused(run["refused"], run["error"])
    if stored["url"] == EMBEDDINGS:
        return Vectors(read(EmbeddingsBody, stored["body"]), tuple(run["ignored"]))
    shapes = REPLIES[stored["url"]]
    reply = shapes(read(shapes.model, stored["body"]))
    ask = dataclasses.replace(
        reply.ask(None),
        turn=run["turn"],
        conversation=run["conversation"],
        subject=run["subject"],
        ignored=tuple(run["ignored"]),
    )
    return Asked(reply, ask)


def answered(name: str, line: Line, status: int, request_id: str, body: Any) -> str:
    """The line of an output or error file for a request that was answered or refused."""
    response = {"status_code": status, "request_id": request_id, "body": body}
    return _result(name, line, response, None)


def unanswered(name: str, line: Line, code: str, message: str) -> str:
    """The line of an error file for a request that was never asked."""
    return _result(name, line, None, {"code": code, "message": message})


def _result(name: str, line: Line, response: Any, error: Any) -> str:
    made = {
        "id": f"batch_req_{name}_{line.number}",
        "custom_id": custom_id(line),
        "response": response,
        "error": error,
    }
    return orjson.dumps(made).decode()
