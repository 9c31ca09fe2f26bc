"""Who is let in: keys by role, what each role may, denials in the audit log, feedback by the key that asked."""

import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
import requests
import sqlalchemy as sa
from gateway_support import KNOWN, Gateway, told, user

from llmops_assets.gateway.addresses import is_loopback
from llmops_assets.gateway.callers import FRESH_SECONDS, Caller, Callers
from llmops_assets.gateway.errors import RequestError
from llmops_assets.gateway.identity.denials import EVERY_SECONDS, MOST, Denials
from llmops_assets.gateway.identity.keys import KEYS, ApiKeyError, Key, KeyStore
from llmops_assets.gateway.identity.own import own_key
from llmops_assets.gateway.identity.roles import MAY, ROLES


@pytest.fixture
def store(database):
    made = KeyStore(database)
    yield made
    made.close()


def refused(callers, token):
    with pytest.raises(RequestError) as error:
        callers.authenticate(f"Bearer {token}", "/v1/models")
    return error.value.status


# -- the store ------------------------------------------------------------------------------------------------------


def test_only_a_hash_of_a_key_is_stored(store, database):
    key, token = store.create("shop")
    secret = token.split("_", 2)[2]
    engine = sa.create_engine(database)
    with engine.connect() as connection:
        assert secret not in str(connection.execute(sa.select(KEYS)).all())
    engine.dispose()
    assert store.find(token) == key == store.keys()[0]


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t + "a", lambda t: t.upper(), lambda t: t[:-1] + "~", lambda t: ""]
)
def test_a_token_that_is_not_quite_one_finds_nothing(store, change):
    _, token = store.create("shop")
    assert store.find(change(token)) is None


def test_the_secret_of_one_key_does_not_prove_another(store):
    (one, first), (_, second) = store.create("a"), store.create("b")
    assert store.find(f"llmops_{one.id}_{second.split('_', 2)[2]}") is None
    assert store.find(first) == one


@pytest.mark.parametrize(
    ("owner", "role", "days"),
    [("", "caller", None), ("a" * 201, "caller", None), ("a", "king", None), ("a", "caller", 0)],
)
def test_a_key_without_an_owner_a_role_or_a_time_is_not_made(store, owner, role, days):
    with pytest.raises(ApiKeyError):
        store.create(owner, role, days=days)
    assert not store.any()


def test_a_key_ends_when_it_expires_or_is_revoked():
    now = datetime.now(UTC)
    key = Key("k", "o", "caller", now, now + timedelta(days=1), None)
    assert key.valid(now)
    assert not key.valid(now + timedelta(days=1))
    ended = Key("k", "o", "caller", now, None, now + timedelta(hours=1))
    assert (ended.valid(now), ended.valid(now + timedelta(hours=1))) == (True, False)


def test_revoking_again_gives_a_key_no_more_time(store):
    key, _ = store.create("shop")
    first = store.revoke(key.id)
    assert store.revoke(key.id, after_hours=9).revoked == first.revoked


def test_a_rotated_key_is_let_in_for_a_while_and_its_successor_lives_as_long(store):
    key, token = store.create("shop", "operator", days=30)
    successor, fresh = store.rotate(key.id, hours=2)
    now = datetime.now(UTC)
    assert (successor.owner, successor.role) == ("shop", "operator")
    assert abs(successor.expires - successor.created - timedelta(days=30)) < timedelta(seconds=1)
    old = store.find(token)
    assert (old.valid(now), old.valid(now + timedelta(hours=2, seconds=1))) == (True, False)
    assert store.find(fresh) == successor


# -- callers --------------------------------------------------------------------------------------------------------


def test_without_a_key_everybody_on_this_machine_is_let_in_until_the_first_is_made(store):
    callers = Callers(store)
    assert callers.authenticate("").name == "anonymous"
    assert not callers.closed
    _, token = store.create("shop")
    callers = Callers(store)
    assert (refused(callers, "wrong"), callers.authenticate(f"bearer  {token}").role) == (401, "caller")
    assert callers.closed


def test_the_first_key_closes_an_open_gateway_within_seconds(store):
    clock = [100.0]
    callers = Callers(store, clock=lambda: clock[0])
    assert callers.authenticate("").name == "anonymous"
    store.create("shop")
    clock[0] += FRESH_SECONDS + 0.1
    assert refused(callers, "") == 401
    assert callers.closed


def test_what_is_no_token_is_neither_looked_up_nor_kept(store, monkeypatch):
    store.create("shop")
    callers = Callers(store)
    monkeypatch.setattr(store, "find", lambda token: pytest.fail("looked up"))
    assert [refused(callers, token) for token in ("x" * 60_000, "llmops_", "llmops_own_abc")] == [401, 401, 401]
    assert callers._known == {}


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("example.com", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_which_addresses_only_this_machine_reaches(host, own):
    assert is_loopback(host) is own


def test_from_elsewhere_nobody_is_let_in_without_a_key(store):
    assert refused(Callers(store, open=False), "") == 401
    assert Callers(store, open=False).closed
    own = Callers(store, open=False, own="mine").authenticate("Bearer mine")
    assert (own.name, own.role, own.may_replay) == ("installation", "admin", False)
    _, token = store.create("shop")
    assert not Callers(store).authenticate(f"Bearer {token}").may_replay
    assert Callers(store, replay=True).authenticate(f"Bearer {token}").may_replay


def test_a_revoked_key_is_refused_within_seconds(store):
    key, token = store.create("shop")
    clock = [100.0]
    callers = Callers(store, clock=lambda: clock[0])
    assert callers.authenticate(f"Bearer {token}").name == key.id
    store.revoke(key.id)
    clock[0] += FRESH_SECONDS + 0.1
    assert refused(callers, token) == 401


def test_every_role_is_told_what_it_may():
    assert set(MAY) == set(ROLES)
    assert not any(Caller("k", role).may("answer") for role in ("auditor", "privacy_officer"))
    assert [role for role in ROLES if Caller("k", role).may("preview")] == ["operator", "admin"]
    assert not any(Caller("k", role).may_replay for role in ROLES)
    assert [role for role in ROLES if Caller("k", role).may("feedback_any")] == ["admin"]
    assert Caller("k").person("") == "anonymous"


def test_the_installations_own_key_is_made_once_and_read_by_its_owner_only(tmp_path):
    file = tmp_path / "keys" / "gateway.key"
    assert own_key(file) == own_key(file)
    assert len(own_key(file)) > 40
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


# -- denials --------------------------------------------------------------------------------------------------------


def test_a_flood_of_denials_is_one_entry_a_minute_and_none_is_lost():
    clock, entries = [0.0], []
    denials = Denials(
        lambda action, detail, *, subject: entries.append((action, json.loads(detail))), clock=lambda: clock[0]
    )
    for _ in range(500):
        denials("unknown", "/v1/models", 401)
    assert [(action, entry["times"]) for action, entry in entries] == [("denied", 1)]
    denials.flush()
    assert [entry["times"] for _, entry in entries] == [1, 499]
    denials("unknown", "/v1/models", 401)
    clock[0] += EVERY_SECONDS
    denials("k", "/v1/models", 403)
    assert [(entry["caller"], entry["times"]) for _, entry in entries[2:]] == [("unknown", 1), ("k", 1)]


def test_many_different_denials_of_a_minute_are_one_entry_and_the_next_minute_begins_anew():
    clock, entries = [0.0], []
    denials = Denials(lambda action, detail, *, subject: entries.append(json.loads(detail)), clock=lambda: clock[0])
    for minute in range(3):
        for number in range(MOST + 50):
            denials(f"key{number}", "/v1/models", 403)
        clock[0] += EVERY_SECONDS
        assert len(entries) <= (minute + 1) * (MOST + 2)
    denials.flush()
    assert sum(entry["times"] for entry in entries) == 3 * (MOST + 50)


def test_a_log_that_cannot_be_written_keeps_nobody_from_being_refused(store):
    def broken(action, detail, *, subject):
        raise OSError("the disk is full")

    store.create("shop")
    assert refused(Callers(store, denied=Denials(broken)), "llmops_wrong") == 401


# -- the gateway ----------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(files, tmp_path):
    """A gateway with a key of every role, in `tokens`."""
    with Gateway(files, tmp_path, roles=ROLES) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id, preview=files.bundle(tmp_path).release_id)
        yield gateway


def ask(gateway, role, path="/v1/chat/completions", **body):
    headers = {"authorization": f"Bearer {gateway.tokens.get(role, role)}"}
    return requests.post(gateway.address + path, json=body, headers=headers, timeout=20)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_what_it_may_and_a_403_that_says_so_for_the_rest(guarded, role):
    may = role in ("caller", "operator", "admin")
    answer = ask(guarded, role, messages=user(KNOWN))
    assert answer.status_code == (200 if may else 403)
    preview = ask(guarded, role, messages=user(KNOWN), model="assistant-preview")
    assert preview.status_code == (200 if role in ("operator", "admin") else 403)
    if not may:
        assert told(answer, 403)["code"] == "insufficient_permissions"
        assert role in told(answer, 403)["message"]
    entries = [json.loads(entry["detail"]) for entry in guarded.log.audit_entries()]
    assert {entry["status"] for entry in entries} == (set() if role in ("operator", "admin") else {403})


def test_a_wrong_key_stands_in_the_audit_log_without_its_text(guarded):
    assert ask(guarded, "llmops_wrong", messages=user(KNOWN)).status_code == 401
    (entry,) = guarded.log.audit_entries()
    assert json.loads(entry["detail"]) == {
        "caller": "unknown",
        "route": "/v1/chat/completions",
        "status": 401,
        "times": 1,
    }
    assert "wrong" not in str(entry)


def test_feedback_is_taken_from_the_owner_whose_key_asked_only(guarded):
    interaction = ask(guarded, "caller", messages=user(KNOWN)).json()["llmops"]["interaction"]
    key = guarded.tokens["caller"].split("_")[1]
    assert (guarded.rows()[0]["caller"], guarded.rows()[0]["owner"]) == (key, "the caller")
    about = {"interaction": interaction, "rating": -1}
    assert ask(guarded, "operator", "/v1/feedback", **about).status_code == 404
    assert guarded.rows()[0]["rating"] == 0
    # The key's successor is the same application.
    _, guarded.tokens["caller"] = guarded.store.rotate(key, hours=0)
    assert ask(guarded, "caller", "/v1/feedback", **about).status_code == 200
    assert guarded.rows()[0]["rating"] == -1


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"host": "evil.example:8730"}, {"origin": "https://evil.example"}, {"origin": "null"}],
)
def test_a_page_of_another_site_reaches_no_open_gateway(one, headers):
    answer = requests.post(
        f"{one.address}/v1/chat/completions", json={"messages": user(KNOWN)}, headers=headers, timeout=9
    )
    assert told(answer, 403)["code"] == "insufficient_permissions"
    assert one.rows() == []


def test_the_gateways_own_page_and_programs_of_this_machine_reach_it(one):
    port = one.address.rsplit(":", 1)[1]
    for headers in ({"origin": one.address}, {"host": f"localhost:{port}"}, {}):
        answer = requests.post(
            f"{one.address}/v1/chat/completions", json={"messages": user(KNOWN)}, headers=headers, timeout=9
        )
        assert answer.status_code == 200


def test_where_keys_are_needed_the_key_decides(guarded):
    headers = {
        "authorization": f"Bearer {guarded.tokens['caller']}",
        "host": "assistant.example",
        "origin": "https://shop.example",
    }
    body = {"messages": user(KNOWN)}
    assert (
        requests.post(f"{guarded.address}/v1/chat/completions", json=body, headers=headers, timeout=9).status_code
        == 200
    )
