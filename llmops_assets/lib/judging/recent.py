"""What the last days' traffic says about right answers: questions of customers whose right answer is known, sampled for
the eval suite.

Feedback may say which trusted article answers a question; it never says what is true. What it says against a trusted
article that was served is a dispute: a person's label settles it, nothing else does. A corrected question is either
judged or taught, by its hash and for ever. Why, and what this sample is biased by: docs/decisions/evaluation.md.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from llmops_assets.lib.answering.pieces import leans
from llmops_assets.lib.evalsuite import item_of
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.judging.grading import grade
from llmops_assets.lib.judging.texts import has_facts, rouge_l
from llmops_assets.lib.records import FAILURE, RECENT, Article, EvalItem

JUDGED_SHARE = 0.2
"""Share of the corrected questions that are judged, and so never taught."""
CARRIES = 0.5
"""ROUGE-L from which a text says what an article says, where it holds the article's facts."""
LOOKED_AT = 5
"""Articles with the most words in common that a text is compared with."""
Row = Mapping[str, Any]
How = Literal["praised", "corrected", "labelled"]


@dataclass(frozen=True)
class Known:
    """A customer's question with its right answer: a trusted article, or None where a person must answer.

    `failed` says that what the customer got was wrong.
    """

    interaction: str
    question: str
    article: Article | None
    how: How
    failed: bool


@dataclass(frozen=True)
class Outcomes:
    """What is known of some rows, why nothing is known of the others (reason to count), and the rows to ask about."""

    known: tuple[Known, ...]
    unknown: dict[str, int]
    disputed: tuple[str, ...]


def is_judged(question: str) -> bool:
    """Whether a corrected question belongs to the eval suite rather than to what is taught.

    By its letters and digits alone, so that every asking of it, on any day, lands on the same side.
    """
    plain = " ".join(re.findall(r"\w+", question.lower()))
    return int(hash_json(["judged", plain])[:8], 16) / 16**8 < JUDGED_SHARE


def stands_alone(row: Row) -> bool:
    """Whether an interaction asked something that is understood by itself."""
    return row["path"] != "small_talk" and not (row.get("turn") and leans(row["question"]))


def outcomes(rows: Iterable[Row], articles: Sequence[Article], labels: Mapping[str, str]) -> Outcomes:
    """What feedback and people say about interactions (rows of the INTERACTIONS table).

    `labels` maps an interaction to the intent that a person gave its question, "" where a person must answer. Each
    question is told once; one whose tellings differ is not known.
    """
    said = _Sayings(articles)
    found: dict[str, list[Known]] = defaultdict(list)
    unknown: Counter[str] = Counter()
    disputed: list[str] = []
    for row in rows:
        told = said.of(row, labels)
        if isinstance(told, Known):
            found[hash_json(told.question.lower())].append(told)
            continue
        unknown[told] += 1
        if told == DISPUTED:
            disputed.append(row["id"])
    known = []
    for tellings in found.values():
        if len({one.article.id if one.article else None for one in tellings}) > 1:
            unknown["told differently"] += len(tellings)
            disputed += [one.interaction for one in tellings]
            continue
        known.append(max(tellings, key=lambda one: (one.how == "labelled", one.failed, one.interaction)))
    return Outcomes(tuple(known), dict(unknown), tuple(disputed))


DISPUTED = "feedback against a trusted article"


class _Sayings:
    """Which article somebody's words are."""

    def __init__(self, articles: Sequence[Article]) -> None:
        self._articles = {article.id: article for article in articles}
        self._words = {article.id: _words(article.answer) for article in articles}
        self._intents: dict[str, list[Article]] = defaultdict(list)
        for article in articles:
            self._intents[article.intent].append(article)

    def of(self, row: Row, labels: Mapping[str, str]) -> Known | str:
        """What is known of a row, or why nothing is."""
        if row["status"] != 200 or row["path"] == "refused" or not stands_alone(row):
            return "no question by itself"
        served = self._articles.get(row["article"] or "")
        if row["id"] in labels:
            return self._labelled(row, labels[row["id"]])
        if row["correction"]:
            right = self.said_by(row["correction"])
            if right is None:
                return "corrected to what no article says"
            if served is not None and served.id != right.id:
                return DISPUTED
            return self._known(row, right, "corrected") if is_judged(row["question"]) else "corrected, and taught"
        if row["rating"] <= 0:
            return "rated down" if row["rating"] < 0 else "not rated"
        if row["path"] == "matched":
            return self._known(row, served, "praised") if served else "praised, but no trusted article"
        right = self.said_by(row["answer"]) if row["path"] == "generated" else None
        return self._known(row, right, "praised") if right else "praised, but it is no article's answer"

    def _labelled(self, row: Row, intent: str) -> Known | str:
        if not intent:
            return self._known(row, None, "labelled")
        named = self._intents.get(intent, [])
        if len(named) == 1:
            return self._known(row, named[0], "labelled")
        # An intent of several articles says which of them only together with words that are one's.
        spoken = self.said_by(row["correction"] or row["answer"])
        return self._known(row, spoken, "labelled") if spoken in named else "its label names no one article"

    def said_by(self, text: str) -> Article | None:
        """The article that a text says the most of, if it says what the article does."""
        words = _words(text)
        near = sorted(self._words, key=lambda name: (-len(self._words[name] & words), name))[:LOOKED_AT]
        scores = {
            name: rouge_l(text, article.answer)
            for name, article in ((name, self._articles[name]) for name in near)
            if has_facts(text, article.facts)
        }
        best = max(scores, key=lambda name: scores[name], default="")
        return self._articles[best] if best and scores[best] >= CARRIES else None

    @staticmethod
    def _known(row: Row, article: Article | None, how: How) -> Known:
        item = item_of(RECENT, row["question"], article)
        right = grade(item, row["answer"], row["path"], row["article"] or None)
        return Known(row["id"], row["question"], article, how, not right)


def sample(known: Iterable[Known], size: int) -> list[Known]:
    """At most `size` of them: each outcome (right or wrong then) with its share, within it every article in turn.

    By hash, so that equal rows give an equal sample, and a row that comes moves few others.
    """
    strata: dict[bool, list[Known]] = defaultdict(list)
    for one in known:
        strata[one.failed].append(one)
    total = sum(map(len, strata.values()))
    if not total:
        return []
    wrong = len(strata[True])
    share = min(wrong, -(-wrong * min(size, total) // total))
    chosen = _in_turn(strata[True])[:share]
    return chosen + _in_turn(strata[False])[: max(0, size - share)]


def _in_turn(known: Sequence[Known]) -> list[Known]:
    """One of every article, then a second one of every article, and so on."""
    ranked = sorted(known, key=lambda one: hash_json(one.question.lower()))
    taken: Counter[str] = Counter()
    turns = []
    for one in ranked:
        name = one.article.id if one.article else ""
        turns.append((taken[name], hash_json(one.question.lower()), one))
        taken[name] += 1
    return [one for *_, one in sorted(turns, key=lambda entry: entry[:2])]


def items(
    known: Sequence[Known],
    before: Iterable[EvalItem],
    articles: Sequence[Article],
    *,
    recent: int,
    failures: int,
) -> list[EvalItem]:
    """The items of `recent`, and those of known failures: what failed and is not in the sample, or was recent before.

    `before` are the items of the suite before this one. A failure stays as long as its article does; of more than
    `failures` questions the new ones come first.
    """
    fresh = [_item(RECENT, one) for one in sample(known, recent)]
    by_id = {article.id: article for article in articles}
    kept = {one.question: _item(_slice(one.article), one) for one in known if one.failed}
    for item in before:
        # The facts are those of today; where the article went, or now needs a look-up, nobody knows what is right.
        article = by_id.get(item.article or "")
        if item.failed and (item.article is None or article is not None):
            again = Known(item.source, item.question, article, "corrected", True)
            kept.setdefault(item.question, _item(_slice(article), again))
    asked = {item.question for item in fresh}
    return fresh + [item for question, item in kept.items() if question not in asked][:failures]


def _slice(article: Article | None) -> str:
    return f"{FAILURE}{article.id if article else 'handover'}"


def _item(slice_: str, known: Known) -> EvalItem:
    return item_of(slice_, known.question, known.article).model_copy(
        update={"source": known.interaction, "failed": known.failed}
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))
