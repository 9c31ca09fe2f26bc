"""The code location of a month without anybody at the wheel: the same graph with its sensors on, and a clock.

The clock stands in for Dagster's scheduler, whose time cannot be simulated: it asks the graph's own schedules what
they request at the simulated time, and passes that on. Concept: https://docs.dagster.io/guides/automate/sensors.
"""

import inspect
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._utils.schedules import cron_string_iterator

import sensors as triggers
from llmops_assets.definitions import build_defs
from llmops_assets.jobs import digest_week, monitor_day
from resources import home_folder, open_target
from resources.workspace import Workspace

CLOCK = "clock.json"
"""File of the home with the last day that is over."""
SECONDS = 2
"""Between two looks of a sensor: a simulated day is as long as it takes."""
KEPT = ("monitor_nightly", "digest_weekly")
"""Schedules that are on. The weekly retraining is not: what is shown is what findings ask for."""
NOON = timedelta(hours=12)


def write_day(home: Path, day: date) -> None:
    """Let a day be over."""
    (home / CLOCK).write_text(json.dumps({"over": str(day)}))


def read_day(home: Path) -> date | None:
    """The last day that is over; None before the first."""
    try:
        return date.fromisoformat(json.loads((home / CLOCK).read_text())["over"])
    except FileNotFoundError:
        return None


def due(cron: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """The moments at which a schedule (cron, UTC) ticks, `after` < moment <= `until`."""
    for moment in cron_string_iterator(after.timestamp(), cron, "UTC"):
        if moment > until:
            return
        if moment > after:
            yield moment


@dg.sensor(
    name="clock",
    jobs=[monitor_day, digest_week],
    minimum_interval_seconds=SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def clock(
    context: dg.SensorEvaluationContext, workspace: dg.ResourceParam[Workspace]
) -> dg.SensorResult | dg.SkipReason:
    """Requests what the schedules request in the simulated time since the last tick; the cursor is that time."""
    over = read_day(workspace.home)
    if over is None:
        return dg.SkipReason("no day is over yet")
    until = datetime(over.year, over.month, over.day, tzinfo=UTC) + timedelta(days=1) + NOON
    after = datetime.fromisoformat(context.cursor) if context.cursor else until - timedelta(days=1)
    if until <= after:
        return dg.SkipReason(f"{over} was dealt with")
    assert context.repository_def is not None
    requests = []
    for name in KEPT:
        schedule = context.repository_def.get_schedule_def(name)
        for moment in due(str(schedule.cron_schedule), after, until):
            with dg.build_schedule_context(
                instance=context.instance, scheduled_execution_time=moment, repository_def=context.repository_def
            ) as scheduled:
                for found in schedule.evaluate_tick(scheduled).run_requests or ():
                    requests.append(found.with_replaced_attrs(job_name=schedule.job_name))
    return dg.SensorResult(run_requests=requests, cursor=until.isoformat())


def quickened(sensor: dg.SensorDefinition) -> dg.SensorDefinition:
    """A sensor of the graph, on and looking every few seconds: what it decides is its own."""
    job = sensor.job if sensor.has_jobs else None
    return dg.sensor(
        name=sensor.name,
        job=job,
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )(inspect.unwrap(sensor))


@dg.definitions
def defs() -> dg.Definitions:
    """The code location of the installation in `home_folder()`."""
    home = home_folder()
    replaying = dg.ResourceDefinition(lambda _: open_target(Workspace(home), replay=True))
    return build_defs(
        home, resources={"target": replaying}, sensors=[clock], own_sensors=map(quickened, triggers.SENSORS)
    )
