"""Which names a lake accepts: repositories, branches, tags, paths and metadata, by lakeFS's rules or stricter.

Every implementation validates with these functions, so that a name good in one lake is good in the other; nothing
here touches a store. Rules: https://docs.lakefs.io/understand/model/.
"""

import re
import unicodedata
from collections.abc import Mapping

from resources.lake.base import InvalidNameError

MAIN = "main"
"""The branch that only merges move."""

MAX_PATH = 1000
"""Characters of a path."""

MAX_NAME = 200
"""Characters of a branch or tag."""

COMMIT_PREFIX = re.compile(r"[0-9a-f]{8,64}")
"""What a commit id, or the start of one, looks like."""


def check_repository(name: str) -> str:
    """The name itself, or InvalidNameError."""
    return _check(name, r"[a-z0-9][a-z0-9-]{2,62}", "repository", "3 to 63 of a-z, 0-9 and '-', not starting with '-'")


def check_branch(name: str) -> str:
    """The name itself, or InvalidNameError."""
    return _check(name, r"\w[-\w]*", "branch", "ASCII letters, digits, '_' and '-' only, not starting with '-'")


def check_tag(name: str) -> str:
    """The name itself, or InvalidNameError. Dots are allowed inside a tag, for versions."""
    _check(name, r"\w[-.\w]*", "tag", "ASCII letters, digits, '_', '-' and '.', starting with a letter, digit or '_'")
    if ".." in name or name.endswith((".", ".lock")):
        raise InvalidNameError(f"tag {name!r} is not accepted: no '..', and no '.' or '.lock' at the end")
    return name


def check_path(path: str) -> str:
    """The path itself, or InvalidNameError: relative, at most 1000 characters, no empty, `.` or `..` part."""
    check_prefix(path)
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise InvalidNameError(f"path {path!r} is not accepted: it needs parts between '/', none of them '.' or '..'")
    return path


def check_prefix(prefix: str) -> str:
    """The prefix itself, or InvalidNameError: the beginning of an acceptable path, possibly empty."""
    problem = None
    if not isinstance(prefix, str):
        problem = "it is not text"
    elif len(prefix) > MAX_PATH:
        problem = f"it has {len(prefix)} characters, at most {MAX_PATH} are allowed"
    elif prefix.startswith("/"):
        problem = "leave out the leading '/'"
    elif ".." in prefix.split("/"):
        problem = "'..' is not allowed"
    elif any(unicodedata.category(character) in ("Cc", "Cs") for character in prefix):
        problem = "control characters and lone surrogates are not allowed"
    if problem is not None:
        raise InvalidNameError(f"path {str(prefix)[:100]!r} is not accepted: {problem}")
    return prefix


def check_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """The metadata as a dict of text to text, or InvalidNameError."""
    result = dict(metadata or {})
    for key, value in result.items():
        if not isinstance(key, str) or not isinstance(value, str) or not key:
            raise InvalidNameError(f"metadata {key!r}: {value!r} is not text to text: convert it with str()")
        check_text(key, "metadata key")
        check_text(value, f"metadata {key!r}")
    return result


def check_text(text: str, what: str) -> str:
    """The text itself, or InvalidNameError when no store can hold it as UTF-8."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidNameError(f"{what} holds a NUL or a lone surrogate: remove it")
    return text


def _check(name: str, pattern: str, what: str, rule: str) -> str:
    if not isinstance(name, str) or len(name) > MAX_NAME or re.fullmatch(pattern, name, re.ASCII) is None:
        raise InvalidNameError(f"{what} {str(name)[:100]!r} is not accepted: {rule}, at most {MAX_NAME} characters")
    return name
