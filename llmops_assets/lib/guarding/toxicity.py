"""Whether a text insults, threatens or degrades people: what an answer must never do.

A linear classifier of words, fitted on lines of our own. It tells open abuse from a sober answer; what is said between
the lines, or quoted in order to reject it, it does not tell apart (docs/decisions/guards.md has the figures).
"""

import functools

from llmops_assets.lib.guarding.fitted import fitted
from llmops_assets.lib.guarding.linear import Cues, Linear

KIND = "toxicity"
CUES: Cues = {}


@functools.cache
def model() -> Linear:
    """The classifier as it ships."""
    return fitted(KIND, CUES)


def likely(text: str) -> float:
    """How likely a text is abusive (0 to 1)."""
    return model().likely(text)[KIND]
