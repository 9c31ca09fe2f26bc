"""The runners of lib/judging/runners.py as processes: red teams and benchmarks that are installed apart."""

import os
import shutil
import subprocess
from pathlib import Path

from llmops_assets.lib.judging import runners
from llmops_assets.lib.judging.runners import RunnerError, RunnerSettings

OWN = ("LLMOPS_", "LAKEFS_", "MLFLOW_")
"""What the names of our own variables begin with."""
LAST = 400
"""Characters of a failed program's last words that are told."""


def run(runner: RunnerSettings, address: str, model: str, key: str, folder: Path) -> bytes:
    """The results of a runner that asks a model at an address, in an empty folder. RunnerError that says what is wrong.

    The key goes through the environment, where no list of processes shows it; no other secret of the installation does.
    """
    program = shutil.which(runner.name)
    if program is None:
        raise RunnerError(
            f"{runner.name} is not installed: `pip install {runner.kind}` in a virtual environment of its own, and "
            f"name its program as `program` of the runner {runner.kind} in settings.yaml, or take the runner out"
        )
    given = {name: value for name, value in os.environ.items() if not name.startswith(OWN)} | runners.environment(key)
    try:
        ended = subprocess.run(
            runners.command(runner, program, address, model, folder),
            cwd=folder,
            env=given,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=runner.timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunnerError(
            f"{runner.kind} was ended after {runner.timeout_seconds:g} s: raise timeout_seconds"
        ) from None
    if ended.returncode:
        raise RunnerError(
            f"{runner.kind} ended with {ended.returncode}: {(ended.stderr or ended.stdout)[-LAST:].strip()}"
        )
    found = sorted(folder.glob(runners.RESULTS[runner.kind]))
    if not found:
        raise RunnerError(f"{runner.kind} left no {runners.RESULTS[runner.kind]}: {ended.stdout[-LAST:].strip()}")
    return found[-1].read_bytes()
