"""What of an agent's answer may teach: general knowledge, one person's case, or nothing.

`Judge` is asked by the knowledge base and by the training dataset alike, so that both leave out the same. What it
recognises stands in tables: `cuts` (what surrounds an answer), `cues` (what speaks of one case); what they leave open
is `learned`. How well it does: docs/decisions/teaching.md.
"""

from llmops_assets.lib.teaching.decision import Decision, Judge, decide
from llmops_assets.lib.teaching.kinds import KINDS, Kind

__all__ = ["KINDS", "Decision", "Judge", "Kind", "decide"]
