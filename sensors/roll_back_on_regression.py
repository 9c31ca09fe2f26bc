"""Takes a candidate back as soon as it is shown to answer worse than the incumbent beside it, and lets one go on to
more customers that is shown not to; and takes one back that serves all and does not keep its level. One run per served
state."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from llmops_assets.deployment import staged
from llmops_assets.handover import reading, serving
from llmops_assets.jobs import roll_out
from llmops_assets.lib.records import Rollout, RolloutDecision, RolloutPolicy, UseCase
from llmops_assets.lib.watching import guardrails, rollout
from resources.interaction_log import InstalledLog
from resources.lake.base import Lake

TRIES = 5
"""Runs about one served state that may fail before a person is asked."""
ACTIONS = {"advance": "advance", "roll_back": "withdraw"}
"""Verdict to what is done about it."""


def decide(instance: dg.DagsterInstance, log: InstalledLog, way: Rollout, now: datetime) -> RolloutDecision:
    """The decision on what candidate and incumbent answered since the step began."""
    case = reading.recorded(instance, "use_case", UseCase)
    rows = log.beside(way.began, (way.release_id, way.incumbent))
    counted = rollout.tally(rows, way.release_id, way.incumbent, slow_seconds(way.policy, case))
    hours = (now - way.began).total_seconds() / 3600
    return rollout.decide(counted, way.policy, way.share, hours, held=way.held)


def slow_seconds(policy: RolloutPolicy, case: UseCase | None) -> float:
    """From how many seconds on an answer is slow."""
    return policy.slow_seconds or (case.maximum_latency_p95_seconds if case else float("inf"))


def watched(
    instance: dg.DagsterInstance, log: InstalledLog, live: serving.Serving | None, now: datetime
) -> RolloutDecision | None:
    """The decision on a release that serves all, for as long as a step may take; None where none is watched.

    One that was put back by a rollback is not: it was judged when it served before.
    """
    case = reading.recorded(instance, "use_case", UseCase)
    if live is None or case is None:
        return None
    deployed, previous, policy = live.deployment, live.deployment.previous, case.rollout
    if previous is None or deployed.rolled_back_from:
        return None
    span = timedelta(hours=policy.maximum_hours)
    if now - deployed.applied_at > span:
        return None
    sides = deployed.release_id, previous
    rows = log.beside(deployed.applied_at - span, sides)
    earlier = [row for row in rows if datetime.fromisoformat(row["time"]) < deployed.applied_at]
    begun = {row["conversation"] for row in earlier}
    later = [row for row in rows if row["conversation"] not in begun and row["release_id"] == deployed.release_id]
    slow = slow_seconds(policy, case)
    return guardrails.judge(rollout.tally(earlier, *sides, slow), rollout.tally(later, *sides, slow), policy)


@dg.sensor(
    job=roll_out,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Moves a rollout on when the candidate is shown to be no worse, and takes back what is worse.",
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
        decision = watched(context.instance, interaction_log, live, datetime.now(UTC))
        if live is None or decision is None:
            return dg.SkipReason("no rollout is under way")
        return taken_back(context.instance, live, decision)
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
    return requested(cause, len(runs), config, str(config["ops"]["deployment"]["config"]["action"]))


def taken_back(
    instance: dg.DagsterInstance, live: serving.Serving, decision: RolloutDecision
) -> dg.SensorResult | dg.SkipReason:
    """Requests a rollback where a release that serves all does not keep its level; the deployment is the run key."""
    told = f"{live.release.release_id}: {decision.reason}"
    if decision.verdict != "roll_back":
        asks = "; look at it, and run the job roll_back if the release is to blame" if decision.verdict == "ask" else ""
        return dg.SkipReason(told + asks)
    cause = f"guardrail-{live.release.release_id}-{live.event}"
    runs = instance.get_runs(dg.RunsFilter(tags={"cause": cause}))
    if any(not run.is_finished for run in runs) or len(runs) >= TRIES:
        return dg.SkipReason(f"{len(runs)} runs were started about it: {told}")
    back = {"roll_back": True, "roll_back_from": live.release.release_id, "reason": decision.reason}
    config = {"ops": {"deployment": {"config": {**back, "roll_back_to": live.deployment.previous}}}}
    return requested(cause, len(runs), config, "roll back")


def requested(cause: str, tries: int, config: dict[str, Any], verdict: str) -> dg.SensorResult:
    """The run about a cause, after so many that failed."""
    request = dg.RunRequest(
        # A try has its own key: Dagster starts nothing twice under one, also where the first run failed.
        run_key=f"{cause}-{tries}",
        run_config=config,
        tags={"cause": cause, "verdict": verdict},
    )
    return dg.SensorResult(run_requests=[request])
