"""Every fact stands in the answer, in one of its accepted wordings."""

from llmops_assets.lib.judging.scorers.base import UNANSWERED, Answered
from llmops_assets.lib.judging.texts import has_facts


def score(answered: Answered) -> bool:
    """Whole words, in any case; a handover states nothing."""
    return answered.path not in UNANSWERED and has_facts(answered.answer, answered.item.facts)
