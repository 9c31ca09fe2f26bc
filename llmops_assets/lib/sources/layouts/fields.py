"""Reading what a layout's record may have in its fields: texts, times, people. A fault names the place, not the value.

Layouts import the module and say `fields.content(...)`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from llmops_assets.lib.markup import plain_text
from llmops_assets.lib.sources.faults import RowFault
from llmops_assets.lib.sources.rows import text_of
from llmops_assets.lib.sources.times import Clock, time_of


def first(entry: Mapping[str, Any], *names: str) -> Any:
    """The first of the values that is given (not null)."""
    return next((entry[name] for name in names if entry.get(name) is not None), None)


def inner(entry: Any, *names: str) -> Any:
    """The value at a path of keys; None where it ends early."""
    for name in names:
        entry = entry.get(name) if isinstance(entry, Mapping) else None
    return entry


def listed(value: Any, name: str) -> list[Any]:
    """A list, or RowFault."""
    if not isinstance(value, list):
        raise RowFault(f"{name} is a {type(value).__name__}, not a list")
    return value


def objects(value: Any, name: str, one: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The objects of a list, each with its place (`comment 3`). RowFault for another value."""
    found = []
    for number, entry in enumerate(listed(value, name)):
        if not isinstance(entry, dict):
            raise RowFault(f"a {type(entry).__name__}; every {one} is an object", f"{one} {number}")
        found.append((f"{one} {number}", entry))
    return found


def entries(value: Any) -> Iterable[Mapping[str, Any]]:
    """The objects in what may be a list of them, for recognising: never a fault."""
    return (entry for entry in value if isinstance(entry, dict)) if isinstance(value, list) else ()


def content(value: Any, at: str) -> str:
    """The text of a message; of OpenAI's content parts, the texts."""
    if isinstance(value, list):
        parts = [part.get("text") for part in value if isinstance(part, dict)]
        value = "\n".join(part for part in parts if isinstance(part, str))
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowFault(f"a {type(value).__name__} is no text", at)
    return value.strip()


def body(entry: Mapping[str, Any], at: str, html: Sequence[str], plain: Sequence[str]) -> tuple[str, bool | None]:
    """(text, whether it is HTML) of the first key that has one: HTML shows what is quoted, plain text often not."""
    for name in html:
        if text := content(entry.get(name), at):
            return text, True
    for name in plain:
        if text := content(entry.get(name), at):
            return text, None
    return "", None


def moment(entry: Mapping[str, Any], at: str, clock: Clock | None, *names: str) -> datetime | None:
    """The time of a message under the first of these keys."""
    return time_of(first(entry, *names), at, clock)


def repeats(text: str, other: str) -> bool:
    """Whether two texts are the same message, whatever their markup and spaces, or one is cut off."""
    one, two = ("".join(filter(str.isalnum, plain_text(value))).lower() for value in (text, other))
    return (one.startswith(two[:200]) or two.startswith(one[:200])) if one and two else one == two


def identity(person: Any, *names: str) -> str:
    """The first of these keys of a person as a text: an address or an id; "" for none."""
    if not isinstance(person, Mapping):
        return ""
    value = first(person, *names)
    return text_of(value, "customer").strip() if isinstance(value, (str, int)) and value != "" else ""


def name_of(value: Any) -> str:
    """An id as a text for comparing, "" for none: systems write the same id as number and as text."""
    return str(value).strip().lower() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def word(value: Any) -> str:
    """A value that must be a word to mean anything; "" for others."""
    return value if isinstance(value, str) else ""


def is_agent(agents: Collection[str], *names: Any) -> bool:
    """Whether settings name one of these ids, addresses or roles, or an address's domain, as agents'."""
    if not agents:
        return False
    known = {agent.strip().lower() for agent in agents}
    shown = {name for name in map(name_of, names) if name}
    return bool(known & shown) or any(f"@{name.rpartition('@')[2]}" in known for name in shown if "@" in name)


def stars(value: Any) -> int:
    """1 to 5 as -1, 0 or 1: three is neither."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value == 3:
        return 0
    return 1 if value > 3 else -1
