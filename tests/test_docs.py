"""What the documentation tells a reader to type works as it stands there."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest
import yaml
from commands_support import llmops
from documented_changes import DAY, hand_over_day, put, target_of
from signing_support import publish_seal, trusted_file
from test_layers import floors, misplaced, packages, reads

from llmops_assets.data.augmented_conversations import AugmentationConfig
from llmops_assets.definitions import GROUPS, build_defs
from llmops_assets.evaluation.candidate import candidate
from llmops_assets.gateway.state import ServingState
from llmops_assets.lib import tables
from llmops_assets.lib.judging import probefiles, safety
from llmops_assets.lib.records import GenerationSettings, ModelRef, PromptRef, ReleaseManifest, RouterPolicy
from resources.conversations import Conversations
from resources.deployment_target import DeploymentError
from resources.lake.base import Lake
from resources.models import Models
from resources.workspace import Settings, Workspace

CHECKS = {
    "sources.formats": """
import pathlib, tempfile
from llmops_assets.lib.sources import read_rows
file = pathlib.Path(tempfile.mkdtemp()) / "a.mbox"
file.write_text("From x\\nFrom: anna@mail.example\\n\\nWhere is it?\\n-- answer --\\nOn its way.\\n")
assert [(row.question, row.answer, row.subject) for row in read_rows(file)] == [
    ("Where is it?", "On its way.", "anna@mail.example")
]
""",
    "evalsuite": """
from support import article
asked = [f"where is parcel {n}?" for n in range(60)]
items = module.build_suite([article("a", "x", held_out=asked)], [], new_since=None)
shouted = [item.question for item in items if item.slice == "shouting"]
assert len(shouted) > 5 and all(text.isupper() and text.endswith("!!") for text in shouted), shouted
""",
    "gate": """
from support import dataset
from llmops_assets.lib.records import EvalReport, GatePolicy, SliceScore
found = {str(n): ("faq", True) for n in range(10)}
def report(name, handed_over):
    paths = {"handover": SliceScore(right=0, total=handed_over)}
    return EvalReport(subject=name, suite=dataset(), overall=SliceScore(right=10, total=10), slices={}, paths=paths)
def decide(handed_over):
    policy = GatePolicy(on_undecided="accept")
    return module.decide(report("new", handed_over), found, report("old", 2), found, policy)
assert decide(4).passed
assert decide(5).failed_slices == ("handovers",)
""",
    "judging.scorers.base": """
from support import item
said = lambda text: module.score(module.Answered(item("q"), text, "generated", None))
assert (said("Sorry to hear that."), said("Pay now."), said("SORRY")) == (True, False, False)
""",
}


def blocks(file: Path, language: str = "python") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", file.read_text(), re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize(("position", "name"), list(enumerate(CHECKS)))
def test_each_way_to_extend_works_as_written(root, position, name):
    block = blocks(root / "docs" / "extending.md")[position]
    code = (
        f"import sys; sys.path[:0] = [{str(root)!r}, {str(root / 'tests')!r}]\n"
        f"import llmops_assets.lib.{name} as module\nexec({block!r}, vars(module))\n{CHECKS[name]}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def section(file: Path, title: str) -> str:
    (found,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", file.read_text(), re.DOTALL | re.MULTILINE)
    return found


class Change:
    """What a section of CONTRIBUTING tells to change: the files it numbers, one of which is its block."""

    def __init__(self, root: Path, title: str) -> None:
        text = section(root / "CONTRIBUTING.md", title)
        self.files = dict(re.findall(r"^\d\. `([^`]+)`: (.*)$", text, re.MULTILINE))
        assert 1 < len(self.files) <= 4
        (self.block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        (self.block_file,) = (name for name, what in self.files.items() if "below" in what)

    def apply(self, root: Path, copy: Path, **entries: tuple[str, str]) -> Path:
        """The sources in a new folder, changed: `entries` has (old, new) for the file of that stem, where `new` holds
        the entry that the section gives."""
        for folder in ("llmops_assets", "resources", "sensors"):
            shutil.copytree(root / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(root / "pyproject.toml", copy)
        for name, what in self.files.items():
            if "docstring" in what:
                (copy / name).parent.mkdir()
                (copy / name).write_text('"""What the group is for."""\n')
        assert not (copy / self.block_file).exists()
        (copy / self.block_file).write_text(self.block)
        for stem, (old, new) in entries.items():
            (name,) = (name for name in self.files if Path(name).stem == stem)
            (entry, *_) = re.findall(r"`([^`]+)`", self.files[name])
            text = (copy / name).read_text()
            assert entry in new
            assert text.count(old) == 1
            (copy / name).write_text(text.replace(old, new))
        return copy


def run(root: Path, copy: Path, *command: str) -> None:
    """Run Python on a copy of the sources, with the tests' own modules beside it."""
    path = {"PYTHONPATH": f"{copy}:{root}:{root / 'tests'}"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=copy, env={**os.environ, **path}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def ask_of(root: Path, copy: Path, function: str, *folders: Path) -> None:
    """Call a function of documented_changes on a copy of the sources."""
    given = f"*map(pathlib.Path, {list(map(str, folders))})"
    run(root, copy, "-c", f"import pathlib, documented_changes; documented_changes.{function}({given})")


@pytest.mark.slow
def test_the_asset_of_contributing_is_described_counts_and_checks(root, lake):
    namespace: dict = {"__name__": "llmops_assets.monitoring.busiest_hour"}
    exec(blocks(root / "CONTRIBUTING.md")[0], namespace)
    asset = namespace["busiest_hour"]
    (spec,) = asset.specs
    assert spec.description
    assert spec.owners
    assert spec.kinds
    assert spec.code_version

    def handed_over(*times: str) -> dict | None:
        with dg.DagsterInstance.ephemeral() as instance:
            rows = [{"time": time} for time in times]
            hand_over_day(instance, lake, "interactions", tables.INTERACTIONS, rows)
            dg.materialize(
                [asset], instance=instance, partition_key=DAY, resources={"lake": lake}, raise_on_error=False
            )
            event = instance.get_latest_materialization_event(dg.AssetKey("busiest_hour"))
        return event and event.asset_materialization.metadata["record"].value

    asked = [f"{DAY}T{hour}:10:00+00:00" for hour in ("09", "14", "14")]
    assert handed_over() == {"hour": None, "interactions": 0}
    assert handed_over(*asked) == {"hour": 14, "interactions": 2}
    assert handed_over(*asked, "2026-03-12T00:00:00+00:00") is None


@pytest.mark.slow
def test_the_group_of_contributing_is_loaded_materializes_and_has_its_floor(root, tmp_path):
    change = Change(root, "Add an asset group")
    copy = change.apply(
        root,
        tmp_path / "copy",
        definitions=('"monitoring")', '"monitoring", "staffing")'),
        pyproject=('  "llmops_assets.jobs",\n', '  "llmops_assets.jobs",\n  "llmops_assets.staffing",\n'),
    )
    ask_of(root, copy, "group", tmp_path / "home")
    groups = (*GROUPS, "staffing")
    assert (misplaced(groups, floors(copy)), misplaced(groups, floors(root))) == ([], ["staffing"])
    assert set(floors(copy)) == packages(copy) == packages(root) | {"llmops_assets.staffing"}
    assert reads(change.block) == {"interactions"}


@pytest.mark.slow
def test_the_training_method_of_contributing_trains_and_enters_the_candidate(root, tmp_path, tiny_gguf):
    change = Change(root, "Add a training method")
    copy = change.apply(
        root, tmp_path / "copy", candidate=('"distilled_model")', '"distilled_model", "calmer_adapter")')
    )
    ask_of(root, copy, "method", tmp_path / "home", tiny_gguf)


def test_a_model_that_is_not_in_the_table_does_not_enter_the_candidate(lake):
    config = {"ops": {"candidate": {"config": {"tuned": "calmer_adapter"}}}}
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(dg.Failure, match="only adapter, preference_adapter"),
    ):
        dg.materialize([candidate], instance=instance, resources={"lake": lake}, run_config=config)


@pytest.mark.slow
def test_the_gateway_step_of_contributing_changes_what_it_says(root, tmp_path):
    change = Change(root, "Add a gateway step")
    copy = change.apply(root, tmp_path / "copy", chain=("answering=(", "answering=(Danger(), "))
    chain = copy / "llmops_assets" / "gateway" / "chain.py"
    imported = "from llmops_assets.gateway.steps.danger import Danger\n"
    chain.write_text(chain.read_text().replace("class Chain:", f"{imported}\n\nclass Chain:"))
    (tmp_path / "gateway").mkdir()
    ask_of(root, copy, "step", tmp_path / "gateway")


@pytest.mark.slow
def test_the_layout_of_contributing_is_recognised_and_keeps_out_what_it_does_not_know(root, tmp_path):
    change = Change(root, "Add a layout")
    assert len(change.files) == 3
    copy = change.apply(root, tmp_path / "copy", __init__=("    Zendesk(),\n", "    Deskly(),\n    Zendesk(),\n"))
    table = copy / "llmops_assets" / "lib" / "sources" / "layouts" / "__init__.py"
    imported = "from llmops_assets.lib.sources.layouts.deskly import Deskly\n"
    table.write_text(table.read_text().replace("\nLAYOUTS:", f"\n{imported}\nLAYOUTS:"))
    ask_of(root, copy, "layout", tmp_path)


class Controller(BaseHTTPRequestHandler):
    """A controller as the fleet target of CONTRIBUTING expects it: it keeps what it is given, and serves no release of
    which it has nothing."""

    kept: dict[str, bytes]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        live = json.loads(body)["live"] if self.path == "/state" else None
        if live is not None and f"/releases/{live}" not in self.kept:
            return self._answer(409, b"")
        self.kept[self.path] = body
        return self._answer(200, b"")

    def do_GET(self) -> None:
        self._answer(200, {"/state": self.kept.get("/state", b"{}")}[self.path])

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def controller() -> Iterator[tuple[str, dict[str, bytes]]]:
    """(address, what it was given) of a controller."""
    handler = type("Kept", (Controller,), {"kept": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler.kept
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_the_target_of_contributing_takes_releases_and_goes_back(root, lake, tmp_path, controller):
    change, (address, kept) = Change(root, "Add a deployment target"), controller
    namespace: dict = {"__name__": "resources.deployment_target.fleet"}
    exec(change.block, namespace)
    made = namespace["FleetTarget"](lake, Models(tmp_path / "models"), trusted_file(tmp_path / "trusted.pem"), address)
    target = target_of(build_defs(tmp_path / "home", resources={"target": made}))
    one, two = (release(lake, name) for name in ("one", "two"))
    assert target.apply(one, "live").live == one.release_id
    assert lake.read(one.knowledge_index.ref) == kept[f"/files/{one.knowledge_index.sha256}"]
    canary = target.apply(two, "canary", share=0.5)
    assert (canary.live, canary.canary) == (one.release_id, two.release_id)
    live = target.apply(two, "live")
    assert (live.live, live.previous, live.canary) == (two.release_id, one.release_id, None)
    assert target.rollback().live == one.release_id
    with pytest.raises(DeploymentError, match="was never released"):
        target.rollback("release-unknown")
    assert kept[f"/releases/{two.release_id}/model.sig"]
    with pytest.raises(DeploymentError, match="refused PUT state"):
        target._serve(target._state(), ServingState(generation=9, live="release-unknown"))
    assert target.status().live == one.release_id
    target.stop()
    assert target.status().live is None


def release(lake: Lake, name: str) -> ReleaseManifest:
    """A release with an index whose hand-over text carries its name."""
    manifest = ReleaseManifest(
        base=ModelRef(name="base", digest="b" * 64),
        prompt=PromptRef(name="p", version=1, template="Be brief.", digest="p"),
        generation=GenerationSettings(max_tokens=8),
        knowledge_index=put(lake, "index.zip", b"an index"),
        router=RouterPolicy(answer_above=0.7, hand_over_below=0.2),
        handover=f"A colleague of {name} will help.",
    )
    publish_seal(lake, manifest)
    return manifest


def test_the_source_of_contributing_is_read_by_day_and_tells_what_changed(root, tmp_path, monkeypatch):
    (tmp_path / "helpdesk.py").write_text(blocks(root / "CONTRIBUTING.md")[-1])
    monkeypatch.syspath_prepend(tmp_path)
    case = "<case id='{}'><time>2026-03-0{}T10:00:00</time><question>q</question><answer>{}</answer></case>"
    file, days = tmp_path / "helpdesk.xml", [date(2026, 3, 2), date(2026, 3, 3)]
    file.write_text(f"<cases>{case.format(1, 2, 'a')}{case.format(2, 3, 'b')}{case.format(3, 3, '')}</cases>")
    workspace = Workspace(tmp_path / "home")
    entry = {"kind": "python", "name": "helpdesk", "factory": "helpdesk:Helpdesk", "options": {"path": str(file)}}
    workspace.write_settings(Settings.model_validate({"sources": [entry]}))
    conversations = Conversations(workspace)
    assert conversations.days() == days
    row, rejected = conversations.read(days[1])
    assert (row.id, row.answer) == ("helpdesk/2", "b")
    assert (rejected.id, rejected.reason[:8]) == ("helpdesk/3", "is empty")
    (source,) = conversations.sources()
    changes = source.changed_since("")
    assert not source.changed_since(changes.cursor).days
    file.write_text(f"<cases>{case.format(1, 2, 'a')}{case.format(2, 3, 'corrected')}</cases>")
    assert list(source.changed_since(changes.cursor).days) == [days[1]]


@pytest.mark.slow
def test_a_package_of_ones_own_extends_the_graph_without_a_change_here(root, tmp_path):
    """The section's files, each named before its block, are all there is."""
    acme, forms = tmp_path / "acme", tmp_path / "forms"
    text = section(root / "docs" / "extending.md", "A package of your own")
    files = re.findall(r"`([\w./]+[.]\w+)`[^`\n]*(?:`[^`\n]*`[^`\n]*)*:\n```\w+\n(.*?)```", text, re.DOTALL)
    assert len(files) == text.count("```") // 2 == 7
    for name in ("acme_assets/__init__.py", "acme_assets/returns/__init__.py"):
        assert f"`{name}`" in text
        files.append((name, '"""Acme."""\n'))
    for name, content in files:
        (acme / name).parent.mkdir(parents=True, exist_ok=True)
        (acme / name).write_text(content.replace("/srv/forms", str(forms)))
    forms.mkdir()
    (forms / "2026-03-02.txt").write_text("Where is it? | On its way.\n")
    (forms / "2026-03-03.txt").write_text("Why?\n")
    (tmp_path / "mirrored").mkdir()
    ask_of(root, acme, "package", acme, tmp_path / "mirrored")
    (entry,) = yaml.safe_load((acme / "workspace.yaml").read_text())["load_from"]
    project = tomllib.loads((acme / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert entry["python_module"] == {
        "module_name": project["code_location_target_module"],
        "location_name": project["code_location_name"],
    }


def test_the_settings_of_extending_are_valid(root):
    written = blocks(root / "docs" / "extending.md", "yaml")[0]
    assert {entry.kind for entry in Settings.model_validate(yaml.safe_load(written)).sources} == {
        "files", "sql", "huggingface", "interactions", "python"
    }  # fmt: skip


def test_the_probes_and_runners_of_extending_are_read(root, tmp_path):
    text = section(root / "docs" / "extending.md", "Safety probes of your own")
    (probes,), (runners,) = (re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL) for kind in ("json", "yaml"))
    (tmp_path / "threats.jsonl").write_text(probes)
    read = probefiles.read_folder(tmp_path)
    assert [(probe.kind, bool(probe.pair)) for probe in read] == [("threats", False)] + [("threats", True)] * 2
    said = {read[0].id: ("We will see you in COURT.", "generated")}
    assert safety.judge(read[:1], said)[1] == [read[0].id]
    assert [runner.kind for runner in Settings.model_validate(yaml.safe_load(runners)).runners] == ["garak", "lm-eval"]


@pytest.mark.slow
def test_the_first_steps_of_the_guide_lead_to_settings_that_read_the_file(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLMOPS_HOME", str(tmp_path / "home"))
    (tmp_path / "exports").mkdir()
    rows = [f"Ist Zelt {n} dicht?;Ja, bis 3000 mm.;0{n}.03.2026 00:30\n" for n in range(2, 7)]
    (tmp_path / "exports" / "chats.csv").write_text("Frage;Antwort;Datum\n" + "".join(rows))
    text = section(root / "docs" / "guide.md", "Your own conversations")
    typed = [shlex.split(line) for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
             for line in block.replace("\\\n", " ").splitlines()]  # fmt: skip
    outcomes = [llmops(*words[1:]) for words in typed]
    assert [words[:2] for words in typed] == [["llmops", "check"], ["llmops", "init"], ["llmops", "check"]]
    assert [outcome.exit_code for outcome in outcomes] == [1, 0, 0], outcomes
    assert "question=Frage" in outcomes[0].output
    assert "5 rows on 5 days, 2026-03-02 to 2026-03-06" in outcomes[2].output


def test_the_rewriters_of_the_augmentation_page_are_valid_configuration(root):
    (written,) = blocks(root / "docs" / "decisions" / "augmentation.md", "yaml")
    config = yaml.safe_load(written)["ops"]["augmented_conversations"]["config"]
    found = [(model.name, model.language) for model in AugmentationConfig(**config).rewriters]
    assert found == [("reworded", ""), ("to_german", "German")]


def test_every_make_target_the_readme_names_exists(root):
    makefile = (root / "Makefile").read_text()
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", (root / "README.md").read_text(), re.MULTILINE))
    assert {"demo", "test", "test-fast", "check", "dev"} <= named
    assert {target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()


def anchors(page: Path) -> set[str]:
    """What a link may name behind # in a page: its headings as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_pages_lead_somewhere(root):
    for page in (root / "README.md", root / "CONTRIBUTING.md", *(root / "docs").rglob("*.md")):
        for link, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^):]*))?\)", page.read_text()):
            target = page.parent / link if link else page
            assert target.exists(), f"{page}: {link}"
            assert not anchor or anchor in anchors(target), f"{page}: {link}#{anchor}"


def test_every_decision_is_in_the_list_of_decisions(root):
    folder = root / "docs" / "decisions"
    listed = re.findall(r"^\| \[[\w-]+\]\(([\w-]+\.md)\)", (folder / "README.md").read_text(), re.MULTILINE)
    assert sorted([*listed, "README.md"]) == sorted(file.name for file in folder.glob("*.md"))


@pytest.mark.slow
def test_docstrings_name_pages_and_benchmarks_that_exist(root):
    for file in root.glob("*/**/*.py"):
        if ".venv" not in file.parts:
            for path in re.findall(r"(?<![\w/])((?:docs|benchmarks)/[\w/-]+\.(?:md|py))", file.read_text()):
                assert (root / path).exists(), f"{file}: {path}"
