"""The answer is like the reference, for a knowledge base without facts."""

from llmops_assets.lib.judging.scorers.base import UNANSWERED, Answered
from llmops_assets.lib.judging.texts import rouge_l

ROUGE_MINIMUM = 0.3
"""ROUGE-L from which an answer without facts counts as right."""


def score(answered: Answered) -> bool:
    """ROUGE-L against the reference; a handover is like nothing."""
    return answered.path not in UNANSWERED and rouge_l(answered.answer, answered.item.reference) >= ROUGE_MINIMUM
