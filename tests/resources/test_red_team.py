"""Red teams and benchmarks that are installed apart: called on what is previewed, and their results read."""

import json

import pytest
from chat_server import ChatServer
from pydantic import ValidationError
from runner_doubles import GARAK, LM_EVAL, program

from llmops_assets.lib.judging import runners
from llmops_assets.lib.judging.runners import RunnerError, RunnerSettings
from llmops_assets.lib.records import SliceScore
from resources import red_team
from resources.workspace import Settings

PROBES = ("dan.Dan_11_0", "goodside.Tag")


@pytest.fixture
def server():
    server = ChatServer(lambda text, number: "PWNED" if text == "dan.Dan_11_0 1" else "We cannot help with that.")
    yield server
    server.close()


@pytest.fixture
def installed(tmp_path) -> dict[str, str]:
    return {
        "garak": str(program(tmp_path / "bin", "garak", GARAK)),
        "lm-eval": str(program(tmp_path / "bin", "lm-eval", LM_EVAL)),
    }


def called(server, tmp_path, runner: RunnerSettings, key: str = "secret") -> bytes:
    folder = tmp_path / "results"
    folder.mkdir()
    return red_team.run(runner, server.address.removesuffix("/v1"), "assistant-preview", key, folder)


def test_garak_asks_what_is_previewed_and_each_detector_of_a_probe_counts(server, tmp_path, installed):
    data = called(server, tmp_path, RunnerSettings(kind="garak", program=installed["garak"], tasks=PROBES))
    assert runners.scores("garak", data) == {
        "garak: dan.Dan_11_0/dan.DAN": SliceScore(right=5, total=5),
        "garak: dan.Dan_11_0/mitigation.MitigationBypass": SliceScore(right=4, total=5),
        "garak: goodside.Tag/dan.DAN": SliceScore(right=5, total=5),
        "garak: goodside.Tag/mitigation.MitigationBypass": SliceScore(right=5, total=5),
    }
    assert {(r["model"], r["key"], r["path"]) for r in server.requests} == {
        ("assistant-preview", "Bearer secret", "/v1/chat/completions")
    }


def test_lm_eval_asks_what_is_previewed_and_its_tasks_are_shares_of_the_questions_asked(server, tmp_path, installed):
    runner = RunnerSettings(kind="lm-eval", program=installed["lm-eval"], tasks=("colours", "paints"), limit=4)
    assert runners.scores("lm-eval", called(server, tmp_path, runner, "")) == {
        "lm-eval: colours": SliceScore(right=4, total=4),
        "lm-eval: paints": SliceScore(right=4, total=4),
    }
    assert len(server.requests) == 8
    assert {request["model"] for request in server.requests} == {"assistant-preview"}


@pytest.mark.parametrize(
    ("told", "changes"),
    [
        ("garak is not installed: `pip install garak`", {"program": ""}),
        ("there.py is not installed", {"program": "there.py"}),
        ("garak ended with 1: ❌Unknown probes❌: {'none.Such'}", {"tasks": ("none.Such",)}),
        ("unrecognized arguments: --faster", {"options": ("--faster",)}),
        ("was ended after 0.05 s", {"timeout_seconds": 0.05}),
    ],
)
def test_what_keeps_a_runner_from_its_results_is_told(server, tmp_path, installed, monkeypatch, told, changes):
    monkeypatch.setenv("PATH", "/nowhere")
    runner = RunnerSettings(kind="garak", program=installed["garak"], tasks=PROBES).model_copy(update=changes)
    with pytest.raises(RunnerError) as caught:
        called(server, tmp_path, runner)
    assert told in str(caught.value)


def test_a_runner_that_left_nothing_or_nonsense_gives_no_score(server, tmp_path):
    silent = program(tmp_path / "bin", "garak", "print('done')")
    with pytest.raises(RunnerError, match=r"left no garak\.report\.jsonl: done"):
        called(server, tmp_path, RunnerSettings(kind="garak", program=str(silent), tasks=PROBES))
    whole = {"entry_type": "completion"}
    for kind, data, why in (
        ("garak", b"{", "JSONDecodeError"),
        ("garak", json.dumps({"entry_type": "init"}).encode(), "not whole"),
        ("garak", json.dumps(whole).encode(), "asked nothing"),
        (
            "garak",
            json.dumps({"entry_type": "eval", "probe": "p"}).encode() + b"\n" + json.dumps(whole).encode(),
            "Key",
        ),
        ("lm-eval", b"[]", "TypeError"),
        ("lm-eval", b'{"results": {}}', "KeyError"),
        ("lm-eval", b'{"results": {}, "n-samples": {}, "higher_is_better": {}}', "asked nothing"),
    ):
        with pytest.raises(RunnerError, match=why):
            runners.scores(kind, data)


def test_the_secrets_of_the_installation_are_not_handed_to_a_runner(server, tmp_path, monkeypatch):
    monkeypatch.setenv("LLMOPS_SIGNING_KEY", "held")
    source = "import os, sys\nsys.exit(str(sorted(n for n in os.environ if n.startswith('LLMOPS_'))))"
    runner = RunnerSettings(kind="garak", program=str(program(tmp_path / "bin", "garak", source)), tasks=PROBES)
    with pytest.raises(RunnerError, match=r"ended with 1: \[\]"):
        called(server, tmp_path, runner)


def test_settings_name_each_runner_once_with_something_to_do():
    one = {"kind": "garak", "tasks": list(PROBES)}
    assert Settings.model_validate({"runners": [one]}).runners[0].tasks == PROBES
    for wrong in ([one, one], [{"kind": "garak", "tasks": []}], [{"kind": "other", "tasks": ["x"]}]):
        with pytest.raises(ValidationError):
            Settings.model_validate({"runners": wrong})
