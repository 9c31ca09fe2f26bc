"""Whether an answer is right: the facts it must carry, or for a knowledge base without facts, its likeness to the
reference. Never loss or fluency: wrong answers of a small model are fluent.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmops_assets.lib.answering.tongues import tongue
from llmops_assets.lib.records import DatasetRef, EvalItem, EvalReport, LakeRef, SliceScore

ROUGE_MINIMUM = 0.3
"""ROUGE-L from which an answer without facts counts as right."""

WHOLE = 0.5
"""Share of each article's words, in their order, that an answer must hold which is to answer several questions."""


@dataclass(frozen=True)
class Graded:
    """An answer to an eval item, judged."""

    item: EvalItem
    answer: str
    path: str
    article: str | None
    right: bool
    seconds: float = 0.0


def grade(item: EvalItem, answer: str, path: str, article: str | None) -> bool:
    """Whether an answer is right: every fact in it, or ROUGE-L at least 0.3, or the right article.

    Out of scope only a handover is right, or a guard's refusal, of small talk only a word or two. None of them is an
    answer to anything else, and none is right in another language than the customer's.
    """
    if item.language and tongue(answer, "") != item.language:
        return False
    if item.article is None:
        return path == "small_talk" if item.small_talk else path in ("handover", "refused")
    if path in ("handover", "small_talk", "refused"):
        return False
    if item.facts:
        return has_facts(answer, item.facts)
    if item.several:
        return all(_recall(answer, part) >= WHOLE for part in item.reference.split("\n\n"))
    return article == item.article or rouge_l(answer, item.reference) >= ROUGE_MINIMUM


def graded(items: Iterable[EvalItem], answers: Iterable[Mapping[str, Any]]) -> list[Graded]:
    """Stored answers (rows of the ANSWERS table), judged by the rules of today. KeyError for one to another item."""
    by_id = {item.id: item for item in items}
    return [
        Graded(
            item := by_id[row["id"]],
            row["answer"],
            row["path"],
            row["article"] or None,
            grade(item, row["answer"], row["path"], row["article"] or None),
            row["seconds"],
        )
        for row in answers
    ]


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


def _recall(answer: str, part: str) -> float:
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


def report(subject: str, suite: DatasetRef, graded: Sequence[Graded], answers: LakeRef | None) -> EvalReport:
    """Right answers overall, per slice and per answer path."""
    slices: dict[str, list[bool]] = defaultdict(list)
    paths: dict[str, list[bool]] = defaultdict(list)
    for one in graded:
        slices[one.item.slice].append(one.right)
        paths[one.path].append(one.right)
    return EvalReport(
        subject=subject,
        suite=suite,
        overall=_score([one.right for one in graded]),
        slices={name: _score(values) for name, values in sorted(slices.items())},
        paths={name: _score(values) for name, values in sorted(paths.items())},
        answers=answers,
        seconds=round(sum(one.seconds for one in graded), 3),
    )


def _score(values: Sequence[bool]) -> SliceScore:
    return SliceScore(right=sum(values), total=len(values))


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).lower().replace("’", "'").replace("–", "-")
    return re.sub(r"\s+", " ", folded).strip()
