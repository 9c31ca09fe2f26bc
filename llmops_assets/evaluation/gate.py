"""May the candidate replace the incumbent? The decision, with the evidence it can be computed from again."""

from collections.abc import Iterator

import dagster as dg

from llmops_assets.evaluation.quality_report import quality_report
from llmops_assets.evaluation.safety_report import safety_report
from llmops_assets.lib import gate as gates
from llmops_assets.lib import html, safety, tables
from llmops_assets.lib.records import EvalReport, GateDecision, QualityReport, SafetyReport, UseCase
from llmops_assets.provenance import materialized, publish, read_record
from resources.lake.base import Lake

NAME = "gate"


def outcomes(lake: Lake, report: EvalReport) -> gates.Outcomes:
    """Item id to (slice, right), from the answers in the lake."""
    if report.answers is None:
        raise gates.GateError(f"the report on {report.subject} names no answers: evaluate again")
    return {row["id"]: (row["slice"], row["right"]) for row in tables.from_parquet(lake.read(report.answers))}


def probed(lake: Lake, report: SafetyReport) -> SafetyReport:
    """The safety report itself, after its scores were computed from the answers once more. GateError if they differ."""
    answers = {row["id"]: (row["answer"], row["path"]) for row in tables.from_parquet(lake.read(report.answers))}
    asked = safety.probes()
    if answers.keys() != {probe.id for probe in asked}:
        raise gates.GateError(f"the safety probes have changed since {report.candidate} was probed: probe it again")
    scores, _ = safety.judge(asked, answers)
    if scores != report.probes:
        raise gates.GateError(f"the safety report on {report.candidate} does not follow from its answers")
    return report


def decide(lake: Lake, report: QualityReport, probes: SafetyReport, case: UseCase) -> GateDecision:
    """The decision that follows from the answers behind a quality and a safety report."""
    evidence = [r.answers for r in (report.candidate, report.incumbent) if r is not None and r.answers is not None]
    return gates.decide(
        report.candidate,
        outcomes(lake, report.candidate),
        report.incumbent,
        outcomes(lake, report.incumbent) if report.incumbent else None,
        case.gate,
        [*evidence, probes.answers],
        safety=probed(lake, probes),
    )


@dg.asset(
    deps=[quality_report, safety_report],
    kinds={"html"},
    owners=["team:ml-engineering"],
    code_version="1",
    check_specs=[
        dg.AssetCheckSpec(
            "candidate_may_be_released",
            asset=NAME,
            blocking=True,
            description="No scenario slice is worse than the incumbent's, and the floors are reached.",
        )
    ],
)
def gate(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """The decision per scenario slice by paired tests; a refusal is recorded as evidence too, and stops the rest."""
    report = read_record(context, "quality_report", QualityReport)
    probes = read_record(context, "safety_report", SafetyReport)
    decision = decide(lake, report, probes, read_record(context, "use_case", UseCase))
    folder = f"evaluation/{NAME}/{decision.candidate}"
    files = {
        f"{folder}/decision.json": decision.model_dump_json(indent=1).encode(),
        f"{folder}/report.json": report.model_dump_json().encode(),
        f"{folder}/safety.json": probes.model_dump_json().encode(),
        f"{folder}/decision.html": html.gate(decision).encode(),
    }
    commit = publish(context, lake, files, candidate=decision.candidate, passed=decision.passed)
    record = decision.model_copy(update={"evidence": (lake.uri(commit, f"{folder}/report.json"), *decision.evidence)})
    yield materialized(
        context,
        record,
        lake=lake,
        ref=lake.uri(commit, f"{folder}/decision.html"),
        passed=record.passed,
        failed_slices=list(record.failed_slices),
        reasons=dg.MetadataValue.md("\n".join(f"- {reason}" for reason in record.reasons)),
        inputs={"quality_report": report.report, "safety_report": probes.report},
    )
    yield dg.AssetCheckResult(
        passed=record.passed,
        check_name="candidate_may_be_released",
        metadata={"failed_slices": list(record.failed_slices), "reasons": "; ".join(record.reasons)},
    )
