import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from llmops_assets.lib.records import DriftPolicy
from llmops_assets.lib.watching import drift, evidently_history, evidently_report
from llmops_assets.lib.watching.detection import JUDGES

WEDNESDAY = date(2026, 3, 11)


@pytest.mark.slow
def test_every_detectors_p_is_published_with_a_test_that_fails_where_it_alarmed(tmp_path):
    rng = np.random.default_rng(5)
    vectors = rng.normal(0, 1, (200, 16)).astype(np.float32)
    vectors[:, 0] += 6
    vectors[180:] *= -1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    reference = drift.fit_reference(vectors[:120], ["a", "b"] * 60)
    times = [datetime(2026, 3, 11, tzinfo=UTC) + timedelta(minutes=n) for n in range(80)]
    day = drift.judge_day(reference, times, vectors[120:], DriftPolicy(window=40))
    assert day.by
    page, history = evidently_report.build(reference, day, 80, 0.05, WEDNESDAY)
    from evidently.core.report import Snapshot
    from evidently.ui.workspace import Workspace

    evidently_history.write(tmp_path, {WEDNESDAY: history.encode()})
    evidently_history.write(tmp_path, {WEDNESDAY: history.encode()})
    workspace = Workspace(str(tmp_path))
    (project,) = workspace.list_projects()
    assert len(project.dashboard.model().panels) == 2
    (run,) = workspace.list_runs(project.id)
    assert evidently_history.address(WEDNESDAY) == f"projects/{project.id}/reports/{run}", "a day replaces itself"
    kept = workspace.get_run(project.id, run)
    assert (kept.name, kept.timestamp.date()) == (str(WEDNESDAY), WEDNESDAY)
    report = json.loads(Snapshot.load_model(kept).json())
    assert all(f"Smallest p of {name}" in page for name in JUDGES)
    failed = [test["name"] for test in report["tests"] if test["status"] == "FAIL"]
    assert all(any(name in test for test in failed) for name in day.by)
    passed = [test["name"] for test in report["tests"] if test["status"] == "SUCCESS"]
    quiet = [name for name in JUDGES if day.p_values[name] > day.level]
    assert all(any(name in test for test in passed) for name in quiet)
