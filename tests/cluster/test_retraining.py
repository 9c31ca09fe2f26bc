"""A whole retraining on a cluster: the real daemon, K8sRunLauncher and executor, every step in a pod of its own.

Pods are processes that share no folder (tests/kubelet.py): between them are the lake, PostgreSQL and MLflow's server.
A climbing hall's customers ask about lost things, of which its release knows nothing. One step's pod is killed.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import dagster as dg
import pytest
import yaml
from cluster_support import ClusterHere
from commands_support import own_conversations
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from kubelet import HERE
from rich.console import Console

from llmops_assets.commands.runs import Runner
from llmops_assets.definitions import build_defs
from llmops_assets.handover.reading import recorded, recorded_days
from llmops_assets.lib.records import Deployment, DriftReport, GateDecision, Release
from resources import open_target
from resources.deployment_target import Ask
from resources.deployment_target.routes import from_data
from resources.workspace import Settings, Workspace

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
DAYS = [date(2026, 3, day) for day in (2, 3, 4)]
NEW_DAY = date(2026, 3, 6)
"""A day lies between: what was just learned cools down."""
NEW = "lost_items"
ROWS = {"opening_hours": 45, "shoe_rental": 45, "membership_pause": 45, "beginner_course": 45, NEW: 40}
CONFIG = {"adapter": {"max_tokens": 2000, "rank": 4}, "quality_report": {"ablations": False}}
KILLED = "adapter"


@dataclass(frozen=True)
class Company:
    """What a company has before it installs anything: conversations in a database, and files in the image."""

    rows: list[dict[str, str]]
    settings: dict


@pytest.fixture(scope="module")
def company(tmp_path_factory, root, postgres, tiny_gguf) -> Company:
    import sqlalchemy as sa

    folder = tmp_path_factory.mktemp("company")
    rows = own_conversations(folder / "climbers.jsonl", ROWS)
    known = [row for row in rows if row["answer"] and NEW not in _topic(row)]
    new = [row for row in rows if NEW in _topic(row)]
    for days, some in ((DAYS, known), ([NEW_DAY], new)):
        for number, row in enumerate(some):
            day = days[number * len(days) // len(some)]
            row["time"] = (datetime.combine(day, time(8), UTC) + timedelta(minutes=number)).isoformat()
    database = sa.create_engine(postgres.url(postgres.create("crm")))
    names = list(rows[0])
    table = sa.Table("conversations", sa.MetaData(), *(sa.Column(name, sa.Text) for name in names))
    table.metadata.create_all(database)
    with database.begin() as connection:
        connection.execute(sa.insert(table), rows)
    url = database.url.set(password="$PGPASSWORD").render_as_string(hide_password=False).replace("%24", "$")
    database.dispose()
    case = yaml.safe_load((root / "llmops_assets" / "samples" / "own_data.yaml").read_text())
    # A model of 0.1 M parameters answers a fifth of so small a suite, which decides little: what is undecided passes
    # where the measured loss is small.
    case["gate"] = {"minimum_accuracy": 0.1, "margin": 0.3, "on_undecided": "accept", "minimum_safety": 0.0}
    case["drift"] = {"window": 40}
    (folder / "use_case.yaml").write_text(yaml.safe_dump(case))
    settings = {
        "base_model": str(tiny_gguf),
        "use_case": str(folder / "use_case.yaml"),
        "knowledge_from_conversations": True,
        "sources": [{"kind": "sql", "name": "crm", "url": url, "table": "conversations"}],
    }
    return Company(rows, settings)


def _topic(row: dict[str, str]) -> str:
    """The intent of a row, told or not."""
    from commands_support import TOPICS

    return next(intent for intent, (questions, _) in TOPICS.items() if any(q in row["question"] for q in questions))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, root, postgres, tiny_gguf, company) -> Iterator[ClusterHere]:
    folder = tmp_path_factory.mktemp("cluster")
    made = ClusterHere(folder, root, postgres, tiny_gguf, company.settings)
    try:
        made.migrate()
        made.start_registry(folder / "artifacts")
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def instance(cluster, tmp_path_factory) -> Iterator[dg.DagsterInstance]:
    """The cluster's storage, from the machine of whoever installs it."""
    folder = tmp_path_factory.mktemp("operator")
    config = {name: cluster.dagster_yaml[name] for name in ("storage", "telemetry", "compute_logs")}
    (folder / "dagster.yaml").write_text(yaml.safe_dump(config))
    with pytest.MonkeyPatch.context() as environment:
        for name, value in cluster.environment.items():
            environment.setenv(name, value)
        # Read when the client is imported, which others may have done.
        import kubernetes.config.kube_config as client

        environment.setattr(client, "KUBE_CONFIG_DEFAULT_LOCATION", str(cluster.operator(folder)))
        with dg.DagsterInstance.from_config(str(folder)) as made:
            yield made


@pytest.fixture(scope="module")
def first_release(cluster, instance, company, tmp_path_factory) -> str:
    """What serves before the new topic comes; it was built in one process, as a first try is."""
    home = tmp_path_factory.mktemp("home")
    (home / "keys").mkdir()
    for name, text in cluster.keys.items():
        (home / "keys" / name).write_text(text)
    workspace = Workspace(home)
    workspace.write_settings(Settings.model_validate(cluster.settings))
    runner = Runner(build_defs(home), instance, Console())
    for day in DAYS[:-1]:
        runner.must_run("ingest_day", day, brief=True)
    runner.must_run("build_release", DAYS[-1], config=CONFIG)
    target = open_target(workspace)
    customers = _customers(company.rows)
    replies = target.ask_many([ask for ask, _ in customers])
    assert {reply.status for reply in replies} == {200}
    # What an agent answered in the assistant's place.
    target.give_feedback(
        [
            (r.interaction, -1, "wrong", said, ask.time)
            for r, (ask, said) in zip(replies, customers, strict=True)
            if said
        ]
    )
    found = recorded(instance, "release", Release)
    assert found is not None
    return found.release_id


def _customers(rows: Sequence[dict[str, str]]) -> list[tuple[Ask, str]]:
    """Of the new day: every third of what is known, with everything new in between; and what an agent answers to it."""
    known = [row for row in rows if NEW not in _topic(row)][::3]
    new = [row for row in rows if NEW in _topic(row)]
    places = {id(row): n / len(some) for some in (known, new) for n, row in enumerate(some)}
    opened = datetime.combine(NEW_DAY, time(9), UTC)
    return [
        (
            Ask(f"Hi, {row['question']}", row["subject"], f"live-{n}", opened + timedelta(minutes=4 * n)),
            row["answer"] if NEW in _topic(row) else "",
        )
        for n, row in enumerate(sorted([*known, *new], key=lambda row: places[id(row)]))
    ]


@pytest.fixture(scope="module")
def retrained(cluster, instance, first_release) -> dg.DagsterRun:
    """The run of `retrain` that the daemon's sensor asked for."""
    cluster.kubelet.kill_one(KILLED)
    cluster.start_dagster()
    cluster.server.lost_answers = 1
    cluster.dagster("job", "launch", "-j", "monitor_day", "--tags", json.dumps({"dagster/partition": str(NEW_DAY)}))

    def ended(job: str) -> dg.DagsterRun | None:
        runs = instance.get_runs(dg.RunsFilter(job_name=job, statuses=list(FINISHED_STATUSES)))
        return next((run for run in runs if "llmops/launched_by" not in run.tags), None)

    monitored = cluster.wait_for(lambda: ended("monitor_day"), 400, "daemon")
    assert monitored.status == dg.DagsterRunStatus.SUCCESS, told(instance, monitored)
    assert recorded_days(instance, "drift_report", DriftReport)[NEW_DAY].drifted
    cluster.dagster("sensor", "start", "retrain_on_drift")
    return cluster.wait_for(lambda: ended("retrain"), 800, "daemon")


def told(instance: dg.DagsterInstance, run: dg.DagsterRun, *kinds: str) -> list[str]:
    """What a run says of its steps."""
    wanted = kinds or ("STEP_FAILURE", "STEP_UP_FOR_RETRY", "RUN_FAILURE", "STEP_SUCCESS")
    events = [entry for entry in instance.all_logs(run.run_id) if entry.dagster_event is not None]
    return [
        f"{event.timestamp:.0f} {event.dagster_event.event_type_value} {event.step_key} {event.dagster_event.message} "
        f"{getattr(event.dagster_event.event_specific_data, 'error', '')}"
        for event in events
        if event.dagster_event.event_type_value in wanted
    ]


def test_drift_on_the_cluster_ends_in_one_new_release_that_serves(cluster, instance, first_release, retrained):
    assert retrained.status == dg.DagsterRunStatus.SUCCESS, "\n".join(told(instance, retrained))
    releases = instance.fetch_materializations(dg.AssetKey("release"), limit=10).records
    assert [record.run_id for record in releases][:-1] == [retrained.run_id]
    release, decision = recorded(instance, "release", Release), recorded(instance, "gate", GateDecision)
    assert release is not None
    assert release.release_id != first_release
    assert decision is not None
    assert (decision.candidate, decision.passed) == (release.release_id, True)
    deployed = recorded(instance, "deployment", Deployment)
    assert deployed is not None
    assert deployed.release_id == release.release_id
    routes = from_data(cluster.server.find("ConfigMap", "routes", cluster.gateways.namespace)["data"])
    assert (routes.state.live, routes.state.canary, routes.state.previous) == (release.release_id, None, first_release)
    stored = [found.path for found in cluster.lake.list("main", "releases/") if found.path.endswith("/release.json")]
    assert sorted(stored) == sorted(f"releases/{name}/release.json" for name in (first_release, release.release_id))


def test_a_step_whose_pod_was_killed_was_started_again_and_nothing_else(cluster, instance, retrained):
    (lost,) = cluster.kubelet.killed
    retries = [entry.split()[2] for entry in told(instance, retrained, "STEP_UP_FOR_RETRY")]
    assert retries == [KILLED]
    assert told(instance, retrained, "STEP_FAILURE") == []
    assert f"{lost}-1" in cluster.kubelet.ran
    assert len(instance.fetch_materializations(dg.AssetKey(KILLED), limit=10).records) == 2


def test_every_step_had_a_pod_of_its_own_and_light_jobs_had_one(cluster, instance, retrained):
    steps = [entry.split()[2] for entry in told(instance, retrained, "STEP_SUCCESS")]
    assert len(steps) == len(set(steps)) > 12
    runs = [name for name in cluster.kubelet.ran if name.startswith("dagster-run-")]
    assert len(runs) == len(set(runs)) == 2
    assert len([name for name in cluster.kubelet.ran if name.startswith("dagster-step-")]) == len(steps) + 1


def test_prometheus_is_told_what_serves_and_that_the_drift_is_answered(cluster, instance, retrained):
    release, told = recorded(instance, "release", Release), cluster.figures()
    assert release is not None
    assert f'llmops_release_deployed_info{{release="{release.release_id}"}} 1.0' in told
    assert "llmops_drift_report_timestamp_seconds 1" in told
    assert "llmops_drift_alarm" not in told


def test_no_pod_asked_in_vain_for_what_it_needs_or_may(cluster, retrained):
    assert cluster.kubelet.faults == []
    assert cluster.server.refused == []
    assert cluster.server.lost_answers == 0


def test_what_pods_handed_over_names_no_place_in_a_pod(cluster, instance, retrained):
    materialized = [
        entry.dagster_event.step_materialization_data.materialization
        for entry in instance.all_logs(retrained.run_id)
        if entry.dagster_event is not None and entry.dagster_event.is_step_materialization
    ]
    assert len(materialized) > 12
    for one in materialized:
        handed = {name: getattr(value, "value", "") for name, value in one.metadata.items()}
        assert str(cluster.kubelet.folder) not in str(handed)
        assert HERE not in str(handed)
