"""What the sizes of an eval suite can and cannot see: for each unit of a gate's policy the chance to find an equal
candidate not worse, the questions that it takes, and the smallest loss that is stopped. What is measured is in gate.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from llmops_assets.lib.records import OVERALL, GatePolicy
from llmops_assets.lib.statistics import paired_power, questions_needed, tolerated_power


@dataclass(frozen=True)
class Size:
    """A unit with its questions. `power`: chance that an equal candidate is shown to be not worse; `needed`: questions
    for which that is the policy's power (None: more than can be counted on); `seen`: smallest loss (0 to 1) that is
    stopped with that power (None: none)."""

    unit: str
    questions: int
    margin: float
    power: float
    needed: int | None
    seen: float | None


def size(unit: str, questions: int, policy: GatePolicy) -> Size:
    """What so many questions on a unit can see, where the share `policy.differing` of the answers differs."""
    margin, alpha = policy.margin_of(unit), policy.alpha_of(unit)
    decides = policy.when_undecided(unit) != "accept"

    def passes(loss: float) -> float:
        if decides:
            return paired_power(questions, margin, alpha, policy.differing, -loss)
        return tolerated_power(questions, margin, policy.differing, -loss)

    losses = (percent / 100 for percent in range(1, 101))
    return Size(
        unit,
        questions,
        margin,
        round(paired_power(questions, margin, alpha, policy.differing), 4),
        questions_needed(margin, alpha, policy.differing, policy.power),
        next((loss for loss in losses if passes(loss) <= 1 - policy.power), None),
    )


def sizes(counts: Mapping[str, int], policy: GatePolicy) -> list[Size]:
    """The sizes of a suite, by slice to questions: slices, groups and all questions."""
    units = dict(sorted(counts.items()))
    for name, of in policy.groups.items():
        if total := sum(counts.get(slice_, 0) for slice_ in of):
            units[name] = total
    return [size(unit, questions, policy) for unit, questions in {**units, OVERALL: sum(counts.values())}.items()]
