"""Parameters of requests: each is honoured, refused or ignored by name, and none silently.

A body is a pydantic model, so what is checked is what the OpenAPI description says. Strict: `"5"` is no number.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails

from llmops_assets.gateway.errors import RequestError

Treatment = Literal["honoured", "refused", "ignored"]
TREATMENT = "x-treatment"
"""Key of a parameter's treatment in its JSON schema."""
EXACT = 2**53
MOST_SHOWN = 60
"""Characters of a parameter's name that an error repeats."""
_LIMITS = {"min_length", "max_length", "ge", "le", "lt", "pattern"}


class Body(BaseModel):
    """A request's body. Unknown parameters are refused; null is the same as not given."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


B = TypeVar("B", bound=Body)


def _off(value: bool) -> bool:
    if value:
        raise ValueError("only false is served")
    return value


def whole(value: Any) -> Any:
    """5.0 is a whole number, as JSON Schema has it; above what a float holds exactly nobody knows which it was."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < EXACT else value


# Not Literal[False], which takes 0 for it.
Off = Annotated[bool, AfterValidator(_off), WithJsonSchema({"const": False})]
"""What can be left out but not switched on."""


def honoured(note: str, default: Any = None, *, schema: Mapping[str, Any] | None = None, **limits: Any) -> Any:
    """A parameter that does what OpenAI says; `note` is its line in the documentation.

    `schema` says in JSON Schema what only code checks.
    """
    return _field("honoured", note, default, limits, schema)


def refused(note: str, default: Any = None, **limits: Any) -> Any:
    """A parameter of which only the value is accepted that asks for nothing; `note` says why nothing else is."""
    return _field("refused", note, default, limits)


def ignored(note: str, default: Any = None, **limits: Any) -> Any:
    """A parameter that changes nothing here: an answer names it in `llmops.ignored`."""
    return _field("ignored", note, default, limits)


def _field(
    treatment: Treatment,
    note: str,
    default: Any,
    limits: Mapping[str, Any],
    schema: Mapping[str, Any] | None = None,
) -> Any:
    assert set(limits) <= _LIMITS, f"no limits: {set(limits) - _LIMITS}"
    return Field(default, description=note, json_schema_extra={**(schema or {}), TREATMENT: treatment}, **limits)


def treatment(model: type[Body], name: str) -> Treatment:
    """What is done with a parameter."""
    extra = model.model_fields[name].json_schema_extra
    assert isinstance(extra, dict), f"{model.__name__}.{name} has no treatment"
    return extra[TREATMENT]  # ty: ignore[invalid-explicit-return]


def ignored_in(body: Body) -> tuple[str, ...]:
    """The given parameters that change nothing, in the order of the documentation."""
    given = (name for name in type(body).model_fields if getattr(body, name) is not None)
    return tuple(name for name in given if treatment(type(body), name) == "ignored")


def read(model: type[B], data: Mapping[str, Any], status: int = 400) -> B:
    """A body as its model; RequestError with what is wrong where, of the first thing that is wrong."""
    try:
        return model.model_validate({name: whole(value) for name, value in data.items()})
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=True)
        raise _refusal(model, data, found[0], status) from None


def _refusal(model: type[Body], data: Any, found: ErrorDetails, status: int) -> RequestError:
    loc = _place(data, found)
    where = ".".join(loc)
    param = where if len(where) <= MOST_SHOWN else where[:MOST_SHOWN] + "…"
    name = loc[0] if loc else ""
    if found["type"] == "missing":
        return RequestError(status, f"{param} is missing", code="missing_required_parameter", param=param)
    if found["type"] == "extra_forbidden":
        return RequestError(status, f"there is no parameter {param}", code="unknown_parameter", param=param)
    if name in model.model_fields and treatment(model, name) == "refused":
        note = model.model_fields[name].description
        return RequestError(status, f"{name} is not served: {note}", code="unsupported_parameter", param=param)
    said = _SAID.get(found["type"]) or found["msg"].removeprefix("Value error, ")
    code = _CODES.get(found["type"], "invalid_value")
    return RequestError(status, f"{param}: {said[:1].lower()}{said[1:]}", code=code, param=param)


def _place(data: Any, found: ErrorDetails) -> list[str]:
    """Where in the body it is: pydantic names the member of a union on the way, which is no place in the body."""
    place: list[str] = []
    for position, part in enumerate(found["loc"], 1):
        there = part in data if isinstance(data, Mapping) else isinstance(data, list) and isinstance(part, int)
        if there:
            data = data[part]
        if there or (found["type"] == "missing" and position == len(found["loc"])):
            place.append(str(part))
    return place


_SAID = {
    "string_pattern_mismatch": "there is no text in it that can be read",
    "model_type": "it must be an object",
    "dict_type": "it must be an object",
    "list_type": "it must be a list",
    "string_type": "it must be a text",
    "bool_type": "it must be true or false",
}
"""Where pydantic's own words are Python's."""
_CODES = {
    "string_too_long": "string_above_max_length",
    "string_too_short": "string_below_min_length",
    "too_long": "array_above_max_length",
    "too_short": "array_below_min_length",
    "greater_than_equal": "value_below_minimum",
    "greater_than": "value_below_minimum",
    "less_than_equal": "value_above_maximum",
    "less_than": "value_above_maximum",
    "literal_error": "invalid_value",
    "value_error": "invalid_value",
    "string_type": "invalid_type",
    "int_type": "invalid_type",
    "float_type": "invalid_type",
    "bool_type": "invalid_type",
    "list_type": "invalid_type",
    "dict_type": "invalid_type",
    "model_type": "invalid_type",
}
