"""Dashboards, alerts and the graph's figures for Prometheus, on the command line and over HTTP."""

import contextlib
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.registry import Collector

from llmops_assets import observability
from llmops_assets.commands.processes import Tell, interruptible
from llmops_assets.handover import reading, serving
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import DriftPolicy, DriftReport, UseCase
from llmops_assets.lib.scaling import ScalingPlan, planned
from llmops_assets.lib.watching import trigger
from llmops_assets.lib.watching.figures import exposition, gauges
from resources import home_folder, open_lake
from resources.lake.base import Lake
from resources.workspace import Workspace

PLAN = "scaling_plan"
"""Asset that hands over the scaling plan; it need not be there."""


def export(folder: Path) -> list[Path]:
    """Write dashboards and alert rules; the files. LlmopsError where the folder cannot be written."""
    try:
        return observability.export(folder)
    except OSError as error:
        raise LlmopsError(f"{folder} cannot be written: {error.strerror}") from error


def figures() -> str:
    """The figures of the installation as Prometheus reads them."""
    lake = open_lake(Workspace(home_folder()))
    with dg.DagsterInstance.get() as instance:
        return exposition(figures_of(instance, lake))


class Figures(Collector):
    """The figures as they are whenever somebody asks; an asker whose figures cannot be read gets status 500."""

    def __init__(self, instance: dg.DagsterInstance, lake: Lake) -> None:
        self._instance, self._lake = instance, lake
        self._reading = threading.Lock()

    def collect(self) -> Iterable[Metric]:
        """Read anew, for one asker at a time."""
        with self._reading:
            return list(figures_of(self._instance, self._lake).collect())


def serve(host: str, port: int, tell: Tell) -> None:
    """Serve the figures of the installation until SIGINT or SIGTERM. LlmopsError where it cannot listen."""
    lake, registry = open_lake(Workspace(home_folder())), CollectorRegistry()
    with dg.DagsterInstance.get() as instance, contextlib.suppress(KeyboardInterrupt), interruptible():
        registry.register(Figures(instance, lake))
        try:
            server, thread = start_http_server(port, host, registry)
        except OSError as error:
            raise LlmopsError(f"{host}:{port} cannot be listened at: {error.strerror}") from error
        try:
            tell(f"figures http://{host}:{port}/metrics")
            thread.join()
        finally:
            server.shutdown()
            server.server_close()


def figures_of(instance: dg.DagsterInstance, lake: Lake) -> CollectorRegistry:
    """The figures of what an instance recorded."""
    live = serving.recorded(instance, lake)
    trained = live.release.training.until if live and live.release.training else None
    reports = reading.recorded_days(instance, "drift_report", DriftReport)
    case = reading.recorded(instance, "use_case", UseCase)
    alarms = trigger.alarmed_days(list(reports.values()), trained, case.drift if case else DriftPolicy())
    plan = reading.recorded(instance, PLAN, ScalingPlan)
    drifted = [day for day, report in reports.items() if report.drifted and (trained is None or day > trained)]
    reported = max(reports, default=None)
    return gauges(
        deployed=live.deployment.release_id if live else None,
        reported=reported,
        alarmed=min(drifted, default=None) if reported in alarms else None,
        plan=planned(plan, datetime.now(UTC)) if plan else None,
    )
