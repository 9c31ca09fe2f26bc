"""Starts `retrain` when drift reports say that customers ask for something new, once per cause."""

import json

import dagster as dg

from llmops_assets.handover import reading, serving
from llmops_assets.jobs import retrain
from llmops_assets.lib.records import DriftPolicy, DriftReport, TriggerDecision, UseCase
from llmops_assets.lib.watching import trigger
from resources.lake.base import Lake

READ = ("drift_report", serving.ASSET, "use_case")
"""Assets that the decision rests on."""


def decide(instance: dg.DagsterInstance, lake: Lake) -> tuple[TriggerDecision, DriftReport | None]:
    """The decision on the drift reports since the last day the serving release learned from, and the newest of them."""
    live = serving.recorded(instance, lake)
    trained = live.release.training.until if live and live.release.training else None
    reports = list(reading.recorded_days(instance, "drift_report", DriftReport, after=trained).values())
    case = reading.recorded(instance, "use_case", UseCase)
    policy = case.drift if case else DriftPolicy()
    return trigger.decide(reports, trained, policy), reports[-1] if reports else None


def state(instance: dg.DagsterInstance) -> list[int]:
    """The newest events of what the decision rests on: while they are the same, so is the decision."""
    found = (reading.last(instance, dg.AssetKey(asset)) for asset in READ)
    return [stored.storage_id if stored is not None else 0 for stored in found]


@dg.sensor(job=retrain, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.STOPPED)
def retrain_on_drift(
    context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake]
) -> dg.SensorResult | dg.SkipReason:
    """Requests `retrain` for the newest drifted day; the cause is the run key, so it is started once.

    The cursor keeps what was seen and said: a tick without news reads and parses nothing.
    """
    seen, known = state(context.instance), json.loads(context.cursor) if context.cursor else {}
    if known.get("seen") == seen:
        return dg.SkipReason(known["told"])
    decision, newest = decide(context.instance, lake)
    told = "; ".join(decision.reasons)
    cursor = json.dumps({"seen": seen, "told": told})
    if not decision.fire or newest is None:
        context.update_cursor(cursor)
        return dg.SkipReason(told)
    request = dg.RunRequest(
        run_key=decision.cause, partition_key=str(newest.day), tags={"cause": decision.cause, "reason": told}
    )
    return dg.SensorResult(run_requests=[request], cursor=cursor)
