"""Starts `retrain` when findings say that it pays: customers ask for something new, and it is answered badly."""

import json

import dagster as dg

from llmops_assets.handover import causes, reading
from llmops_assets.jobs import retrain
from llmops_assets.lib.records import FindingsReport, RetrainingDecision
from resources.lake.base import Lake

FAILURES = 2
"""Runs for the same findings that may fail before a person is asked."""
LOOKED_AT = 50
"""Retrainings that are looked through, the newest."""


def decide(instance: dg.DagsterInstance, lake: Lake) -> RetrainingDecision:
    """What follows from the newest findings."""
    return causes.decide(instance, lake, reading.newest_day(instance, causes.ASSET, FindingsReport))


def state(instance: dg.DagsterInstance) -> list[int]:
    """The newest events of what the decision rests on: while they are the same, so is the decision."""
    found = (reading.last(instance, dg.AssetKey(asset)) for asset in causes.READ)
    return [stored.storage_id if stored is not None else 0 for stored in found]


def obstacle(instance: dg.DagsterInstance, decision: RetrainingDecision) -> str:
    """Why a decided retraining is not started: one of the same findings runs, or failed twice. "" where it is."""
    runs = instance.get_runs(dg.RunsFilter(job_name=retrain.name), limit=LOOKED_AT)
    of_these = [run for run in runs if set(causes.told(run)) & set(decision.findings)]
    running = [run for run in of_these if not run.is_finished]
    if running:
        return f"run {running[0].run_id[:8]} is learning from it"
    failed = [run for run in of_these if run.status == dg.DagsterRunStatus.FAILURE]
    if len(failed) >= FAILURES:
        return f"{len(failed)} runs of it failed, the last is {failed[0].run_id[:8]}: look at it and start the next one"
    return ""


@dg.sensor(
    job=retrain,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Starts `retrain` when a finding says that a retraining helps and is worth its cost, once for a cause.",
)
def retrain_on_drift(
    context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake]
) -> dg.SensorResult | dg.SkipReason:
    """Requests `retrain` for the day of the findings that call for it; finding and day are the run key, so that one
    decision starts one run, whatever happens to the daemon meanwhile.

    The cursor keeps what was seen and said: a tick without news reads and parses nothing.
    """
    seen, known = state(context.instance), json.loads(context.cursor) if context.cursor else {}
    if known.get("seen") == seen:
        return dg.SkipReason(known["told"])
    decision = decide(context.instance, lake)
    told = decision.told
    if decision.verdict == "retrain" and (against := obstacle(context.instance, decision)):
        decision = decision.model_copy(update={"verdict": "wait"})
        told = f"{told}; {against}"
    cursor = json.dumps({"seen": seen, "told": told})
    if decision.verdict != "retrain":
        context.update_cursor(cursor)
        return dg.SkipReason(told)
    first, day = decision.findings[0], str(decision.day)
    tags = {"cause": first, causes.TAG: ",".join(decision.findings), "reason": told}
    request = dg.RunRequest(run_key=f"{first}-{day}", partition_key=day, tags=tags)
    return dg.SensorResult(run_requests=[request], cursor=cursor)
