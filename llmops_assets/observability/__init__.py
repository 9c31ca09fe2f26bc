"""What an operator looks at: the Grafana dashboard and the alert rules over the figures of gateway and graph, and the
configuration of Alertmanager that says who is told.

All are files of this package (dashboards/, alerts/, alertmanager/), to be copied by `llmops observability export`. The
dashboard's JSON is made of the table in dashboard.py by `python -m llmops_assets.observability`.
"""

from importlib.resources import files
from pathlib import Path

FOLDERS = ("dashboards", "alerts", "alertmanager")


def export(folder: Path) -> list[Path]:
    """Copy dashboards, alert rules and Alertmanager's configuration into a folder; the files that were written."""
    written = []
    for name in FOLDERS:
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        for file in sorted((files(__name__) / name).iterdir(), key=lambda found: found.name):
            (target / file.name).write_bytes(file.read_bytes())
            written.append(target / file.name)
    return written
