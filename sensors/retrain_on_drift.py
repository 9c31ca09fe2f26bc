"""Starts `retrain` when drift reports say that customers ask for something new, once per cause."""

import dagster as dg

from llmops_assets.jobs import retrain
from llmops_assets.lib import trigger
from llmops_assets.lib.records import DriftPolicy, DriftReport, Release, TriggerDecision, UseCase
from llmops_assets.provenance import find_record, read_partitions


def decide(context: dg.SensorEvaluationContext) -> tuple[TriggerDecision, DriftReport | None]:
    """The decision on the recorded drift reports since the last trained day, and the newest report."""
    reports = list(read_partitions(context, "drift_report", DriftReport).values())
    release = find_record(context, "release", Release)
    trained = release.training.until if release and release.training else None
    case = find_record(context, "use_case", UseCase)
    policy = case.drift if case else DriftPolicy()
    return trigger.decide(reports, trained, policy), reports[-1] if reports else None


@dg.sensor(job=retrain, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.STOPPED)
def retrain_on_drift(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Requests `retrain` for the newest drifted day; the cause is the run key, so it is started once."""
    decision, newest = decide(context)
    if not decision.fire or newest is None:
        return dg.SkipReason("; ".join(decision.reasons))
    return dg.RunRequest(
        run_key=decision.cause,
        partition_key=str(newest.day),
        tags={"cause": decision.cause, "reason": "; ".join(decision.reasons)},
    )
