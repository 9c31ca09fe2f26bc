"""API keys and the audit log from the command line, over the database that a gateway reads."""

import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from commands_support import llmops

from llmops_assets.gateway.callers import Callers
from llmops_assets.gateway.errors import RequestError
from llmops_assets.gateway.identity.keys import KeyStore
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.handover import anchors
from llmops_assets.lib.records import Feedback, Interaction
from llmops_assets.lib.redaction import load_subject_keys
from llmops_assets.lib.redaction.subjects import pseudonym
from resources import open_lake
from resources.interaction_log import InstalledLog
from resources.workspace import Workspace


def interaction(name, subject):
    about = {"release_id": "r-1", "conversation": "c", "question": "q", "answer": "a", "path": "generated"}
    return Interaction(id=name, time=datetime.now(UTC), subject=subject, latency_seconds=0.5, **about)


def ok(*arguments):
    done = llmops(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def token_of(printed):
    return printed.strip().splitlines()[-1]


def let_in(home, token):
    store = KeyStore(Workspace(home).log_url)
    try:
        return Callers(store).authenticate(f"Bearer {token}")
    except RequestError:
        return None
    finally:
        store.close()


@pytest.mark.slow
def test_a_key_is_made_used_rotated_and_revoked(home):
    assert "no key" in ok("keys", "list")
    first = token_of(ok("keys", "create", "web shop", "--role", "operator", "--days", "30"))
    caller = let_in(home, first)
    assert caller.role == "operator"
    second = token_of(ok("keys", "rotate", caller.name, "--hours", "0"))
    successor = let_in(home, second)
    assert (let_in(home, first), successor.role) == (None, "operator")
    assert "opens nothing" in ok("keys", "revoke", successor.name)
    assert let_in(home, second) is None
    shown = ok("keys", "list")
    assert shown.count("revoked") == 2
    for token in (first, second):
        assert token.rsplit("_", 1)[-1] not in shown
    rotated = llmops("keys", "rotate", successor.name)
    assert (rotated.exit_code, "opens nothing any more" in rotated.stderr) == (1, True)


@pytest.mark.slow
def test_the_audit_log_tells_every_act_and_that_it_is_whole(home):
    token = token_of(ok("keys", "create", "web shop"))
    ok("keys", "revoke", token.split("_")[1])
    assert ok("audit", "verify").startswith("2 entries")
    entries = [json.loads(line) for line in ok("audit", "export").splitlines()]
    assert [entry["action"] for entry in entries] == ["key created", "key revoked"]
    assert json.loads(entries[0]["detail"]) == {"key": token.split("_")[1], "owner": "web shop", "role": "caller"}
    assert token.split("_", 2)[2] not in str(entries)
    head = entries[-1]["hash"]
    assert head in ok("audit", "verify", "--head", head)
    with sa.create_engine(Workspace(home).log_url).begin() as connection:
        connection.execute(sa.text("DELETE FROM audit WHERE number = 2"))
    # An end that was cut off shows against what was noted elsewhere only.
    assert ok("audit", "verify").startswith("1 entries")
    cut = llmops("audit", "verify", "--head", head)
    assert (cut.exit_code, "was cut off" in cut.stderr) == (1, True)
    with sa.create_engine(Workspace(home).log_url).begin() as connection:
        connection.execute(sa.text("UPDATE audit SET detail = 'nothing' WHERE number = 1"))
    changed = llmops("audit", "verify")
    assert (changed.exit_code, "entry 1" in changed.stderr) == (1, True)


@pytest.mark.slow
def test_a_chain_that_the_lake_knows_is_found_cut_off_or_written_anew(home):
    for owner in ("one", "two", "three"):
        ok("keys", "create", owner)
    assert "knows no end of it yet" in ok("audit", "verify")
    lake, log = open_lake(Workspace(home)), InstalledLog(Workspace(home).log_url)
    with lake.transaction("test", name="test") as draft:
        for path, data in anchors.moved(lake, log).items():
            draft.put(path, data)
    assert anchors.moved(lake, log) == {}
    assert "knows it up to entry 3" in ok("audit", "verify")
    ok("keys", "create", "four")
    assert set(anchors.moved(lake, log)) == {anchors.PATH}
    engine = sa.create_engine(Workspace(home).log_url)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM audit WHERE number > 2"))
    cut = llmops("audit", "verify")
    assert (cut.exit_code, "its end was cut off" in cut.stderr) == (1, True)
    # Grown again it is another chain, and the lake goes on knowing the first.
    for owner in ("five", "six"):
        ok("keys", "create", owner)
    anew = llmops("audit", "verify")
    assert (anew.exit_code, "was written anew" in anew.stderr) == (1, True)
    assert anchors.moved(lake, log) == {}
    log.close()


def test_a_person_is_erased_and_the_chain_of_the_audit_log_holds(home):
    workspace = Workspace(home)
    workspace.home.mkdir(parents=True, exist_ok=True)
    subject = pseudonym(load_subject_keys(workspace.subject_key)[0], "anna")
    log = InteractionLog(workspace.log_url)
    log.append(interaction("a1", subject))
    log.append(interaction("b1", "other"))
    log.add_feedback(Feedback(interaction="a1", time=datetime.now(UTC), rating=1))
    log.audit("denied", "about anna", subject=subject)
    log.close()
    assert "about anna" in ok("audit", "export", "--readable")
    assert "about anna" not in ok("audit", "export")
    said = ok("erase", "anna", "--name", "Ada")
    assert "1 interactions" in said
    assert "1 feedback" in said
    entries = [json.loads(line) for line in ok("audit", "export", "--readable").splitlines()]
    assert [entry["action"] for entry in entries] == ["denied", "person erased"]
    assert entries[0]["detail"] == "erased"
    assert subject not in str(entries)
    assert json.loads(entries[1]["detail"])["by"] == "Ada"
    assert ok("audit", "verify").startswith("2 entries")
    log = InteractionLog(workspace.log_url)
    assert [row.id for row in log.find("other")] == ["b1"]
    assert log.find(subject) == []
    log.close()


def test_an_owner_may_be_written_like_markup_and_limits_are_shown(home):
    token = token_of(ok("keys", "create", "team [/ops] [red]", "--requests-per-minute", "60"))
    assert token.startswith("llmops_")
    shown = ok("keys", "list")
    assert "[/ops]" in shown.replace("\n", "")
    assert "60" in shown


def test_a_time_beyond_reason_is_refused_before_a_key_is_made(home):
    key = token_of(ok("keys", "create", "shop")).split("_")[1]
    failed = llmops("keys", "rotate", key, "--hours", "1e12")
    assert (failed.exit_code, "the old key ends after" in failed.stderr) == (1, True)
    assert ok("keys", "list").count("caller") == 1
