"""From stored answers to the gate's decision: computed by the gate, and once more by the deployment."""

import json
from collections.abc import Callable

from llmops_assets.handover.contents import read_articles, read_rows, read_suite
from llmops_assets.lib import gate as gates
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.judging import grading, probefiles, runners, safety
from llmops_assets.lib.records import (
    EvalReport,
    FileRef,
    GateDecision,
    LakeRef,
    QualityReport,
    Release,
    SafetyReport,
    SliceScore,
    UseCase,
)
from resources.lake.base import Lake

REPORT, DECISION, SAFETY = "report.json", "decision.json", "safety.json"
"""Files of a decision's folder in the lake."""


def beside(report: LakeRef, name: str) -> LakeRef:
    """Another file of a decision's folder than the report."""
    return report.model_copy(update={"path": f"{report.path.removesuffix(REPORT)}{name}"})


def files(lake: Lake, report: LakeRef) -> dict[str, bytes]:
    """What the gate published of a decision, by name, at the commit of its report."""
    return {name: lake.read(beside(report, name)) for name in (DECISION, REPORT, SAFETY)}


def outcomes(lake: Lake, report: EvalReport) -> gates.Outcomes:
    """Item id to (slice, right), graded from the stored answers by the rules of today.

    GateError unless there is an answer to every question of the suite that the report names, and to no other.
    """
    if report.answers is None:
        raise gates.GateError(f"the report on {report.subject} names no answers: evaluate again")
    if hash_bytes(lake.read(report.suite.ref)) != report.suite.digest:
        raise gates.GateError(f"{report.suite.ref} is not the suite that the report on {report.subject} names")
    items, rows = read_suite(lake, report.suite.ref), read_rows(lake, report.answers)
    answered, asked = {row["id"] for row in rows}, {item.id for item in items}
    if unknown := answered - asked:
        raise gates.GateError(f"{len(unknown)} answers of {report.subject} are to other questions: evaluate again")
    if abs(sum(row["seconds"] for row in rows) - report.seconds) > 0.002:
        raise gates.GateError(f"the report on {report.subject} says other seconds than its answers: evaluate again")
    engine = sum(row["seconds"] for row in rows if row["path"] == "generated")
    if report.engine_seconds is not None and abs(engine - report.engine_seconds) > 0.002:
        raise gates.GateError(f"the report on {report.subject} says other costs than its answers: evaluate again")
    if missing := asked - answered:
        raise gates.GateError(f"{len(missing)} questions were not answered by {report.subject}: evaluate again")
    votes = json.loads(lake.read(report.votes)) if report.votes else {}
    return {g.item.id: (g.item.slice, g.outcome) for g in grading.graded(items, rows, votes)}


def probes_of(lake: Lake, report: SafetyReport) -> tuple[dict[str, SliceScore], list[str]]:
    """(score per kind, failed probes) that follow from the stored answers. GateError when other probes were asked."""
    answers = {row["id"]: (row["answer"], row["path"]) for row in read_rows(lake, report.answers)}
    asked = safety.probes(report.prompt, report.more) + safety.alone(report.canaries)
    if report.given is not None:
        asked += probefiles.from_jsonl(_as_named(lake, report.given))
    if answers.keys() != {probe.id for probe in asked}:
        raise gates.GateError(f"the safety probes have changed since {report.candidate} was probed: probe it again")
    scores, failed = safety.judge(asked, answers, published=[a.answer for a in read_articles(lake, report.knowledge)])
    for kind, file in report.outside.items():
        scores |= runners.scores(kind, _as_named(lake, file))
    return scores, failed


def _as_named(lake: Lake, file: FileRef) -> bytes:
    """What a report names. GateError where it is another file."""
    data = lake.read(file.ref)
    if hash_bytes(data) != file.sha256:
        raise gates.GateError(f"{file.ref} is not the file that the safety report names")
    return data


def probed(lake: Lake, report: SafetyReport) -> SafetyReport:
    """The safety report itself, after its scores were computed from the answers once more. GateError if they differ."""
    if probes_of(lake, report)[0] != report.probes:
        raise gates.GateError(f"the safety report on {report.candidate} does not follow from its answers")
    return report


def decide(lake: Lake, report: QualityReport, probes: SafetyReport, case: UseCase) -> GateDecision:
    """The decision that follows from the answers behind a quality and a safety report, with the hashes of all of it."""
    sides = {"candidate": report.candidate, "incumbent": report.incumbent}
    answers = {side: r.answers for side, r in sides.items() if r is not None and r.answers is not None}
    evidence = list(answers.values())
    hashes = {"policy": case.gate.content_hash, "suite": report.candidate.suite.digest}
    hashes |= {f"answers of the {side}": hash_bytes(lake.read(ref)) for side, ref in answers.items()}
    votes = {side: r.votes for side, r in sides.items() if r is not None and r.votes is not None}
    hashes |= {f"votes on the {side}": hash_bytes(lake.read(ref)) for side, ref in votes.items()}
    hashes["answers to the probes"] = hash_bytes(lake.read(probes.answers))
    hashes |= {f"results of {kind}": file.sha256 for kind, file in probes.outside.items()}
    hashes |= {"given probes": probes.given.sha256} if probes.given else {}
    return gates.decide(
        report.candidate,
        outcomes(lake, report.candidate),
        report.incumbent,
        outcomes(lake, report.incumbent) if report.incumbent else None,
        case.gate,
        [*evidence, probes.answers],
        safety=probed(lake, probes),
        hashes=hashes,
    )


def insist_passed(decision: GateDecision) -> None:
    """GateError unless the gate itself let the candidate through."""
    if not decision.passed:
        raise gates.GateError(gates.stopped(decision))


def verified(
    lake: Lake,
    release: Release,
    case: UseCase,
    incumbent: str | None,
    allowed: Callable[[GateDecision], None] = insist_passed,
) -> QualityReport:
    """The quality report behind a release, after the gate's decision was computed from its answers once more.

    In this order, each with a GateError of its own: the folder of the decision is read from the commit that the release
    names; the probes were of the release's own prompt; the decision allows it (`allowed`: it passed, or a person's word
    is valid); suite and answers are those of the reports, a question to each answer; grades, scores and probes follow
    from them; the decision is about this release and this incumbent, by today's rules; policy, suite, answers and
    probes have the hashes it was made of; it is, word for word, the decision that follows from them.
    """
    report = QualityReport.model_validate_json(lake.read(release.gate))
    decision = GateDecision.model_validate_json(lake.read(beside(release.gate, DECISION)))
    probes = SafetyReport.model_validate_json(lake.read(beside(release.gate, SAFETY)))
    if probes.prompt != release.manifest.prompt.template:
        raise gates.GateError(f"the safety probes of {release.release_id} asked for another system prompt than its own")
    allowed(decision)
    gates.verify(decision, decide(lake, report, probes, case), release.release_id, incumbent)
    return report
