"""May a candidate replace the incumbent? Not being worse is shown per unit, by paired tests on the same questions.

A unit is a scenario slice, a group of slices, or all questions. The decision carries its evidence, and `verify`
computes it again from there: a flag alone opens nothing. Why these rules, and how often they err:
docs/decisions/gate.md.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.evalsuite import SLICES
from llmops_assets.lib.judging.safety import MEMORISATION
from llmops_assets.lib.records import (
    FAILURE,
    KNOWN_FAILURES,
    OVERALL,
    RECENT,
    RULES_VERSION,
    EvalReport,
    GateDecision,
    GatePolicy,
    LakeRef,
    SafetyReport,
    SliceDecision,
    SliceScore,
)
from llmops_assets.lib.sizing import size, units
from llmops_assets.lib.statistics import holm, paired_interval, paired_p, wilson

Outcomes = Mapping[str, tuple[str, bool | None]]
"""Item id to (slice, right); None where no scorer could say."""


class GateError(LlmopsError, ValueError):
    """The evidence does not allow a decision, or does not support the one that was recorded."""


@dataclass(frozen=True)
class Evidence:
    """What a rule may look at: both reports, the paired comparison per slice and group and overall, the probes."""

    candidate: EvalReport
    incumbent: EvalReport | None
    policy: GatePolicy
    slices: tuple[SliceDecision, ...]
    overall: SliceDecision
    safety: SafetyReport | None

    @property
    def units(self) -> tuple[SliceDecision, ...]:
        """Slices, groups, and all questions."""
        return (*self.slices, self.overall)


Finding = tuple[str, str]
"""What failed (a unit, or a name of the rule's own) and a sentence that says by how much."""


def no_unit_is_worse(found: Evidence) -> Iterator[Finding]:
    """No slice, group or whole is worse, and none stays undecided that the policy does not let pass or ask about."""
    yield from ((d.slice, _sentence(d)) for d in found.units if d.action in ("blocks", "collects"))


def the_floor_is_reached(found: Evidence) -> Iterator[Finding]:
    """The share of right answers overall reaches the policy's minimum."""
    accuracy, floor = found.overall.candidate.accuracy, found.policy.minimum_accuracy
    if accuracy < floor:
        yield OVERALL, f"overall accuracy {accuracy:.2f} is below the floor {floor:.2f}"


def required_improvements_are_shown(found: Evidence) -> Iterator[Finding]:
    """On every unit that the policy names the candidate is better than the incumbent."""
    by_name = {d.slice: d for d in found.units}
    for name in found.policy.improve if found.incumbent else ():
        if (unit := by_name.get(name)) is None:
            yield name, f"{name}: it must be better, but the suite has no questions of it"
        elif unit.p_better > found.policy.alpha_of(name):
            yield name, f"{_measured(unit)}: it must be better, p = {unit.p_better:.4f}"


def answers_come_in_time(found: Evidence) -> Iterator[Finding]:
    """The mean time to an answer is within what the policy allows, as a multiple of the incumbent's."""
    most = found.policy.maximum_slowdown
    if most is None or found.incumbent is None:
        return
    mine, other = (report.seconds / report.overall.total for report in (found.candidate, found.incumbent))
    if mine > most * other:
        yield (
            "latency",
            f"{mine:.2f} s an answer against {other:.2f} s of the incumbent, at most {most:g} times as long",
        )


def answers_stay_affordable(found: Evidence) -> Iterator[Finding]:
    """The mean time of the engine for an answer is within what the policy allows, as a multiple of the incumbent's.

    The engine is what is paid for, by the hour or by what it writes; an answer out of an article costs nothing.
    """
    most = found.policy.maximum_cost
    if most is None or found.incumbent is None:
        return
    spent = [report.engine_seconds for report in (found.candidate, found.incumbent)]
    if None in spent:
        yield "cost", "an earlier version evaluated, which did not count the time of the engine: evaluate again"
        return
    mine, other = ((s or 0.0) / found.candidate.overall.total for s in spent)
    if mine > most * other:
        yield (
            "cost",
            f"{mine:.2f} s of the engine for an answer against {other:.2f} s of the incumbent, at most {most:g} times "
            "as much",
        )


def probes_are_withstood(found: Evidence) -> Iterator[Finding]:
    """Of every kind of safety probes the policy's share is passed; memorisation has a limit of its own."""
    for kind, passed in sorted(found.safety.probes.items()) if found.safety else ():
        floor = found.policy.safety_floor(kind)
        if kind != MEMORISATION and passed.accuracy < floor:
            yield (
                f"safety: {kind}",
                f"safety probes of kind {kind}: {passed.right} of {passed.total} passed, at least {floor:.0%} must",
            )
    asked = set(found.safety.probes) if found.safety else set()
    for kind in sorted(set(found.policy.safety_floors) - asked) if found.safety else ():
        yield f"safety: {kind}", f"the policy has a floor for safety probes of kind {kind}, but none were asked"


def what_was_learned_is_kept(found: Evidence) -> Iterator[Finding]:
    """Of the canaries among its training rows the model gives back at most the policy's share."""
    kept = found.safety.probes.get(MEMORISATION) if found.safety else None
    if kept is not None and 1 - kept.accuracy > found.policy.maximum_extraction:
        told = extracted(kept)
        yield f"safety: {MEMORISATION}", f"{told}, at most {found.policy.maximum_extraction:.0%} may be"


def extracted(kept: SliceScore) -> str:
    """How many canaries a model gave back, with the 95 % interval of the share."""
    given = kept.total - kept.right
    low, high = wilson(given, kept.total)
    return (
        f"{given} of {kept.total} canaries of the training rows were given back "
        f"({given / kept.total:.0%}, {low:.0%} to {high:.0%})"
    )


RULES: tuple[Callable[[Evidence], Iterable[Finding]], ...] = (
    no_unit_is_worse,
    the_floor_is_reached,
    required_improvements_are_shown,
    answers_come_in_time,
    answers_stay_affordable,
    probes_are_withstood,
    what_was_learned_is_kept,
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
    hashes: Mapping[str, str] | None = None,
) -> GateDecision:
    """Decide from the answers' outcomes. GateError when they do not allow a decision.

    The candidate passes when no rule of RULES finds anything, and nobody is to be asked. Each unit is tested at its own
    level for not being worse (all must hold: an intersection-union test); what is called worse or better is adjusted by
    Holm over all units.
    """
    if safety is not None and safety.candidate != candidate.subject:
        raise GateError(f"the safety report is about {safety.candidate}, not {candidate.subject}: probe it again")
    _check(candidate, candidate_outcomes, incumbent, incumbent_outcomes, policy)
    units_of = units({name for name, _ in candidate_outcomes.values()}, policy)
    rows = [_compare(name, of, candidate_outcomes, incumbent_outcomes) for name, of in units_of.items()]
    worse = holm([paired_p(row.lost, row.won, row.score.total, 0.0) if row.other else 1.0 for row in rows])
    better = [paired_p(row.won, row.lost, row.score.total, 0.0) if row.other else 1.0 for row in rows]
    judged = tuple(_judge(*row, policy) for row in zip(rows, worse, better, holm(better), strict=True))
    found = Evidence(candidate, incumbent, policy, judged[:-1], judged[-1], safety)
    findings = [finding for rule in RULES for finding in rule(found)]
    asked = [(d.slice, _sentence(d)) for d in judged if d.action == "asks"]
    if not findings and not asked and policy.approval == "required":
        asked = [("approval", f"{_praise(found)}; the policy wants a person's approval of every release")]
    stated = findings or asked
    return GateDecision(
        passed=not stated,
        status="blocked" if findings else "waiting" if asked else "passed",
        candidate=candidate.subject,
        incumbent=incumbent.subject if incumbent else None,
        policy=policy,
        slices=judged,
        safety=safety.probes if safety else {},
        failed_slices=tuple(dict.fromkeys(name for name, _ in stated)),
        reasons=tuple(reason for _, reason in stated) or (_praise(found),),
        evidence=tuple(evidence),
        promise=_promise(found),
        hashes=dict(hashes or {}),
        rules=RULES_VERSION,
    )


def verify(decision: GateDecision, again: GateDecision, candidate: str, incumbent: str | None) -> None:
    """Raise GateError unless the decision is about these releases, by these rules, and follows from its evidence.

    `again` is the decision computed afresh from the answers that the evidence names. Whether it may be released is not
    said here: it passed, or a person approved it.
    """
    if decision.candidate != candidate:
        raise GateError(f"the gate decided about {decision.candidate}, not about {candidate}: run quality_report again")
    if decision.incumbent != incumbent:
        raise GateError(
            f"the gate compared with {decision.incumbent}, but {incumbent} is serving now: run quality_report again"
        )
    if decision.rules != again.rules:
        raise GateError(
            f"{candidate} was judged by version {decision.rules} of the gate's rules, these are version {again.rules}: "
            "materialize gate again"
        )
    if changed := [name for name, value in again.hashes.items() if decision.hashes.get(name) != value]:
        raise GateError(
            f"the gate's decision does not follow from its evidence: {', '.join(changed)} changed since then"
        )
    if decision.digest != again.digest:
        raise GateError("the gate's decision does not follow from its evidence: it was changed, or the evidence was")


def stopped(decision: GateDecision) -> str:
    """Why a candidate that was not let through stays where it is, and what to do."""
    told = "; ".join(decision.reasons)
    if decision.status == "waiting":
        name = decision.candidate
        return f"{name} waits for a person: {told}. `llmops approve {name} --reason …`, or `llmops reject {name} …`"
    return f"the gate stopped {decision.candidate}: {told}"


def _check(
    candidate: EvalReport,
    candidate_outcomes: Outcomes,
    incumbent: EvalReport | None,
    incumbent_outcomes: Outcomes | None,
    policy: GatePolicy,
) -> None:
    """GateError where reports and answers, both sides, or suite and policy do not fit each other."""
    _same(candidate, candidate_outcomes)
    if (incumbent is None) != (incumbent_outcomes is None):
        raise GateError("there are answers or a report of an incumbent, but not both: evaluate the incumbent again")
    if incumbent is not None and incumbent_outcomes is not None:
        _same(incumbent, incumbent_outcomes)
        if candidate.suite.digest != incumbent.suite.digest or candidate_outcomes.keys() != incumbent_outcomes.keys():
            raise GateError("candidate and incumbent were asked different questions: evaluate both on one suite")
    if (count := len(candidate_outcomes)) < policy.minimum_questions:
        raise GateError(
            f"the suite has {count} questions, gate.minimum_questions of the use case is {policy.minimum_questions}: "
            "give the articles more held-out questions"
        )
    slices = {name for name, _ in candidate_outcomes.values()}
    traffic = {RECENT, KNOWN_FAILURES, *(name for name in policy.named if name.startswith(FAILURE))}
    if unknown := sorted(policy.named.difference(slices, SLICES, traffic)):
        raise GateError(
            f"the gate's policy in the use case names {', '.join(unknown)}, but the suite has only "
            f"{', '.join(sorted(slices))}: write the name as the suite does, or take it out"
        )


def _same(report: EvalReport, outcomes: Outcomes) -> None:
    right, total = sum(ok is True for _, ok in outcomes.values()), len(outcomes)
    if (report.overall.right, report.overall.total) != (right, total) or total == 0:
        raise GateError(
            f"the report on {report.subject} says {report.overall.right} of {report.overall.total}, its answers "
            f"{right} of {total}: evaluate again"
        )


@dataclass(frozen=True)
class _Compared:
    """A unit's scores, the questions that one side alone answered right, and those that could not be graded."""

    name: str
    of: tuple[str, ...]
    score: SliceScore
    other: SliceScore | None = None
    won: int = 0
    lost: int = 0
    ungraded: int = 0


def _compare(name: str, of: tuple[str, ...], candidate: Outcomes, incumbent: Outcomes | None) -> _Compared:
    ids = [i for i, (slice_, _) in candidate.items() if slice_ in of]
    score = SliceScore(right=sum(candidate[i][1] is True for i in ids), total=len(ids))
    if incumbent is None:
        return _Compared(name, of, score, ungraded=sum(candidate[i][1] is None for i in ids))
    pairs = [(candidate[i][1], incumbent[i][1]) for i in ids]
    other = SliceScore(right=sum(theirs is True for _, theirs in pairs), total=len(ids))
    won, lost = pairs.count((True, False)), pairs.count((False, True))
    return _Compared(name, of, score, other, won, lost, sum(None in pair for pair in pairs))


def _judge(row: _Compared, p_worse: float, p_better: float, p_best: float, policy: GatePolicy) -> SliceDecision:
    """The verdict on a unit, and what it does. `p_worse` and `p_best` (of not being better) are adjusted over all."""
    margin, alpha, total = policy.margin_of(row.name), policy.alpha_of(row.name), row.score.total
    about = size(row.name, total, policy)
    unit = SliceDecision(
        slice=row.name,
        of=row.of if row.name in policy.groups else (),
        candidate=row.score,
        incumbent=row.other,
        verdict="new",
        margin=margin,
        alpha=alpha,
        power=about.power,
        needed=about.needed,
        seen=about.seen,
        ungraded=row.ungraded,
    )
    if row.ungraded:
        # What a broken scorer hides must not pass as undecided and accepted.
        asks = policy.when_undecided(row.name) == "ask"
        unit = unit.model_copy(update={"verdict": "undecided", "action": "asks" if asks else "blocks"})
    if row.other is None:
        return unit
    p_not_worse = paired_p(row.won, row.lost, total, margin)
    low, high = paired_interval(row.won, row.lost, total, alpha)
    if row.ungraded:
        verdict, action = unit.verdict, unit.action
    elif p_not_worse <= alpha:
        verdict, action = "better" if p_best <= policy.alpha else "not_worse", "passes"
    elif p_worse <= policy.alpha:
        verdict, action = "worse", "blocks"
    else:
        verdict, action = "undecided", _undecided(row, margin, policy)
    return unit.model_copy(
        update={
            "won": row.won,
            "lost": row.lost,
            "p_value": round(p_worse, 6),
            "p_not_worse": round(p_not_worse, 6),
            "p_better": round(p_better, 6),
            "low": round(low, 4),
            "high": round(high, 4),
            "verdict": verdict,
            "action": action,
        }
    )


def _undecided(row: _Compared, margin: float, policy: GatePolicy) -> str:
    """What an undecided unit does; accepted is only a measured loss within the margin, of a watched one what may be
    chance."""
    what = policy.when_undecided(row.name)
    within = row.lost - row.won <= margin * row.score.total + 1e-9
    if policy.watches(row.name):
        within = paired_p(row.lost, row.won, row.score.total, 0.0) > policy.alpha_of(row.name)
    return {"block": "blocks", "ask": "asks", "collect": "collects", "accept": "accepted" if within else "blocks"}[what]


def _promise(found: Evidence) -> str:
    """What passing means, and how often it is wrong."""
    if found.incumbent is None:
        return "A first release is compared with nothing: it reaches the floors."
    decide = [d for d in found.units if found.policy.when_undecided(d.slice) != "accept"]
    stated = ", ".join(f"{d.slice} {d.margin:g}" for d in decide)
    text = (
        f"A candidate that loses the margin or more on a unit that decides ({stated}) passes in at most "
        f"{max((d.alpha for d in decide), default=found.policy.alpha):.1%} of cases. An equal one is called worse "
        f"anywhere in at most {found.policy.alpha:.1%}."
    )
    accepted = [d for d in found.units if d.action == "accepted"]
    blind = ", ".join(f"{d.slice} ({d.candidate.total} questions: {_loss_seen(d)})" for d in accepted)
    return f"{text} Undecided and accepted by the policy, smaller losses unseen: {blind}." if accepted else text


def _loss_seen(unit: SliceDecision) -> str:
    return (
        "no loss is sure to be seen" if unit.seen is None else f"losses from {100 * unit.seen:.0f} points on are seen"
    )


def _praise(found: Evidence) -> str:
    if found.incumbent is None:
        accuracy, floor = found.overall.candidate.accuracy, found.policy.minimum_accuracy
        return f"first release: accuracy {accuracy:.2f} reaches the floor {floor:.2f}"
    named = {verdict: [d.slice for d in found.units if d.verdict == verdict] for verdict in ("better", "undecided")}
    better, undecided = (", ".join(named[verdict]) for verdict in ("better", "undecided"))
    told = f"not worse where it is decided; better on {better}" if better else "not worse where it is decided"
    return f"{told}; undecided and accepted: {undecided}" if undecided else told


def _sentence(unit: SliceDecision) -> str:
    if unit.ungraded:
        return f"{unit.slice}: undecided, {unit.ungraded} of {unit.candidate.total} questions could not be graded"
    if unit.verdict == "worse":
        return f"{_measured(unit)}: worse, p = {unit.p_value:.4f}"
    said = {
        "blocks": "undecided, and the policy stops that",
        "asks": "undecided, a person decides",
        "collects": f"undecided, {_more(unit)}",
    }[unit.action]
    if unit.action == "blocks" and -unit.difference > unit.margin:
        said = "undecided, but the measured loss is above the margin"
    return f"{_measured(unit)}: {said}; the loss may be {-unit.low:.2f}, the margin is {unit.margin:g}"


def _more(unit: SliceDecision) -> str:
    if unit.needed is None or unit.needed <= unit.candidate.total:
        return "more questions are needed"
    return f"{unit.needed - unit.candidate.total} more questions are needed"


def _measured(unit: SliceDecision) -> str:
    before = unit.incumbent.accuracy if unit.incumbent else 0.0
    return (
        f"{unit.slice}: {unit.candidate.accuracy:.2f} against {before:.2f} of the incumbent on {unit.candidate.total} "
        f"questions ({unit.won} won, {unit.lost} lost)"
    )
