"""May the candidate replace the incumbent? The decision, with the evidence it can be computed from again."""

from collections.abc import Iterator

import dagster as dg

from llmops_assets.evaluation import evidence
from llmops_assets.evaluation.candidate import candidate
from llmops_assets.evaluation.quality_report import quality_report
from llmops_assets.evaluation.safety_report import safety_report
from llmops_assets.handover.claims import Claims
from llmops_assets.handover.display import bullets, intervals, table
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.handover.reading import read
from llmops_assets.lib import gate as gates
from llmops_assets.lib import html
from llmops_assets.lib.records import Candidate, GateDecision, QualityReport, SafetyReport, UseCase
from resources.lake.base import Lake

NAME = "gate"


@dg.asset(
    deps=["use_case", candidate, quality_report, safety_report],
    kinds={"html"},
    owners=["team:ml-engineering"],
    code_version="3",
    check_specs=[
        dg.AssetCheckSpec(
            "candidate_may_be_released",
            asset=NAME,
            blocking=True,
            description="It is shown to be not worse wherever the policy asks for that, and the floors are reached.",
        )
    ],
)
def gate(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """The decision per slice, group and whole, by paired tests against margins; a refusal is recorded as evidence too,
    and stops the rest. What waits for a person goes on with the job `approve`."""
    judged = read(context, "candidate", Candidate)
    entering = judged.release_id
    report = read(context, "quality_report", QualityReport)
    probes = read(context, "safety_report", SafetyReport)
    if not report.candidate.subject == probes.candidate == entering:
        raise dg.Failure(
            f"the candidate is {entering}, but judged was {report.candidate.subject} and probed {probes.candidate}: "
            "materialize quality_report and safety_report again",
            allow_retries=False,
        )
    claims = Claims(context)
    decision = evidence.decide(lake, report, probes, read(context, "use_case", UseCase))
    folder = f"evaluation/{NAME}/{decision.candidate}"
    files = {
        f"{folder}/{evidence.DECISION}": decision.model_dump_json(indent=1).encode(),
        f"{folder}/{evidence.REPORT}": report.model_dump_json().encode(),
        f"{folder}/{evidence.SAFETY}": probes.model_dump_json().encode(),
        f"{folder}/decision.html": html.gate(decision).encode(),
    }
    commit = publish(context, lake, files, candidate=decision.candidate, passed=decision.passed)
    stored = lake.uri(commit, f"{folder}/{evidence.REPORT}")
    record = decision.model_copy(update={"evidence": (stored, *decision.evidence)})
    claims.hold(
        "candidate_may_be_released",
        record.passed,
        gates.stopped(record),
        failed_slices=list(record.failed_slices),
    )
    drawn = html.drawn(record)
    yield materialized(
        context,
        record,
        lake=lake,
        ref=lake.uri(commit, f"{folder}/decision.html"),
        claims=claims,
        candidate=record.candidate,
        incumbent=record.incumbent or "",
        passed=record.passed,
        findings=list(judged.training.findings),
        failed_slices=list(record.failed_slices),
        status=record.status or "",
        reasons=bullets(record.reasons),
        promise=record.promise,
        figures={"intervals": intervals("difference to the incumbent", drawn)} if drawn else {},
        slices=table(rows_of(record)),
        inputs={"quality_report": report.report, "safety_report": probes.report},
    )
    yield from claims.results()


def rows_of(decision: GateDecision) -> list[dict[str, str | int | float]]:
    """A line per unit: what was measured, what is said of it, and what so many questions can see."""
    return [
        {
            "unit": d.slice,
            "questions": d.candidate.total,
            "candidate": round(d.candidate.accuracy, 3),
            "incumbent": round(d.incumbent.accuracy, 3) if d.incumbent else "",
            "won": d.won,
            "lost": d.lost,
            "interval": f"{d.low:+.3f} to {d.high:+.3f}" if d.incumbent else "",
            "margin": d.margin,
            "verdict": html.said(d),
            "p worse (Holm)": d.p_value,
            "an equal one is shown": d.power,
            "questions needed": d.needed or "",
            "loss that is stopped": "" if d.seen is None else d.seen,
        }
        for d in decision.slices
    ]
