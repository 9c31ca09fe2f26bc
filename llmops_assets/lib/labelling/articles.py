"""Articles and conversations: which article an answer repeats, and a knowledge base made out of conversations."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from llmops_assets.lib.answering.wordings import wording
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import Article
from llmops_assets.lib.teaching.agreement import Contradiction, contradictions
from llmops_assets.lib.teaching.composition import CONSIDERED, SAME, Vectors, composed, units

Row = Mapping[str, str]
REPEATED = 4
"""Rows of a group of answers that agree, to be one of an article."""
COVERED = 0.5
"""Share of an intent's rows in such groups from which its answers are taken to repeat themselves."""
MOST_COMPARED = 2000
"""Different answers of an intent that are compared with each other."""
QUESTIONS_OF_A_SENTENCE = 20
"""Questions of a sentence that are compared with those of another one."""


def article_links(answers: np.ndarray, article_answers: np.ndarray, *, minimum: float = 0.75) -> list[int | None]:
    """Index of the article whose answer a conversation's answer repeats (cosine at least `minimum`), else None.

    A question may be misunderstood, an agent's answer says what was meant: so only answers are compared.
    """
    if not len(article_answers):
        return [None] * len(answers)
    scores = answers @ article_answers.T
    best = scores.argmax(axis=1)
    return [int(i) if scores[row, i] >= minimum else None for row, i in enumerate(best)]


@dataclass(frozen=True)
class Sizes:
    """How large a knowledge base made out of conversations may be."""

    answers_per_intent: int = 3
    questions_per_article: int = 8
    held_out_share: float = 0.25
    max_articles: int = 80


def knowledge_from_rows(
    rows: Sequence[Row], look_ups: Sequence[Row], vectors: Vectors, sizes: Sizes | None = None
) -> tuple[list[Article], list[Contradiction]]:
    """A knowledge base out of conversations when there is none, and what in them cannot both hold.

    Rows are (row_id, question, answer, intent), their answers general ones. Answers of one intent that agree are a
    group; where most of them are worded each in its own way, `answers_per_intent` groups are made. An article holds
    what the answers of a group have in common, without the sentences that others of the intent contradict. Questions
    of a group become phrasings, a share of them held out for evaluation by their hash. `look_ups` are questions of
    intents that are answered by looking into one case: each such intent becomes an article of that kind. Articles
    carry no facts: they are graded by similarity. Groups with fewer than four questions are left out; of more than
    `max_articles` the largest are kept.
    """
    sizes = sizes or Sizes()
    groups: list[tuple[int, Article]] = []
    against: list[Contradiction] = []
    for intent, members in _by_intent(rows):
        found = _contradicted(intent, members, vectors)
        against += found
        held = {text for pair in found for text in (pair.one, pair.other)}
        undecided = {row for pair in found for row in pair.rows}
        for answers, asked in _groups(members, vectors, sizes.answers_per_intent):
            answer = composed(Counter(answers), vectors, held)
            questions = [row["question"] for row in asked if row["row_id"] not in undecided]
            if answer is not None and (made := _article(intent, answer, questions, sizes)) is not None:
                groups.append((len(asked), made))
    for intent, members in _by_intent(look_ups):
        spoken = Counter(row.get("language", "") for row in members).most_common(1)[0][0]
        said = wording("own_case", spoken, {}, "en")
        if (made := _article(intent, said, [row["question"] for row in members], sizes)) is not None:
            marked = made.model_copy(update={"id": f"{intent[:40]}-look-up", "kind": "look_up"})
            groups.append((len(members), marked))
    largest = sorted(groups, key=lambda g: (-g[0], g[1].id))[: sizes.max_articles]
    return sorted((article for _, article in largest), key=lambda a: a.id), against


def _by_intent(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    by_intent: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["intent"]:
            by_intent[row["intent"]].append(row)
    return sorted(by_intent.items())


def _article(intent: str, answer: str, questions: Sequence[str], sizes: Sizes) -> Article | None:
    unique = sorted(set(questions), key=lambda q: hashlib.sha256(q.encode()).hexdigest())
    if len(unique) < 4:
        return None
    held = max(1, min(3, round(len(unique) * sizes.held_out_share)))
    return Article(
        id=f"{intent[:40]}-{hash_json(answer)[:8]}",
        intent=intent,
        title=unique[held],
        answer=answer,
        questions=tuple(unique[held : held + sizes.questions_per_article]),
        held_out=tuple(unique[:held]),
    )


def _contradicted(intent: str, members: Sequence[Row], vectors: Vectors) -> list[Contradiction]:
    """What the answers of an intent say against each other; its most frequent sentences are compared."""
    rows: dict[str, list[Row]] = defaultdict(list)
    parts = {text: units(text) for text in {row["answer"] for row in members}}
    for row in members:
        for unit in parts[row["answer"]]:
            rows[unit].append(row)
    ranked = sorted(rows, key=lambda unit: (-len(rows[unit]), unit))[:CONSIDERED]
    if len(ranked) < 2:
        return []
    asked = {unit: sorted({row["question"] for row in rows[unit]})[:QUESTIONS_OF_A_SENTENCE] for unit in ranked}
    known = vectors([*ranked, *(question for questions in asked.values() for question in questions)])
    return contradictions(
        intent,
        ranked,
        np.stack([known[unit] for unit in ranked]),
        [np.stack([known[question] for question in asked[unit]]) for unit in ranked],
        [[row["row_id"] for row in rows[unit]] for unit in ranked],
    )


def _groups(members: Sequence[Row], vectors: Vectors, count: int) -> list[tuple[list[str], list[Row]]]:
    """Answers (as often as given) and rows of each group of an intent."""
    from sklearn.cluster import KMeans

    given = Counter(row["answer"] for row in members)
    answers = sorted(given)
    known = vectors(answers)
    matrix = np.stack([known[answer] for answer in answers])
    if len(answers) <= count:
        labels = _merged(matrix)
    else:
        labels = _agreeing(matrix, [given[answer] for answer in answers])
        if labels is None:
            labels = KMeans(count, n_init=3, random_state=0).fit(matrix).labels_.tolist()
    group = dict(zip(answers, labels, strict=True))
    found: dict[int, list[Row]] = defaultdict(list)
    for row in members:
        found[group[row["answer"]]].append(row)
    return [([row["answer"] for row in rows], rows) for _, rows in sorted(found.items())]


def _agreeing(matrix: np.ndarray, given: Sequence[int]) -> list[int] | None:
    """Labels of answers by which of them agree (mean cosine of two groups at least SAME); `given` says how often each
    was given. None where most rows are in no group of REPEATED: nobody answers twice alike.
    """
    from sklearn.cluster import AgglomerativeClustering

    if len(matrix) > MOST_COMPARED:
        return None
    found = AgglomerativeClustering(None, metric="cosine", linkage="average", distance_threshold=1 - SAME).fit(matrix)
    sizes: Counter[int] = Counter()
    for label, times in zip(found.labels_, given, strict=True):
        sizes[label] += times
    repeated = sum(size for size in sizes.values() if size >= REPEATED)
    return found.labels_.tolist() if repeated >= COVERED * sum(given) else None


def _merged(matrix: np.ndarray) -> list[int]:
    """Labels of a few answers: those that say the same as an earlier one have its label."""
    labels: list[int] = []
    for place, scores in enumerate(matrix @ matrix.T):
        alike = [labels[n] for n in range(place) if scores[n] >= SAME]
        labels.append(alike[0] if alike else place)
    return labels
