"""Which findings a run learns from, and what follows from the reported ones: what travels from alarm to release.

The graph runs one way, so a finding reaches a retraining as a tag of its run, as the cause; a run that nobody's finding
asked for (the weekly one, or one by hand) learns from what stands open that a retraining helps against.
"""

import dagster as dg

from llmops_assets.handover import reading, serving
from llmops_assets.lib.records import (
    CostLedger,
    DecisionPolicy,
    DriftPolicy,
    DriftReport,
    FindingsReport,
    RetrainingDecision,
    UseCase,
)
from llmops_assets.lib.watching import decision, trigger
from resources.lake.base import Lake

ASSET = "findings"
TAG = "findings"
"""Tag of a run: the ids of the findings that it learns from, by commas."""
READ = (ASSET, "drift_report", serving.ASSET, "use_case", "cost_ledger")
"""Assets that a decision rests on."""


def learned(context: dg.AssetExecutionContext, lake: Lake) -> tuple[str, ...]:
    """The findings that this run learns from, with those that the serving release learned from, whose data it keeps."""
    live = serving.find(context, lake)
    known = live.release.training.findings if live and live.release.training else ()
    return tuple(sorted({*known, *named(context)}))


def named(context: dg.AssetExecutionContext) -> tuple[str, ...]:
    """The findings of the run's tag; without one those of the newest report that a retraining helps against."""
    if TAG in context.run.tags:
        return told(context.run)
    report = reading.looked_up(context, ASSET, FindingsReport)
    if report is None:
        return ()
    return tuple(finding.id for finding in report.of("open") if finding.action == "retrain")


def told(run: dg.DagsterRun) -> tuple[str, ...]:
    """The findings in a run's tag."""
    return tuple(filter(None, run.tags.get(TAG, "").split(",")))


def decide(instance: dg.DagsterInstance, lake: Lake, report: FindingsReport | None) -> RetrainingDecision:
    """What follows from a report, with the drift since the last training and what a retraining was measured to cost."""
    case = reading.recorded(instance, "use_case", UseCase)
    drift, policy = (case.drift, case.decision) if case else (DriftPolicy(), DecisionPolicy())
    live = serving.recorded(instance, lake)
    trained = live.release.training.until if live and live.release.training else None
    reports = list(reading.recorded_days(instance, "drift_report", DriftReport, after=trained).values())
    if report is not None and reports and reports[-1].day > report.day:
        missing = f"drift was reported for {reports[-1].day}, findings until {report.day}: materialize findings"
        return RetrainingDecision(day=report.day, verdict="wait", told=missing)
    ledger = reading.recorded(instance, "cost_ledger", CostLedger)
    return decision.decide(
        report,
        trigger.alarmed_days(reports, trained, drift),
        trained,
        policy,
        drift,
        cost=ledger.trainings[-1].currency if ledger and ledger.trainings else None,
        cured=decision.cure_share(report.findings) if report else None,
    )
