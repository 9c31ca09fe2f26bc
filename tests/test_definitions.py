"""The code location: it loads light, it is what the snapshot says, and every asset is described."""

import json
import os
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
import yaml

from llmops_assets.definitions import GROUPS, defs
from llmops_assets.jobs import digest, weekly
from llmops_assets.partitions import WEEKLY

HEAVY = (
    "torch", "transformers", "peft", "trl", "datasets", "accelerate", "evidently", "great_expectations", "mlflow",
    "presidio_analyzer", "presidio_anonymizer", "spacy", "kubernetes", "sklearn", "scipy", "xllamacpp", "gguf",
    "cleanlab", "py3langid", "numpy", "pandas", "pyarrow", "sqlalchemy", "antlr4", "pygit2", "phonenumbers",
)  # fmt: skip
SNAPSHOT = Path(__file__).parent / "graph.json"


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return defs()


@pytest.fixture(scope="module")
def nodes(definitions):
    graph = definitions.resolve_asset_graph()
    return {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}


@pytest.mark.slow
def test_loading_the_code_location_imports_nothing_heavy():
    code = (
        "import sys, llmops_assets.definitions as d; d.defs(); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout.strip() == "[]"


def test_the_command_starts_without_anything_heavy():
    code = f"import sys, llmops_assets.cli; print([n for n in (*{HEAVY!r}, 'dagster') if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"


def snapshot(definitions: dg.Definitions, nodes) -> dict:
    repository = definitions.get_repository_def()
    return {
        "assets": {
            name: {
                "group": node.group_name,
                "deps": sorted(key.to_user_string() for key in node.parent_keys),
                "owners": sorted(node.owners),
                "kinds": sorted(node.kinds),
                "code_version": node.code_version,
                "partitioned": node.partitions_def is not None,
                "checks": sorted(check.name for check in node.check_keys),
                "pools": sorted(node.pools or ()),
            }
            for name, node in sorted(nodes.items())
        },
        "jobs": {
            job.name: sorted(node.name for node in job.nodes)
            for job in sorted(repository.get_all_jobs(), key=lambda job: job.name)
            if not job.name.startswith("__")
        },
        "schedules": {s.name: [s.job_name, s.cron_schedule] for s in repository.schedule_defs},
        "sensors": {s.name: s.job_name if s.targets else None for s in repository.sensor_defs},
    }


def test_the_graph_is_the_one_in_the_snapshot(definitions, nodes):
    """After a wanted change: UPDATE_SNAPSHOT=1 .venv/bin/python -m pytest tests/test_definitions.py"""
    if os.environ.get("UPDATE_SNAPSHOT"):
        SNAPSHOT.write_text(json.dumps(snapshot(definitions, nodes), indent=1) + "\n")
    assert snapshot(definitions, nodes) == json.loads(SNAPSHOT.read_text())


def test_every_asset_is_described_owned_and_versioned(nodes):
    for name, node in nodes.items():
        assert len(node.description or "") > 20, name
        assert node.owners, name
        assert node.kinds, name
        assert node.code_version, name
        assert node.group_name in GROUPS, name


def test_groups_are_folders_and_assets_live_in_the_module_of_their_name(nodes, root):
    for name, node in nodes.items():
        assert (root / "llmops_assets" / node.group_name / f"{name}.py").exists(), name


TELLING = {"articles_speak_to_customers", "log_is_clean", "volume_is_usual"}
"""Checks that tell a person and stop nothing: a day may bring more rows than usual; what a gateway let into its log is
left out of the lake."""


def test_every_check_says_what_it_claims_and_privacy_and_gates_block(definitions, nodes):
    graph = definitions.resolve_asset_graph()
    checks = [key for node in nodes.values() for key in node.check_keys]
    assert len(checks) >= 7
    for key in checks:
        spec = graph.get_check_spec(key)
        assert len(spec.description or "") > 20, key
        assert spec.blocking is (key.name not in TELLING), key


def test_workspace_and_project_agree_on_the_name_of_the_location(root):
    (entry,) = yaml.safe_load((root / "workspace.yaml").read_text())["load_from"]
    project = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert entry["python_module"] == {
        "module_name": project["code_location_target_module"],
        "location_name": project["code_location_name"],
    }


def test_the_lock_pins_everything_and_names_no_address(root):
    lines = [line for line in (root / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    assert len(lines) > 100
    for line in lines:
        name, _, version = line.partition("==")
        assert name, line
        assert version, line
        assert not set("@/:") & set(line), line


def test_a_person_reads_in_the_ui_what_a_job_a_schedule_and_a_sensor_do(definitions):
    repository = definitions.get_repository_def()
    described = [*repository.schedule_defs, *repository.sensor_defs]
    described += [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    assert [one.name for one in described if not one.description] == []


def test_schedules_and_sensors_wait_to_be_switched_on(definitions):
    repository = definitions.get_repository_def()
    assert all(s.default_status == dg.DefaultScheduleStatus.STOPPED for s in repository.schedule_defs)
    assert all(s.default_status == dg.DefaultSensorStatus.STOPPED for s in repository.sensor_defs)


def test_the_weekly_schedule_asks_for_the_day_that_is_over():
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance, scheduled_execution_time=datetime(2026, 3, 16, 2, 30, tzinfo=UTC))
        request = weekly(context)
    assert request.partition_key == "2026-03-15"
    assert request.run_key == "weekly-2026-03-15"


def test_the_digest_asks_for_the_week_that_is_over():
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance, scheduled_execution_time=datetime(2026, 3, 16, 7, tzinfo=UTC))
        request = digest(context)
    assert request.partition_key == "2026-03-09"
    assert request.partition_key in WEEKLY.get_partition_keys(datetime(2026, 3, 16, 7, tzinfo=UTC))
