"""Which of many changes hurt: halving between a good and a bad state, as `git bisect` does, judged by noisy votes.

Assumption: once hurt, it stays hurt up to the bad state. Without it, a change is found that hurts, which need not be
the only one. Nothing here trains or asks: commands/bisections.py does. Halving: https://git-scm.com/docs/git-bisect.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

DOUBTFUL = 0.25
"""Distance from a half within which a share of votes decides little."""


@dataclass(frozen=True)
class Vote:
    """Of the questions that the good state answers and the bad one does not, how many another state answers."""

    right: int
    total: int

    @property
    def hurt(self) -> bool:
        """Whether it answers fewer than half of them: it is with the bad state."""
        return 2 * self.right < self.total

    @property
    def doubtful(self) -> bool:
        """Whether the share is so near to a half that retraining could have moved it over."""
        return abs(self.right / self.total - 0.5) < DOUBTFUL

    def __str__(self) -> str:
        return f"{self.right} of {self.total}" + (" (doubtful)" if self.doubtful else "")


@dataclass
class Search:
    """How a search ended: the change that hurt, by its number from 1, and the votes of the states that were asked."""

    change: int
    votes: dict[int, Vote] = field(default_factory=dict)

    @property
    def doubtful(self) -> bool:
        """Whether a vote next to the change was a narrow one."""
        return any(n in self.votes and self.votes[n].doubtful for n in (self.change - 1, self.change))


def lost(good: Mapping[str, bool], bad: Mapping[str, bool]) -> list[str]:
    """Questions that the good state answers and the bad one does not, of those that both were asked, sorted."""
    return sorted(name for name in good.keys() & bad.keys() if good[name] and not bad[name])


def vote(questions: Iterable[str], answered: Mapping[str, bool]) -> Vote:
    """The vote of a state that answered these questions. KeyError for one that it was not asked."""
    given = [answered[name] for name in questions]
    return Vote(sum(given), len(given))


def first_hurt(changes: int, asked: Callable[[int], Vote]) -> Search:
    """The first change that hurts, between state 0, which is good, and state `changes`, which is bad.

    `asked` gives the vote of a state between them; it is called ceil(log2(changes)) times at most. ValueError without
    a change.
    """
    if changes < 1:
        raise ValueError("there is no change between equal states")
    search = Search(changes)
    low, high = 0, changes
    while high - low > 1:
        middle = (low + high) // 2
        search.votes[middle] = asked(middle)
        low, high = (low, middle) if search.votes[middle].hurt else (middle, high)
    search.change = high
    return search
