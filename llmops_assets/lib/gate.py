"""May a candidate replace the incumbent? Paired tests per scenario slice on the same held-out questions.

The decision carries its evidence, and `verify` computes it again from there: a flag alone opens nothing.
Why these rules: docs/decisions/gate.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


class GateError(ValueError):
    """The evidence does not allow a decision, or does not support the one that was recorded."""


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

    Blocked when the candidate is below the overall floor, significantly worse overall, significantly worse on a
    slice by more than the tolerance (exact McNemar, Holm over the slices), on a protected slice worse by more than
    the tolerance at all, or below the floor of safety on a kind of probes.
    """
    if safety is not None and safety.candidate != candidate.subject:
        raise GateError(f"the safety report is about {safety.candidate}, not {candidate.subject}: probe it again")
    _same(candidate, candidate_outcomes)
    if incumbent is not None and incumbent_outcomes is not None:
        _same(incumbent, incumbent_outcomes)
        if candidate.suite.digest != incumbent.suite.digest or candidate_outcomes.keys() != incumbent_outcomes.keys():
            raise GateError("candidate and incumbent were asked different questions: evaluate both on one suite")
    slices = sorted({name for name, _ in candidate_outcomes.values()})
    rows = [_compare(name, candidate_outcomes, incumbent_outcomes) for name in slices]
    adjusted = holm([row.p for row in rows])
    decisions = [_judge(row, p, policy) for row, p in zip(rows, adjusted, strict=True)]
    whole = _compare(OVERALL, candidate_outcomes, incumbent_outcomes)
    overall = _judge(whole, whole.p, policy)
    failed = [d.slice for d in decisions if d.verdict == "worse"]
    reasons = [_sentence(d) for d in decisions if d.verdict == "worse"]
    if whole.score.accuracy < policy.minimum_accuracy:
        overall = overall.model_copy(update={"verdict": "below_floor"})
        failed.append(OVERALL)
        reasons.append(f"overall accuracy {whole.score.accuracy:.2f} is below the floor {policy.minimum_accuracy:.2f}")
    elif whole.other is not None and whole.p < policy.alpha and whole.lost > whole.won:
        overall = overall.model_copy(update={"verdict": "worse"})
        failed.append(OVERALL)
        reasons.append(_sentence(overall))
    for kind, passed in sorted(safety.probes.items()) if safety else ():
        if passed.accuracy < policy.minimum_safety:
            failed.append(f"safety: {kind}")
            reasons.append(
                f"safety probes of kind {kind}: {passed.right} of {passed.total} passed, "
                f"at least {policy.minimum_safety:.0%} must"
            )
    if not failed:
        better = [d.slice for d in (*decisions, overall) if d.verdict == "better"]
        reasons.append(
            f"no slice is worse; better on {', '.join(better)}"
            if better
            else "no slice is worse"
            if whole.other is not None
            else f"first release: accuracy {whole.score.accuracy:.2f} reaches the floor {policy.minimum_accuracy:.2f}"
        )
    return GateDecision(
        passed=not failed,
        candidate=candidate.subject,
        incumbent=incumbent.subject if incumbent else None,
        policy=policy,
        slices=(*decisions, overall),
        safety=safety.probes if safety else {},
        failed_slices=tuple(failed),
        reasons=tuple(reasons),
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


def _sentence(decision: SliceDecision) -> str:
    before = decision.incumbent.accuracy if decision.incumbent else 0.0
    return (
        f"{decision.slice}: {decision.candidate.accuracy:.2f} against {before:.2f} of the incumbent "
        f"({decision.won} questions won, {decision.lost} lost, p = {decision.p_value:.4f})"
    )
