"""Upstreams: what each failure of one means for an answer, who is asked next, and what may be reached at all."""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from aiohttp.abc import AbstractResolver
from gateway_support import GENERATED, EchoEngine, Files, Gateway, said, told, user, wait_for
from prometheus_client import generate_latest
from pydantic import ValidationError
from upstream_server import KEY, TEXT, UpstreamServer

from llmops_assets.gateway.engine import Engine
from llmops_assets.gateway.errors import EngineBusyError, EngineError, EngineLostError
from llmops_assets.gateway.upstreams.breaker import State
from llmops_assets.gateway.upstreams.engines import Engines
from llmops_assets.gateway.upstreams.health import Healths
from llmops_assets.gateway.upstreams.pool import Member, Pool
from llmops_assets.gateway.upstreams.remote import RemoteEngine, UnavailableError, UpstreamBusyError
from llmops_assets.gateway.upstreams.resolver import Premises
from llmops_assets.gateway.upstreams.settings import (
    Upstream,
    UpstreamConfigError,
    UpstreamPolicy,
    UpstreamSettings,
)
from llmops_assets.gateway.wishes import NONE, Wishes
from llmops_assets.lib.answering.prompting import build_messages, render_chat
from llmops_assets.lib.records import GenerationSettings

MESSAGES = build_messages("Be brief.", "How long does delivery take?")
SHORT = GenerationSettings(max_tokens=12)
ANSWER = TEXT[: 12 * 4].strip()


@pytest.fixture
def server():
    with UpstreamServer() as running:
        yield running


@pytest.fixture
def another():
    with UpstreamServer("The other one says so. " * 20) as running:
        yield running


def entry(server: UpstreamServer | str, **parts) -> Upstream:
    url = server if isinstance(server, str) else server.url
    fast = {"connect_seconds": 2, "read_seconds": 0.4}
    return Upstream(**{"name": "one", "url": url, "models": {"*": "assistant"}, **fast, **parts})


def pool_of(*entries: Upstream, key: str = "", seed: int = 1, **policy) -> Pool:
    rules = UpstreamPolicy(**{"pause_seconds": 0.01, **policy})
    healths = Healths(entries, rules)
    members = [Member(RemoteEngine(one, "assistant", key=key), healths[one.name]) for one in entries]
    made = Pool(members, rules, rng=random.Random(seed))
    made.healths = healths  # ty: ignore[unresolved-attribute]
    return made


@contextlib.asynccontextmanager
async def started(engine: Engine):
    try:
        await engine.start()
        yield engine
    finally:
        await engine.stop()


def asked(engine: Engine, plan: dict[UpstreamServer, list[str]] | None = None, wishes: Wishes = NONE):
    """One answer, or the error in its place; a plan begins after the engine has started."""

    async def ask():
        async with started(engine):
            for server, steps in (plan or {}).items():
                server.requests.clear()
                server.plan = list(steps)
            return await engine.generate(MESSAGES, SHORT, wishes)

    try:
        return asyncio.run(ask())
    except EngineError as error:
        return error


# -- one upstream -----------------------------------------------------------------------------------------------------


def test_what_is_sent_is_openais_and_what_comes_back_is_the_upstreams(server):
    engine = RemoteEngine(entry(server, body={"top_k": 3}), "assistant", key=KEY)
    server.key = KEY
    wishes = Wishes(max_tokens=5, temperature=0.7, seed=4, top_p=0.9, stop=("zzz",), form='{"type": "json_object"}')
    made = asked(engine, {server: []}, wishes)
    assert server.requests == [
        {
            "model": "assistant",
            "messages": MESSAGES,
            "temperature": 0.7,
            "seed": 4,
            "top_p": 0.9,
            "response_format": {"type": "json_object"},
            "stop": ["zzz"],
            "max_tokens": 5,
            "stream": True,
            "stream_options": {"include_usage": True},
            "top_k": 3,
        }
    ]
    assert made.text == TEXT[:20].strip()
    assert (made.usage.input_tokens, made.usage.output_tokens) == (len(json.dumps(MESSAGES)) // 4, 5)
    assert (made.usage.cut, made.usage.by) == (True, "one")


def test_a_prompt_as_in_training_and_a_limit_of_another_name(server):
    upstream = entry(server, api="completions", limit_name="max_completion_tokens")
    asked(RemoteEngine(upstream, "assistant"), {server: []})
    (body,) = server.requests
    assert body["prompt"] == render_chat([dict(m) for m in MESSAGES])
    assert body["stop"] == ["<|im_end|>"]
    assert (body["max_completion_tokens"], "max_tokens" in body) == (12, False)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("status:500", UnavailableError),
        ("status:401", UnavailableError),
        ("status:404", UnavailableError),
        ("status:302", UnavailableError),
        ("silent", UnavailableError),
        ("html", UnavailableError),
        ("nonsense", UnavailableError),
        ("wrong", UnavailableError),
        ("cut:0", UnavailableError),
        ("cut:3", EngineLostError),
        ("error", EngineLostError),
        ("status:429:7", UpstreamBusyError),
        ("status:503", UpstreamBusyError),
        ("status:400", EngineError),
        ("odd", EngineError),
        ("endless", EngineLostError),
    ],
)
def test_every_way_to_fail_is_told_and_quotes_nothing(server, mode, kind):
    server.always = "answer"
    failed = asked(RemoteEngine(entry(server), "assistant"), {server: [mode, mode]})
    assert type(failed) is kind, failed
    assert "Brandt" not in str(failed)
    assert "aaaa" not in str(failed)
    assert not isinstance(failed, UpstreamBusyError) or failed.retry_after == (7 if "7" in mode else 1)


def test_an_upstream_that_counts_nothing_is_counted_by_rule(server):
    made = asked(RemoteEngine(entry(server), "assistant"), {server: ["uncounted"]})
    assert made.text == ANSWER
    assert made.usage.input_tokens >= len(json.dumps(MESSAGES)) // 4
    assert made.usage.output_tokens == 12


def test_an_answer_that_may_have_ended_at_a_callers_stop_is_not_taken_for_a_whole_one(server):
    server.text = "Short. Answer."
    engine = RemoteEngine(entry(server), "assistant")
    assert asked(engine, {server: []}, Wishes(stop=("Answer",))).usage.stopped
    assert asked(engine, {server: []}, Wishes(stop=("never said",))).usage.stopped
    assert not asked(engine, {server: []}).usage.stopped


def test_no_redirect_is_followed(server, another):
    server.elsewhere = another.url
    failed = asked(RemoteEngine(entry(server), "assistant"), {server: ["elsewhere"]})
    assert "points elsewhere" in str(failed)
    assert another.requests == []


def test_a_stream_that_its_reader_leaves_ends_at_the_upstream(server):
    server.piece_seconds = 0.02

    async def ask():
        async with started(RemoteEngine(entry(server), "assistant")) as engine:
            async with contextlib.aclosing(engine.stream(MESSAGES, GenerationSettings(max_tokens=1000))) as pieces:
                async for _ in pieces:
                    assert server.under_way == 1
                    break
            await asyncio.to_thread(wait_for, lambda: server.under_way == 0)

    asyncio.run(ask())


def test_a_connection_is_used_again(server):
    async def ask():
        async with started(RemoteEngine(entry(server), "assistant")) as engine:
            for _ in range(8):
                await engine.generate(MESSAGES, SHORT)

    asyncio.run(ask())
    # One may not be free yet when the next request begins.
    assert len(set(server.ports)) <= 2 < len(server.ports)


# -- several ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mode", ["status:500", "silent", "html", "cut:0", "cut:3", "status:429:60", "status:401", "error"]
)
def test_what_one_does_not_answer_another_does(server, another, mode):
    pool = pool_of(entry(server), entry(another, name="two", order=1))
    made = asked(pool, {server: [mode] * 9})
    assert made.text.startswith("The other one")
    assert made.usage.by == "two"
    assert len(server.requests) == 1


def test_what_is_at_fault_itself_is_asked_of_nobody_else(server, another):
    pool = pool_of(entry(server), entry(another, name="two", order=1))
    failed = asked(pool, {server: ["status:400"], another: []})
    assert "refused the request (400 a_reason)" in str(failed)
    assert another.requests == []
    assert pool.healths["one"].breaker.state is State.CLOSED


def test_a_stream_is_not_begun_anew_after_its_first_piece(server, another):
    pool = pool_of(entry(server), entry(another, name="two", order=1))

    async def ask():
        async with started(pool):
            server.plan, got = ["cut:3"], []
            another.requests.clear()
            with pytest.raises(EngineLostError):
                async for item in pool.stream(MESSAGES, SHORT):
                    got += [item] if isinstance(item, str) else []
            return "".join(got)

    assert asyncio.run(ask()) == TEXT[:12]
    assert another.requests == []


def test_one_alone_is_asked_again_after_a_pause_and_no_more_often_than_it_may(server):
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    pool = pool_of(entry(server), attempts=4, failures=100)
    pool._sleep = sleep
    assert asked(pool, {server: ["status:500"] * 3}).text == ANSWER
    assert [0 <= pause <= 0.01 * 2**n for n, pause in enumerate(pauses)] == [True] * 3
    assert len(set(pauses)) == 3
    pauses.clear()
    assert "answered 500" in str(asked(pool, {server: ["status:500"] * 9}))
    assert len(server.requests) == 4


def test_a_busy_one_is_waited_for_as_long_as_it_says_if_that_is_not_too_long(server):
    pool = pool_of(entry(server), patience_seconds=1.5)
    began = time.monotonic()
    assert asked(pool, {server: ["status:429:1"]}).text == ANSWER
    assert time.monotonic() - began >= 1
    pool = pool_of(entry(server), patience_seconds=1.5)
    failed = asked(pool, {server: ["status:429:40"]})
    assert isinstance(failed, EngineBusyError)
    assert 39 <= failed.retry_after <= 40
    assert pool.healths["one"].breaker.state is State.CLOSED
    assert len(server.requests) == 1


def test_one_that_keeps_failing_is_left_alone_and_then_tried_by_one_request(server, another):
    pool = pool_of(entry(server), entry(another, name="two", order=1), failures=3, rest_seconds=0.5)
    health = pool.healths["one"]

    async def ask():
        async with started(pool):
            server.always = "status:500"
            server.requests.clear()
            for _ in range(10):
                await pool.generate(MESSAGES, SHORT)
            failed = len(server.requests)
            state = health.breaker.state
            server.always = "slow:0.2"
            await asyncio.sleep(0.55)
            made = await asyncio.gather(*(pool.generate(MESSAGES, SHORT) for _ in range(5)))
            return failed, state, [one.usage.by for one in made]

    failed, state, by = asyncio.run(ask())
    assert (failed, state) == (3, State.OPEN)
    assert sorted(by) == ["one", "two", "two", "two", "two"]
    assert (health.breaker.state, health.error) == (State.CLOSED, "")
    assert health.outcomes["failed"] == 3


def test_requests_are_shared_by_weight_within_an_order(server, another):
    pool = pool_of(entry(server, weight=3), entry(another, name="two", weight=1), entry(another, name="later", order=1))

    async def ask():
        async with started(pool):
            return [(await pool.generate(MESSAGES, GenerationSettings(max_tokens=1))).usage.by for _ in range(60)]

    by = asyncio.run(ask())
    assert by.count("later") == 0
    assert 35 <= by.count("one") <= 55


def test_a_slow_one_is_overtaken_and_its_work_ended(server, another):
    pool = pool_of(entry(server, read_seconds=20), entry(another, name="two", order=1), hedge_after_seconds=0.1)
    made = asked(pool, {server: ["slow:5"]})
    assert made.usage.by == "two"
    health = pool.healths["one"]
    assert (health.outcomes["dropped"], health.running, health.breaker.state) == (1, 0, State.CLOSED)
    assert asked(pool, {server: ["slow:0.01"], another: []}).usage.by == "one"
    assert another.requests == []
    # What is overtaken by a failure goes on.
    assert asked(pool, {server: ["slow:0.3"], another: ["status:500"]}).usage.by == "one"


def test_a_pool_starts_if_anyone_answers_and_says_why_nobody_does(server):
    gone = entry("http://127.0.0.1:9/v1", name="gone")
    made = asked(pool_of(gone, entry(server)))
    assert made.usage.by == "one"
    server.models = {"something-else"}
    failed = asked(pool_of(gone, entry(server)))
    assert "gone cannot be reached" in str(failed)
    assert "upstream one answered 404: check its address and model" in str(failed)


def test_the_embedded_engine_may_be_the_last_resort(server, tmp_path):
    bundle = Files(tmp_path).bundle(tmp_path)
    here = Upstream(name="here", url="embedded", order=1)
    settings = UpstreamSettings(upstreams=(entry(server), here), policy=UpstreamPolicy(pause_seconds=0))
    made = asked(Engines(settings, EchoEngine, {})(bundle), {server: ["status:500"] * 9})
    assert " says How long" in made.text
    assert made.usage.by == ""


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"url": "file:///etc/passwd"}, "give an address such as"),
        ({"url": "gopher://host/v1"}, "give an address such as"),
        ({"url": "127.0.0.1:8000"}, "give an address such as"),
        ({"url": "http://:8000/v1"}, "give an address such as"),
        ({"url": "http://host:99999/v1"}, "is no address"),
        ({"url": "http://[::1/v1"}, "is no address"),
        ({"url": "https://anna:secret@host/v1"}, "a key stands in no address"),
        ({"url": "https://host/v1?key=secret"}, "ends with its path"),
        ({"url": "https://host/v1#x"}, "ends with its path"),
        ({"url": "https://host/v1 \n"}, "holds no blanks"),
        ({"url": "https://host\\@other/v1"}, "holds no blanks"),
        ({"url": "http://169.254.169.254/v1"}, "no address of a server"),
        ({"url": "http://[fe80::1]/v1"}, "no address of a server"),
        ({"url": "http://[::ffff:169.254.169.254]/v1"}, "no address of a server"),
        ({"url": "http://0.0.0.0:80/v1"}, "no address of a server"),
        ({"url": "http://2852039166/v1"}, "no address of a server"),
        ({"url": "http://0xa9.0xfe.43518/v1"}, "no address of a server"),
        ({"key": "sk-a-key-itself"}, "name the environment variable"),
        ({"url": "http://api.example.com/v1", "key": "$KEY"}, "unencrypted"),
        ({"models": {}}, "name its model"),
        ({"models": {"*": "{customer}"}}, "{release} and {adapter} at most"),
        ({"url": "embedded"}, "has no key, models or body"),
        ({"body": {"stream": False}}, "is the gateway's to say"),
        ({"name": "No Name"}, "should match pattern"),
        ({"weight": 0}, "greater than 0"),
        ({"adress": "x"}, "Extra inputs"),
    ],
)
def test_what_is_no_upstream_is_refused_with_its_reason(parts, why):
    with pytest.raises(ValidationError, match=why) as refused:
        Upstream(**{"name": "one", "url": "https://host/v1", "models": {"*": "m"}, **parts})
    assert "secret" not in str(refused.value)
    assert "sk-a-key" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "stays"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://10.1.2.3/v1", True),
        ("http://[fd00::1]/v1", True),
        ("http://vllm.models.svc/v1", True),
        ("https://8.8.8.8/v1", False),
        ("https://[2001:4860:4860::8888]/v1", False),
        ("https://[::ffff:8.8.8.8]/v1", False),
    ],
)
def test_where_data_must_stay_an_address_elsewhere_is_refused_unless_it_is_allowed(url, stays):
    def settings(**parts):
        one = Upstream(name="one", url=url, models={"*": "m"}, **parts)
        return UpstreamSettings(upstreams=(one,), on_premises=True)

    if stays:
        settings()
        return
    with pytest.raises(ValidationError, match="data_must_stay_on_premises"):
        settings()
    settings(may_leave_premises=True)


class Names(AbstractResolver):
    """Resolves every name to the same addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(self, host, port=0, family=socket.AF_INET):
        return [
            {"hostname": host, "host": one, "port": port, "family": family, "proto": 0, "flags": 0}
            for one in self.addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("addresses", "own", "reached"),
    [
        (("93.184.216.34", "10.0.0.1"), True, ["10.0.0.1"]),
        (("93.184.216.34", "10.0.0.1"), False, ["93.184.216.34", "10.0.0.1"]),
        (("169.254.169.254",), False, []),
        (("93.184.216.34",), True, []),
        (("::ffff:93.184.216.34", "::1"), True, ["::1"]),
    ],
)
def test_a_name_is_held_to_the_rule_whenever_it_is_resolved(addresses, own, reached):
    async def resolve():
        return [one["host"] for one in await Premises(own=own, resolver=Names(*addresses)).resolve("name", 80)]

    if reached:
        assert asyncio.run(resolve()) == reached
    else:
        with pytest.raises(OSError, match="name has no address"):
            asyncio.run(resolve())


def test_a_name_is_looked_at_when_the_gateway_starts(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    one = Upstream(name="one", url="https://models.example.com/v1", models={"*": "m"})
    settings = UpstreamSettings(upstreams=(one,), on_premises=True)
    with pytest.raises(UpstreamConfigError, match=r"93\.184\.216\.34.*data_must_stay_on_premises"):
        Engines(settings, EchoEngine, {})
    Engines(settings.model_copy(update={"on_premises": False}), EchoEngine, {})


def test_a_connection_by_name_is_held_to_it_too(server):
    upstream = entry(server.url.replace("127.0.0.1", "localhost"))
    assert asked(RemoteEngine(upstream, "assistant", own_network=True)).text == ANSWER


def test_a_key_that_is_not_there_is_named():
    settings = UpstreamSettings(upstreams=(Upstream(name="one", url="https://h/v1", models={"*": "m"}, key="$A_KEY"),))
    with pytest.raises(UpstreamConfigError, match="upstream one needs its key in the environment: set A_KEY"):
        Engines(settings, EchoEngine, {"A_KEY": " "})


def test_a_release_goes_by_the_name_that_the_upstream_has_for_it(tmp_path):
    files = Files(tmp_path)
    plain = files.manifest("one")
    tuned = files.manifest("two", adapter=files.add(b"adapter"), adapter_digest="ab12")

    def name(manifest, **models):
        return Upstream(name="one", url="https://h/v1", models=models).model_of(manifest)

    assert name(plain, **{"*": "m"}) == "m"
    assert name(plain, **{"*": "m", "base": "b"}) == "b"
    assert name(tuned, base="b", ab12="a") == "a"
    assert name(tuned, **{"*": "{adapter}", "base": "b"}) == "ab12", "its base model alone is not what was judged"
    assert name(tuned, **{"ab12": "a", tuned.release_id: "r"}) == "r"
    assert name(tuned, **{"*": "lora-{adapter}-{release}"}) == f"lora-ab12-{tuned.release_id}"
    for release, models in ((plain, {"*": "{adapter}"}), (plain, {"ab12": "a"}), (tuned, {"base": "b"})):
        with pytest.raises(UpstreamConfigError, match="add one to its `models`"):
            name(release, **models)


def test_names_and_the_embedded_engine_stand_once():
    one = Upstream(name="one", url="https://h/v1", models={"*": "m"})
    with pytest.raises(ValidationError, match="two upstreams are named one"):
        UpstreamSettings(upstreams=(one, one))
    here = [Upstream(name=name, url="embedded") for name in ("a", "b")]
    with pytest.raises(ValidationError, match="one embedded engine"):
        UpstreamSettings(upstreams=tuple(here))


def test_a_model_that_is_not_there_yet_is_waited_for_as_long_as_it_may_take(monkeypatch):
    monkeypatch.setattr("llmops_assets.gateway.upstreams.remote.AGAIN_SECONDS", 0.01)

    async def start(server: UpstreamServer, seconds: float) -> None:
        entry = Upstream(name="one", url=server.url, models={"*": "assistant"}, start_seconds=seconds)
        engine = RemoteEngine(entry, "assistant")
        try:
            await engine.start()
        finally:
            await engine.stop()

    with UpstreamServer() as server:
        server.plan = ["status:404", "status:404", "answer"]
        asyncio.run(start(server, 30))
        assert server.plan == []
        server.plan = ["status:404"]
        with pytest.raises(EngineError, match="answered 404"):
            asyncio.run(start(server, 0))
        # What no time changes is told at once.
        server.plan = ["status:400"]
        with pytest.raises(EngineError, match="refused the request"):
            asyncio.run(start(server, 30))


# -- behind the gateway -----------------------------------------------------------------------------------------------


class Fronted(Gateway):
    """A gateway whose releases are answered by upstreams."""

    def __init__(self, files, root, *entries: Upstream, environment=None, **policy):
        self.upstreams = Engines(
            UpstreamSettings(upstreams=entries, policy=UpstreamPolicy(**policy)), EchoEngine, environment or {}
        )
        super().__init__(files, root)
        self.chain.metrics.registry.register(self.upstreams.healths)

    def _engine(self, bundle):
        return self.upstreams(bundle)


def test_a_gateway_answers_by_an_upstream_which_sees_no_personal_data(files, tmp_path, server):
    server.text = "Lamps are sent in 3 days."
    with Fronted(files, tmp_path, entry(server)) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        answer = gateway.ask(f"{GENERATED} I am at anna.brandt@example.com, card 4111 1111 1111 1111")
        assert said(answer) == server.text
        assert "anna.brandt" not in json.dumps(server.requests)
        assert "4111" not in json.dumps(server.requests)
        assert server.requests[-1]["messages"][0] == {"role": "system", "content": "Be brief."}
        usage = answer.json()["usage"]
        assert usage["completion_tokens"] == len(server.text) // 4 + 1
        row = gateway.rows()[-1]
        assert (row["output_tokens"], row["path"]) == (usage["completion_tokens"], "generated")
        cut = gateway.ask(GENERATED, max_tokens=2)
        assert (cut.json()["choices"][0]["finish_reason"], said(cut)) == ("length", "Lamps ar")
        page = requests.get(gateway.address, timeout=20).text
        assert "<td>one</td><td>asked</td>" in page.replace("\n", "")
        figures = generate_latest(gateway.chain.metrics.registry).decode()
        assert 'gateway_upstream_up{upstream="one"} 1.0' in figures
        assert 'gateway_upstream_attempts_total{outcome="answered",upstream="one"} 2.0' in figures


def test_what_upstreams_fail_at_is_told_without_a_word_of_theirs(files, tmp_path, server):
    with Fronted(files, tmp_path, entry(server), attempts=1, failures=2, rest_seconds=30) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        server.always = "status:500"
        statuses = [gateway.ask(GENERATED) for _ in range(3)]
        assert [answer.status_code for answer in statuses] == [502, 502, 503]
        assert "Brandt" not in "".join(answer.text for answer in statuses)
        assert told(statuses[2], 503)["code"] == "engine_busy"
        assert 28 <= int(statuses[2].headers["retry-after"]) <= 30
        # What needs no engine is answered all the same.
        assert said(gateway.ask("How long does delivery take?"))
        assert "left alone" in requests.get(gateway.address, timeout=20).text
        assert [row["status"] for row in gateway.rows()] == [502, 502, 503, 200]


def test_json_of_an_upstream_that_does_not_fit_is_a_handover(files, tmp_path, server):
    schema = {"type": "object", "properties": {"days": {"type": "integer"}}, "required": ["days"]}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {**schema, "additionalProperties": False}}}
    with Fronted(files, tmp_path, entry(server)) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        server.text = '{"days": 3}'
        assert said(gateway.ask(GENERATED, response_format=form)) == '{"days": 3}'
        assert server.requests[-1]["response_format"] == form
        for wrong in ('{"days": "three"}', "[3]", "Three days."):
            server.text = wrong
            message = gateway.ask(GENERATED, response_format=form).json()["choices"][0]["message"]
            assert (message["content"], bool(message["refusal"])) == (None, True)


def test_a_release_that_no_upstream_has_leaves_the_one_before_it_serving(files, tmp_path, server):
    first, second = (files.bundle(tmp_path, name).release_id for name in ("one", "two"))
    with Fronted(files, tmp_path, entry(server, models={first: "assistant", second: "missing"})) as gateway:
        gateway.serve(1, live=first)
        gateway.serve(2, live=second)
        assert "404: check its address and model" in gateway.releases.error
        assert said(gateway.ask(GENERATED))


def test_a_gateway_is_an_upstream_of_another(files, tmp_path):
    roots = [tmp_path / name for name in ("behind", "before")]
    for root in roots:
        root.mkdir()
    with Gateway(files, roots[0], roles=("caller",)) as behind:
        release = files.bundle(roots[0]).release_id
        behind.serve(1, live=release)
        one = entry(f"{behind.address}/v1", key="$ITS_KEY", read_seconds=20)
        with Fronted(files, roots[1], one, environment={"ITS_KEY": behind.tokens["caller"]}) as before:
            before.serve(1, live=files.bundle(roots[1]).release_id)
            answer = before.ask(GENERATED)
            assert said(answer) == f"{release} says Question: {GENERATED}" or GENERATED in said(answer)
            assert answer.json()["usage"]["completion_tokens"] > 0
            assert {row["status"] for row in behind.rows()} <= {200, 206}


def test_what_a_client_that_leaves_has_cost_is_logged(files, tmp_path, server):
    server.piece_seconds = 0.05
    with Fronted(files, tmp_path, entry(server, read_seconds=20)) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        body = {"messages": user(GENERATED), "stream": True}
        with requests.post(f"{gateway.address}/v1/chat/completions", json=body, stream=True, timeout=20):
            wait_for(lambda: server.under_way)
            time.sleep(0.4)
        wait_for(lambda: len(gateway.rows()) == 1)
        (row,) = gateway.rows()
        assert row["status"] == 499
        assert 0 < row["output_tokens"] < 96
        assert row["input_tokens"] > 0
        wait_for(lambda: server.under_way == 0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def process(port: int):
    script = Path(__file__).parent.parent / "upstream_server.py"
    child = subprocess.Popen([sys.executable, str(script), "--port", str(port)])
    try:

        def answers() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
            return False

        wait_for(answers, 60)
        yield child
    finally:
        child.kill()
        child.wait()


@pytest.mark.slow
def test_no_answer_fails_when_one_of_two_upstreams_is_killed_under_load(files, tmp_path):
    ports = free_port(), free_port()
    urls = [f"http://127.0.0.1:{port}/v1" for port in ports]
    entries = [entry(url, name=f"upstream-{n}", read_seconds=20) for n, url in enumerate(urls)]
    with process(ports[0]), process(ports[1]) as victim, Fronted(files, tmp_path, *entries) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        killed = threading.Event()
        answered: list[tuple[int, bool]] = []

        def ask(_: int) -> None:
            status = gateway.ask(GENERATED).status_code
            answered.append((status, killed.is_set()))
            if len(answered) == 20:
                os.kill(victim.pid, signal.SIGKILL)
                killed.set()

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(ask, range(80)))
        assert [status for status, _ in answered] == [200] * 80
        assert sum(after for _, after in answered) >= 40
        health = gateway.upstreams.healths["upstream-1"]
        assert health.outcomes["failed"] + health.outcomes["lost"] >= 1
        assert health.outcomes["answered"] >= 1
        assert len(gateway.rows()) == 80
