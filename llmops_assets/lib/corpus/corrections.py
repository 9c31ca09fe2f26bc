"""What customers' and agents' feedback changes in the knowledge base: corrections that agree become articles.

One correction is an opinion, several that agree are knowledge. Nothing here trusts them further than that: what is
built from feedback passes the same gate as everything else, on questions that feedback cannot touch.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import Article

MINIMUM_AGREEING = 3
"""People whose corrections of one article, or on one question, must agree before they count."""
AGREEMENT = 0.85
"""Cosine similarity of two corrections that say the same."""
MAX_QUESTIONS = 12
"""Phrasings an article takes from feedback."""


@dataclass(frozen=True)
class Correction:
    """A corrected answer to a question; `article` is what the assistant had answered from, if anything.

    `author` is whose word it is: several corrections of one author are one voice. "" where nobody knows.
    """

    question: str
    answer: str
    article: str = ""
    author: str = ""


@dataclass(frozen=True)
class Revision:
    """The articles after feedback: which were added, which were replaced, and how many corrections did not count."""

    articles: tuple[Article, ...]
    added: tuple[str, ...]
    replaced: tuple[str, ...]
    extended: tuple[str, ...]
    ignored: int


def revise(
    articles: Sequence[Article],
    corrections: Sequence[Correction],
    vectors: Mapping[str, np.ndarray],
    *,
    minimum: int = MINIMUM_AGREEING,
) -> Revision:
    """The articles with agreeing corrections worked in.

    `vectors` maps every text (answers of articles; questions and answers of corrections) to its unit embedding.
    Corrections that agree with each other and with an article add their questions to it; those that agree against the
    article they correct replace its answer, and its facts are dropped with it; those without an article make a new
    one. Groups of fewer than `minimum` people are ignored. The result does not depend on the order of the corrections.
    """
    known = {article.id: article for article in articles}
    order = sorted(set(corrections), key=lambda c: (c.article, c.answer, c.question, c.author))
    counts: dict[Correction, int] = defaultdict(int)
    for correction in corrections:
        counts[correction] += 1
    answers = np.stack([vectors[a.answer] for a in articles]) if articles else np.zeros((0, 1), np.float32)
    added: dict[str, Article] = {}
    replaced: dict[str, Article] = {}
    questions: dict[str, list[str]] = defaultdict(list)
    ignored = 0
    for group in _agreeing(order, vectors):
        weight = sum(counts[c] for c in group)
        if _voices(group, counts) < minimum:
            ignored += weight
            continue
        answer = _medoid([c.answer for c in group], vectors)
        asked = list(dict.fromkeys(c.question for c in group))[:MAX_QUESTIONS]
        similar = answers @ vectors[answer] if len(articles) else np.zeros(0)
        if len(similar) and similar.max() >= AGREEMENT:
            questions[articles[int(similar.argmax())].id].extend(asked)
            continue
        targets = {c.article for c in group if c.article in known}
        if len(targets) == 1 and sum(counts[c] for c in group if c.article) * 2 > weight:
            target = known[targets.pop()]
            replaced[target.id] = target.model_copy(update={"answer": answer, "facts": ()})
        else:
            fresh = Article(
                id=f"feedback-{hash_json(answer)[:10]}",
                intent="from_feedback",
                title=asked[0],
                answer=answer,
                questions=tuple(asked),
            )
            added[fresh.id] = fresh
    result = []
    extended = []
    for article in articles:
        current = replaced.get(article.id, article)
        more = tuple(dict.fromkeys(q for q in questions.get(article.id, []) if q not in current.questions))
        if more:
            extended.append(article.id)
            current = current.model_copy(update={"questions": current.questions + more[:MAX_QUESTIONS]})
        result.append(current)
    result.extend(added[name] for name in sorted(added) if name not in known)
    return Revision(tuple(result), tuple(sorted(added)), tuple(sorted(replaced)), tuple(extended), ignored)


def _voices(group: Sequence[Correction], counts: Mapping[Correction, int]) -> int:
    """How many people speak: each author once, and each correction of nobody known."""
    return len({c.author for c in group if c.author}) + sum(counts[c] for c in group if not c.author)


def _agreeing(corrections: Sequence[Correction], vectors: Mapping[str, np.ndarray]) -> list[list[Correction]]:
    """Groups in which every correction says what the first one says, largest groups first."""
    left = list(corrections)
    groups: list[list[Correction]] = []
    while left:
        matrix = np.stack([vectors[c.answer] for c in left])
        close = matrix @ matrix.T >= AGREEMENT
        centre = int(close.sum(axis=1).argmax())
        groups.append([c for c, near in zip(left, close[centre], strict=True) if near])
        left = [c for c, near in zip(left, close[centre], strict=True) if not near]
    return groups


def _medoid(texts: Sequence[str], vectors: Mapping[str, np.ndarray]) -> str:
    unique = sorted(set(texts))
    weights = np.array([texts.count(text) for text in unique], np.float32)
    matrix = np.stack([vectors[text] for text in unique])
    return unique[int((matrix @ matrix.T @ weights).argmax())]
