"""JSON schemas as grammars of llama.cpp (GBNF), so that what an engine writes cannot but fit.

Of JSON Schema a part with limits is taken: a schema comes from outside, and what it asks for must stay small. Written
here and not left to llama.cpp's own converter, which takes regular expressions and references, and allows white space
without end, into which small models fall. GBNF: https://github.com/ggml-org/llama.cpp/tree/master/grammars.
"""

import json
from collections.abc import Mapping
from typing import Any

MOST_DEPTH = 6
MOST_PARTS = 100
"""Schemas within a schema, itself included."""
MOST_VALUES = 50
MOST_ITEMS = 16
MOST_LETTERS = 100
"""Of a property's name or a fixed value."""
KNOWN = frozenset(
    "type properties required additionalProperties items enum const anyOf minItems maxItems title description".split()
)
FREE = "object"
"""The rule of any object."""
_RULES = r"""
object ::= "{" (pair ("," pair)*)? "}"
pair ::= string ":" value
array ::= "[" (value ("," value)*)? "]"
value ::= object | array | string | number | boolean | null
string ::= "\"" char* "\""
char ::= [^"\\\x7F\x00-\x1F] | "\\" ["\\bfnrt]
integer ::= "-"? ("0" | [1-9] [0-9]{0,14})
number ::= integer ("." [0-9]{1,8})?
boolean ::= "true" | "false"
null ::= "null"
"""
_TYPES = {"string", "number", "integer", "boolean", "null", "object", "array"}


class SchemaError(ValueError):
    """A schema that is not taken: which part of it, and why."""


def any_object() -> str:
    """The grammar of any JSON object."""
    return f"root ::= {FREE}{_RULES}"


def grammar(schema: Mapping[str, Any]) -> str:
    """The grammar of the JSON objects that fit a schema, without white space; SchemaError where it is not taken.

    All properties are written, optional ones too, in the schema's order, and no others.
    """
    if schema.get("type") != "object":
        raise SchemaError("schema: its type must be object")
    return f"root ::= {_Parts().rule(schema, 'schema', 1)}{_RULES}"


class _Parts:
    """One walk through a schema, which counts its parts."""

    def __init__(self) -> None:
        self._seen = 0

    def rule(self, schema: Any, place: str, depth: int) -> str:
        """The rule of a part."""
        self._seen += 1
        if not isinstance(schema, Mapping):
            raise SchemaError(f"{place}: it must be an object")
        if depth > MOST_DEPTH:
            raise SchemaError(f"{place}: parts lie in one another at most {MOST_DEPTH} deep")
        if self._seen > MOST_PARTS:
            raise SchemaError(f"{place}: a schema has at most {MOST_PARTS} parts")
        unknown = sorted(str(name)[:40] for name in set(schema) - KNOWN)
        if unknown:
            raise SchemaError(f"{place}: {unknown[0]} is not taken; {', '.join(sorted(KNOWN))} are")
        if "const" in schema:
            return _literal(schema["const"], place)
        if "enum" in schema:
            return self._choice([_literal(value, place) for value in _listed(schema["enum"], place, "enum")])
        if "anyOf" in schema:
            parts = _listed(schema["anyOf"], place, "anyOf")
            return self._choice([self.rule(part, f"{place}.anyOf.{n}", depth + 1) for n, part in enumerate(parts)])
        kinds = schema.get("type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if not kinds or not all(isinstance(kind, str) and kind in _TYPES for kind in kinds):
            raise SchemaError(f"{place}: type must be one of {', '.join(sorted(_TYPES))}, or a list of them")
        return self._choice([self._typed(kind, schema, place, depth) for kind in kinds])

    def _typed(self, kind: str, schema: Mapping[str, Any], place: str, depth: int) -> str:
        if kind == "object":
            return self._object(schema, place, depth)
        return self._array(schema, place, depth) if kind == "array" else kind

    def _object(self, schema: Mapping[str, Any], place: str, depth: int) -> str:
        properties = schema.get("properties", {})
        if not isinstance(properties, Mapping):
            raise SchemaError(f"{place}: properties must be an object")
        required = schema.get("required", [])
        if not isinstance(required, list) or not all(name in properties for name in map(str, required)):
            raise SchemaError(f"{place}: required must list names of properties")
        if not properties:
            return '"{}"' if schema.get("additionalProperties") is False else FREE
        pairs = [
            f'{_literal(name, place)} ":" {self.rule(part, f"{place}.{name[:40]}", depth + 1)}'
            for name, part in properties.items()
        ]
        between = ' "," '
        return f'"{{" {between.join(pairs)} "}}"'

    def _array(self, schema: Mapping[str, Any], place: str, depth: int) -> str:
        least, most = schema.get("minItems", 0), schema.get("maxItems", MOST_ITEMS)
        if type(least) is not int or type(most) is not int or not 0 <= least <= most <= MOST_ITEMS:
            raise SchemaError(f"{place}: minItems and maxItems must be whole numbers from 0 to {MOST_ITEMS}")
        item = self.rule(schema["items"], f"{place}.items", depth + 1) if "items" in schema else "value"
        if most == 0:
            return '"[]"'
        more = f'({item}) ("," ({item})){{{max(least - 1, 0)},{most - 1}}}'
        return f'"[" {more} "]"' if least else f'"[" ({more})? "]"'

    @staticmethod
    def _choice(rules: list[str]) -> str:
        return rules[0] if len(rules) == 1 else f"({' | '.join(rules)})"


def _listed(values: Any, place: str, name: str) -> list[Any]:
    if not isinstance(values, list) or not 1 <= len(values) <= MOST_VALUES:
        raise SchemaError(f"{place}: {name} must list 1 to {MOST_VALUES} values")
    return values


def _literal(value: Any, place: str) -> str:
    """A fixed value as it is written."""
    if isinstance(value, Mapping | list) or len(written := json.dumps(value, ensure_ascii=False)) > MOST_LETTERS:
        raise SchemaError(f"{place}: fixed values and names are texts, numbers, true, false or null, and short")
    escaped = written.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'
