"""`llmops approve|reject|override`: the real command, job, assets and audit log on hand-made upstreams."""

import contextlib
import json
from pathlib import Path

import dagster as dg
import pytest
from commands_support import llmops
from release_support import GATE, JUDGEMENT, WAY, World, failure, registry, world

from llmops_assets.commands import approvals
from llmops_assets.evaluation.approval import approval
from llmops_assets.gateway.identity.keys import KeyStore
from llmops_assets.jobs import approve, reject
from llmops_assets.lib.records import Candidate, Release
from resources.interaction_log import InstalledLog
from resources.workspace import Workspace

pytestmark = pytest.mark.slow

__all__ = ["registry", "world"]


@pytest.fixture
def installed(home: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The commands work on the world's instance, with the world's lake and target and the home's audit log."""
    world.log = InstalledLog(Workspace(home).log_url)
    resources = {"lake": world.lake, "registry": world.registry, "target": world.target}
    resources |= {"interaction_log": world.log, "signer": world.signer, "workspace": world.workspace}
    defs = dg.Definitions(assets=[*WAY, approval], jobs=[approve, reject], resources=resources)
    monkeypatch.setattr(approvals, "build_defs", lambda: defs)
    monkeypatch.setattr(dg.DagsterInstance, "get", lambda: contextlib.nullcontext(world.instance))
    yield world
    world.log.close()


def at_the_gate(world: World, **policy) -> str:
    """Judge a second candidate by a policy; its name."""
    world.released()
    world.case = world.case.model_copy(update={"gate": GATE.model_copy(update=policy)})
    world.report("use_case", world.case)
    world.tune("adapter", "two")
    world.run(JUDGEMENT)
    return world.record("candidate", Candidate).release_id


def audited() -> list[str]:
    return [json.loads(line)["action"] for line in llmops("audit", "export").stdout.splitlines()]


def test_what_waits_is_approved_and_rolled_out(installed):
    name = at_the_gate(installed, approval="required")
    refused = llmops("approve", "r-other", "--reason", "looks good")
    assert (refused.exit_code, "only that one can be decided about" in refused.stderr) == (1, True)
    done = llmops("approve", name, "--reason", "looks good", "--name", "Ada")
    assert done.exit_code == 0, done.output + done.stderr
    assert f"{name} answers at" in done.stdout
    assert installed.live == name
    word = installed.record("release", Release).approval
    assert (word.name, word.role, word.reason, word.verdict) == ("Ada", "", "looks good", "approved")
    assert audited() == ["release approved"]
    again = llmops("approve", name, "--reason", "looks good")
    assert again.exit_code == 0


def test_a_candidate_is_rejected_and_the_incumbent_serves_on(installed):
    name = at_the_gate(installed, approval="required")
    before = installed.live
    done = llmops("reject", name, "--reason", "rude to customers", "--name", "Ada")
    assert done.exit_code == 0, done.output + done.stderr
    assert done.stdout.splitlines()[-1] == f"{name} is rejected by Ada; the incumbent serves on"
    assert (installed.live, audited()) == (before, ["release rejected"])
    assert "Ada rejected" in failure(installed.run(WAY[-2:-1]))


def test_what_was_stopped_is_let_pass_by_the_key_of_an_admin(installed, home):
    world = installed
    one = world.released()
    world.answer_wrong()
    world.answer_right(one)
    world.tune("adapter", "two")
    world.run(JUDGEMENT)
    name = world.record("candidate", Candidate).release_id
    store = KeyStore(Workspace(home).log_url)
    (_, operator), (_, admin) = (store.create(f"{role}s", role) for role in ("operator", "admin"))
    store.close()
    for key, told in (
        ("", "a key of the role admin may let a stopped candidate pass, not somebody without one"),
        (operator, "not operator"),
        ("llm-000000000000-nonsense", "this key opens nothing"),
    ):
        refused = llmops("override", name, "--reason", "urgent", *(["--key", key] if key else []))
        assert (refused.exit_code, told in refused.stderr) == (1, True), refused.stderr
    assert "takes no approval, only an override" in llmops("approve", name, "--reason", "please").stderr
    done = llmops("override", name, "--reason", "urgent", "--key", admin, "--days", 1)
    assert done.exit_code == 0, done.output + done.stderr
    assert world.live == name
    word = world.record("release", Release).approval
    assert (word.verdict, word.name, word.role) == ("overridden", "admins", "admin")
    assert audited() == ["gate overridden"]
    assert admin not in "".join(map(str, world.log._opened.audit_entries()))


def test_a_word_without_a_reason_is_none(installed):
    assert llmops("approve", "r-1").exit_code == 2
