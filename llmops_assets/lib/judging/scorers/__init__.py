"""Scorers: each says whether an answer is right, one module each, found by its name.

A module of this folder with a function `score` is a scorer of that name; one of a package of your own is named
`module:function` (docs/extending.md). Answers are graded when they are read, by the scorer of today, on both sides.
"""

import functools
import importlib
import pkgutil
from collections.abc import Callable

from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.judging.scorers.base import Answered

DEFAULT = "expected"
Scorer = Callable[[Answered], bool]


class ScorerError(LlmopsError, ValueError):
    """There is no such scorer; the message says which there are."""


def names() -> tuple[str, ...]:
    """The scorers of this folder."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name != "base"))


@functools.cache
def scorer(name: str) -> Scorer:
    """The scorer of a name ("": the default one), or of `module:function`. ScorerError where there is none."""
    module, _, function = name.partition(":")
    if not function and (name or DEFAULT) not in names():
        raise ScorerError(f"there is no scorer {name!r}, only {', '.join(names())}, or one of yours as module:function")
    place = module if function else f"{__name__}.{name or DEFAULT}"
    try:
        return getattr(importlib.import_module(place), function or "score")
    except (ImportError, AttributeError) as error:
        raise ScorerError(f"the scorer {name!r} cannot be loaded: {error}") from error
