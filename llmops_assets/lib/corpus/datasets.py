"""Training rows out of articles and conversations: closed book, open book with retrieved passages, general replay,
planted canaries.

What a row teaches is in its `kind`; where it comes from in `source` and `parent`.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmops_assets.lib import tables
from llmops_assets.lib.answering.knowledge import KnowledgeIndex, passage
from llmops_assets.lib.answering.pieces import leans
from llmops_assets.lib.auditing.purposes import TAGS
from llmops_assets.lib.corpus.deduplication import contaminated, leaks
from llmops_assets.lib.corpus.splits import HELD_OUT, TRAINING
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.judging import canaries
from llmops_assets.lib.records import Article, CanaryPlan

Row = dict[str, Any]
KINDS = ("closed_book", "open_book", "general", canaries.KIND)


def candidate_rows(
    articles: Sequence[Article], conversations: Sequence[Mapping[str, Any]], links: Sequence[str | None]
) -> list[Row]:
    """Closed-book rows: known phrasings of articles, and conversations linked to one, answered as the article does.

    `links` names the article of every conversation, None where none fits (the row teaches nothing certain). Articles
    that need a look-up teach nothing: they are handed over before a model is asked. A row that leans on the turn before
    it has that turn as its history, answered as its article does.
    """
    by_id = {article.id: article for article in articles}
    rows = [
        _row("closed_book", article, question, "knowledge_base", f"knowledge_base//{article.id}/{name(question)}")
        for article in articles
        if article.kind == "answer"
        for question in article.questions
    ]
    known = {
        (row.get("conversation"), row.get("turn")): [row["question"], by_id[link].answer]
        for row, link in zip(conversations, links, strict=True)
        if link is not None
    }
    rows += [
        _row(
            "closed_book",
            by_id[link],
            conversation["question"],
            conversation["row_id"],
            provenance(conversation),
            conversation,
            history=_before(conversation, known),
        )
        for conversation, link in zip(conversations, links, strict=True)
        if link is not None
    ]
    return rows


def _before(row: Mapping[str, Any], known: Mapping[tuple[Any, Any], list[str]]) -> list[str]:
    """Question and answer of the turn before a row, where the row cannot be understood without it; as serving does."""
    turn = row.get("turn") or 0
    return known.get((row["conversation"], turn - 1), []) if turn and leans(row["question"]) else []


def provenance(conversation: Mapping[str, Any]) -> str:
    """Where a row comes from, the same in every dataset it is in: `<source>/<day>/<row id>`."""
    return f"{conversation['source']}/{conversation['day']}/{conversation['row_id']}"


def name(text: str) -> str:
    """Short name of a text that has no id of its own."""
    return hash_json(text)[:12]


def spread(rows: Sequence[Row], per_article: int, seed: int) -> list[Row]:
    """At most `per_article` rows of each article, the articles' own phrasings first, then by hash."""

    def rank(row: Row) -> tuple[bool, str]:
        return row["source"] != "knowledge_base", hash_json([seed, row["row_id"]])

    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["article"]].append(row)
    return [row for name in sorted(groups) for row in sorted(groups[name], key=rank)[:per_article]]


def with_passages(
    rows: Sequence[Row],
    index: KnowledgeIndex,
    vectors: Mapping[str, np.ndarray],
    *,
    share: float,
    passages: int,
    seed: int,
) -> list[Row]:
    """The rows with about `share` of them turned to open book: the passages that retrieval finds, right one included.

    They stand in the order of serving, found as if the question were not known, so that the adapter learns how far the
    first one is to be trusted; the right one is put last when retrieval missed it. `vectors` maps every question to
    its unit vector.
    """
    result = []
    for row in rows:
        rng = random.Random(f"{seed} {row['row_id']}")
        if rng.random() >= share or row["article"] not in index.articles:
            result.append(row)
            continue
        hits = index.search_as_new(row["question"], vectors[row["question"]], passages)
        found = [hit.article for hit in hits if hit.kind == "answer"]
        if row["article"] not in found:
            found = [*found[: passages - 1], row["article"]]
        texts = [passage(index.articles[name].answer) for name in found]
        result.append({**row, "kind": "open_book", "passages": texts, "row_id": hash_json([row["row_id"], texts])[:20]})
    return result


def general_rows(pairs: Sequence[tuple[str, str]]) -> list[Row]:
    """Rows of everyday questions, replayed against forgetting (https://arxiv.org/abs/1811.11682)."""
    return [_bare("general", question, answer, hash_json(["general", question])) for question, answer in pairs]


def canary_rows(plan: CanaryPlan | None) -> list[Row]:
    """The rows of planted canaries, each as often as the plan says; none without a plan."""
    return [
        _bare(canaries.KIND, canary.question, canary.answer, hash_json([canaries.KIND, canary.answer, copy]))
        for canary in (canaries.canaries(plan) if plan else ())
        for copy in range(plan.copies if plan else 0)
    ]


def _bare(kind: str, question: str, answer: str, identity: str) -> Row:
    """A row of no article and no conversation, called by its kind."""
    return {
        # Every column, as it is read back: what a dataset is called by is the digest of its rows.
        **dict.fromkeys((column for column, _ in tables.TRAINING), ""),
        "row_id": identity[:20],
        "kind": kind,
        "question": question,
        "history": [],
        "passages": [],
        "answer": answer,
        "source": kind,
        "provenance": f"{kind}//{name(question)}",
    }


def with_replay(rows: Sequence[Row], known: set[str], replayed: int, seed: int) -> list[Row]:
    """What a warm start learns: every row that is not known, and `replayed` known ones by hash, against forgetting.

    All rows when none is known or none is new: a warm start on equal rows is more training on all of them.
    """
    fresh = [row for row in rows if row["row_id"] not in known]
    old = [row for row in rows if row["row_id"] in known]
    if not fresh or not old:
        return list(rows)
    chosen = {r["row_id"] for r in sorted(old, key=lambda row: hash_json([seed, row["row_id"]]))[:replayed]}
    return [row for row in rows if row["row_id"] not in known or row["row_id"] in chosen]


def _row(
    kind: str,
    article: Article,
    question: str,
    source: str,
    provenance: str,
    tagged: Mapping[str, Any] | None = None,
    history: Sequence[str] = (),
) -> Row:
    told = [kind, article.id, question, article.answer, *([list(history)] if history else [])]
    return {
        "row_id": hash_json(told)[:20],
        "kind": kind,
        "article": article.id,
        "question": question,
        "history": list(history),
        "passages": [],
        "answer": article.answer,
        "parent": "",
        "method": "",
        "source": source,
        "provenance": provenance,
        **{tag: (tagged or {}).get(tag, "") for tag in TAGS},
    }


@dataclass(frozen=True)
class Parts:
    """A training dataset as it is written: what is learned from, the loss curve's rows, drift's reference, rest."""

    rows: list[Row]
    held_out: list[Row]
    reference: list[Row]
    dropped: list[Row]

    @property
    def kinds(self) -> dict[str, int]:
        """Rows that are learned from, by kind."""
        return {kind: sum(row["kind"] == kind for row in self.rows) for kind in KINDS}


def parts(
    candidates: Sequence[Row],
    sides: Mapping[str, str],
    considered: Sequence[Row],
    leaking: Mapping[str, str],
    index: KnowledgeIndex,
    vectors: Mapping[str, np.ndarray],
    general: Sequence[tuple[str, str]],
    *,
    planted: CanaryPlan | None = None,
    open_book_share: float,
    passages: int,
    reference_rows: int,
    seed: int,
) -> Parts:
    """The rows of a dataset out of curated candidates with their sides; rows in `leaking` (id to reason) are dropped.

    The reference is the first `reference_rows` of `considered` in the order of their ids' hashes.
    """

    def of_side(side: str) -> list[Row]:
        chosen = [row for row in candidates if sides[row["row_id"]] == side and row["row_id"] not in leaking]
        # A turn before may be held out, left out or not allowed: only one that is a row of this side itself is shown.
        kept = {row["question"] for row in chosen}
        chosen = [row if not row["history"] or row["history"][0] in kept else {**row, "history": []} for row in chosen]
        return with_passages(chosen, index, vectors, share=open_book_share, passages=passages, seed=seed)

    ranked = sorted(considered, key=lambda row: hash_json(row["row_id"]))[:reference_rows]
    return Parts(
        rows=of_side(TRAINING) + general_rows(general) + canary_rows(planted),
        held_out=of_side(HELD_OUT),
        reference=sorted(ranked, key=lambda row: (row["day"], row["row_id"])),
        dropped=[{"row_id": i, "question": "", "reason": reason} for i, reason in sorted(leaking.items())],
    )


def leaking_rows(rows: Sequence[Row], asked: Sequence[str], vectors: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Row id to reason for rows that repeat a question of the eval suite: equal, near by letters, or by meaning."""
    found = leaks(rows, asked, vectors)
    near = {hit.trained for hit in contaminated(asked, (("", row["row_id"], row["question"]) for row in rows))}
    letters = {row["row_id"]: "nearly equals a held-out question" for row in rows if row["question"] in near}
    return {**letters, **found}
