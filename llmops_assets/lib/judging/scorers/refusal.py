"""A person answers, or a guard refuses: anything else is wrong."""

from llmops_assets.lib.judging.scorers.base import HANDED_OVER, Answered


def score(answered: Answered) -> bool:
    """By the path, not by words that sound like a refusal."""
    return answered.path in HANDED_OVER
