"""How good a candidate is, asked through a real gateway: per scenario slice, beside the incumbent and its own parts."""

from collections.abc import Mapping

import dagster as dg
from pydantic import Field

from llmops_assets.evaluation.asking import evaluator, measured
from llmops_assets.evaluation.candidate import candidate
from llmops_assets.handover import serving
from llmops_assets.handover.contents import read_suite
from llmops_assets.handover.display import pairs, table
from llmops_assets.handover.memory import Memory
from llmops_assets.handover.publishing import materialized, publish, run_tags
from llmops_assets.handover.reading import read
from llmops_assets.lib import evalsuite, html
from llmops_assets.lib.judging import jury
from llmops_assets.lib.judging import manifest as manifests
from llmops_assets.lib.records import Candidate, DatasetRef, EvalReport, QualityReport, UseCase
from llmops_assets.lib.sizing import lines, sizes
from resources.deployment_target import DeploymentTarget
from resources.lake.base import Lake
from resources.registry import Registry

NAME = "quality_report"
SHOWN = 60
"""Wrong answers on the report's page."""


class EvaluationConfig(dg.Config):
    """How much is asked."""

    ablations: bool = Field(True, description="also evaluate the base model and the parts of the candidate")
    ablation_items_per_slice: int = Field(6, ge=1, description="questions per slice of variants that always generate")


@dg.asset(
    deps=["use_case", candidate, "eval_suite"],
    kinds={"mlflow", "html"},
    owners=["team:ml-engineering"],
    code_version="3",
    pool="serving",
)
def quality_report(
    context: dg.AssetExecutionContext,
    config: EvaluationConfig,
    lake: dg.ResourceParam[Lake],
    registry: dg.ResourceParam[Registry],
    target: dg.ResourceParam[DeploymentTarget],
) -> dg.MaterializeResult:
    """Candidate and incumbent on the same held-out questions, and what the base model and each part contribute."""
    suite, entering = read(context, "eval_suite", DatasetRef), read(context, "candidate", Candidate)
    live = serving.find(context, lake)
    name = entering.release_id
    incumbent = live.release if live else None
    if incumbent is not None and incumbent.release_id == name:
        # What serves already was judged against the release that it replaced.
        incumbent = serving.published(lake, incumbent.incumbent) if incumbent.incumbent else None
    case = read(context, "use_case", UseCase)
    policy, agreed = case.gate, measured(lake, case.judge) if case.judge else None
    voting = (case.judge.content_hash, agreed and agreed.content_hash) if case.judge else None
    judged = (name, suite.digest, policy.content_hash, voting, incumbent.release_id if incumbent else None)
    memory = Memory(context, lake, config, *judged)
    if memory.result is not None:
        return memory.result
    target.start()
    items, evaluate = read_suite(lake, suite.ref), evaluator(context, lake, target, suite, case)
    few = evalsuite.sample([item for item in items if item.slice in evalsuite.SLICES], config.ablation_items_per_slice)
    variants = manifests.ablations(entering) if config.ablations else {}
    reports: dict[str, EvalReport] = {}
    reports["candidate"], graded = evaluate(name, entering.manifest, items)
    if incumbent is not None:
        reports["incumbent"], _ = evaluate(incumbent.release_id, incumbent.manifest, items)
    for variant, manifest in variants.items():
        # Where every answer is generated a sample says enough.
        asked = items if manifest.router == entering.manifest.router else few
        reports[variant], _ = evaluate(variant, manifest, asked)
    path = f"evaluation/{NAME}/{name}.html"
    seen = sizes(evalsuite.counts(items), policy)
    page = html.quality(reports, [g for g in graded if not g.right][:SHOWN], seen, policy.power)
    commit = publish(context, lake, {path: page.encode()}, candidate=name)
    record = QualityReport(
        candidate=reports["candidate"],
        incumbent=reports.get("incumbent"),
        ablations={variant: reports[variant] for variant in variants},
        report=lake.uri(commit, path),
    )
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.report,
        memory=memory,
        mlflow_run=dg.MetadataValue.url(tracked(context, registry, suite, record)),
        candidate=name,
        incumbent=incumbent.release_id if incumbent else "none: it would be the first release",
        figures=accuracies(reports),
        judge="none: the use case names none" if case.judge is None else jury.may_vote(case.judge, agreed) or "votes",
        kappa=agreed.kappa if agreed else "not measured",
        ungraded=sum(sum(report.ungraded.values()) for report in reports.values()),
        seen=table(lines(evalsuite.counts(items), policy)),
        slices=pairs("right answers by slice", by_slice(reports)),
        inputs={"eval_suite": suite.ref, "candidate": entering.manifest.content_hash},
    )


def tracked(context: dg.AssetExecutionContext, registry: Registry, suite: DatasetRef, record: QualityReport) -> str:
    """Log a report as an MLflow run; the run's address."""
    sides = {"candidate": record.candidate, "incumbent": record.incumbent, **record.ablations}
    reports = {name: report for name, report in sides.items() if report is not None}
    subject = record.candidate.subject
    with registry.run(NAME, run_tags(context, release=subject)) as run:
        run.log_dataset(suite, "evaluation")
        run.log(
            params={"candidate": subject, "incumbent": record.incumbent.subject if record.incumbent else ""},
            metrics=accuracies(reports) | {f"slice_{s}": v.accuracy for s, v in record.candidate.slices.items()},
        )
    return run.url


def accuracies(reports: Mapping[str, EvalReport]) -> dict[str, float]:
    """Share of right answers of everything that was evaluated."""
    return {f"{name}_accuracy": round(report.overall.accuracy, 4) for name, report in reports.items()}


def by_slice(reports: dict[str, EvalReport]) -> dict[str, dict[str, float]]:
    """Slice to share of right answers of the candidate and, where there is one, the incumbent."""
    sides = {side: reports[side] for side in ("candidate", "incumbent") if side in reports}
    names = sorted({name for report in sides.values() for name in report.slices})
    return {
        name: {side: report.slices[name].accuracy for side, report in sides.items() if name in report.slices}
        for name in names
    }
