"""The form of an answer: text, any JSON object, or JSON that fits a schema, which the engine is held to.

https://platform.openai.com/docs/guides/structured-outputs.
"""

from typing import Any, Literal

from pydantic import Field

from llmops_assets.gateway.errors import RequestError
from llmops_assets.gateway.protocol.fields import Body
from llmops_assets.lib.answering import grammar

FORMAT = (
    "`text`, `json_object` or `json_schema`; JSON is always generated, and a handover comes as a refusal in its place"
)


class SchemaFormat(Body):
    """A schema with its name. Of JSON Schema a part is taken: docs/gateway.md."""

    name: str | None = Field(None, max_length=64)
    description: str | None = Field(None, max_length=1000)
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(Body):
    """The form of an answer, as chat completions have it."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: SchemaFormat | None = None


class TextFormat(Body):
    """The form of an answer, as Responses have it: the schema is not one level further in."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = Field(None, max_length=64)
    description: str | None = Field(None, max_length=1000)
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None


def held_to(kind: str, schema: dict[str, Any] | None, param: str) -> str:
    """The grammar of a form, "" for text. RequestError where the schema is missing or not taken."""
    if kind == "text":
        return ""
    if kind == "json_object":
        return grammar.any_object()
    try:
        return grammar.grammar(schema or {})
    except grammar.SchemaError as error:
        raise RequestError(400, f"{param}: {error}", code="invalid_schema", param=param) from None
