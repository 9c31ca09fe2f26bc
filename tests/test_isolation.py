"""What the caller's shell has set for their own installation does not reach the tests."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_an_installation_of_the_callers_stays_out_of_the_tests(root, tmp_path):
    theirs = {"LLMOPS_HOME": str(tmp_path), "LLMOPS_LAKE": "lakefs", "DAGSTER_HOME": str(tmp_path)}
    code = "import conftest, os; print([name for name in os.environ if name.startswith(('LLMOPS_', 'DAGSTER_HOME'))])"
    environment = {**os.environ, **theirs, "PYTHONPATH": f"{root}:{root / 'tests'}"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"
