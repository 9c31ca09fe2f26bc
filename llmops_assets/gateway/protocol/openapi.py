"""The OpenAPI description, made of the models by which requests are read and of the types of the answers.

OpenAPI 3.1: https://spec.openapis.org/oas/v3.1.0.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode
from typing_extensions import TypedDict

from llmops_assets.gateway.protocol import batches, chat, completions, embeddings, feedback, models, responses
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
    "/v1/batches": (batches.BatchBody, batches.BatchObject, "Have a file of requests answered when there is time"),
}
"""What is posted: its body, its answer, what it is for."""
READINGS: dict[str, tuple[Any, str]] = {
    "/v1/models": (models.ModelList, "The models that answer now"),
    "/v1/models/{model}": (models.Model, "One of the models"),
    "/v1/files": (batches.FileList, "The files of one's own"),
    "/v1/files/{file_id}": (batches.FileObject, "One of the files"),
    "/v1/batches": (batches.BatchList, "The batches of one's own, the newest first"),
    "/v1/batches/{batch_id}": (batches.BatchObject, "One of the batches"),
}
QUERIES: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "/v1/files": (
        ("after", {"type": "string"}),
        ("limit", {"type": "integer", "minimum": 1, "maximum": 10_000}),
        ("order", {"enum": ["asc", "desc"]}),
        ("purpose", {"type": "string"}),
    ),
    "/v1/batches": (("after", {"type": "string"}), ("limit", {"type": "integer", "minimum": 1, "maximum": 100})),
}
"""Parameters of what is read, in the address."""
STREAMED = ("/v1/chat/completions", "/v1/completions", "/v1/responses")
REFUSALS = {
    400: "The request cannot be served as it is",
    401: "No valid key",
    403: "The key's role does not allow it",
    404: "No such model, interaction, file or batch",
    408: "The body did not come in time",
    409: "A batch reads the file, or is over",
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
        named = "list_" if path in paths else ""
        paths.setdefault(path, {})["get"] = _operation(path, summary, content, _reading_refusals(path), named)
    _files(paths, schemas)
    for path, methods in paths.items():
        inside = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in re.findall(r"{(\w+)}", path)
        ]
        queried = [{"name": name, "in": "query", "schema": shape} for name, shape in QUERIES.get(path, ())]
        for method, operation in methods.items():
            if given := [*inside, *(queried if method == "get" else ())]:
                operation["parameters"] = given
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


def _files(paths: dict[str, Any], schemas: dict[str, Any]) -> None:
    """What is sent as a form, what is done to one file or batch, and the content of a file."""
    form = TypeAdapter(batches.FileBody).json_schema(ref_template=REFERENCE, mode="validation")
    schemas.update(form.pop("$defs", {}))
    form["properties"]["file"] = {"type": "string", "contentMediaType": "application/octet-stream"}
    form["required"] = [*form["required"], "file"]
    sent = {"required": True, "content": {"multipart/form-data": {"schema": form}}}
    stored = {"application/json": {"schema": {"$ref": REFERENCE.format(model="FileObject")}}}
    refusals = (400, 401, 403, 408, 413, 500, 503)
    upload = _operation("/v1/files", "Store a file of requests", stored, refusals, "upload_")
    paths["/v1/files"]["post"] = {**upload, "requestBody": sent}
    deleted = {"application/json": {"schema": _schema(batches.FileDeleted, schemas, "serialization")}}
    said, refusals = "Delete a file", (401, 403, 404, 409, 500, 503)
    paths["/v1/files/{file_id}"]["delete"] = _operation("/v1/files/{file_id}", said, deleted, refusals, "delete_")
    lines = {"application/jsonl": {"schema": {"type": "string"}}}
    path, said = "/v1/files/{file_id}/content", "The lines of a file"
    paths[path] = {"get": _operation(path, said, lines, (401, 403, 404, 500, 503))}
    batch = {"application/json": {"schema": {"$ref": REFERENCE.format(model="BatchObject")}}}
    path, said = "/v1/batches/{batch_id}/cancel", "Have no further line of a batch answered"
    paths[path] = {"post": _operation(path, said, batch, (401, 403, 404, 409, 500, 503))}


def _operation(
    path: str, summary: str, content: Mapping[str, Any], refusals: tuple[int, ...], named: str = ""
) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": REFERENCE.format(model="Error")}}}
    said = {str(status): {"description": REFUSALS[status], "content": error} for status in refusals}
    return {
        "summary": summary,
        "operationId": named + path.removeprefix("/v1/").replace("/", "_").replace("{", "").replace("}", ""),
        "responses": {"200": {"description": "Done", "content": content}, **said},
    }


def _refusals(path: str) -> tuple[int, ...]:
    """The statuses that what is posted can be answered with beside 200."""
    if path == "/v1/batches":
        return (400, 401, 403, 404, 408, 413, 429, 500, 503)
    if path == "/v1/feedback":
        return (400, 401, 403, 404, 408, 413, 422, 500, 503)
    if path == "/v1/embeddings":
        return (400, 401, 403, 404, 408, 413, 429, 500, 503)
    return (400, 401, 403, 404, 408, 413, 429, 500, 502, 503)


def _reading_refusals(path: str) -> tuple[int, ...]:
    """The statuses that what is read can be answered with beside 200."""
    if path == "/v1/models":
        return (401, 403, 500)
    if path.startswith("/v1/models"):
        return (401, 403, 404, 500)
    return (*((400,) if path in QUERIES else ()), 401, 403, 404, 500, 503)


def _schema(shape: Any, schemas: dict[str, Any], mode: JsonSchemaMode) -> dict[str, Any]:
    """A reference to the schema of a type, which is put among the schemas with all that it refers to."""
    made = TypeAdapter(shape).json_schema(ref_template=REFERENCE, mode=mode)
    schemas.update(made.pop("$defs", {}))
    schemas[shape.__name__] = made
    return {"$ref": REFERENCE.format(model=shape.__name__)}
