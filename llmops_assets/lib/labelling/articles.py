"""Articles and conversations: which article an answer repeats, and a knowledge base made out of conversations."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import Article


def article_links(answers: np.ndarray, article_answers: np.ndarray, *, minimum: float = 0.75) -> list[int | None]:
    """Index of the article whose answer a conversation's answer repeats (cosine at least `minimum`), else None.

    A question may be misunderstood, an agent's answer says what was meant: so only answers are compared.
    """
    if not len(article_answers):
        return [None] * len(answers)
    scores = answers @ article_answers.T
    best = scores.argmax(axis=1)
    return [int(i) if scores[row, i] >= minimum else None for row, i in enumerate(best)]


def knowledge_from_rows(
    rows: Sequence[Mapping[str, str]],
    vectors: Mapping[str, np.ndarray],
    *,
    answers_per_intent: int = 3,
    questions_per_article: int = 8,
    held_out_share: float = 0.25,
    max_articles: int = 80,
) -> list[Article]:
    """A knowledge base out of conversations when there is none: each intent's typical answers with their questions.

    Rows are (question, answer, intent). Answers of one intent are grouped around at most `answers_per_intent` medoids
    (k-means on embeddings); the questions of a group become phrasings, a share of them held out for evaluation by
    their hash. Articles carry no facts: they are graded by similarity. Groups with fewer than four questions are left
    out; of more than `max_articles` groups the largest are kept.
    """
    by_intent: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in rows:
        if row["intent"]:
            by_intent[row["intent"]].append(row)
    groups: list[tuple[int, Article]] = []
    for intent, members in sorted(by_intent.items()):
        for answer, questions in _answer_groups(members, vectors, answers_per_intent):
            unique = sorted(set(questions), key=lambda q: hashlib.sha256(q.encode()).hexdigest())
            if len(unique) < 4:
                continue
            held = max(1, min(3, round(len(unique) * held_out_share)))
            article = Article(
                id=f"{intent[:40]}-{hash_json(answer)[:8]}",
                intent=intent,
                title=unique[held],
                answer=answer,
                questions=tuple(unique[held : held + questions_per_article]),
                held_out=tuple(unique[:held]),
            )
            groups.append((len(questions), article))
    largest = sorted(groups, key=lambda g: (-g[0], g[1].id))[:max_articles]
    return sorted((article for _, article in largest), key=lambda a: a.id)


def _answer_groups(
    members: Sequence[Mapping[str, str]], vectors: Mapping[str, np.ndarray], count: int
) -> list[tuple[str, list[str]]]:
    from sklearn.cluster import KMeans

    answers = sorted({m["answer"] for m in members})
    matrix = np.stack([vectors[a] for a in answers])
    if len(answers) <= count:
        labels, centres = np.arange(len(answers)), matrix
    else:
        fitted = KMeans(count, n_init=3, random_state=0).fit(matrix)
        labels, centres = fitted.labels_, fitted.cluster_centers_
    medoids = []
    for label in range(len(centres)):
        own = np.flatnonzero(labels == label)
        medoids.append(answers[own[int((matrix[own] @ centres[label]).argmax())]])
    group = {answer: int(label) for answer, label in zip(answers, labels, strict=True)}
    questions: dict[int, list[str]] = defaultdict(list)
    for member in members:
        questions[group[member["answer"]]].append(member["question"])
    return [(medoids[label], asked) for label, asked in sorted(questions.items())]
