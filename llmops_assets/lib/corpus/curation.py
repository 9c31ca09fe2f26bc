"""From conversations and articles to the rows that teach: filtered, linked, deduplicated, split, and with variants.

The whole way in one function; each step is a module beside this one. Nothing is dropped without its reason.
"""

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmops_assets.lib import quality_filters
from llmops_assets.lib.augmentation import DEFAULT_METHODS, MEANING, Embed, Rewriter, augment
from llmops_assets.lib.corpus import splits
from llmops_assets.lib.corpus.datasets import candidate_rows, spread
from llmops_assets.lib.corpus.deduplication import Conflict, conflicting_answers, drop_near_duplicates
from llmops_assets.lib.corpus.splits import HELD_BACK, HELD_OUT, TRAINING, Placed
from llmops_assets.lib.labelling import article_links
from llmops_assets.lib.records import Article
from llmops_assets.lib.teaching import Judge

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Curated:
    """Rows with their sides, and what there is to know about them.

    `rows` are those of training and of the held-out side, variants last; `sides` has held-back rows too. `similarities`
    are the cosines of variants to their questions, `linked` is the share of conversations with an article,
    `candidates` how many rows were compared, `duplicate_rate` the share of them that repeats another one, `achieved`
    the shares of the sides by intent ("": all).
    """

    rows: list[dict[str, Any]]
    sides: list[Placed]
    dropped: list[dict[str, str]]
    conflicts: list[Conflict]
    similarities: dict[str, float]
    achieved: dict[str, dict[str, float]]
    linked: float
    candidates: int
    duplicate_rate: float

    @property
    def variants(self) -> list[dict[str, Any]]:
        """The rows that augmentation made."""
        return [row for row in self.rows if row["parent"]]


def curate(
    articles: Sequence[Article],
    conversations: Sequence[Row],
    embed: Embed,
    *,
    seed: int,
    rows_per_article: int,
    share: float,
    target: int = 0,
    methods: Sequence[str] = DEFAULT_METHODS,
    rewriters: Mapping[str, Rewriter] | None = None,
    meaning: Mapping[str, float] | None = None,
    held_out_share: float = 0.0,
    languages: Iterable[str] = (),
    known: Mapping[str, str] | None = None,
    judge: Judge | None = None,
    undecided: Collection[str] = (),
) -> Curated:
    """The rows of at most `rows_per_article` questions an article, split, with variants of the training side.

    Conversations need row_id, subject, question, answer and language. `known` maps identities to sides that rows were
    given before (`splits.identity`). `rewriters` are models beside the methods, `meaning` the cosine each must reach
    (`augment`). `languages` are expected beside those that many rows are in. A row whose answer is about one case, or
    says nothing, teaches nothing (`judge`; none: by the tables alone), nor does one of `undecided`: ids of rows whose
    answers contradict each other.
    """
    expected = quality_filters.expected_languages(conversations, languages)
    speaks = functools.partial(quality_filters.other_language, expected=expected)
    fit, unfit = quality_filters.sort_out(conversations, {**quality_filters.FILTERS, "language": speaks})
    fit, untaught = taught(fit, judge or Judge(), undecided)
    answering = [article for article in articles if article.kind == "answer"]
    answers = list(dict.fromkeys(row["answer"] for row in fit))
    found = article_links(embed(answers), embed([article.answer for article in answering]))
    by_answer = {text: answering[i].id if i is not None else None for text, i in zip(answers, found, strict=True)}
    links = [by_answer[row["answer"]] for row in fit]
    judged = list(drop_near_duplicates(candidate_rows(articles, fit, links)))
    repeated = [
        {"row_id": r["row_id"], "question": r["question"], "reason": f"duplicate of {m.row_id} ({m.similarity:.2f})"}
        for r, m in judged
        if m is not None
    ]
    chosen = spread([dict(row) for row, match in judged if match is None], rows_per_article, seed)
    subjects = {row["row_id"]: row["subject"] for row in fit}
    intents = {article.id: article.intent for article in articles}
    tagged = [{**r, "subject": subjects.get(r["source"], ""), "intent": intents[r["article"]]} for r in chosen]
    sides, splitter = splits.split(tagged, {HELD_OUT: held_out_share}, f"sides {seed}".encode(), known=known)
    side = {placed.row_id: placed.side for placed in sides}
    trained = [row for row in chosen if side[row["row_id"]] == TRAINING]
    varied = augment(
        trained,
        share=share,
        seed=seed,
        methods=methods,
        rewriters=rewriters,
        target=target,
        embed=embed,
        meaning={**MEANING, **(meaning or {})},
    )
    back = [{"row_id": p.row_id, "question": "", "reason": p.reason} for p in sides if p.side == HELD_BACK]
    return Curated(
        rows=[row for row in chosen if side[row["row_id"]] != HELD_BACK] + varied.rows,
        sides=sides + [Placed(v["row_id"], splits.identity(v), v["parent"], TRAINING) for v in varied.rows],
        dropped=[*unfit, *untaught, *repeated, *back, *varied.dropped],
        conflicts=conflicting_answers(fit, embed),
        similarities=varied.similarities,
        achieved=splitter.achieved(),
        linked=sum(link is not None for link in links) / len(links) if links else 0.0,
        candidates=len(judged),
        duplicate_rate=len(repeated) / len(judged) if judged else 0.0,
    )


def taught(rows: Sequence[Row], judge: Judge, undecided: Collection[str]) -> tuple[list[Row], list[dict[str, str]]]:
    """The rows whose answers hold for every customer, and the others with the reason, `personal: …` or `empty: …`."""
    answers = list(dict.fromkeys(row["answer"] for row in rows))
    decided = dict(zip(answers, judge.decide(answers), strict=True))
    kept, left = [], []
    for row in rows:
        found = decided[row["answer"]]
        reason = f"{found.kind}: {found.reason}" if found.kind != "general" else ""
        if not reason and row["row_id"] in undecided:
            reason = "contradicted: undecided"
        if reason:
            left.append({"row_id": row["row_id"], "question": row["question"], "reason": reason})
        else:
            kept.append(row)
    return kept, left
