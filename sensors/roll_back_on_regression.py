"""Takes a candidate back as soon as it is shown to answer worse than the incumbent beside it, and lets one go on to
more customers that is shown not to: one run per served state."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from llmops_assets.deployment import staged
from llmops_assets.handover import reading, serving
from llmops_assets.jobs import roll_out
from llmops_assets.lib.records import Rollout, RolloutDecision, UseCase
from llmops_assets.lib.watching import rollout
from resources.interaction_log import InstalledLog
from resources.lake.base import Lake

TRIES = 5
"""Runs about one served state that may fail before a person is asked."""
ACTIONS = {"advance": "advance", "roll_back": "withdraw"}
"""Verdict to what is done about it."""


def decide(instance: dg.DagsterInstance, log: InstalledLog, way: Rollout, now: datetime) -> RolloutDecision:
    """The decision on what candidate and incumbent answered since the step began."""
    case = reading.recorded(instance, "use_case", UseCase)
    slow = way.policy.slow_seconds or (case.maximum_latency_p95_seconds if case else float("inf"))
    rows = log.beside(way.began, (way.release_id, way.incumbent))
    counted = rollout.tally(rows, way.release_id, way.incumbent, slow)
    hours = (now - way.began).total_seconds() / 3600
    return rollout.decide(counted, way.policy, way.share, hours, held=way.held)


@dg.sensor(
    job=roll_out,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Moves a rollout on when the candidate is shown to be no worse, and withdraws it when it is worse.",
)
def roll_back_on_regression(
    context: dg.SensorEvaluationContext,
    lake: dg.ResourceParam[Lake],
    interaction_log: dg.ResourceParam[InstalledLog],
) -> dg.SensorResult | dg.SkipReason:
    """Requests `roll_out` where the figures of the step call for it; the generation in which it stands is the run key.

    A run that ended before it recorded what it did is requested again as it was.
    """
    live = serving.recorded(context.instance, lake)
    way = staged.under_way(live)
    if way is None:
        return dg.SkipReason("no rollout is under way")
    decision = decide(context.instance, interaction_log, way, datetime.now(UTC))
    told = f"{way.release_id}: {decision.reason}"
    cause = f"rollout-{way.release_id}-{way.generation}"
    runs = context.instance.get_runs(dg.RunsFilter(tags={"cause": cause}))
    if any(not run.is_finished for run in runs):
        return dg.SkipReason(f"a run is under way about it: {told}")
    config: dict[str, Any]
    if decision.verdict in ACTIONS:
        action = {"action": ACTIONS[decision.verdict], "decision": decision.model_dump_json()}
        config = {"ops": {"deployment": {"config": {**action, "generation": way.generation}}}}
    elif runs and not way.held:
        # What it decided on is recorded as it was, so nothing says that it did not move the route.
        config = dict(runs[0].run_config)
    else:
        waits = "; it waits for `llmops rollout advance` or `abort`" if decision.verdict == "ask" else ""
        return dg.SkipReason(told + waits)
    if len(runs) >= TRIES:
        return dg.SkipReason(f"{len(runs)} runs about it failed, look at the last one: {told}")
    request = dg.RunRequest(
        # A try has its own key: Dagster starts nothing twice under one, also where the first run failed.
        run_key=f"{cause}-{len(runs)}",
        run_config=config,
        tags={"cause": cause, "verdict": config["ops"]["deployment"]["config"]["action"]},
    )
    return dg.SensorResult(run_requests=[request])
