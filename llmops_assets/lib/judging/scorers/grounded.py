"""The answer says nothing that the reference does not: for slices in which an invention is worse than a gap."""

from llmops_assets.lib.answering.explanations import support
from llmops_assets.lib.judging.scorers.base import UNANSWERED, Answered

GROUNDED = 0.6
"""Share of an answer's words that must stand in the reference or in the question."""


def score(answered: Answered) -> bool:
    """By words: a paraphrase counts as unsupported. A handover invents nothing, and answers nothing."""
    item = answered.item
    rests = support(answered.answer, [item.reference, item.question])
    return answered.path not in UNANSWERED and rests.together >= GROUNDED
