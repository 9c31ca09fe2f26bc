"""Dashboards, alerts and the graph's figures for Prometheus, on the command line."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from llmops_assets import observability
from llmops_assets.handover import reading, serving
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import DriftPolicy, DriftReport, UseCase
from llmops_assets.lib.scaling import ScalingPlan, planned
from llmops_assets.lib.watching import trigger
from llmops_assets.lib.watching.figures import exposition
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
        return figures_of(instance, lake)


def figures_of(instance: dg.DagsterInstance, lake: Lake) -> str:
    """The figures of what an instance recorded."""
    live = serving.recorded(instance, lake)
    trained = live.release.training.until if live and live.release.training else None
    reports = reading.recorded_days(instance, "drift_report", DriftReport)
    case = reading.recorded(instance, "use_case", UseCase)
    alarms = trigger.alarmed_days(list(reports.values()), trained, case.drift if case else DriftPolicy())
    plan = reading.recorded(instance, PLAN, ScalingPlan)
    drifted = [day for day, report in reports.items() if report.drifted and (trained is None or day > trained)]
    reported = max(reports, default=None)
    return exposition(
        deployed=live.deployment.release_id if live else None,
        reported=reported,
        alarmed=min(drifted, default=None) if reported in alarms else None,
        plan=planned(plan, datetime.now(UTC)) if plan else None,
    )
