"""Whether a message was for the customer, from any flag that it carries: `public`, `isInternal`, `visibility`, `type`.

A flag with a value that is not known makes the message unknown, which keeps it out; one private flag makes it private,
whatever the others say.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any, Literal

Visibility = Literal["public", "private", "unknown"]
_PUBLIC = frozenset("public published visible external".split())
_PRIVATE = frozenset(
    "private internal hidden invisible note whisper confidential restricted nonpublic unlisted".split()
)
_GONE = frozenset("draft deleted spam unpublished".split())
"""Never sent, or taken back: only a yes says something."""
_INSIDE = frozenset("agent agents staff team teammates employees operators".split())
_FILLERS = frozenset(
    "is was a an the for to from by on only not message msg comment reply post part flag jsd sent made marked as "
    "customer customers client clients user users end requester everyone".split()
)
_LEVELS = frozenset("visibility audience access privacy exposure confidentiality".split())
_KINDS = frozenset("type kind category subtype subcategory class channel mode scope status state".split())
_OF_A_MESSAGE = frozenset("message msg comment reply post part thread event entry article".split())
_OPEN = frozenset("public external everyone all anyone customer customers published visible requester enduser".split())
_YES = frozenset("true yes y 1 t on".split())
_NO = frozenset("false no n 0 f off".split())
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_REMARKS = frozenset("note comment remark".split())
_AMONG_US = frozenset("private internal confidential".split())

Flag = Literal["", "kind", "level", "private", "gone", "remark", "aside", "unclear"]
"""What a key is: none; one that may name a note among other things; one that names who sees the message; one where yes
means private; where yes means never sent; a yes or no or else a remark; the same of a remark among agents; one of which
neither yes nor no is enough."""


def words(name: str) -> list[str]:
    """A key or value in small words: `isInternal`, `is_internal` and `IS-INTERNAL` are the same."""
    return [word.lower() for word in _WORD.findall(name)]


def visibility(entry: Mapping[str, Any]) -> Visibility:
    """What all flags of a message say together; "public" where it carries none."""
    found: set[Visibility] = set()
    for name, value in entry.items():
        if isinstance(name, str) and (flag := _flag(name)) and (said := _said(flag, value)):
            found.add(said)
    if "private" in found:
        return "private"
    return "unknown" if "unknown" in found else "public"


def is_flag(name: str) -> bool:
    """Whether a column of this name says who may see its row. A kind (`type`, `category`) is none: a table's may be a
    topic."""
    return _flag(name) not in ("", "kind", "remark")


@functools.lru_cache(4096)
def _flag(name: str) -> Flag:
    """What a key is a flag of; all its words must belong to one: `external_id` and `public_url` are none."""
    told = set(words(name[:60]))
    if told & _KINDS and told <= _KINDS | _OF_A_MESSAGE:
        return "kind"
    if told & _LEVELS and told <= _LEVELS | _FILLERS | _PUBLIC | {"level"}:
        return "level"
    if told & _GONE and told <= _GONE | _FILLERS:
        return "gone"
    if told == {"note"}:
        return "remark"
    if told & _REMARKS and told & _AMONG_US and told <= _REMARKS | _AMONG_US:
        return "aside"
    if told & _INSIDE and "only" in told and told <= _INSIDE | _FILLERS | _PUBLIC | _PRIVATE:
        return "private"
    if not told & (_PUBLIC | _PRIVATE) or told - _PUBLIC - _PRIVATE - _INSIDE - _FILLERS:
        return ""
    if told & _PRIVATE:
        return "level" if "not" in told else "private"
    if told & _INSIDE:
        return "unclear"
    return "private" if "not" in told else "level"


def _said(flag: Flag, value: Any) -> Visibility | None:
    truth = _truth(value)
    if flag == "kind":
        return "private" if isinstance(value, str) and _names_private(value) else None
    if flag in ("gone", "remark"):
        return "private" if truth else None
    if flag == "aside" and truth is None and _is_remark(value):
        return None
    if flag == "unclear":
        return "unknown"
    if truth is not None:
        return "private" if truth == (flag in ("private", "aside")) else "public"
    if not isinstance(value, str) or not (told := set(words(value))):
        return "unknown"
    if _names_private(value) or told & _INSIDE:
        return "private"
    return "public" if flag == "level" and told <= _OPEN | _FILLERS and "not" not in told else "unknown"


def _names_private(value: str) -> bool:
    told = set(words(value[:60]))
    return bool(told & (_PRIVATE | _GONE | {"notes"})) or ("not" in told and bool(told & _PUBLIC))


def _is_remark(value: Any) -> bool:
    """Nothing, or two words and more: one word beside the answer may be a mark on it, in any language."""
    return value is None or (isinstance(value, str) and len(value.split()) != 1)


def _truth(value: Any) -> bool | None:
    """Yes, no, or None for what is neither."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower() if isinstance(value, (str, int, float)) else ""
    return True if text in _YES else (False if text in _NO else None)
