"""One installation of a company's own file, built twice by `llmops build`, and every command that needs a release.

Every test leaves the installation as it found it, but for releases that are no longer live: their order is free.
"""

import html
import json
import shutil
import socket
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from chat_server import ChatServer
from click.testing import Result
from commands_support import DAGSTER, TOPICS, llmops, own_conversations

from llmops_assets.handover import serving
from llmops_assets.lib import tables
from llmops_assets.lib.answering.wordings import BUILT_IN
from llmops_assets.lib.auditing.placeholders import placeholders
from llmops_assets.lib.records import LakeRef, QualityReport
from llmops_assets.samples import generator
from resources import open_lake, open_registry, open_target
from resources.deployment_target import Ask
from resources.lake.base import Lake
from resources.workspace import Workspace

pytestmark = pytest.mark.slow

COSTLY = (
    "redacted_conversations",
    "labelled_conversations",
    "augmented_conversations",
    "knowledge_index",
    "training_dataset",
    "adapter",
    "quantized_model",
    "quality_report",
    "safety_report",
    "deployment",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Installation:
    """A home with one release, and how the command ended that built it."""

    home: Path
    built: Result
    release: str

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.home)

    @property
    def lake(self) -> Lake:
        return open_lake(self.workspace)

    def serves(self) -> str | None:
        """The release that Dagster's record and the gateway agree on."""
        with dg.DagsterInstance.get() as instance:
            found = serving.recorded(instance, self.lake)
        live = open_target(self.workspace).status().live
        assert found is not None
        assert found.release.release_id == live
        return live

    def materialized(self, asset: str) -> dict[str, object]:
        """The metadata of an asset's last materialization."""
        with dg.DagsterInstance.get() as instance:
            event = instance.fetch_materializations(dg.AssetKey(asset), limit=1).records[0].asset_materialization
        assert event is not None
        return {name: value.value for name, value in event.metadata.items()}

    def settings(self, **changed: object) -> None:
        known = self.workspace.settings
        self.workspace.write_settings(known.model_copy(update=changed))


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("installation")
    home, source = folder / "home", folder / "climbers.jsonl"
    home.mkdir()
    (folder / "dagster.yaml").write_text(DAGSTER)
    own_conversations(source)
    lines = {
        "source": source,
        "first_day": "2026-03-02",
        "days": 2,
        "knowledge_from_conversations": "true",
        "base_model": tiny_gguf,
        "gateway_port": free_port(),
    }
    (home / "settings.yaml").write_text("".join(f"{name}: {value}\n" for name, value in lines.items()))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LLMOPS_HOME", str(home))
        environment.setenv("DAGSTER_HOME", str(folder))
        environment.delenv("LAKE", raising=False)
        built = llmops("build")
        try:
            assert built.exit_code == 0, built.output + built.stderr
            yield Installation(home, built, built.stdout.split()[-4])
        finally:
            open_target(Workspace(home)).stop()


@pytest.fixture(scope="module", autouse=True)
def rebuilt(installation: Installation) -> "Rebuilt":
    """What a second build left behind, before any test changed something."""
    before = counted(installation)
    again = llmops("build")
    unchanged = {name: installation.materialized(name).get("unchanged") for name in COSTLY}
    return Rebuilt(again, before, counted(installation), unchanged)


@dataclass
class Rebuilt:
    """How the second build ended, what was counted before and after it, and which assets say that they kept theirs."""

    result: Result
    before: dict[str, object]
    after: dict[str, object]
    unchanged: dict[str, object]


def test_build_ends_with_a_release_that_answers(installation):
    assert f"{installation.release} answers at http://127.0.0.1:" in installation.built.stdout
    assert installation.built.stdout.count("✓ ingest_day") == 1, "the day before the one that is built"
    assert installation.serves() == installation.release


def test_no_template_of_the_agents_becomes_knowledge(installation):
    articles = installation.lake.get("main", "data/knowledge_base/articles.jsonl").decode().splitlines()
    answers = {json.loads(line)["answer"] for line in articles}
    assert answers == {answers_of[0] for _, answers_of in TOPICS.values()}
    assert not any(placeholders(answer) for answer in answers)
    assert installation.materialized("knowledge_base")["answers_with_unfilled_slots"] > 0


def test_what_the_use_case_does_not_name_is_said_to_be_unmeasured(installation):
    assert "out_of_scope" in installation.materialized("eval_suite")["unmeasured"]


def counted(installation: Installation) -> dict[str, object]:
    """What work leaves behind: files of the lake by path, MLflow's runs, requests that the gateway answered."""
    client = open_registry(installation.workspace).client
    address = open_target(installation.workspace).status().address
    with urllib.request.urlopen(f"{address}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    return {
        "paths": {stat.path for stat in installation.lake.list("main")},
        "answers": {s.path: s.sha256 for s in installation.lake.list("main") if "/answers/" in s.path},
        "runs": len(client.search_runs([e.experiment_id for e in client.search_experiments()])),
        "requests": sorted(line for line in lines if line.startswith("gateway_requests_total")),
    }


def test_a_second_build_computes_nothing_again(installation, rebuilt):
    assert rebuilt.result.exit_code == 0, rebuilt.result.output
    assert f"{installation.release} answers at" in rebuilt.result.stdout
    assert rebuilt.unchanged == dict.fromkeys(COSTLY, True)
    assert rebuilt.after == rebuilt.before
    assert rebuilt.before["answers"]
    assert rebuilt.before["runs"]
    assert rebuilt.before["requests"]


def test_lineage_of_the_release_leads_to_the_conversations_and_all_links_hold(installation, tmp_path):
    told = llmops("lineage", installation.release)
    assert told.exit_code == 0, told.output
    for name in ("gate", "adapter", "training_dataset", "redacted_conversations"):
        assert name in told.stdout
    as_json = json.loads(llmops("lineage", installation.release, "--json").stdout)
    assert installation.release in json.dumps(as_json)
    for drawing, beginning in (("drawn.dot", "digraph"), ("drawn.html", "<!doctype html>")):
        assert llmops("lineage", installation.release, "--draw", tmp_path / drawing).exit_code == 0
        assert (tmp_path / drawing).read_text().lower().startswith(beginning)
    verified = llmops("lineage", "verify")
    assert (verified.exit_code, verified.stdout.strip()) == (0, "0 broken links")
    assert llmops("lineage", "verify", "--json").stdout.strip() == "[]"


def test_the_release_is_made_again_byte_for_byte(installation):
    again = llmops("reproduce", installation.release)
    assert again.exit_code == 0, again.output + again.stderr
    adapter, index, engine = again.stdout.strip().splitlines()
    assert adapter.startswith("adapter ")
    assert index.startswith("knowledge index ")
    assert engine.startswith("engine model ")
    assert all(line.endswith(": equal bytes") for line in (adapter, index, engine))


def test_an_answer_is_explained(installation, tmp_path):
    question = TOPICS["shoe_rental"][0][0]
    [reply] = open_target(installation.workspace).ask_many([Ask(question, conversation="explained")])
    told = llmops("explain", reply.interaction, "--html", tmp_path / "why.html")
    assert told.exit_code == 0, told.output + told.stderr
    for part in (
        question,
        # What was said of the question: the log keeps it without the notice of an AI.
        *reply.answer.removeprefix(BUILT_IN["en"]["notice"]).strip().splitlines(),
        installation.release,
        "as of lake commit",
        "the gate decided",
        "training-dataset-",
    ):
        assert part in told.stdout
    assert "climbers/2026-03-0" in told.stdout, "nearest rows with their days"
    assert question in html.unescape((tmp_path / "why.html").read_text())
    assert json.loads(llmops("explain", reply.interaction, "--json").stdout)["sections"][0]["title"] == "answer"


def test_the_setting_that_hurt_a_slice_is_found(installation):
    lake = installation.lake
    good = serving.published(lake, installation.release)
    router = good.manifest.router.model_copy(update={"hand_over_below": 1.01, "answer_above": 1.02})
    manifest = good.manifest.model_copy(update={"router": router})
    report = QualityReport.model_validate_json(lake.read(good.gate))
    assert report.candidate.answers is not None
    rows = [
        {**row, "answer": manifest.handover, "path": "handover", "article": ""}
        for row in tables.from_parquet(lake.read(report.candidate.answers))
    ]
    folder = serving.folder_of(manifest.release_id)

    def put(path: str, data: bytes) -> LakeRef:
        with lake.transaction(path, {}, name="hurt") as transaction:
            transaction.put(path, data)
        return lake.uri(transaction.merged or "", path)

    answers = put(f"{folder}/answers.parquet", tables.to_parquet(rows, tables.ANSWERS))
    hurt = report.candidate.model_copy(update={"subject": manifest.release_id, "answers": answers})
    gate = put(f"{folder}/report.json", report.model_copy(update={"candidate": hurt}).model_dump_json().encode())
    bad = good.model_copy(update={"release_id": manifest.release_id, "manifest": manifest, "gate": gate})
    put(f"{folder}/release.json", bad.model_dump_json().encode())
    found = llmops("bisect", "overall", good.release_id, bad.release_id)
    assert found.exit_code == 0, found.output + found.stderr
    assert f"settings router hurt it (release {good.release_id} did not), after 0 retrainings" in found.stdout
    assert installation.serves() == installation.release


def test_a_drawing_that_cannot_be_written_is_said(installation, tmp_path):
    failed = llmops("lineage", installation.release, "--draw", tmp_path / "nowhere" / "drawn.dot")
    assert failed.exit_code == 1
    assert failed.stderr.strip() == f"{tmp_path / 'nowhere' / 'drawn.dot'} cannot be written: No such file or directory"


def test_labels_go_out_are_checked_taken_in_and_known_the_second_time(installation, tmp_path, request):
    queue = tmp_path / "queue.csv"
    out = llmops("labels", "export", queue, "--limit", 3)
    assert out.exit_code == 0, out.output
    assert f"3 rows to label in {queue}" in " ".join(out.stdout.split())
    assert len(queue.read_text().splitlines()) == 1 + 3
    assert "beginner_course, lost_items" in out.stdout
    day = installation.lake.get("main", "data/labelled_conversations/2026-03-02.parquet")
    row = tables.from_parquet(day)[0]["row_id"]
    labels = tmp_path / "labels.csv"
    request.addfinalizer(lambda: shutil.rmtree(installation.home / "labels", ignore_errors=True))
    labels.write_text(f"row_id,intent,annotator\n{row},lost_items,ana\n")
    checked = llmops("labels", "check", labels)
    assert (checked.exit_code, checked.stdout.strip()) == (0, "1 labels for rows of 2026-03-02")
    assert not list(installation.home.glob("labels/*")), "checking keeps nothing"
    first, second = llmops("labels", "import", labels), llmops("labels", "import", labels)
    assert first.exit_code == second.exit_code == 0
    assert "1 labels kept as" in first.stdout
    assert "were taken in before" in second.stdout
    assert "materialize labelled_conversations again for 2026-03-02" in first.stdout
    wrong = tmp_path / "wrong.csv"
    wrong.write_text(f"row_id,intent,annotator\n{row},parking,ana\n")
    for command in ("check", "import"):
        refused = llmops("labels", command, wrong)
        assert refused.exit_code == 1
        assert "parking" in refused.stderr
    allowed = llmops("labels", "check", wrong, "--new-intents")
    assert (allowed.exit_code, allowed.stdout.strip()) == (0, "1 labels for rows of 2026-03-02, new intents: parking")


def test_a_model_that_agrees_with_people_labels_the_queue(installation, tmp_path, request):
    request.addfinalizer(lambda: shutil.rmtree(installation.home / "labels", ignore_errors=True))
    stored = tables.from_parquet(installation.lake.get("main", "data/labelled_conversations/2026-03-02.parquet"))
    day = [row for row in stored if row["intent"]]
    intents = {row["question"]: row["intent"] for row in day}
    labels = tmp_path / "labels.csv"
    labels.write_text("row_id,intent,annotator\n" + "".join(f"{r['row_id']},{r['intent']},ana\n" for r in day))
    assert llmops("labels", "import", labels).exit_code == 0

    def knows(question: str, _: int) -> str:
        return intents.get(question, "unknown")

    def differs(_: str, number: int) -> str:
        return list(TOPICS)[number % len(TOPICS)]

    for reply, status in ((differs, 1), (knows, 0)):
        server = ChatServer(reply)
        asked = llmops("labels", "ask", "--url", server.address, "--model", "big", "--key", "secret", "--limit", 5)
        server.close()
        assert asked.exit_code == status, asked.output
        assert server.requests[0]["key"] == "Bearer secret"
        if status:
            assert asked.stderr.startswith("the model does not agree with people")
            assert len(server.requests) == len(day), "nothing of the queue is sent"
        else:
            assert "agreement with people: kappa 1.00" in asked.stdout
            assert 0 < len(server.requests) - len(day) <= 5


def test_the_lake_of_an_installation_is_sound_and_collecting_breaks_nothing(installation):
    sound = llmops("lake", "check")
    assert (sound.exit_code, sound.stdout.strip()) == (0, "0 problems")
    assert llmops("lake", "collect").exit_code == 0
    assert llmops("lineage", "verify").exit_code == 0


def test_rollback_moves_what_serves_and_back_again(installation):
    alone = llmops("rollback")
    assert alone.exit_code == 1
    assert "no previous release" in alone.stderr
    (installation.home / "case.yaml").write_text(changed_use_case())
    installation.settings(use_case=installation.home / "case.yaml")
    rebuilt = llmops("build")
    assert rebuilt.exit_code == 0, rebuilt.output + rebuilt.stderr
    second = installation.serves()
    assert second != installation.release
    back = llmops("rollback")
    assert back.exit_code == 0, back.output
    assert f"{installation.release} serves, {second} is the previous one" in back.stdout
    assert installation.serves() == installation.release
    assert llmops("rollback").exit_code == 0
    assert installation.serves() == second
    assert llmops("rollback", "--to", installation.release).exit_code == 0
    assert installation.serves() == installation.release
    unknown = llmops("rollback", "--to", "r-never")
    assert unknown.exit_code == 1
    assert unknown.stderr.strip() == (
        "roll_back failed at deployment: r-never was never released: name a release that was"
    )
    assert installation.serves() == installation.release


def changed_use_case() -> str:
    """The use case of own data with other words for a handover: another release, of the same model."""
    text = (generator.FOLDER / "own_data.yaml").read_text()
    changed = text.replace("I am handing you over", "I am passing you on")
    assert changed != text
    return changed
