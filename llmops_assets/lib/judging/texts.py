"""What two texts have in common, as scorers need it: facts, words in their order."""

import re
import unicodedata
from collections.abc import Iterable, Sequence


def has_facts(answer: str, facts: Iterable[Iterable[str]]) -> bool:
    """Whether an answer holds at least one wording of every fact, as whole words, in any case."""
    text = _plain(answer)
    return all(
        any(re.search(rf"(?<![\w.,]){re.escape(_plain(wording))}(?!\d|[.,]\d)", text) for wording in wordings)
        for wordings in facts
    )


def rouge_l(answer: str, reference: str) -> float:
    """F1 of the longest common subsequence of words (Lin 2004, https://aclanthology.org/W04-1013)."""
    left, right = re.findall(r"\w+", answer.lower()), re.findall(r"\w+", reference.lower())
    if not left or not right:
        return 0.0
    return 2 * _common(left, right) / (len(left) + len(right))


def recall(answer: str, part: str) -> float:
    """Share of the words of `part` that stand in an answer in their order."""
    left, right = re.findall(r"\w+", answer.lower()), re.findall(r"\w+", part.lower())
    return _common(left, right) / len(right) if right else 1.0


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    lengths = [0] * (len(right) + 1)
    for word in left:
        diagonal = 0
        for column, other in enumerate(right, start=1):
            above = lengths[column]
            lengths[column] = diagonal + 1 if word == other else max(above, lengths[column - 1])
            diagonal = above
    return lengths[-1]


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).lower().replace("’", "'").replace("–", "-")
    return re.sub(r"\s+", " ", folded).strip()
