"""What the documentation tells a reader to type works as it stands there."""

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
import yaml

from llmops_assets.data.augmented_conversations import AugmentationConfig
from resources.conversations import Conversations
from resources.lake.embedded import EmbeddedLake
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
def report(name, seconds):
    return EvalReport(subject=name, suite=dataset(), overall=SliceScore(right=10, total=10), slices={}, seconds=seconds)
def decide(seconds):
    return module.decide(report("new", seconds), found, report("old", 1.0), found, GatePolicy())
assert decide(1.5).passed
assert decide(3.0).failed_slices == ("latency",)
""",
}


def blocks(file: Path, language: str = "python") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", file.read_text(), re.DOTALL)


@pytest.mark.parametrize(("position", "name"), list(enumerate(CHECKS)))
def test_each_way_to_extend_works_as_written(root, position, name):
    block = blocks(root / "docs" / "extending.md")[position]
    code = (
        f"import sys; sys.path[:0] = [{str(root)!r}, {str(root / 'tests')!r}]\n"
        f"import llmops_assets.lib.{name} as module\nexec({block!r}, vars(module))\n{CHECKS[name]}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_the_asset_of_contributing_materializes_and_is_described(root, tmp_path):
    namespace: dict = {"__name__": "llmops_assets.monitoring.busiest_hour"}
    exec(blocks(root / "CONTRIBUTING.md")[0], namespace)
    asset = namespace["busiest_hour"]
    (spec,) = asset.specs
    assert spec.description
    assert spec.owners
    assert spec.kinds
    assert spec.code_version
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [asset], instance=instance, partition_key="2026-03-11", resources={"lake": EmbeddedLake(tmp_path / "lake")}
        )
        event = instance.get_latest_materialization_event(dg.AssetKey("busiest_hour"))
    assert result.success
    assert event.asset_materialization.metadata["record"].value == {"hour": None, "interactions": 0}


def test_the_source_of_contributing_is_read_by_day_and_tells_what_changed(root, tmp_path, monkeypatch):
    (tmp_path / "helpdesk.py").write_text(blocks(root / "CONTRIBUTING.md")[1])
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


def test_the_settings_of_extending_are_valid(root):
    (written,) = blocks(root / "docs" / "extending.md", "yaml")
    assert {entry.kind for entry in Settings.model_validate(yaml.safe_load(written)).sources} == {
        "files", "sql", "huggingface", "interactions", "python"
    }  # fmt: skip


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


def test_links_between_pages_lead_somewhere(root):
    for page in (root / "README.md", root / "CONTRIBUTING.md", *(root / "docs").rglob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page}: {link}"


def test_docstrings_name_pages_and_benchmarks_that_exist(root):
    for file in root.glob("*/**/*.py"):
        if ".venv" not in file.parts:
            for path in re.findall(r"(?<![\w/])((?:docs|benchmarks)/[\w/-]+\.(?:md|py))", file.read_text()):
                assert (root / path).exists(), f"{file}: {path}"
