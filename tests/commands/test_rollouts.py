"""`llmops rollout`: the real command, job, assets and audit log on hand-made upstreams."""

import contextlib
import json
from pathlib import Path

import dagster as dg
import pytest
from commands_support import llmops
from release_support import WAY, World, registry, world

from llmops_assets.commands import rollouts
from llmops_assets.jobs import roll_out
from llmops_assets.lib.records import Release, RolloutPolicy
from resources.interaction_log import InstalledLog
from resources.workspace import Workspace

pytestmark = pytest.mark.slow

__all__ = ["registry", "world"]


@pytest.fixture
def begun(home: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[World, str]:
    """The commands work on the world's instance; a candidate is at the first step. Its name."""
    world.log = InstalledLog(Workspace(home).log_url)
    resources = {
        "lake": world.lake,
        "registry": world.registry,
        "target": world.target,
        "interaction_log": world.log,
        "signer": world.signer,
        "workspace": world.workspace,
    }
    defs = dg.Definitions(assets=WAY, jobs=[roll_out], resources=resources)
    monkeypatch.setattr(rollouts, "build_defs", lambda: defs)
    monkeypatch.setattr(rollouts, "open_lake", lambda _: world.lake)
    monkeypatch.setattr(rollouts, "open_target", lambda *_, **__: world.target)
    monkeypatch.setattr(dg.DagsterInstance, "get", lambda: contextlib.nullcontext(world.instance))
    world.released()
    world.report("use_case", world.case.model_copy(update={"rollout": RolloutPolicy(steps=(0.1, 0.5, 1))}))
    world.tune("adapter", "two")
    assert world.run().success
    yield world, world.record("release", Release).release_id
    world.log.close()


def said(*arguments: str) -> str:
    done = llmops("rollout", *arguments)
    assert done.exit_code == 0, done.output + done.stderr
    return done.stdout


def audited() -> list[tuple[str, str]]:
    entries = [json.loads(line) for line in llmops("audit", "export").stdout.splitlines()]
    return [(entry["action"], json.loads(entry["detail"].split(" ", 2)[2])["name"]) for entry in entries]


def test_a_rollout_is_seen_held_resumed_and_let_go_on(begun):
    world, two = begun
    shown = said("status")
    assert f"{two} answers 10% of conversations beside" in shown
    assert "step 1 of 3" in shown
    assert "wait: 0 conversations of the candidate" in shown
    assert said("hold", "--reason", "weekend", "--name", "Ada").splitlines()[-1].startswith(f"{two} is held: 10%")
    assert ", held" in said("status")
    assert said("resume", "--reason", "monday", "--name", "Ada").splitlines()[-1].startswith(f"{two} goes on: 10%")
    assert (
        said("advance", "--reason", "seen", "--name", "Ada").splitlines()[-1] == f"{two} goes on: 50% of conversations"
    )
    assert said("advance", "--reason", "seen").splitlines()[-1] == f"{two} serves all: 100% of conversations"
    assert world.serves == two
    assert "no rollout is under way" in said("status")
    assert [action for action, _ in audited()] == [
        "rollout held", "rollout resumed", "rollout advanced", "rollout advanced",
    ]  # fmt: skip


def test_a_rollout_is_ended_with_a_name_in_the_audit_log(begun):
    world, two = begun
    before = world.serves
    told = said("abort", "--reason", "rude", "--name", "Ada")
    assert told.splitlines()[-1] == f"{two} is withdrawn: 0% of conversations"
    assert (world.serves, world.live) == (before, before)
    assert audited() == [("rollout withdrawn", "Ada")]
