"""What the sizes of an eval suite can and cannot see: for each unit of a gate's policy the chance to find an equal
candidate not worse, the questions that it takes, and the smallest loss that is stopped. What is measured is in gate.py.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from llmops_assets.lib.records import FAILURE, KNOWN_FAILURES, OVERALL, GatePolicy
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
        if policy.watches(unit):
            return 1 - paired_power(questions, 0.0, alpha, policy.differing, loss)
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


def units(slices: Iterable[str], policy: GatePolicy) -> dict[str, tuple[str, ...]]:
    """Unit to its slices: every slice, then the groups that have questions, then the known failures, then all.

    A slice of one known failure has a question or two: it is judged with the others, alone only where the policy names
    it.
    """
    present = sorted(slices)
    failures = tuple(name for name in present if name.startswith(FAILURE))
    found: dict[str, tuple[str, ...]] = {
        name: (name,) for name in present if name not in failures or name in policy.named
    }
    for name, of in policy.groups.items():
        if members := tuple(slice_ for slice_ in present if slice_ in of):
            found[name] = members
    if failures:
        found[KNOWN_FAILURES] = failures
    return {**found, OVERALL: tuple(present)}


def sizes(counts: Mapping[str, int], policy: GatePolicy) -> list[Size]:
    """The sizes of a suite, by slice to questions, for each of its `units`."""
    return [
        size(unit, sum(counts[slice_] for slice_ in of), policy)
        for unit, of in units([name for name, count in counts.items() if count], policy).items()
    ]


def lines(counts: Mapping[str, int], policy: GatePolicy) -> list[dict[str, str | int | float]]:
    """A line per unit for a person to read: what so many questions can and cannot show."""
    return [
        {
            "unit": size.unit,
            "questions": size.questions,
            "margin": size.margin,
            "an equal one is shown": size.power,
            f"questions for {policy.power:.0%}": size.needed or "",
            "loss that is stopped": "" if size.seen is None else size.seen,
            "when undecided": policy.when_undecided(size.unit),
        }
        for size in sizes(counts, policy)
    ]


def wanted(unit: str, policy: GatePolicy, most: int) -> int:
    """How many questions a unit should have for the policy's power, at most `most`."""
    needed = questions_needed(policy.margin_of(unit), policy.alpha_of(unit), policy.differing, policy.power)
    return most if needed is None else min(most, needed)
