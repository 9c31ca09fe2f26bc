"""What follows from findings: retrain, write an article, ask a person, or wait. A pure function with its figures.

Only many different questions that are answered badly retrain, and only where that pays: errors avoided, times their
value, against what a retraining was measured to cost. Why so: docs/decisions/findings.md.
"""

from collections.abc import Collection, Sequence
from datetime import date, timedelta

from llmops_assets.lib.records import (
    DecisionPolicy,
    DriftPolicy,
    Finding,
    FindingsReport,
    FindingVerdict,
    RetrainingDecision,
    Verdict,
)

RANK: tuple[Verdict, ...] = ("retrain", "ask", "write_article", "wait")
"""What is done first of what follows from several findings."""
BY_HAND = {
    "attack": "somebody tries the assistant: look at what the guards stopped",
    "incident": "something has happened: a notice on the page helps, a retraining does not",
    "decide_feedback": "it is poison, or what is published is wrong now: `llmops feedback export` is for a person",
    "fix_retrieval": "an article is near and was not found: look at its questions and at the router",
}
"""What a person does about findings that no training helps against."""
NOTHING_HELPS = ("volume_only", "junk")


def decide(
    report: FindingsReport | None,
    alarms: Collection[date],
    trained_until: date | None,
    policy: DecisionPolicy,
    drift: DriftPolicy,
    *,
    cost: float | None = None,
    cured: float | None = None,
) -> RetrainingDecision:
    """What follows from the newest report.

    `alarms` are the days on which drift alarmed, `trained_until` is the last day that the serving release learned from,
    `cost` what a retraining was measured to cost (None: the policy's), `cured` the mean share of errors that earlier
    ones took away (None: the policy's).
    """
    if report is None:
        told = "no findings were reported yet: materialize findings for a day"
        return RetrainingDecision(verdict="wait", told=told)
    price = cost if cost else policy.retraining_cost
    share = policy.cure_share if cured is None else cured
    verdicts = tuple(
        _verdict(finding, report.day, alarms, trained_until, policy, drift, price, share)
        for finding in report.of("open", "learned")
    )
    if not verdicts:
        return RetrainingDecision(day=report.day, verdict="wait", told=f"{report.day}: no finding is open")
    first = min((v.verdict for v in verdicts), key=RANK.index)
    chosen = tuple(v for v in verdicts if v.verdict == first)
    told = "; ".join(f"{v.finding}: {v.told}" for v in chosen)
    return RetrainingDecision(
        day=report.day,
        verdict=first,
        told=f"{report.day}: {told}",
        findings=tuple(v.finding for v in chosen) if first == "retrain" else (),
        verdicts=verdicts,
    )


def _verdict(
    finding: Finding,
    today: date,
    alarms: Collection[date],
    trained_until: date | None,
    policy: DecisionPolicy,
    drift: DriftPolicy,
    cost: float,
    share: float,
) -> FindingVerdict:
    figures = {
        "questions": float(finding.total("questions")),
        "badly": float(finding.total("badly")),
        "different_badly": float(finding.different_badly),
        "senders": float(finding.senders),
        "errors_a_day": round(errors_a_day(finding, today), 4),
        "cost": cost,
    }
    figures["benefit"] = round(figures["errors_a_day"] * policy.horizon_days * share * policy.value_per_answer, 4)

    def says(verdict: Verdict, told: str) -> FindingVerdict:
        return FindingVerdict(finding=finding.id, verdict=verdict, told=told, figures=figures)

    if finding.state == "learned":
        return says(*_after_learning(finding, today, drift))
    if finding.action in BY_HAND:
        return says("ask", f"{finding.why}; {BY_HAND[finding.action]}")
    if finding.action in NOTHING_HELPS:
        return says("wait", finding.why)
    missing = [
        f"{count} of {needed} {what}"
        for count, needed, what in (
            (finding.different_badly, policy.minimum_questions, "different questions answered badly"),
            (finding.senders, policy.minimum_senders, "people"),
        )
        if count < needed
    ]
    if missing:
        return says("wait", f"only {' and '.join(missing)} so far")
    if finding.action == "write_article":
        return says("write_article", f"{finding.why}: `llmops findings export` is for editors")
    return says(*_retraining(finding, today, alarms, trained_until, policy, figures))


def _after_learning(finding: Finding, today: date, drift: DriftPolicy) -> tuple[Verdict, str]:
    """What follows where the serving release was made from a finding that is not cured yet."""
    learned, badly = finding.total("learned"), finding.total("learned_badly")
    told = f"{finding.learned_by} learned from it, {badly} of {learned} later questions were answered badly"
    assert finding.learned_until is not None
    settling = (today - finding.learned_until).days <= drift.settle_days
    if settling or badly <= drift.settled_share * learned:
        return "wait", f"{told}; it is closed when an interval shows that they are answered better"
    return "ask", f"{told}: another training of the same will not help"


def _retraining(
    finding: Finding,
    today: date,
    alarms: Collection[date],
    trained_until: date | None,
    policy: DecisionPolicy,
    figures: dict[str, float],
) -> tuple[Verdict, str]:
    """What follows where a retraining would help, and enough was seen."""
    waited = (today - finding.since).days
    pays = figures["benefit"] >= figures["cost"]
    told = (
        f"{finding.why}; {figures['benefit']:.2f} of errors avoided in {policy.horizon_days} days against "
        f"{figures['cost']:.2f} for a retraining"
    )
    if finding.refused is not None and (today - finding.refused.day).days < policy.retry_days:
        again = finding.refused.day + timedelta(days=policy.retry_days)
        step = finding.refused.next_step
        return "ask", f"{finding.refused.candidate} was refused ({finding.refused.reason}); {step}, or wait for {again}"
    if trained_until is not None and (today - trained_until).days <= policy.cool_down_days:
        return "wait", f"{told}; it cools down, since {trained_until} was just learned"
    if not pays:
        late = waited >= policy.maximum_wait_days and figures["errors_a_day"] > 0
        return ("ask", f"{told}: for {waited} days it has not paid") if late else ("wait", f"{told}: it does not pay")
    if not any(finding.since <= day <= today for day in alarms) and waited < policy.maximum_wait_days:
        return "wait", f"{told}; no alarm yet, without one it waits until day {policy.maximum_wait_days} (now {waited})"
    return "retrain", told


def errors_a_day(finding: Finding, today: date, over: int = 7) -> float:
    """Badly answered questions a day that no release learned from, over the last days since the finding began."""
    first = max(finding.since, today - timedelta(days=over - 1))
    badly = sum(one.badly - one.learned_badly for one in finding.days if first <= one.day <= today)
    return badly / ((today - first).days + 1)


def cure_share(findings: Sequence[Finding]) -> float | None:
    """Mean share of errors that retrainings took away, of findings that were cured; None where none was."""
    cures = [finding.cure for finding in findings if finding.cure is not None and finding.cure.before > 0]
    return sum(1 - cure.after / cure.before for cure in cures) / len(cures) if cures else None
