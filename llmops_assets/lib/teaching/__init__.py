"""What of an agent's answer may teach: general knowledge, one person's case, or nothing.

`decide` is asked by the knowledge base and by the training dataset alike, so that both leave out the same. What is
recognised stands in tables: `cuts` (what surrounds an answer), `cues` (what speaks of one case). How well it does:
docs/decisions/teaching.md.
"""

from llmops_assets.lib.teaching.decision import KINDS, Decision, decide
from llmops_assets.lib.teaching.markup import has_markup, plain

__all__ = ["KINDS", "Decision", "decide", "has_markup", "plain"]
