"""Articles of the knowledge base on their way from conversations and feedback to what is published."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from llmops_assets.lib.records import Article

if TYPE_CHECKING:
    import numpy as np

    from llmops_assets.lib.corpus.corrections import Revision

Vectors = Callable[[Sequence[str]], "Mapping[str, np.ndarray]"]
"""Texts to their unit vectors by text."""


@dataclass(frozen=True)
class Made:
    """Articles made out of conversations, and how many answers were no knowledge since a slot in them is unfilled."""

    articles: tuple[Article, ...]
    unfilled: int


def to_jsonl(articles: Iterable[Article]) -> bytes:
    """One article per line."""
    return "".join(json.dumps(a.model_dump(mode="json"), ensure_ascii=False) + "\n" for a in articles).encode()


def from_jsonl(data: bytes) -> tuple[Article, ...]:
    """Articles of `to_jsonl`."""
    return tuple(Article.model_validate_json(line) for line in data.decode().splitlines())


def made_of(
    conversations: Iterable[Mapping[str, Any]],
    vectors: Vectors,
    *,
    max_articles: int,
    new_intent: str = "",
    new_day: date | None = None,
) -> Made:
    """Articles out of answered conversations, largest groups first; those of `new_intent` are available from `new_day`.

    Rows need question, answer, intent and predicted_intent.
    """
    from llmops_assets.lib.auditing.placeholders import placeholders
    from llmops_assets.lib.labelling import knowledge_from_rows

    answered = [row for row in conversations if row["answer"]]
    whole = [row for row in answered if not placeholders(row["answer"])]
    articles = knowledge_from_rows(
        [{**row, "intent": row["intent"] or row["predicted_intent"]} for row in whole],
        vectors([text for row in whole for text in (row["question"], row["answer"])]),
        max_articles=max_articles,
        answers_per_intent=1 if max_articles < 60 else 3,
    )
    dated = (
        a.model_copy(update={"available_from": new_day}) if new_day and a.intent == new_intent else a for a in articles
    )
    return Made(tuple(dated), len(answered) - len(whole))


def without_leaks(articles: Sequence[Article], vectors: Vectors) -> tuple[Article, ...]:
    """The articles without known phrasings that (nearly) equal a held-out question of any of them."""
    from llmops_assets.lib.corpus.deduplication import leaks

    held_out = [q for a in articles for q in a.held_out]
    rows = [{"row_id": f"{a.id} {n}", "question": q} for a in articles for n, q in enumerate(a.questions)]
    found = leaks(rows, held_out, vectors([*held_out, *(r["question"] for r in rows)]))
    result = []
    for article in articles:
        kept = tuple(q for n, q in enumerate(article.questions) if f"{article.id} {n}" not in found)
        result.append(article.model_copy(update={"questions": kept or article.questions[:1]}))
    return tuple(result)


def worked_in(articles: Sequence[Article], examples: Iterable[Mapping[str, Any]], vectors: Vectors) -> "Revision":
    """The articles with the agreeing corrections among feedback examples; one with an unfilled slot says nothing."""
    from llmops_assets.lib.auditing.placeholders import placeholders
    from llmops_assets.lib.corpus.corrections import Correction, revise

    corrections = [
        Correction(r["question"], r["answer"], r["article"])
        for r in examples
        if r["answer"] and not placeholders(r["answer"])
    ]
    texts = [text for c in corrections for text in (c.question, c.answer)] + [a.answer for a in articles]
    return revise(articles, corrections, vectors(texts))


def unfilled(articles: Iterable[Article]) -> list[str]:
    """Ids of articles whose answer holds an unfilled slot (`<PERSON_1>`, `{{name}}`): nobody may be served one."""
    from llmops_assets.lib.auditing.placeholders import placeholders

    return [article.id for article in articles if placeholders(article.answer)]
