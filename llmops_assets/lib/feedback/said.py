"""A piece of feedback with the answer it is about, out of the rows of logged interactions."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from llmops_assets.lib.judging.recent import stands_alone
from llmops_assets.lib.watching.counting import readable


@dataclass(frozen=True)
class Said:
    """Somebody's word on an answer: `rating` is -1, 0 or 1, `correction` the answer as it should have been, or "".

    `author` is the subject's pseudonym, "" where the interaction was nobody's in particular; `release` gave the answer.
    """

    id: str
    time: datetime
    author: str
    release: str
    question: str
    answer: str
    path: str
    article: str
    rating: int
    correction: str

    @property
    def answered(self) -> bool:
        """Whether it is about an answer, and not about a handover, which is worded the same whatever was asked."""
        return self.path in ("matched", "generated")

    @property
    def teaches(self) -> bool:
        """Whether it speaks against the answer: praise is evidence, but nothing to learn from."""
        return bool(self.correction) or self.rating < 0


def said_in(
    rows: Iterable[Mapping[str, Any]], unnamed: Collection[str] = (), day: date | None = None
) -> tuple[list[Said], dict[str, int]]:
    """What was said of a day's interactions, in order of time, and the rows left out of it by reason.

    `unnamed` are pseudonyms that stand for nobody in particular. Rows of another day than `day`, without what is needed
    or with an id that came before are left out (`counting.UNREADABLE`); so are small talk, and follow-ups that mean
    nothing without the turns before them.
    """
    found, left_out = readable(rows, day)
    reasons = Counter(left_out)
    said = []
    for row in found:
        if not (row["rating"] or row["correction"]):
            continue
        if not stands_alone(row):
            reasons["means nothing alone"] += 1
            continue
        said.append(
            Said(
                id=row["id"],
                time=datetime.fromisoformat(row["time"]),
                author="" if row["subject"] in unnamed else row["subject"],
                release=row.get("release_id") or "",
                question=row["question"],
                answer=row["answer"] or "",
                path=row["path"],
                article=row["article"] or "",
                rating=row["rating"],
                correction=row["correction"],
            )
        )
    return said, dict(reasons)
