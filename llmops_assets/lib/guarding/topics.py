"""What the assistant does not speak about, whatever it could say: medical, legal and financial advice, crises, harm.

The built-in topics are a classifier of words, fitted on lines of our own; a use case's own ones are phrases, so that
they do just what they say.
"""

import functools
import re
from collections.abc import Collection, Mapping

from llmops_assets.lib.guarding.fitted import fitted
from llmops_assets.lib.guarding.linear import Cues, Linear

BUILT_IN = ("crisis", "harm", "investment", "legal", "medical")
URGENT = frozenset({"crisis"})
"""Topics that a person must answer even where an article would."""
CUES: Cues = {}


@functools.cache
def model() -> Linear:
    """The classifier as it ships."""
    return fitted("topics", CUES)


def likely(text: str, names: Collection[str] = BUILT_IN) -> tuple[str, float]:
    """The likeliest of the built-in topics in `names`, and how likely it is (0 to 1); ("", 0.0) of none."""
    shares = model().likely(text) if names else {}
    return max(((name, shares[name]) for name in names), key=lambda pair: pair[1], default=("", 0.0))


def named(text: str, own: Mapping[str, Collection[str]]) -> str:
    """The first of a use case's own topics of which a phrase stands in a text, word for word; "" of none."""
    said = _plain(text)
    return next((name for name, phrases in own.items() if any(_plain(phrase) in said for phrase in phrases)), "")


def _plain(text: str) -> str:
    words = re.findall(r"[^\W_]+", text.casefold())
    return f" {' '.join(words)} "
