"""The form of an answer: text, any JSON object, or JSON that fits a schema, which the engine is held to.

https://platform.openai.com/docs/guides/structured-outputs.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from llmops_assets.gateway.errors import RequestError
from llmops_assets.gateway.protocol.fields import Body
from llmops_assets.lib.answering import grammar

FORMAT = (
    "`text`, `json_object` or `json_schema`; JSON is always generated, and a handover comes as a refusal in its place"
)


Schema = Annotated[
    dict[str, Any],
    Field(json_schema_extra={"required": ["type"], "properties": {"type": {"const": "object"}}}),
]


class PlainFormat(Body):
    """Text, or any JSON object."""

    type: Literal["text", "json_object"]


class NamedSchema(Body):
    """A schema with its name. Of JSON Schema a part is taken: docs/gateway.md."""

    name: str | None = Field(None, max_length=64)
    description: str | None = Field(None, max_length=1000)
    schema_: Schema = Field(alias="schema")
    strict: bool | None = None


class ChatSchemaFormat(Body):
    """JSON that fits a schema, as chat completions have it."""

    type: Literal["json_schema"]
    json_schema: NamedSchema


class ResponseSchemaFormat(NamedSchema):
    """JSON that fits a schema, as Responses have it."""

    type: Literal["json_schema"]


ChatFormat = Annotated[PlainFormat | ChatSchemaFormat, Field(discriminator="type")]
ResponseFormat = Annotated[PlainFormat | ResponseSchemaFormat, Field(discriminator="type")]


def as_chat(form: PlainFormat | ChatSchemaFormat | ResponseSchemaFormat | None) -> str:
    """A form as chat completions have it, in JSON, "" for text: what an engine that is another server is told."""
    if form is None or form.type == "text":
        return ""
    told = form.model_dump(by_alias=True, exclude_none=True)
    if isinstance(form, ResponseSchemaFormat):
        kind = told.pop("type")
        told = {"type": kind, kind: told}
    return json.dumps(told)


def held_to(form: PlainFormat | ChatSchemaFormat | ResponseSchemaFormat | None, param: str) -> str:
    """The grammar of a form, "" for text. RequestError where its schema is not taken."""
    if form is None or form.type == "text":
        return ""
    if isinstance(form, PlainFormat):
        return grammar.any_object()
    named = form.json_schema if isinstance(form, ChatSchemaFormat) else form
    try:
        return grammar.grammar(named.schema_)
    except grammar.SchemaError as error:
        raise RequestError(400, f"{param}: {error}", code="invalid_schema", param=param) from None
