"""Tells people what went wrong in the graph: runs and checks that failed, candidates that were stopped, money spent.

What the gateways see by themselves is Prometheus's to tell (llmops_assets/observability).
"""

import json
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from llmops_assets.handover import reading
from llmops_assets.lib import alerting
from llmops_assets.lib.alerting import Alert
from llmops_assets.lib.records import GateDecision, KpiReport, UseCase
from resources.notifier import Notifier
from resources.workspace import Workspace

RUNS = 50
"""Failed runs that a tick looks at; of more in a minute the oldest are not told one by one."""
BAD = dg.DagsterRunStatus.FAILURE


def ui(workspace: Workspace, path: str) -> str:
    """An address in Dagster's UI."""
    return f"http://127.0.0.1:{workspace.settings.dagster_port}/{path}"


def failed_runs(instance: dg.DagsterInstance, workspace: Workspace, after: float) -> tuple[list[Alert], float]:
    """Runs that failed after a moment (seconds), and the moment of the newest."""
    wanted = dg.RunsFilter(statuses=[BAD], updated_after=datetime.fromtimestamp(after, UTC))
    found = []
    for record in reversed(instance.get_run_records(wanted, limit=RUNS)):
        moment = record.end_time or record.update_timestamp.replace(tzinfo=UTC).timestamp()
        if moment <= after:
            continue
        run = record.dagster_run
        steps = sorted(
            stats.step_key
            for stats in instance.get_run_step_stats(run.run_id)
            if stats.status and stats.status.value == "FAILURE"
        )
        time = datetime.fromtimestamp(moment, UTC)
        found.append(alerting.run_failed(run.job_name, run.run_id, steps, time, ui(workspace, f"runs/{run.run_id}")))
    return found, max([after, *(alert.time.timestamp() for alert in found)])


def failed_checks(context: dg.SensorEvaluationContext, workspace: Workspace, after: float) -> tuple[list[Alert], float]:
    """Checks whose last evaluation failed after a moment (seconds), and the moment of the newest one.

    The record of a check that is only planned is filled in later, under the same id: ids are no cursor.
    """
    assert context.repository_def is not None
    graph = context.repository_def.asset_graph
    keys = list(graph.asset_check_keys)
    latest = context.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    found, newest = [], after
    for key, record in sorted(latest.items(), key=lambda entry: entry[1].id):
        evaluation = record.evaluation
        if record.event is None or not isinstance(evaluation, dg.AssetCheckEvaluation):
            continue
        moment = record.event.timestamp
        newest = max(newest, moment)
        if moment <= after or evaluation.passed:
            continue
        asset = key.asset_key.to_user_string()
        run = context.instance.get_run_by_id(record.run_id)
        partition = run.tags.get("dagster/partition", "") if run else ""
        found.append(
            alerting.check_failed(
                asset,
                key.name,
                partition,
                datetime.fromtimestamp(moment, UTC),
                blocking=graph.get_check_spec(key).blocking,
                link=ui(workspace, f"assets/{asset}?view=checks"),
            )
        )
    return found, newest


def stopped_candidate(instance: dg.DagsterInstance, workspace: Workspace, after: int) -> tuple[list[Alert], int]:
    """The candidate that the gate did not let through after an event, and the gate's newest event."""
    stored = reading.last(instance, dg.AssetKey("gate"))
    if stored is None or stored.storage_id <= after:
        return [], after
    decision = reading.parse(stored.asset_materialization, GateDecision)
    time = datetime.fromtimestamp(stored.timestamp, UTC)
    told = [] if decision.passed else [alerting.gate_refused(decision, time, ui(workspace, "assets/gate"))]
    return told, stored.storage_id


def spent(instance: dg.DagsterInstance, workspace: Workspace, told: str) -> tuple[list[Alert], str]:
    """Whether the answers of the day that was monitored last came near a day's budget, and the last day told of."""
    settings, report = workspace.settings, reading.recorded(instance, "kpi_report", KpiReport)
    case = reading.recorded(instance, "use_case", UseCase)
    if not settings.budget_per_day or report is None or str(report.day) <= told:
        return [], told
    each = next((v.value for v in report.values if v.name == "cost_per_answer"), None) or 0.0
    share = each * report.interactions / settings.budget_per_day
    if share < settings.alerts.budget_share:
        return [], told
    day, currency = str(report.day), case.currency if case else ""
    alert = alerting.budget_nearly_spent(share, settings.budget_per_day, currency, day, datetime.now(UTC))
    return [alert], day


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description=(
        "Tells the receivers that the settings name (webhook, Slack, mail) of runs and checks that failed, of "
        "candidates that were stopped or wait, and of days near their budget."
    ),
)
def alert_on_trouble(
    context: dg.SensorEvaluationContext, workspace: dg.ResourceParam[Workspace], notifier: dg.ResourceParam[Notifier]
) -> dg.SkipReason:
    """Sends an alert for everything that went wrong since the last tick; the first one only notes where it begins.

    The cursor moves on whatever the receivers do: one that is down misses alerts, and stops nothing.
    """
    now = datetime.now(UTC).timestamp()
    known = json.loads(context.cursor) if context.cursor else None
    seen: dict[str, Any] = known or {"run": now, "checked": now, "gate": 0, "money": ""}
    # A cursor of before counted checks by their ids.
    seen.setdefault("checked", now)
    runs, seen["run"] = failed_runs(context.instance, workspace, seen["run"])
    checks, seen["checked"] = failed_checks(context, workspace, seen["checked"])
    gate, seen["gate"] = stopped_candidate(context.instance, workspace, seen["gate"])
    money, seen["money"] = spent(context.instance, workspace, seen["money"])
    alerts = [*runs, *checks, *gate, *money] if known is not None else []
    outcomes = [f"{a.name}: {notifier.notify(a) or 'nobody is named'}" for a in alerts]
    context.update_cursor(json.dumps(seen))
    if known is None:
        return dg.SkipReason("began to watch: what went wrong before is not told")
    return dg.SkipReason("; ".join(outcomes) or "nothing went wrong since the last tick")
