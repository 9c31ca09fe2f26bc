"""Evidently's UI over the days that were judged; what it shows is taken out of the lake, also while it runs."""

import os
import sys
import threading
from datetime import date
from pathlib import Path, PurePosixPath

from llmops_assets.commands.processes import run_together
from llmops_assets.lib.watching import evidently_history
from resources import home_folder, open_lake
from resources.lake.base import Lake
from resources.workspace import Workspace

FOLDER = "monitoring/drift_report/"
SECONDS = 30.0
"""Between two looks for days that were judged meanwhile."""


def bring(lake: Lake, folder: Path, known: dict[str, str]) -> None:
    """Put what the lake has and `known` (path to hash) has not into the workspace in a folder."""
    found = [stat for stat in lake.list("main", FOLDER) if stat.path.endswith(".json")]
    fresh = {stat.path: stat.sha256 for stat in found if known.get(stat.path) != stat.sha256}
    days = {date.fromisoformat(PurePosixPath(path).stem): lake.get("main", path) for path in fresh}
    evidently_history.write(folder, days)
    known |= fresh


def serve() -> int:
    """Show the history until Ctrl-C; the exit status to give."""
    workspace = Workspace(home_folder())
    lake, folder, port = open_lake(workspace), workspace.home / "evidently", str(workspace.settings.evidently_port)
    known: dict[str, str] = {}
    bring(lake, folder, known)
    over = threading.Event()

    def look() -> None:
        while not over.wait(SECONDS):
            bring(lake, folder, known)

    threading.Thread(target=look, daemon=True).start()
    os.environ.update({"DO_NOT_TRACK": "true", "ITERATIVE_DO_NOT_TRACK": "1"})
    program = str(Path(sys.executable).with_name("evidently"))
    command = [program, "ui", "--workspace", str(folder), "--host", "127.0.0.1", "--port", port]
    try:
        return run_together({f"Drift  http://127.0.0.1:{port}": command})
    finally:
        over.set()
