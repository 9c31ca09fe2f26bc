"""The answer holds every fact, and no number that is not one of them: for prices, periods and limits."""

from llmops_assets.lib.corpus.facts import numbers
from llmops_assets.lib.judging.scorers import facts
from llmops_assets.lib.judging.scorers.base import Answered


def score(answered: Answered) -> bool:
    """`45 or 60 days` is wrong where 45 is right; numbers of the reference and of the question may be repeated."""
    item = answered.item
    known = [item.reference, item.question, *(wording for wordings in item.facts for wording in wordings)]
    said = {number.rstrip(".,:") for number in numbers(answered.answer)}
    return facts.score(answered) and said <= {number.rstrip(".,:") for text in known for number in numbers(text)}
