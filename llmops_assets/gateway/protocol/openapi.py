"""The OpenAPI description, made of the models by which requests are read and of the types of the answers.

OpenAPI 3.1: https://spec.openapis.org/oas/v3.1.0.
"""

import functools
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode
from typing_extensions import TypedDict

from llmops_assets.gateway.protocol import chat, completions, embeddings, feedback, models, responses
from llmops_assets.gateway.protocol.fields import Body


class ErrorDetail(TypedDict):
    """What is wrong, of which parameter, by which code."""

    message: str
    type: str
    param: str | None
    code: str | None


class Error(TypedDict):
    """A refusal."""

    error: ErrorDetail


REFERENCE = "#/components/schemas/{model}"
ANSWERS: dict[str, tuple[type[Body], Any, str]] = {
    "/v1/chat/completions": (chat.ChatBody, chat.ChatCompletion, "Answer the last question of a conversation"),
    "/v1/completions": (completions.CompletionBody, completions.Completion, "Answer a question"),
    "/v1/responses": (responses.ResponseBody, responses.Response, "Answer a question, in the form of Responses"),
    "/v1/embeddings": (embeddings.EmbeddingsBody, embeddings.Embeddings, "Vectors of texts"),
    "/v1/feedback": (feedback.FeedbackBody, feedback.Stored, "Say what came of an answer"),
}
"""What is posted: its body, its answer, what it is for."""
READINGS: dict[str, tuple[Any, str]] = {
    "/v1/models": (models.ModelList, "The models that answer now"),
    "/v1/models/{model}": (models.Model, "One of the models"),
}
STREAMED = ("/v1/chat/completions", "/v1/completions", "/v1/responses")
REFUSALS = {
    400: "The request cannot be served as it is",
    401: "No valid key",
    403: "The key's role does not allow it",
    404: "No such model or interaction",
    408: "The body did not come in time",
    413: "The body is too large",
    422: "The feedback cannot be stored as it is",
    429: "Too many requests at a time",
    500: "The gateway failed",
    502: "The engine did not answer",
    503: "No release is served, or a text could not be cleared of personal data",
}


@functools.cache
def description(*, with_keys: bool) -> Mapping[str, Any]:
    """The description of a gateway that asks for keys, or of one that does not."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for path, (body, answer, summary) in ANSWERS.items():
        content: dict[str, Any] = {"application/json": {"schema": _schema(answer, schemas, "serialization")}}
        if path in STREAMED:
            # OpenAPI 3.1 cannot say what the events of a stream look like.
            content["text/event-stream"] = {}
        asked = {"required": True, "content": {"application/json": {"schema": _schema(body, schemas, "validation")}}}
        operation = {**_operation(path, summary, content, _refusals(path)), "requestBody": asked}
        paths[path] = {"post": operation}
    for path, (answer, summary) in READINGS.items():
        content = {"application/json": {"schema": _schema(answer, schemas, "serialization")}}
        paths[path] = {"get": _operation(path, summary, content, _refusals(path))}
    paths["/v1/models/{model}"]["get"]["parameters"] = [
        {"name": "model", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    ]
    _schema(Error, schemas, "serialization")
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "llmops gateway",
            "version": "1",
            "description": "OpenAI's API for the assistant of the served release. `x-treatment` of a parameter says "
            "whether it is honoured, refused, or ignored and named in `llmops.ignored`.",
        },
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }
    if with_keys:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
    return document


def _operation(path: str, summary: str, content: Mapping[str, Any], refusals: tuple[int, ...]) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": REFERENCE.format(model="Error")}}}
    said = {str(status): {"description": REFUSALS[status], "content": error} for status in refusals}
    return {
        "summary": summary,
        "operationId": path.removeprefix("/v1/").replace("/", "_").replace("{", "").replace("}", ""),
        "responses": {"200": {"description": "Done", "content": content}, **said},
    }


def _refusals(path: str) -> tuple[int, ...]:
    """The statuses that a route can answer with beside 200."""
    if path in READINGS:
        return (401, 403, 500) if path == "/v1/models" else (401, 403, 404, 500)
    if path == "/v1/feedback":
        return (400, 401, 403, 404, 408, 413, 422, 500, 503)
    if path == "/v1/embeddings":
        return (400, 401, 403, 404, 408, 413, 429, 500, 503)
    return (400, 401, 403, 404, 408, 413, 429, 500, 502, 503)


def _schema(shape: Any, schemas: dict[str, Any], mode: JsonSchemaMode) -> dict[str, Any]:
    """A reference to the schema of a type, which is put among the schemas with all that it refers to."""
    made = TypeAdapter(shape).json_schema(ref_template=REFERENCE, mode=mode)
    schemas.update(made.pop("$defs", {}))
    schemas[shape.__name__] = made
    return {"$ref": REFERENCE.format(model=shape.__name__)}
