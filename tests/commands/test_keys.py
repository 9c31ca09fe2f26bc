"""API keys and the audit log from the command line, over the database that a gateway reads."""

import json

import pytest
import sqlalchemy as sa
from commands_support import llmops

from llmops_assets.gateway.callers import Callers
from llmops_assets.gateway.errors import RequestError
from llmops_assets.gateway.identity.keys import KeyStore
from resources.workspace import Workspace


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
