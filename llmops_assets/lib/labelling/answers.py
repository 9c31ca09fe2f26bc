"""How good an agent's answer is, from 0 to 1, with the reasons: signals a person can check, not a learned score.

Whether it is true cannot be seen from here: that is the evaluation's work. Measured on answers against answers of
other questions by benchmarks/labels.py.
"""

import re
from dataclasses import dataclass

from llmops_assets.lib.auditing.placeholders import placeholders
from llmops_assets.lib.labelling.resolution import hands_over
from llmops_assets.lib.redaction.spans import PLACEHOLDER

LOW_SIMILARITY, HIGH_SIMILARITY = 0.15, 0.55
"""Cosine between question and answer at which an answer counts as beside the point, and as to the point."""
UNMEASURED = 0.7
"""Relevance assumed where the answer was not embedded."""
SHORT_WORDS, LONG_WORDS = 4, 300

_DRAFT = re.compile(r"\bTODO\b|\bx{4,}\b|lorem ipsum", re.IGNORECASE)
"""Words of a text that nobody has finished."""
_APOLOGY = re.compile(
    r"\b(?:sorry|apologi[sz]e\w*|apolog(?:y|ies)|understand (?:your|how)|unfortunately|entschuldig\w+|leider|désolé\w*"
    r"|malheureusement|lo siento|disculp\w+|helaas|excuses)\b",
    re.IGNORECASE,
)
_EMPTY_WORDS = frozenset(
    "a about am an and any apologise apologize apologies are be can cannot could for frustration frustrating have hear "
    "help how i i'm im in inconvenience is issue it me my not of our please problem really regret so sorry that the "
    "this to trouble understand unfortunately very we with you your caused thank thanks patience deeply sincerely "
    "truly know do don't answer".split()
)


@dataclass(frozen=True)
class AnswerQuality:
    """A score from 0 to 1 and what lowered it."""

    score: float
    reasons: tuple[str, ...]


def answer_quality(answer: str, similarity: float | None, handover: str = "") -> AnswerQuality:
    """Judge an answer; `similarity` is its cosine to the question, None where it was not measured.

    The relevance (similarity between two fixed bounds) is multiplied by a factor for every fault found.
    """
    words = re.findall(r"[\w']+", answer)
    reasons = []
    if similarity is None:
        score = UNMEASURED
    else:
        score = min(1.0, max(0.0, (similarity - LOW_SIMILARITY) / (HIGH_SIMILARITY - LOW_SIMILARITY)))
        if score < 0.5:
            reasons.append("beside the question")
    # What redaction put in place of a value was filled in for the customer.
    unfilled = [slot for slot in placeholders(answer) if not PLACEHOLDER.fullmatch(slot)]
    if unfilled or _DRAFT.search(answer):
        score *= 0.6
        reasons.append("placeholder left")
    if len(words) < SHORT_WORDS:
        score *= 0.4
        reasons.append("too short")
    elif len(words) > LONG_WORDS:
        score *= 0.8
        reasons.append("very long")
    if _APOLOGY.search(answer) and sum(word.lower() not in _EMPTY_WORDS for word in words) < 5:
        score *= 0.4
        reasons.append("apology without content")
    if hands_over(answer, handover):
        score *= 0.7
        reasons.append("hands over")
    return AnswerQuality(round(score, 4), tuple(reasons))
