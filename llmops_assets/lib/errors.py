"""The base of every error that a person can do something about: its message says what, where, and what to do."""

from typing import Any, Protocol


class LlmopsError(Exception):
    """Something that the caller can mend. Commands print its message, and nothing else, and end with status 1."""


class _Invalid(Protocol):
    """What is needed of pydantic's ValidationError."""

    def errors(self, *, include_url: bool = ..., include_input: bool = ...) -> list[Any]:
        """Every field that does not fit."""
        ...


def in_a_sentence(error: _Invalid) -> str:
    """What does not fit, field by field, on one line: `gateway_port: Input should be less than or equal to 65535`."""
    told = []
    for found in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in found["loc"])
        said = found["msg"].removeprefix("Value error, ")
        if found["type"] == "extra_forbidden":
            said = "there is no such setting"
        told.append(f"{place}: {said}" if place else said)
    return "; ".join(told)
