"""The first data asset on embedded resources: idempotent, and nothing published when a blocking check fails."""

import json

import dagster as dg
import pytest

from llmops_assets.data.redacted_conversations import redacted_conversations
from llmops_assets.lib import tables
from llmops_assets.planning.use_case import use_case
from resources import build_resources, open_lake
from resources.workspace import Settings, Workspace

DAY = "2026-03-02"
pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    Workspace(home).write_settings(Settings())
    (home / "inbox").mkdir()
    return home


def write(home, *rows: dict) -> None:
    lines = "".join(json.dumps({"answer": "On its way.", "time": f"{DAY}T10:00:00", **row}) + "\n" for row in rows)
    (home / "inbox" / f"conversations-{DAY}.jsonl").write_text(lines)


def materialize(home) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [use_case, redacted_conversations],
            instance=instance,
            partition_key=DAY,
            resources=build_resources(home),
            raise_on_error=False,
        )


def test_a_day_is_redacted_published_and_the_same_when_run_again(home):
    write(home, {"question": "I am Anna Keller, where is LM-1234567?", "subject": "anna@mail.example"})
    assert materialize(home).success
    lake = open_lake(Workspace(home))
    first = lake.resolve("main")
    (row,) = tables.from_parquet(lake.get("main", f"data/redacted_conversations/{DAY}.parquet"))
    assert row["question"] == "I am <PERSON_1>, where is <ORDER_NUMBER_1>?"
    assert row["subject"].startswith("s-")
    assert materialize(home).success
    assert lake.resolve("main") == first


def test_ids_that_come_twice_stop_the_line_and_main_stays(home):
    write(home, {"id": "1", "question": "first"}, {"id": "1", "question": "second"})
    result = materialize(home)
    assert not result.success
    checks = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    assert checks == {"no_personal_data_left": True, "row_ids_unique": False}
    lake = open_lake(Workspace(home))
    assert list(lake.list("main")) == []
    (draft,) = [name for name in lake.branches() if name != "main"]
    assert [s.path for s in lake.list(draft)] == [
        f"data/redacted_conversations/{DAY}.parquet",
        f"data/redacted_conversations/quarantine/{DAY}.parquet",
    ]


def test_a_broken_line_fails_with_file_and_line_and_publishes_nothing(home):
    write(home, {"question": "fine"})
    with (home / "inbox" / f"conversations-{DAY}.jsonl").open("a") as file:
        file.write("{broken\n")
    result = materialize(home)
    assert not result.success
    failure = next(e for e in result.all_events if e.is_step_failure)
    assert "line 2" in str(failure.step_failure_data.error)
    assert list(open_lake(Workspace(home)).list("main")) == []
