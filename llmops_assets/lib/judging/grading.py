"""Whether an answer is right, by the scorer of its question. Never loss or fluency: wrong answers of a small model are
fluent.

A scorer that raises grades nothing: the question is ungraded, counted, and leaves the gate undecided.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from llmops_assets.lib.answering.tongues import tongue
from llmops_assets.lib.judging.scorers import ScorerError, scorer
from llmops_assets.lib.judging.scorers.base import Answered
from llmops_assets.lib.judging.texts import has_facts
from llmops_assets.lib.records import DatasetRef, EvalItem, EvalReport, LakeRef, SliceScore


@dataclass(frozen=True)
class Graded:
    """An answer to an eval item, judged; `ungraded` says why it could not be, "" where it was."""

    item: EvalItem
    answer: str
    path: str
    article: str | None
    right: bool
    seconds: float = 0.0
    ungraded: str = ""

    @property
    def outcome(self) -> bool | None:
        """Whether it is right; None where nobody can say."""
        return None if self.ungraded else self.right


def grade(item: EvalItem, answer: str, path: str, article: str | None, vote: bool | None = None) -> bool:
    """Whether an answer is right. It is not in another language than the customer's, with a forbidden wording in it, or
    in another form than asked for, whatever its scorer says. What the scorer raises is raised."""
    if item.language and tongue(answer, "") != item.language:
        return False
    if any(has_facts(answer, ((wording,),)) for wording in item.forbidden):
        return False
    if item.form and not re.fullmatch(item.form, answer.strip(), re.DOTALL):
        return False
    return bool(scorer(item.scorer)(Answered(item, answer, path, article, vote)))


def judged(
    item: EvalItem, answer: str, path: str, article: str | None, seconds: float = 0.0, vote: bool | None = None
) -> Graded:
    """An answer with its grade, or with why there is none."""
    try:
        right, ungraded = grade(item, answer, path, article, vote), ""
    except ScorerError as error:
        right, ungraded = False, str(error)
    except Exception as error:
        # Whatever a scorer raises is no fault of the release; its words may hold the answer, so only its kind is told.
        right, ungraded = False, f"{item.scorer or 'the scorer'} raised {type(error).__name__}"
    return Graded(item, answer, path, article, right, seconds, ungraded)


def graded(
    items: Iterable[EvalItem], answers: Iterable[Mapping[str, Any]], votes: Mapping[str, bool] = MappingProxyType({})
) -> list[Graded]:
    """Stored answers (rows of the ANSWERS table), judged by the rules of today. KeyError for one to another item."""
    by_id = {item.id: item for item in items}
    return [
        judged(
            by_id[row["id"]], row["answer"], row["path"], row["article"] or None, row["seconds"], votes.get(row["id"])
        )
        for row in answers
    ]


def report(
    subject: str,
    suite: DatasetRef,
    graded: Sequence[Graded],
    answers: LakeRef | None,
    votes: LakeRef | None = None,
) -> EvalReport:
    """Right answers overall, per slice and per answer path."""
    slices: dict[str, list[bool]] = defaultdict(list)
    paths: dict[str, list[bool]] = defaultdict(list)
    for one in graded:
        slices[one.item.slice].append(one.right)
        paths[one.path].append(one.right)
    return EvalReport(
        subject=subject,
        suite=suite,
        overall=_score([one.right for one in graded]),
        slices={name: _score(values) for name, values in sorted(slices.items())},
        paths={name: _score(values) for name, values in sorted(paths.items())},
        answers=answers,
        votes=votes,
        seconds=round(sum(one.seconds for one in graded), 3),
        engine_seconds=round(sum(one.seconds for one in graded if one.path == "generated"), 3),
        ungraded=dict(sorted(Counter(one.ungraded for one in graded if one.ungraded).items())),
    )


def _score(values: Sequence[bool]) -> SliceScore:
    return SliceScore(right=sum(values), total=len(values))
