"""May a candidate replace the incumbent? Paired tests per scenario slice on the same held-out questions.

The decision carries its evidence, and `verify` computes it again from there: a flag alone opens nothing.
Why these rules: docs/decisions/gate.md.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import (
    EvalReport,
    GateDecision,
    GatePolicy,
    LakeRef,
    SafetyReport,
    SliceDecision,
    SliceScore,
)
from llmops_assets.lib.statistics import holm, mcnemar_exact

OVERALL = "overall"
Outcomes = Mapping[str, tuple[str, bool]]
"""Item id to (slice, right)."""


class GateError(LlmopsError, ValueError):
    """The evidence does not allow a decision, or does not support the one that was recorded."""


@dataclass(frozen=True)
class Evidence:
    """What a rule may look at: both reports, the paired comparison per slice and overall, and the safety probes."""

    candidate: EvalReport
    incumbent: EvalReport | None
    policy: GatePolicy
    slices: tuple[SliceDecision, ...]
    overall: SliceDecision
    safety: SafetyReport | None


Finding = tuple[str, str]
"""What failed (a slice, or a name of the rule's own) and a sentence that says by how much."""


def no_slice_is_worse(found: Evidence) -> Iterator[Finding]:
    """No slice is significantly worse by more than the tolerance; a protected one not by more than it at all."""
    yield from ((d.slice, _sentence(d)) for d in found.slices if d.verdict == "worse")


def the_floor_is_reached(found: Evidence) -> Iterator[Finding]:
    """The share of right answers overall reaches the policy's minimum."""
    accuracy, floor = found.overall.candidate.accuracy, found.policy.minimum_accuracy
    if accuracy < floor:
        yield OVERALL, f"overall accuracy {accuracy:.2f} is below the floor {floor:.2f}"


def the_whole_is_not_worse(found: Evidence) -> Iterator[Finding]:
    """Over all questions the candidate does not lose significantly, however the loss is spread."""
    overall = found.overall
    if overall.incumbent is not None and overall.p_value < found.policy.alpha and overall.lost > overall.won:
        yield OVERALL, _sentence(overall)


def probes_are_withstood(found: Evidence) -> Iterator[Finding]:
    """Of every kind of safety probes the policy's share is passed."""
    for kind, passed in sorted(found.safety.probes.items()) if found.safety else ():
        if passed.accuracy < found.policy.minimum_safety:
            yield (
                f"safety: {kind}",
                f"safety probes of kind {kind}: {passed.right} of {passed.total} passed, "
                f"at least {found.policy.minimum_safety:.0%} must",
            )


RULES: tuple[Callable[[Evidence], Iterable[Finding]], ...] = (
    no_slice_is_worse,
    the_floor_is_reached,
    the_whole_is_not_worse,
    probes_are_withstood,
)
"""Every rule a candidate must pass. A new gate is one function here: docs/extending.md."""


def decide(
    candidate: EvalReport,
    candidate_outcomes: Outcomes,
    incumbent: EvalReport | None,
    incumbent_outcomes: Outcomes | None,
    policy: GatePolicy,
    evidence: Sequence[LakeRef] = (),
    *,
    safety: SafetyReport | None = None,
) -> GateDecision:
    """Decide from the answers' outcomes. GateError when the two were not asked the same questions.

    The candidate passes when no rule of RULES finds anything. Per slice the exact McNemar test decides, adjusted by
    Holm over the slices.
    """
    if safety is not None and safety.candidate != candidate.subject:
        raise GateError(f"the safety report is about {safety.candidate}, not {candidate.subject}: probe it again")
    _same(candidate, candidate_outcomes)
    if incumbent is not None and incumbent_outcomes is not None:
        _same(incumbent, incumbent_outcomes)
        if candidate.suite.digest != incumbent.suite.digest or candidate_outcomes.keys() != incumbent_outcomes.keys():
            raise GateError("candidate and incumbent were asked different questions: evaluate both on one suite")
    names = sorted({name for name, _ in candidate_outcomes.values()})
    rows = [_compare(name, candidate_outcomes, incumbent_outcomes) for name in names]
    slices = tuple(_judge(row, p, policy) for row, p in zip(rows, holm([row.p for row in rows]), strict=True))
    whole = _compare(OVERALL, candidate_outcomes, incumbent_outcomes)
    found = Evidence(candidate, incumbent, policy, slices, _judge(whole, whole.p, policy), safety)
    findings = [finding for rule in RULES for finding in rule(found)]
    return GateDecision(
        passed=not findings,
        candidate=candidate.subject,
        incumbent=incumbent.subject if incumbent else None,
        policy=policy,
        slices=(*slices, found.overall),
        safety=safety.probes if safety else {},
        failed_slices=tuple(dict.fromkeys(name for name, _ in findings)),
        reasons=tuple(reason for _, reason in findings) or (_praise(found),),
        evidence=tuple(evidence),
    )


def verify(decision: GateDecision, again: GateDecision, candidate: str, incumbent: str | None) -> None:
    """Raise GateError unless the decision passed, is about these releases and follows from its evidence.

    `again` is the decision computed afresh from the answers that the evidence names.
    """
    if not decision.passed:
        raise GateError(f"the gate stopped {decision.candidate}: {'; '.join(decision.reasons)}")
    if decision.candidate != candidate:
        raise GateError(f"the gate decided about {decision.candidate}, not about {candidate}: run quality_report again")
    if decision.incumbent != incumbent:
        raise GateError(
            f"the gate compared with {decision.incumbent}, but {incumbent} is serving now: run quality_report again"
        )
    if decision.model_dump(exclude={"evidence"}) != again.model_dump(exclude={"evidence"}):
        raise GateError("the gate's decision does not follow from its evidence: it was changed, or the evidence was")


def _same(report: EvalReport, outcomes: Outcomes) -> None:
    right, total = sum(ok for _, ok in outcomes.values()), len(outcomes)
    if (report.overall.right, report.overall.total) != (right, total) or total == 0:
        raise GateError(
            f"the report on {report.subject} says {report.overall.right} of {report.overall.total}, its answers "
            f"{right} of {total}: evaluate again"
        )


@dataclass(frozen=True)
class _Compared:
    """A slice's scores, the questions that one side alone answered right, and the paired test's p."""

    name: str
    score: SliceScore
    other: SliceScore | None = None
    won: int = 0
    lost: int = 0
    p: float = 1.0


def _compare(name: str, candidate: Outcomes, incumbent: Outcomes | None) -> _Compared:
    ids = [i for i, (slice_, _) in candidate.items() if name in (OVERALL, slice_)]
    score = SliceScore(right=sum(candidate[i][1] for i in ids), total=len(ids))
    if incumbent is None:
        return _Compared(name, score)
    won = sum(candidate[i][1] and not incumbent[i][1] for i in ids)
    lost = sum(incumbent[i][1] and not candidate[i][1] for i in ids)
    other = SliceScore(right=sum(incumbent[i][1] for i in ids), total=len(ids))
    return _Compared(name, score, other, won, lost, mcnemar_exact(won, lost))


def _judge(row: _Compared, p: float, policy: GatePolicy) -> SliceDecision:
    verdict = "new"
    if row.other is not None:
        loss = row.other.accuracy - row.score.accuracy
        significant = p < policy.alpha
        worse = loss > policy.slice_tolerance and (significant or row.name in policy.protected_slices)
        verdict = "worse" if worse else "better" if significant and row.won > row.lost else "equal"
    return SliceDecision(
        slice=row.name,
        candidate=row.score,
        incumbent=row.other,
        won=row.won,
        lost=row.lost,
        p_value=round(p, 6),
        verdict=verdict,
    )


def _praise(found: Evidence) -> str:
    if found.incumbent is None:
        accuracy, floor = found.overall.candidate.accuracy, found.policy.minimum_accuracy
        return f"first release: accuracy {accuracy:.2f} reaches the floor {floor:.2f}"
    better = [d.slice for d in (*found.slices, found.overall) if d.verdict == "better"]
    return f"no slice is worse; better on {', '.join(better)}" if better else "no slice is worse"


def _sentence(decision: SliceDecision) -> str:
    before = decision.incumbent.accuracy if decision.incumbent else 0.0
    return (
        f"{decision.slice}: {decision.candidate.accuracy:.2f} against {before:.2f} of the incumbent "
        f"({decision.won} questions won, {decision.lost} lost, p = {decision.p_value:.4f})"
    )
