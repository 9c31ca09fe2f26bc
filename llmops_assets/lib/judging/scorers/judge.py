"""A language model voted on the answer (lib/judging/jury.py); without its vote the question is ungraded."""

from llmops_assets.lib.judging.scorers.base import Answered


class NoVoteError(LookupError):
    """Nobody voted on this answer."""


def score(answered: Answered) -> bool:
    """The stored vote: what decides today must decide the same when it is computed again."""
    if answered.vote is None:
        raise NoVoteError
    return answered.vote
