"""What every scorer is given."""

from dataclasses import dataclass

from llmops_assets.lib.records import EvalItem

HANDED_OVER = ("handover", "refused")
UNANSWERED = (*HANDED_OVER, "small_talk")
"""Paths on which nothing is answered."""


@dataclass(frozen=True)
class Answered:
    """A stored answer to an eval item: its text, the path it took, and the article it was, where it was one.

    `vote` is the stored vote of a language model, None where there is none.
    """

    item: EvalItem
    answer: str
    path: str
    article: str | None
    vote: bool | None = None
