"""Required statements stand in the answer, whichever way it came; nothing else is asked of it.

What is forbidden (`forbidden`, `form`, `language` of an item) is held by every scorer: lib/judging/grading.py.
"""

from llmops_assets.lib.judging.scorers.base import Answered
from llmops_assets.lib.judging.texts import has_facts


def score(answered: Answered) -> bool:
    """A handover may state what is required, too."""
    return has_facts(answered.answer, answered.item.facts)
