"""The log of the gateway's process: lines of text, or JSON with the ids of interaction and trace.

It is read by many and kept who knows where, so it holds no text of a customer. An error is told by its type and where
it was raised: its message may quote what it failed on.
"""

import logging
import logging.config
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

import orjson

Form = Literal["text", "json"]
OURS = ("llmops_assets", "uvicorn")
"""Loggers whose messages are known to quote nothing."""
_about: ContextVar[tuple[str, str]] = ContextVar("about", default=("", ""))


def about(interaction: str, trace: str) -> None:
    """What is logged from here on in this task is of an interaction, in a trace ("" for none)."""
    _about.set((interaction, trace))


def set_up(form: Form) -> None:
    """Log to standard error: warnings and errors as text; as JSON also one line per request."""
    kind = {"text": TextLines, "json": JsonLines}[form]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"lines": {"()": kind}},
            "handlers": {"err": {"class": "logging.StreamHandler", "formatter": "lines"}},
            "root": {"handlers": ["err"], "level": "WARNING"},
            "loggers": {"llmops_assets": {"level": "INFO" if form == "json" else "WARNING"}},
        }
    )


class TextLines(logging.Formatter):
    """A line a record, with the places of an error below it."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a record."""
        error = _error(record)
        lines = [f"{record.levelname}: {_message(record)}"]
        if error is not None:
            lines += [f"  {error['type']}", *(f"    {place}" for place in error["places"])]
        return "\n".join(lines)


class JsonLines(logging.Formatter):
    """A JSON object a record: time, level, logger, message, interaction, trace, error, and what else is told."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        interaction, trace = _about.get()
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            "interaction": interaction or None,
            "trace": trace or None,
            "error": _error(record),
            **getattr(record, "told", {}),
        }
        return orjson.dumps({name: value for name, value in line.items() if value is not None}).decode()


def _message(record: logging.LogRecord) -> str:
    """The first line of a message; that of others without what was put into it: it may be anything."""
    whole = record.getMessage() if record.name.partition(".")[0] in OURS else str(record.msg)
    return whole.strip().partition("\n")[0]


def _error(record: logging.LogRecord) -> dict[str, Any] | None:
    """Type and places of an error and of what it came from, the innermost place last."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return None
    kinds, places, seen = [], [], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        kinds.append(type(error).__name__)
        frames = traceback.extract_tb(error.__traceback__)
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames] + places
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return {"type": " from ".join(kinds), "places": places}
