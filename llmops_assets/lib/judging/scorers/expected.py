"""What an item expects says what is right: the scorer of every slice that names none."""

from llmops_assets.lib.judging.scorers import facts, refusal, similarity, statements
from llmops_assets.lib.judging.scorers.base import UNANSWERED, Answered
from llmops_assets.lib.judging.texts import recall

WHOLE = 0.5
"""Share of each article's words, in their order, that an answer must hold which is to answer several questions."""


def score(answered: Answered) -> bool:
    """Every fact in it, or something of each article, or the right article, or ROUGE-L at least 0.3.

    Out of scope only a handover is right, or a guard's refusal, of small talk only a word or two. None of them is an
    answer to anything else.
    """
    item, path = answered.item, answered.path
    if item.article is None:
        return path == "small_talk" if item.small_talk else refusal.score(answered)
    if path in UNANSWERED:
        return False
    if item.facts:
        return facts.score(answered)
    if item.several:
        return all(recall(answered.answer, part) >= WHOLE for part in item.reference.split("\n\n"))
    if not item.reference:
        return statements.score(answered)
    return answered.article == item.article or similarity.score(answered)
