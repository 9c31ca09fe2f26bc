"""`llmops signing` and `llmops releases`: the real commands on the world's lake, target and keys, and rollbacks."""

import contextlib
import json
from pathlib import Path

import dagster as dg
import pytest
from commands_support import llmops
from release_support import World, failure, registry, world

from llmops_assets.commands import releases, signings
from llmops_assets.deployment.deployment import deployment
from llmops_assets.lib.records import Release
from resources.interaction_log import InstalledLog
from resources.workspace import Workspace

pytestmark = pytest.mark.slow

__all__ = ["registry", "world"]


@pytest.fixture
def installed(home: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The commands work on the world's instance, lake, target and keys, and the home's audit log."""
    world.log = InstalledLog(Workspace(home).log_url)
    monkeypatch.setenv("LLMOPS_SIGNING_KEY", str(world.signer.private))
    monkeypatch.setenv("LLMOPS_TRUSTED_KEYS", str(world.signer.trusted))
    for module in (releases, signings):
        monkeypatch.setattr(module, "open_lake", lambda _: world.lake)
    monkeypatch.setattr(signings, "open_target", lambda _, lake: world.target)
    monkeypatch.setattr(dg.DagsterInstance, "get", lambda: contextlib.nullcontext(world.instance))
    yield world
    world.log.close()


def said(*arguments: str) -> str:
    done = llmops(*arguments)
    assert done.exit_code == 0, done.output + done.stderr
    return done.stdout


def refused(*arguments: str) -> str:
    done = llmops(*arguments)
    assert done.exit_code == 1, done.output
    return done.stderr


def back(world: World, to: str) -> dg.ExecuteInProcessResult:
    return world.run([deployment], deployment={"roll_back": True, "roll_back_to": to})


def replace(world: World, path: str, data: bytes | None) -> None:
    """Change or remove a file of the lake behind everybody's back."""
    with world.lake.transaction("tamper", {}, name="tamper") as transaction:
        if data is None:
            transaction.delete(path)
        else:
            transaction.put(path, data)


def audited(world: World) -> list[tuple[str, str]]:
    """(action, file or release) of the audit log."""
    entries = [json.loads(line) for line in said("audit", "export").splitlines()]
    details = [json.loads(entry["detail"]) for entry in entries]
    return [(e["action"], d.get("file") or d.get("release") or d["key"]) for e, d in zip(entries, details, strict=True)]


def test_releases_are_signed_listed_refused_and_signed_again(installed):
    world = installed
    one, two = world.released(), world.released("two")
    key = world.signer.key().id
    assert key[:12] in said("signing", "show")
    listed = said("releases", "list")
    assert (one in listed, two in listed, listed.count(key[:12])) == (True, True, 2)
    bill = json.loads(said("releases", "bom", two))
    assert bill["metadata"]["component"]["name"] == two
    assert "dagster" in {component["name"] for component in bill["components"]}

    # Followed and revoked: what the old key signed is refused, and what serves serves on.
    said("signing", "rotate")
    assert back(world, one).success
    said("signing", "revoke", key[:10])
    assert "was revoked on" in (told := failure(back(world, two)))
    assert "what served before serves on" in told
    assert (world.live, world.serves) == (one, one)
    assert "was revoked on" in refused("releases", "bom", two)
    assert f"{two} is verified, and signed by {world.signer.key().id[:12]}" in said("signing", "sign")
    assert back(world, two).success
    assert (world.live, world.serves) == (two, two)

    # A release of before there were signatures, and one whose files were changed.
    replace(world, f"releases/{one}/model.sig", None)
    assert f"it is not signed: `llmops signing sign {one}`" in failure(back(world, one))
    said("signing", "sign", one)
    assert back(world, one).success
    replace(world, f"releases/{two}/bom.json", b"{}")
    assert "bom.json is not the file that was signed" in failure(back(world, two))
    assert world.live == one
    assert audited(world) == [
        ("signing key rotated", world.signer.key().id),
        ("signing key revoked", key),
        ("release refused", "model.sig"),
        ("release signed", one),
        ("release signed", two),
        ("release refused", "model.sig"),
        ("release signed", one),
        ("release refused", "bom.json"),
    ]

    # Nothing is signed that does not hold.
    record = world.record("release", Release)
    assert record.tuned is not None
    evidence = json.loads(world.lake.read(record.gate.model_copy(update={"path": decision_of(record)})))
    changed = {**evidence, "reasons": ["none"]}
    path = f"forged/{two}/"
    for name in ("report.json", "safety.json"):
        replace(world, path + name, world.lake.get("main", f"evaluation/gate/{two}/{name}"))
    replace(world, f"{path}decision.json", json.dumps(changed).encode())
    gate = world.lake.uri(world.lake.resolve("main"), f"{path}report.json")
    replace(world, f"releases/{two}/release.json", record.model_copy(update={"gate": gate}).model_dump_json().encode())
    assert "the gate's decision does not follow from its evidence" in refused("signing", "sign", two)
    assert "was never released" in refused("signing", "sign", "r-000000000000")


def decision_of(record: Release) -> str:
    return record.gate.path.replace("report.json", "decision.json")
