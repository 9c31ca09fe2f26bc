"""Articles of the knowledge base on their way from conversations and feedback to what is published."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from llmops_assets.lib.records import Article

if TYPE_CHECKING:
    import numpy as np

    from llmops_assets.lib.corpus.corrections import Revision
    from llmops_assets.lib.teaching import Judge
    from llmops_assets.lib.teaching.agreement import Contradiction

Vectors = Callable[[Sequence[str]], "Mapping[str, np.ndarray]"]
"""Texts to their unit vectors by text."""


LOOKED_UP = 0.6
"""Share of one-case answers among those that say something, above which an intent needs a look-up."""


_KEPT = frozenset({"apology"})
"""What a correction may hold beside general sentences: an answer to a complaint is worded as it is served."""


@dataclass(frozen=True)
class LeftOut:
    """An answer that is no knowledge: why, with its row, for a person to read."""

    row_id: str
    question: str
    answer: str
    intent: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Made:
    """Articles made out of conversations, and what of the answers became none.

    `kinds` counts the answers by kind, `unfilled` those of them that hold an unfilled slot as they were given.
    """

    articles: tuple[Article, ...]
    left_out: tuple[LeftOut, ...] = ()
    contradictions: "tuple[Contradiction, ...]" = ()
    kinds: Mapping[str, int] = field(default_factory=dict)
    unfilled: int = 0

    def reasons(self, kind: str) -> dict[str, int]:
        """Answers of a kind that were left out, by reason."""
        return dict(Counter(one.reason for one in self.left_out if one.kind == kind))

    @property
    def look_ups(self) -> list[str]:
        """Intents that are handed over, since their answers are mostly about one case."""
        return sorted({article.intent for article in self.articles if article.kind == "look_up"})


def to_jsonl(articles: Iterable[Article]) -> bytes:
    """One article per line."""
    return "".join(json.dumps(a.model_dump(mode="json"), ensure_ascii=False) + "\n" for a in articles).encode()


def from_jsonl(data: bytes) -> tuple[Article, ...]:
    """Articles of `to_jsonl`."""
    return tuple(Article.model_validate_json(line) for line in data.decode().splitlines())


def made_of(
    conversations: Iterable[Mapping[str, Any]],
    vectors: Vectors,
    judge: "Judge",
    *,
    max_articles: int,
    new_intent: str = "",
    new_day: date | None = None,
) -> Made:
    """Articles out of answered conversations, largest groups first; those of `new_intent` are available from `new_day`.

    Rows need row_id, question, answer, intent, predicted_intent and language. Only what of an answer holds for every
    customer becomes knowledge; an intent whose answers are mostly about one case becomes an article of kind look_up.
    """
    from llmops_assets.lib.auditing.placeholders import placeholders
    from llmops_assets.lib.labelling.articles import Sizes, knowledge_from_rows

    answered = [{**row, "intent": row["intent"] or row["predicted_intent"]} for row in conversations if row["answer"]]
    texts = list(dict.fromkeys(row["answer"] for row in answered))
    decided = dict(zip(texts, judge.decide(texts), strict=True))
    kinds = Counter((row["intent"], decided[row["answer"]].kind) for row in answered)
    looked_up = {
        intent
        for intent in {row["intent"] for row in answered}
        if kinds[intent, "personal"] > LOOKED_UP * (kinds[intent, "personal"] + kinds[intent, "general"])
    }
    general = [row for row in answered if decided[row["answer"]].kind == "general" and row["intent"] not in looked_up]
    articles, against = knowledge_from_rows(
        [{**row, "answer": decided[row["answer"]].text} for row in general],
        [row for row in answered if row["intent"] in looked_up and decided[row["answer"]].kind != "empty"],
        vectors,
        Sizes(max_articles=max_articles, answers_per_intent=1 if max_articles < 60 else 3),
    )
    left_out = [
        LeftOut(row["row_id"], row["question"], row["answer"], row["intent"], found.kind, found.reason)
        for row in answered
        if (found := decided[row["answer"]]).kind != "general"
    ]
    dated = (
        a.model_copy(update={"available_from": new_day}) if new_day and a.intent == new_intent else a for a in articles
    )
    return Made(
        tuple(dated),
        tuple(left_out),
        tuple(against),
        dict(Counter(decided[row["answer"]].kind for row in answered)),
        sum(bool(placeholders(row["answer"])) for row in answered),
    )


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


def worked_in(
    articles: Sequence[Article], examples: Iterable[Mapping[str, Any]], vectors: Vectors, judge: "Judge"
) -> "Revision":
    """The articles with the agreeing corrections among feedback examples, of which only what is general counts."""
    from llmops_assets.lib.corpus.corrections import Correction, revise

    corrected = [row for row in examples if row["answer"]]
    corrections = [
        Correction(
            row["question"],
            row["answer"] if set(found.cut) <= _KEPT else found.text,
            row["article"],
            row.get("author") or "",
        )
        for row, found in zip(corrected, judge.decide([row["answer"] for row in corrected]), strict=True)
        if found.kind == "general"
    ]
    texts = [text for c in corrections for text in (c.question, c.answer)] + [a.answer for a in articles]
    return revise(articles, corrections, vectors(texts))


def unfilled(articles: Iterable[Article]) -> list[str]:
    """Ids of articles that nobody may be served: with an unfilled slot (`<PERSON_1>`, `{{name}}`) or with HTML tags."""
    from llmops_assets.lib.auditing.placeholders import unservable

    return [article.id for article in articles if unservable(article.answer)]
