"""A window of logged questions, answered by a candidate and an incumbent: paired where the right answer is known, and
what the two disagree on for a person.

How the questions are asked is the caller's. Statistics are those of the gate: docs/decisions/gate.md.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmops_assets.lib.answering.pieces import leans
from llmops_assets.lib.judging.grading import judged
from llmops_assets.lib.judging.texts import rouge_l
from llmops_assets.lib.records import RECENT, Article, EvalItem, GatePolicy
from llmops_assets.lib.statistics import paired_interval, paired_p

ALIKE = 0.9
"""ROUGE-L from which two answers say the same."""
NEAR = 0.0005
"""By how much the similarity of the nearest article may differ where retrieval is the same."""


@dataclass(frozen=True)
class Logged:
    """A question of the log that can be asked again, with the turns before it and what retrieval found then."""

    id: str
    day: str
    question: str
    history: tuple[tuple[str, str], ...]
    article: str
    similarity: float | None


@dataclass(frozen=True)
class Said:
    """One side's answer, and what its retrieval found."""

    answer: str
    path: str
    article: str | None
    similarity: float | None


@dataclass(frozen=True)
class Pair:
    """Both answers to a logged question, with its item where the right answer is known."""

    logged: Logged
    candidate: Said
    incumbent: Said
    item: EvalItem | None = None

    @property
    def outcomes(self) -> tuple[bool | None, bool | None]:
        """Whether candidate and incumbent are right; None where nobody knows."""
        if self.item is None:
            return None, None
        mine, other = (judged(self.item, s.answer, s.path, s.article) for s in (self.candidate, self.incumbent))
        return mine.outcome, other.outcome

    @property
    def differs(self) -> bool:
        """Whether the two say different things."""
        mine, other = self.candidate, self.incumbent
        if mine.path != other.path:
            return True
        return mine.answer != other.answer and rouge_l(mine.answer, other.answer) < ALIKE


@dataclass(frozen=True)
class Compared:
    """What a window says: questions with a known answer, who was right, and the interval of the difference.

    `moved` counts the questions whose retrieval differs from the recorded one, by side.
    """

    asked: int
    known: int
    candidate: int
    incumbent: int
    won: int
    lost: int
    ungraded: int
    low: float
    high: float
    p_not_worse: float
    margin: float
    alpha: float
    moved: dict[str, int]

    @property
    def verdict(self) -> str:
        """What may be said of the candidate on these questions; of none, nothing."""
        if self.low > 0:
            return "better"
        if self.known and self.p_not_worse <= self.alpha:
            return "not worse"
        return "worse" if self.high < 0 else "undecided"


def logged(rows: Iterable[Mapping[str, Any]]) -> Iterator[Logged | str]:
    """The rows of a window (INTERACTIONS) that can be asked again, in order, or why one cannot.

    A follow-up is asked with the turns before it, as the log has them; where one is missing it means nothing.
    """
    before: dict[str, dict[int, tuple[str, str]]] = defaultdict(dict)
    for row in rows:
        turns, number = before[row["conversation"]], row.get("turn") or 0
        history = tuple(turns[n] for n in range(number) if n in turns)
        turns[number] = row["question"], row["answer"]
        if row["status"] != 200 or row["path"] == "refused":
            yield "got no answer"
        elif len(history) < number and leans(row["question"]):
            yield "the turns before it are not in the window"
        else:
            history = history if len(history) == number else ()
            yield Logged(row["id"], row["time"][:10], row["question"], history, row["article"] or "", row["similarity"])


def compared(pairs: Sequence[Pair], policy: GatePolicy) -> Compared:
    """The paired comparison, at margin and level that the gate's policy has for `recent`."""
    outcomes = [pair.outcomes for pair in pairs if pair.item is not None]
    known = [(mine, other) for mine, other in outcomes if mine is not None and other is not None]
    won, lost = known.count((True, False)), known.count((False, True))
    margin, alpha = policy.margin_of(RECENT), policy.alpha_of(RECENT)
    low, high = paired_interval(won, lost, len(known), alpha)
    return Compared(
        asked=len(pairs),
        known=len(known),
        candidate=sum(mine is True for mine, _ in known),
        incumbent=sum(other is True for _, other in known),
        won=won,
        lost=lost,
        ungraded=len(outcomes) - len(known),
        low=round(low, 4),
        high=round(high, 4),
        p_not_worse=round(paired_p(won, lost, len(known), margin), 6),
        margin=margin,
        alpha=alpha,
        moved={
            "candidate": sum(_moved(pair.logged, pair.candidate) for pair in pairs),
            "incumbent": sum(_moved(pair.logged, pair.incumbent) for pair in pairs),
        },
    )


def _moved(then: Logged, now: Said) -> bool:
    """Whether retrieval found another article, or one at another distance, than the log says."""
    if then.similarity is not None and now.similarity is not None and abs(then.similarity - now.similarity) > NEAR:
        return True
    return bool(then.article and now.article and then.article != now.article)


def disagreements(pairs: Iterable[Pair], disputed: Iterable[str], articles: Sequence[Article]) -> list[dict[str, Any]]:
    """Rows of a queue for people, those that decide most first: lost, won, differing answers, disputed feedback.

    The intent suggested is that of the article that the candidate gave.
    """
    intents = {article.id: article.intent for article in articles}
    contested = set(disputed)
    ranked: list[tuple[int, Pair, str]] = []
    for pair in pairs:
        outcome = pair.outcomes
        if outcome == (False, True):
            ranked.append((0, pair, "only the incumbent is right"))
        elif outcome == (True, False):
            ranked.append((1, pair, "only the candidate is right"))
        elif pair.logged.id in contested:
            ranked.append((3, pair, "feedback against a trusted article"))
        elif pair.item is None and pair.differs:
            ranked.append((2, pair, "they say different things"))
    return [
        {
            "row_id": pair.logged.id,
            "day": pair.logged.day,
            "question": pair.logged.question,
            "answer": f"candidate: {pair.candidate.answer}\n\nincumbent: {pair.incumbent.answer}",
            "given_intent": pair.item.intent if pair.item else "",
            "suggested_intent": intents.get(pair.candidate.article or "", ""),
            "confidence": 0.0,
            "reason": reason,
        }
        for _, pair, reason in sorted(ranked, key=lambda entry: (entry[0], entry[1].logged.id))
    ]
