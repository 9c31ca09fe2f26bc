"""The main job end to end on a tiny model made on the fly: real jobs, lake, registry, gateway, engine, sensor.

With LAKE=lakefs in the environment it plays on lakeFS: the tests' own server, or the one of LAKEFS_ENDPOINT.
"""

import io
import json
import os
import re
import zipfile
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from lakefs_server import ACCESS_KEY, SECRET_KEY, FakeLakeFS
from rich.console import Console

from llmops_assets.commands.demo import Demo, DemoError, Sizes
from llmops_assets.commands.runs import LAUNCHED_BY, Runner
from llmops_assets.definitions import build_defs
from llmops_assets.evaluation.evidence import verified
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.handover.lineage import add_named, collect, verify
from llmops_assets.handover.serving import published
from llmops_assets.lib import tables
from llmops_assets.lib.gate import GateError
from llmops_assets.lib.records import Deployment, GateDecision, LakeRef, Release
from resources import open_lake, open_registry
from resources.lake.embedded import EmbeddedLake
from resources.use_case import UseCaseFiles
from resources.workspace import Workspace

# The whole demonstration is played before the first test, beside whatever else the machine does.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SIZES = Sizes(
    run_config={
        "adapter": {"max_tokens": 3000, "rank": 4},
        "quality_report": {"ablation_items_per_slice": 2},
    },
)


# The default one starts `tail` for every run and waits a minute for it where SIGTERM is ignored.
NO_COMPUTE_LOGS = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}


@pytest.fixture(scope="module", autouse=True)
def lakefs(tmp_path_factory):
    """The folder of the tests' lakeFS server where there is one, else None."""
    if os.environ.get("LAKE") != "lakefs" or "LAKEFS_ENDPOINT" in os.environ:
        yield None
        return
    server = FakeLakeFS(tmp_path_factory.mktemp("lakefs"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LAKEFS_ENDPOINT", server.endpoint)
        environment.setenv("LAKEFS_ACCESS_KEY_ID", ACCESS_KEY)
        environment.setenv("LAKEFS_SECRET_ACCESS_KEY", SECRET_KEY)
        yield server.folder
    server.close()
    assert server.violations == []


@pytest.fixture(scope="module")
def played(tmp_path_factory, tiny_gguf):
    """(figures, home, instance, what was printed) of one demonstration."""
    folder = tmp_path_factory.mktemp("demo")
    home = folder / "home"
    printed = io.StringIO()
    with dg.DagsterInstance.local_temp(str(folder), overrides={"compute_logs": NO_COMPUTE_LOGS}) as instance:
        # A run that a killed demonstration left behind must not be in the way.
        instance.create_run_for_job(build_defs(home).resolve_job_def("monitor_day"), tags={LAUNCHED_BY: "command"})
        demo = Demo(
            home,
            instance,
            sizes=SIZES,
            settings={"base_model": str(tiny_gguf), "gateway_port": 8795},
            console=Console(file=printed, width=110),
        )
        figures = demo.run()
        yield figures, home, instance, printed.getvalue()


def test_the_first_release_beats_the_base_model(played):
    figures, *_ = played
    # What the random model makes up is now and then no sendable answer, and is handed over: right out of scope only.
    right = {name: score[0] for name, score in figures["base_slices"].items() if name != "out_of_scope"}
    assert right == dict.fromkeys(right, 0)
    assert set(right) == {"faq", "complaint", "slang", "typos"}
    assert figures["first_release_accuracy"] > 0.6
    assert set(figures["first_release_slices"]) >= {"faq", "complaint", "slang", "typos", "out_of_scope"}
    assert set(figures["parts"]) == {"base", "base_with_passages", "adapter_with_passages", "without_adapter"}


def test_normal_days_trigger_nothing_and_the_new_topic_does(played):
    figures, *_ = played
    assert figures["false_triggers"] == 0
    assert figures["new_topic_day"] == "2026-03-11"
    assert 0 < figures["drift_delay_interactions"] <= SIZES.queries_per_day


def test_retraining_answers_the_new_topic_and_loses_nothing_elsewhere(played):
    figures, *_ = played
    assert figures["new_topic_accuracy_after"] > figures["new_topic_accuracy_before"] + 0.3
    assert figures["live_new_topic_accuracy_after"] > figures["live_new_topic_accuracy_before"]
    assert figures["adapter_accuracy"] >= figures["first_release_accuracy"] - 0.05
    assert not figures["trigger_after_retraining"]


def test_the_poisoned_candidate_is_stopped_and_the_incumbent_serves_on(played):
    figures, *_ = played
    assert figures["poisoned_blocked"] is True
    assert figures["poisoned_failed_slices"]
    assert figures["serving"] == figures["releases"][-1] != figures["poisoned_candidate"]


def test_an_answer_leads_back_to_conversations_and_a_person_forward_to_releases(played):
    figures, home, instance, _ = played
    workspace = Workspace(home)
    lake, log = open_lake(workspace), InteractionLog(workspace.log_url)
    lineage = collect(instance, lake, log)
    first, second = figures["releases"]
    start = datetime.fromisoformat(figures["new_topic_day"]).replace(tzinfo=UTC)
    answered = log.interactions(start, start + timedelta(days=1))[0]
    assert answered["release_id"] == first
    add_named(lineage, answered["id"], instance, lake, log)
    behind = {lineage.nodes[node].title for node in lineage.sources([answered["id"]])}
    assert behind >= {
        "release",
        "gate",
        "candidate",
        "quality_report",
        "adapter",
        "training_dataset",
        "knowledge_index",
    }
    days = {title for title in behind if title.startswith("redacted_conversations ")}
    assert days == {f"redacted_conversations 2026-03-0{day}" for day in range(2, 9)}, "the days before the release"

    day = "data/redacted_conversations/2026-03-04.parquet"
    person = tables.from_parquet(lake.get("main", day))[0]["subject"]
    add_named(lineage, person, instance, lake, log)
    [found] = lineage.find(person)
    ahead = {lineage.nodes[node].id for node in lineage.results([found.id])}
    releases = {node.id for release in (first, second) for node in lineage.find(release) if node.title == "release"}
    assert len(releases) == 2
    assert releases <= ahead


def test_a_warm_start_is_an_edge_of_the_lineage(played):
    figures, home, instance, _ = played
    workspace = Workspace(home)
    lake, log = open_lake(workspace), InteractionLog(workspace.log_url)
    lineage = collect(instance, lake, log)
    first, second = (published(lake, release) for release in figures["releases"])
    assert second.tuned.warm_start == first.tuned.digest
    # A run that kept its adapter hands over the same one: the first one of that name was trained.
    trained = [
        min((node for node in lineage.find(one.tuned.digest) if node.title == "adapter"), key=lambda node: int(node.id))
        for one in (first, second)
    ]
    behind = [{lineage.nodes[node].title for node in lineage.sources([node.id])} for node in trained]
    assert "deployment" not in behind[0]
    assert {"deployment", "release", "gate"} <= behind[1]


def test_no_customers_words_stand_in_dagsters_events(played):
    _, home, instance, _ = played
    workspace = Workspace(home)
    lake = open_lake(workspace)
    own = UseCaseFiles(workspace.settings).read().out_of_scope
    said = {
        row["question"]
        for found in (
            *lake.list("main", "data/redacted_conversations/"),
            *lake.list("main", "monitoring/interactions/"),
        )
        if found.path.endswith(".parquet") and "/quarantine/" not in found.path
        for row in tables.from_parquet(lake.get("main", found.path))
    }
    said = {text for text in said if len(text) > 20} - {*own.train, *own.held_out}
    assert len(said) > 500
    stored = b"".join(
        file.read_bytes() for file in Path(instance.root_directory).rglob("*.db*") if home not in file.parents
    )
    assert b"redacted_conversations" in stored
    assert [text for text in said if text.encode() in stored] == []


def test_every_link_between_the_systems_holds_and_a_cut_one_is_named(played, tmp_path):
    figures, home, instance, _ = played
    workspace = Workspace(home)
    lake, registry = open_lake(workspace), open_registry(workspace)
    assert verify(instance, lake, registry) == []
    registry.client.delete_run(figures["mlflow_run"])
    try:
        broken = verify(instance, lake, registry)
    finally:
        registry.client.restore_run(figures["mlflow_run"])
    assert broken
    assert all(figures["mlflow_run"] in problem for problem in broken)
    # A lake whose history is another one: everything that Dagster recorded is missing in it.
    rewritten = verify(instance, EmbeddedLake(tmp_path / "lake"), registry)
    assert sum("not in the history of main" in problem for problem in rewritten) > 20


def test_no_request_failed_although_releases_were_swapped(played):
    figures, *_ = played
    assert figures["requests_during_swaps"] > 0
    assert figures["failed_requests"] == 0


def test_the_figures_stand_in_a_file_with_what_is_behind_them(played):
    figures, home, *_ = played
    stored = json.loads((home / "demo.json").read_text())
    assert stored["wall_seconds"] == figures["wall_seconds"]
    for key in ("releases", "mlflow_run", "training_dataset", "drift_report", "answers_lake_ref"):
        assert stored[key], key


def test_the_summary_is_printed_with_where_to_look_next(played):
    *_, printed = played
    for text in ("after the new topic", "Poisoned candidate blocked: True", "demo.json", "127.0.0.1"):
        assert text in printed


def test_refs_runs_and_aliases_lead_to_each_other(played):
    _, home, instance, _ = played
    workspace = Workspace(home)
    lake, registry = open_lake(workspace), open_registry(workspace)
    event = instance.get_latest_materialization_event(dg.AssetKey("adapter"))
    metadata = event.asset_materialization.metadata
    adapter = metadata["record"].value
    run = registry.client.get_run(adapter["mlflow_run"])
    assert run.data.tags["asset"] == "adapter"
    assert instance.get_run_by_id(run.data.tags["dagster_run"]) is not None
    assert run.inputs.dataset_inputs[0].dataset.source.find(adapter["dataset"]["ref"]) > 0
    assert adapter["ref"].startswith("lakefs://" if os.environ.get("LAKE") == "lakefs" else "lake://")
    commit = next(iter(lake.log(adapter["ref"].split("/")[3], limit=1)))
    assert commit.metadata["mlflow_run"] == run.info.run_id
    assert commit.metadata["dagster_run"] == run.data.tags["dagster_run"]
    deployed = instance.get_latest_materialization_event(dg.AssetKey("deployment"))
    release = Deployment.model_validate(deployed.asset_materialization.metadata["record"].value).release_id
    stored = Release.model_validate_json(lake.get("main", f"releases/{release}/release.json"))
    assert stored.tuned is not None
    assert registry.version_of("lumora-support", "champion") == stored.tuned.model_version


def test_the_drift_report_is_evidentlys_and_stays_in_the_lake(played):
    figures, home, *_ = played
    page = open_lake(Workspace(home)).read(LakeRef.model_validate(figures["drift_report"])).decode()
    assert "root_metric_" in page
    assert "Drifted windows" in page


CANARIES = re.compile(rb"@(mailbox|post|inbox)\.example|LUMO\d{10}|\+31 6 \d{8}|\bLM-\d{6,8}\b|Tom Verbeek|Laura Conti")


def test_no_personal_data_of_the_sample_is_in_lake_log_registry_or_events(played, lakefs):
    """Mailboxes, accounts, phones, orders and names of the sample's customers stand in the inbox and nowhere else."""
    _, home, instance, _ = played
    inbox = b"".join(p.read_bytes() for p in (home / "inbox").iterdir())
    assert len(set(CANARIES.findall(inbox))) == 4
    assert len(CANARIES.findall(inbox)) > 100
    searched = 0
    for folder in (home, Path(instance.root_directory), *([lakefs] if lakefs else [])):
        for file in folder.rglob("*"):
            if file.is_file() and "inbox" not in file.parts:
                searched += 1
                found = CANARIES.search(_plain(file))
                assert found is None, (file, found)
    assert searched > (100 if "LAKEFS_ENDPOINT" in os.environ and lakefs is None else 200)


def _plain(file: Path) -> bytes:
    """A file's bytes as a person who looks for something would read them: tables and archives unpacked."""
    data = file.read_bytes()
    if data[:4] == b"PAR1":
        return str(tables.from_parquet(data)).encode()
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return b"".join(archive.read(name) for name in archive.namelist())
    if "repository.git" in file.parts and data[:1] == b"x":
        return zlib.decompress(data)
    return data


def test_a_second_start_clears_what_a_killed_one_left(played):
    _, home, instance, _ = played
    runner = Runner(build_defs(home), instance, Console(file=io.StringIO()))
    assert runner.release_leftovers() == 0
    cancelled = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.CANCELED]))
    assert len(cancelled) == 1


def test_a_folder_that_is_no_demonstration_is_not_touched(tmp_path, tiny_gguf):
    (tmp_path / "precious").write_text("mine")
    with dg.DagsterInstance.ephemeral() as instance:
        demo = Demo(tmp_path, instance, sizes=SIZES, console=Console(file=io.StringIO()))
        with pytest.raises(DemoError, match="nothing was touched"):
            demo.prepare()
    assert [p.name for p in tmp_path.iterdir()] == ["precious"]


def test_the_deployment_refuses_a_forged_decision(played):
    _, home, instance, _ = played
    lake = open_lake(Workspace(home))
    event = instance.get_latest_materialization_event(dg.AssetKey("gate"))
    refused = GateDecision.model_validate(event.asset_materialization.metadata["record"].value)
    assert not refused.passed
    forged = refused.model_copy(update={"passed": True, "failed_slices": ()})
    with lake.transaction("Forge", name="forge") as draft:
        folder = f"evaluation/gate/{refused.candidate}"
        draft.put(f"{folder}/decision.json", forged.model_dump_json().encode())
    last = instance.get_latest_materialization_event(dg.AssetKey("release"))
    release = Release.model_validate(last.asset_materialization.metadata["record"].value)
    evidence = lake.uri(draft.merged, f"{folder}/report.json")
    fake = release.model_copy(update={"release_id": refused.candidate, "gate": evidence})
    with pytest.raises(GateError, match="does not follow"):
        verified(lake, fake, UseCaseFiles(Workspace(home).settings).read(), refused.incumbent)
