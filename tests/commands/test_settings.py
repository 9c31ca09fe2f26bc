"""What a person wrote wrongly is one sentence in every command that reads it: the file, the field, status 1."""

import pytest
from commands_support import commands_of, llmops

pytestmark = pytest.mark.slow

READERS = {
    "check": (),
    "build": (),
    "judge": ("judged.csv",),
    "replay": ("--from", "2026-03-08", "--to", "2026-03-09"),
    "rollback": (),
    "approve": ("r-1", "--reason", "read it"),
    "override": ("r-1", "--reason", "read it"),
    "reject": ("r-1", "--reason", "read it"),
    "rollout status": (),
    "rollout advance": ("--reason", "seen"),
    "rollout hold": ("--reason", "seen"),
    "rollout resume": ("--reason", "seen"),
    "rollout abort": ("--reason", "seen"),
    "shadow start": ("r-1",),
    "shadow stop": (),
    "shadow report": (),
    "dev": (),
    "serve": (),
    "mlflow": (),
    "evidently": (),
    "lineage": ("verify",),
    "reproduce": ("r-1",),
    "bisect": ("faq", "r-1", "r-2"),
    "explain": ("0123",),
    "lake page": (),
    "lake check": (),
    "lake collect": (),
    "lake diff": ("before", "after"),
    "keys create": ("shop",),
    "keys list": (),
    "keys revoke": ("000000000000",),
    "keys rotate": ("000000000000",),
    "releases list": (),
    "releases bom": ("r-1",),
    "signing show": (),
    "signing rotate": (),
    "signing revoke": ("0000",),
    "signing sign": (),
    "audit verify": (),
    "audit export": (),
    "erase": ("anna",),
    "observability figures": (),
    "observability serve": (),
    "findings list": (),
    "findings show": ("f-0000000001",),
    "findings export": ("articles.csv",),
    "findings import": ("articles.jsonl",),
    "findings close": ("f-0000000001", "--reason", "over"),
    "labels export": ("queue.csv",),
    "labels import": ("labels.csv",),
    "labels check": ("labels.csv",),
    "labels ask": ("--url", "http://127.0.0.1:9/v1", "--model", "some-model"),
    "feedback export": ("held.csv",),
    "feedback check": ("held.csv",),
    "feedback import": ("held.csv",),
}
WRITERS = {"demo", "init"}
"""Commands that write the settings of their installation themselves."""
WITHOUT = {"observability export"}
"""Commands that ask nothing of an installation."""


STRANGERS = {"cluster render", "cluster diff", "cluster apply", "cluster status", "cluster doctor"}
"""Commands of an installation elsewhere, whose settings are in its manifests."""


def test_every_command_is_known_here():
    assert READERS.keys() | WRITERS | WITHOUT | STRANGERS == set(commands_of())


def sentence(command: str) -> str:
    """What a command that fails says, after status 1 and without a traceback."""
    failed = llmops(*command.split(), *READERS[command])
    assert failed.exit_code == 1, failed.output
    assert "Traceback" not in failed.output + failed.stderr
    [told] = failed.stderr.strip().splitlines()
    return told


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("gatway_port: 1", "gatway_port: there is no such setting"),
        ("gateway_port: many", "gateway_port: Input should be a valid integer"),
        ("gateway_port: 8730\n{[", "line 2 is no YAML: "),
    ],
    ids=["typo", "type", "yaml"],
)
def test_settings_that_cannot_be_read(home, command, written, told):
    (home / "settings.yaml").write_text(written)
    assert f"{home / 'settings.yaml'}: {told}" in sentence(command)
    assert sorted(file.name for file in home.iterdir()) == ["settings.yaml"], "nothing was begun"


@pytest.mark.parametrize("command", ["build", "rollback", "serve", "labels ask"])
@pytest.mark.parametrize(
    ("written", "told"),
    [
        (None, "No such file or directory"),
        ("naem: x", "naem: there is no such setting"),
        ("{[", "line 1 is no YAML: "),
    ],
    ids=["missing", "field", "yaml"],
)
def test_a_use_case_that_cannot_be_read(home, command, written, told):
    case = home / "case.yaml"
    (home / "settings.yaml").write_text(f"use_case: {case}")
    if written is not None:
        case.write_text(written)
    said = sentence(command)
    assert f"use_case: {case}: " in said
    assert told in said


def test_a_model_that_is_nowhere_is_told_before_anything_runs(home):
    (home / "settings.yaml").write_text(f"base_model: {home / 'nowhere'}")
    said = sentence("build")
    assert said.startswith(f"{home / 'settings.yaml'}: base_model: {str(home / 'nowhere')!r} is neither ")
    (home / "empty").mkdir()
    (home / "settings.yaml").write_text(f"base_model: {home / 'empty'}")
    assert "holds neither a .gguf file nor a Hugging Face checkpoint" in sentence("build")
    assert sorted(file.name for file in home.iterdir()) == ["empty", "settings.yaml"]


def test_the_demonstration_touches_no_installation_of_yours(home):
    (home / "settings.yaml").write_text("gateway_port: 8730")
    refused = llmops("demo")
    assert refused.exit_code == 1
    assert f"{home} holds an installation that is not the demonstration's" in refused.stderr
    assert (home / "settings.yaml").read_text() == "gateway_port: 8730"
