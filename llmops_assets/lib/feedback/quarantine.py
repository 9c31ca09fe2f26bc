"""Which of a day's feedback waits for a person before it teaches anything, and why: rules over who says what of which.

A rule looks at the day and at what was said in the days before, and names feedback with a reason; nothing is judged by
one rule's score alone, so that every reason is a sentence a person can check. Praise is evidence only. How much poison
it keeps out, and what honest feedback it costs: benchmarks/feedback.py. Why so: docs/decisions/feedback.md.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from llmops_assets.lib.corpus.corrections import AGREEMENT
from llmops_assets.lib.feedback.said import Said
from llmops_assets.lib.quality_filters import FILTERS
from llmops_assets.lib.records import FeedbackPolicy
from llmops_assets.lib.statistics import binomial_tail, hypergeometric_tail

if TYPE_CHECKING:
    import numpy as np

Vectors = Callable[[Sequence[str]], "Mapping[str, np.ndarray]"]
"""Texts to their unit vectors by text."""
NEAR = 0.6
"""Cosine of two questions that ask the same."""
NEAREST = 7
"""Other people whose questions are nearest: they are heard on an answer."""
ALIKE = 0.7
"""Cosine of two answers to like questions that say the same, each in its own words."""
FAR = 0.5
"""Cosine of two answers, below which they speak of different things."""
ABOUT = 0.1
"""Cosine of a correction and its question, below which it is about something else."""
RELATED = 0.4
"""Cosine of two questions that may be about one topic: an answer that both got is voted on by both."""
APART = 0.2
"""Mean cosine of different questions, below which they have no topic in common: the least of a topic of the sample is
0.23, the median of any three questions 0.12."""
PASTED = 3
"""So many different questions with one text."""
CLEAR = 0.8
"""Share of votes that makes a majority clear."""
VOTES = 3
"""Other people's votes without which there is no majority."""
DISSENT = 0.2
"""Share of answers on which an honest person goes against a clear majority."""
ALPHA = 0.01
"""Level of the tests; that of records is shared among the answers of a day."""
ESTABLISHED = 4
"""Votes of the days before that make a record an answer can fall from."""


@dataclass(frozen=True)
class Held:
    """Feedback that waits for a person: rule to reason, and how divided others are on what it says (0 to 1)."""

    said: Said
    reasons: Mapping[str, str]
    doubt: float


@dataclass(frozen=True)
class Sifted:
    """A day's feedback that teaches, and what is held back."""

    kept: tuple[Said, ...]
    held: tuple[Held, ...]


class Day:
    """A day's feedback among that of the days before, with what rules ask of both."""

    def __init__(self, today: Sequence[Said], before: Sequence[Said], vectors: Vectors, policy: FeedbackPolicy) -> None:
        self.today, self.before, self.policy = tuple(today), tuple(before), policy
        self.teaching = tuple(said for said in today if said.teaches)
        self.corrections = tuple(said for said in today if said.correction)
        self._vectors = vectors

    def of_author(self) -> Mapping[str, list[Said]]:
        """Named author to what teaches of today's, in order of time."""
        found: dict[str, list[Said]] = defaultdict(list)
        for said in self.teaching:
            if said.author:
                found[said.author].append(said)
        return found

    @cached_property
    def heard(self) -> tuple[Said, ...]:
        """Who says something about an answer to a question: by a correction, or by a vote on what was answered."""
        return tuple(said for said in (*self.before, *self.today) if said.correction or said.answered)

    @cached_property
    def vectors(self) -> "Mapping[str, np.ndarray]":
        """Vectors of the questions and answers that are compared."""
        told = [answer_of(said) for said in self.heard if said.correction or said.rating > 0]
        return self._vectors(
            [*(said.question for said in self.heard), *told, *(said.answer for said in self.corrections)]
        )

    def likeness(self, one: str, other: str) -> float:
        """Cosine of two texts."""
        return float(self.vectors[one] @ self.vectors[other])

    @cached_property
    def _asked(self) -> "np.ndarray":
        import numpy as np

        return np.stack([self.vectors[said.question] for said in self.heard])

    @cached_property
    def neighbours(self) -> Mapping[str, list[tuple[float, Said]]]:
        """Id of what teaches today to what others say, with how like their questions are, nearest first.

        Of each author only the nearest is in it, and none of questions that have nothing in common.
        """
        result = {}
        for said in self.teaching:
            if not (said.correction or said.answered):
                continue
            near = self._asked @ self.vectors[said.question]
            found: dict[str, tuple[float, Said]] = {}
            for n in sorted((near >= RELATED).nonzero()[0], key=lambda n: -near[n]):
                other = self.heard[n]
                if other.author != said.author and other.id != said.id:
                    found.setdefault(other.author, (float(near[n]), other))
            result[said.id] = list(found.values())
        return result

    def opinions(self, said: Said) -> tuple[int, int, int]:
        """(the same, something else, in all): what the nearest others say the answer is, beside a correction."""
        told = [
            other for near, other in self.neighbours[said.id] if near >= NEAR and (other.correction or other.rating > 0)
        ][:NEAREST]
        likenesses = [self.likeness(said.correction, answer_of(other)) for other in told]
        return sum(x >= ALIKE for x in likenesses), sum(x < FAR for x in likenesses), len(told)

    def doubt(self, said: Said) -> float:
        """Entropy (bits) of whether the nearest others say the same, each side with one voice more than it has."""
        same, else_, _ = self.opinions(said) if said.correction else (0, 0, 0)
        share = (same + 1) / (same + else_ + 2)
        return -share * math.log2(share) - (1 - share) * math.log2(1 - share)

    def ballots(self, said: Said) -> list[Said]:
        """What others voted on the same answer to questions that have something in common."""
        return [other for _, other in self.neighbours[said.id] if other.answered and other.answer == said.answer]


def answer_of(said: Said) -> str:
    """What somebody says the answer is."""
    return said.correction or said.answer


def vote(said: Said) -> int:
    """1 for the answer that was given, -1 against it."""
    return -1 if said.teaches else 1


Named = Iterator[tuple[Said, str]]
Rule = Callable[[Day], Named]


def many_of_one(day: Day) -> Named:
    """What one author says beyond the policy's number a day, in order of time."""
    for all_of_one in day.of_author().values():
        for said in all_of_one[day.policy.per_subject :]:
            yield said, f"more than {day.policy.per_subject} of one subject in a day"


def many_in_all(day: Day) -> Named:
    """What is said beyond the policy's number a day, in order of time."""
    for said in day.teaching[day.policy.per_day :]:
        yield said, f"more than {day.policy.per_day} in a day"


def junk(day: Day) -> Named:
    """Corrections that the filters of training rows would drop, or that repeat one word."""
    for said in day.corrections:
        row = {"question": said.correction, "answer": ""}
        reason = next((told for check in FILTERS.values() if (told := check(row)) is not None), None)
        words = said.correction.casefold().split()
        if reason is None and len(words) > len(set(words)) * 2:
            reason = "words are repeated"
        if reason is not None:
            yield said, f"junk: {reason}"


def off_topic(day: Day) -> Named:
    """Corrections that are about something else than their question."""
    for said in day.corrections:
        if day.likeness(said.question, said.correction) < ABOUT:
            yield said, "it is not about its question"


def pasted(day: Day) -> Named:
    """One text under questions that have nothing in common."""
    import numpy as np

    groups: dict[str, list[Said]] = defaultdict(list)
    for said in day.corrections:
        groups[" ".join(said.correction.casefold().split())].append(said)
    for group in groups.values():
        questions = sorted({said.question for said in group})
        if len(questions) < PASTED:
            continue
        matrix = np.stack([day.vectors[question] for question in questions])
        pairs = matrix @ matrix.T
        if float(pairs[~np.eye(len(questions), dtype=bool)].mean()) < APART:
            for said in group:
                yield said, f"the same text under {len(questions)} questions that have nothing in common"


def both_ways(day: Day) -> Named:
    """Authors who found one answer right and wrong."""
    praised = {(said.author, said.answer) for said in (*day.before, *day.today) if said.rating > 0 and said.author}
    for said in day.teaching:
        if (said.author, said.answer) in praised:
            yield said, "its author found the same answer right"


def against_all(day: Day) -> Named:
    """Authors who go against clear majorities more often than an honest person does (binomial test).

    A reading of Dawid and Skene 1979 (https://doi.org/10.2307/2346806) with two classes: who is wrong about what all
    others agree on is taken to be wrong about the rest.
    """
    for spoken in day.of_author().values():
        votes = [clear for said in spoken if said.answered and (clear := _majority(day, said)) is not None]
        against = sum(vote > 0 for vote in votes)
        if votes and binomial_tail(against, len(votes), DISSENT) < ALPHA:
            for said in spoken:
                yield said, f"its author goes against all others on {against} of {len(votes)} answers"


def _majority(day: Day, said: Said) -> int | None:
    """How nearly all others vote on the same answer to like questions; None where there is no clear majority."""
    votes = [vote(other) for other in day.ballots(said)]
    most, count = Counter(votes).most_common(1)[0] if votes else (0, 0)
    return most if len(votes) >= VOTES and count >= CLEAR * len(votes) else None


def turned(day: Day) -> Named:
    """What is said against an answer on the day its record turns: found right before, and wrong by many at once.

    Fisher's exact test, one-sided, on the votes on the same answer.
    """
    answers = len({said.answer for said in day.teaching if said.answered})
    today = {said.id for said in day.today}
    for said in day.teaching:
        if not said.answered:
            continue
        votes = day.ballots(said)
        before = [vote(other) for other in votes if other.id not in today]
        now = [-1, *(vote(other) for other in votes if other.id in today)]
        if len(before) < ESTABLISHED:
            continue
        wrong, wrong_before = now.count(-1), before.count(-1)
        p = hypergeometric_tail(wrong, len(now), wrong + wrong_before, len(before) + len(now))
        if p < ALPHA / answers:
            yield (
                said,
                f"found right by {len(before) - wrong_before} of {len(before)} before, "
                f"and by {len(now) - wrong} of {len(now)} that day",
            )


def far_from_others(day: Day) -> Named:
    """Corrections far from every answer that others give to the like question."""
    for said in day.corrections:
        _, else_, told = day.opinions(said)
        if told >= VOTES and else_ == told:
            yield said, f"far from what all {told} others say of the like"


def outvoted(day: Day) -> Named:
    """Corrections of a question that more others answer otherwise than say the same."""
    for said in day.corrections:
        same, else_, _ = day.opinions(said)
        if else_ >= 2 and else_ > same:
            yield said, f"{else_} others say otherwise, {same} the same"


def alone_against_what_is_published(day: Day) -> Named:
    """Corrections that contradict a published answer, while nobody else says the same of a like question.

    Enough others who correct it the same way are heard by `agreeing` of the policy.
    """
    for said in day.corrections:
        if said.path != "matched" or day.likeness(said.correction, said.answer) >= AGREEMENT:
            continue
        same, *_ = day.opinions(said)
        if same + 1 < day.policy.agreeing:
            yield said, f"it contradicts a published answer, and fewer than {day.policy.agreeing} people say so"


RULES: dict[str, Rule] = {
    "many_of_one": many_of_one,
    "many_in_all": many_in_all,
    "junk": junk,
    "off_topic": off_topic,
    "pasted": pasted,
    "both_ways": both_ways,
    "against_all": against_all,
    "turned": turned,
    "far_from_others": far_from_others,
    "outvoted": outvoted,
    "alone_against_what_is_published": alone_against_what_is_published,
}
"""Name to rule. One of your own is a function and an entry here."""


def sift(
    today: Sequence[Said],
    before: Sequence[Said],
    vectors: Vectors,
    policy: FeedbackPolicy,
    rules: Mapping[str, Rule] = RULES,
) -> Sifted:
    """A day's feedback in two: what may teach, and what waits with its reasons. Praise alone is in neither.

    `before` is what was said in the days before that the policy looks back on.
    """
    day = Day(today, before, vectors, policy)
    reasons: dict[str, dict[str, str]] = defaultdict(dict)
    if policy.quarantine:
        for name, rule in rules.items():
            for said, reason in rule(day):
                reasons[said.id][name] = reason
    kept = tuple(said for said in day.teaching if said.id not in reasons)
    held = [Held(said, reasons[said.id], day.doubt(said)) for said in day.teaching if said.id in reasons]
    return Sifted(kept, tuple(in_order(held, vectors)))


def in_order(held: Sequence[Held], vectors: Vectors) -> list[Held]:
    """What a person should decide first: where others are divided, of what much more of the like is held, each unlike
    those before it.

    Information density (Settles and Craven 2008, https://aclanthology.org/D08-1112/): doubt times mean likeness to all
    that is held; then the greedy choice of unlike ones by which rows to label are chosen (labelling/queue.py).
    """
    import numpy as np

    from llmops_assets.lib.labelling.queue import diverse

    if not held:
        return []
    found = vectors([one.said.question for one in held])
    matrix = np.stack([found[one.said.question] for one in held])
    density = np.clip(matrix @ matrix.T, 0, 1).mean(axis=1)
    worth = np.array([one.doubt for one in held]) * density
    first = diverse(matrix, worth, len(held))
    # What nearly repeats one that is asked already comes after all of those.
    rest = sorted(set(range(len(held))) - set(first), key=lambda n: (-worth[n], held[n].said.id))
    return [held[n] for n in (*first, *rest)]
