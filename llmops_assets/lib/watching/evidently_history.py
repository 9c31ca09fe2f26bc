"""The judged days as a project of an Evidently workspace: a folder that its UI shows, made out of what the lake keeps.

The folder holds nothing of its own and may be deleted at any time. https://docs.evidentlyai.com/docs/platform/overview
"""

import uuid
from collections.abc import Mapping
from datetime import date
from pathlib import Path

PROJECT = uuid.uuid5(uuid.NAMESPACE_URL, "llmops_assets/drift")
NAME = "Drift of customers' questions"
SNAPSHOTS = "snapshots"


def address(day: date) -> str:
    """Path of a day's page in the UI."""
    return f"projects/{PROJECT}/reports/{_name(day)}"


def write(folder: Path, snapshots: Mapping[date, bytes]) -> None:
    """Put days into the workspace in `folder`, with the project and its dashboard where it has none."""
    place = folder / str(PROJECT)
    if not (place / "metadata.json").exists():
        _begin(folder)
    (place / SNAPSHOTS).mkdir(exist_ok=True)
    for day, data in snapshots.items():
        (place / SNAPSHOTS / f"{_name(day)}.json").write_bytes(data)


def _name(day: date) -> uuid.UUID:
    """A day that is judged again replaces itself."""
    return uuid.uuid5(PROJECT, str(day))


def _begin(folder: Path) -> None:
    from evidently.sdk.models import PanelMetric, ProjectModel
    from evidently.sdk.panels import line_plot_panel
    from evidently.ui.workspace import Workspace

    folder.mkdir(parents=True, exist_ok=True)
    project = Workspace(str(folder)).add_project(ProjectModel(id=PROJECT, name=NAME))
    for title, metric, labels in (
        ("Questions that count", "RowCount", {}),
        ("Share of novel questions", "MeanValue", {"column": "novel"}),
    ):
        project.dashboard.add_panel(line_plot_panel(title, [PanelMetric(metric=metric, metric_labels=labels)]))
