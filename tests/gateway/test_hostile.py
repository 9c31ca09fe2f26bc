"""What no client of good will sends: the right refusal, nothing kept of it, and an answer for the next one."""

import contextlib
import json
import logging
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest
import requests
from gateway_support import GENERATED, KNOWN, Gateway, post, said, streamed, told, user
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmops_assets.gateway import body as reading
from llmops_assets.gateway import server
from llmops_assets.gateway.body import MAX_BODY, MAX_READ
from llmops_assets.gateway.protocol.messages import MOST_MESSAGES

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"
POSTS = (CHAT, "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/feedback")


@contextlib.contextmanager
def connected(gateway: Gateway):
    """A bare connection to a gateway."""
    address = urlsplit(gateway.address)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        yield connection


def everything(connection: socket.socket) -> bytes:
    """What a connection still says until it is closed."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            data += chunk
    return data


def send(gateway: Gateway, data: bytes, path: str = CHAT) -> requests.Response:
    return requests.post(gateway.address + path, data=data, headers={"content-type": "application/json"}, timeout=30)


def chat(content: bytes) -> bytes:
    return b'{"messages": [{"role": "user", "content": %s}]}' % content


# -- bodies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"7",
        b'"text"',
        b"{",
        b"{'messages': []}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"temperature": 1e999}',
        b'{"a": -1e999}',
        b'{"a": 0x10}',
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\xbd"}',
        b'{"a": "\\ud83d"}',
        b'{"a": "\\udc00\\ud83d"}',
        b'{"a": 1}{"a": 2}',
        b"\x00" * 100,
    ],
    ids=str,
)
def test_what_is_no_json_object_in_utf8_is_refused(one, path, data):
    error = told(send(one, data, path))
    assert error["code"] == "invalid_json"
    assert one.rows() == []


@pytest.mark.parametrize("path", POSTS)
def test_ten_megabytes_are_refused_with_an_answer(one, path):
    data = json.dumps({"messages": user("a" * 10_000_000)}).encode()
    assert MAX_BODY < len(data) < MAX_READ
    assert told(send(one, data, path), 413)["code"] == "request_too_large"


def test_a_body_without_end_is_not_read_for_ever(one):
    with connected(one) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: [::1]\r\ntransfer-encoding: chunked\r\n\r\n")
        chunk, sent = b"100000\r\n" + b"a" * 0x100000 + b"\r\n", 0
        with contextlib.suppress(ConnectionError, TimeoutError):
            while sent < 20 * MAX_READ:
                connection.sendall(chunk)
                sent += len(chunk)
    assert sent < 4 * MAX_READ
    assert said(one.ask(KNOWN))


@pytest.mark.parametrize("number", [b"1e308", b"123456789012345678901234567890", b"-0.0", b"1E400", b"5e-324"])
@pytest.mark.parametrize(
    "name", ["temperature", "max_tokens", "seed", "top_p", "n", "top_logprobs", "frequency_penalty"]
)
def test_absurd_numbers_are_refused_or_harmless(one, number, name):
    response = send(one, chat(b'"delivery of my lamp?"')[:-1] + b', "%s": %s}' % (name.encode(), number))
    assert response.status_code in (200, 400)
    if response.status_code == 400:
        assert told(response)["code"]


def test_long_and_deep_conversations_cost_no_more_than_their_last_question(one):
    turns = [m for n in range(200) for m in (*user(f"question {n}"), {"role": "assistant", "content": "word " * 300})]
    body = post(one, messages=[*turns, *user(KNOWN)]).json()
    assert body["choices"][0]["message"]["content"] == "Delivery takes 3 to 5 days."
    assert body["llmops"]["ignored"] == ["messages.history"]
    assert told(post(one, messages=user(*["a"] * (MOST_MESSAGES + 1))))["code"] == "array_above_max_length"
    nested = "x"
    for _ in range(200):
        nested = [nested]
    assert told(post(one, messages=user(nested)))["param"].startswith("messages.0.content.0")


def test_a_body_of_many_wrong_things_is_refused_for_one(one):
    started = time.monotonic()
    wrong = {f"p{n}": n for n in range(20_000)}
    assert len(post(one, messages=[7] * 2000, **wrong).text) < 500
    assert time.monotonic() - started < 5


# -- slow clients -------------------------------------------------------------------------------------------------


@pytest.fixture
def hasty(one, monkeypatch):
    """A gateway that waits a second for heads, and half of one for bodies."""
    monkeypatch.setattr(server.PunctualProtocol, "head_seconds", 1.0)
    monkeypatch.setattr(server.PunctualProtocol, "body_seconds", 1.0)
    monkeypatch.setattr(reading.read_json, "__defaults__", (0.5,))
    return one


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
        b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ],
    ids=["nothing", "half a head", "after an answer"],
)
def test_a_head_that_does_not_come_ends_the_connection(hasty, start):
    with connected(hasty) as connection:
        connection.sendall(start)
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - started < 8:
                connection.sendall(b"\r\n" if start.startswith(b"GET") else b"a")
                time.sleep(0.1)
                connection.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    if connection.recv(65536) == b"":
                        break
                connection.setblocking(True)
        assert time.monotonic() - started < 5
    assert said(hasty.ask(KNOWN))


def test_a_connection_that_says_nothing_ends(hasty):
    with connected(hasty) as connection:
        started = time.monotonic()
        assert everything(connection) == b""
        assert time.monotonic() - started < 5


def test_a_body_that_does_not_come_is_told_so_and_its_connection_ends(hasty):
    with connected(hasty) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{")
        started = time.monotonic()
        head, _, body = everything(connection).partition(b"\r\n\r\n")
        assert time.monotonic() - started < 5
    assert b" 408 " in head.splitlines()[0]
    assert json.loads(body)["error"]["code"] == "request_timeout"


def test_a_body_that_trickles_after_its_refusal_does_not_hold_the_connection(hasty):
    with connected(hasty) as connection:
        connection.sendall(b"POST /v1/nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n")
        started, sent = time.monotonic(), 0
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - started < 8:
                connection.sendall(b"a")
                sent += 1
                time.sleep(0.05)
        assert time.monotonic() - started < 5


def test_a_slow_answer_is_no_slow_request(hasty):
    go = hasty.engines[0].pause = threading.Event()
    timer = threading.Timer(2.5, go.set)
    timer.start()
    assert said(hasty.ask(GENERATED)).endswith(GENERATED)
    timer.join()


def test_one_connection_serves_request_after_request(hasty):
    with requests.Session() as session:
        for _ in range(3):
            body = {"messages": user(KNOWN)}
            assert said(session.post(hasty.address + CHAT, json=body, timeout=9))
            time.sleep(0.6)


# -- heads --------------------------------------------------------------------------------------------------------


def test_a_head_without_end_is_cut_off(one):
    with connected(one) as connection:
        connection.sendall(b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 50_000_000:
                connection.sendall(b"x-filler: " + b"a" * 1000 + b"\r\n")
                sent += 1012
        assert sent < 20_000_000
    assert said(one.ask(KNOWN))


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nbad header\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nx-a: b\rx-injected: c\r\n\r\n",
        b"GET /v1/models HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: [::1]\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n",
    ],
    ids=["no colon", "bare CR", "version", "TLS", "two lengths", "negative length"],
)
def test_a_head_that_is_none_is_refused(one, head):
    with connected(one) as connection:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_WR)
        answer = everything(connection)
    assert answer == b"" or b" 400 " in answer.splitlines()[0]
    assert b"x-injected" not in answer


def test_no_text_of_a_request_becomes_a_header_of_its_answer(one):
    value = "a\r\nx-injected: yes"
    response = post(one, messages=user(KNOWN), user=value, metadata={"conversation": value}, safety_identifier=value)
    assert said(response)
    assert "x-injected" not in response.headers
    error = told(post(one, messages=user(KNOWN), **{value: 1}))
    assert error["code"] == "unknown_parameter"


# -- nothing is kept of it ----------------------------------------------------------------------------------------


def test_nothing_that_identifies_is_logged_whatever_is_sent(one, caplog, capfd):
    secret = "anna.keller@mail.example"
    caplog.set_level(logging.DEBUG)
    sent = [
        lambda: post(one, messages=user(7), user=secret),
        lambda: post(one, messages=user(KNOWN), model=secret),
        lambda: post(one, messages=user(KNOWN), **{secret: secret}),
        lambda: post(one, messages=user(KNOWN), user=[secret]),
        lambda: post(one, "/v1/feedback", interaction=secret, rating=1),
        lambda: post(one, "/v1/embeddings", input=secret),
        lambda: send(one, secret.encode()),
        lambda: requests.get(f"{one.address}/v1/models/{secret}", timeout=9),
        lambda: requests.get(f"{one.address}/{secret}?q={secret}", headers={"x-a": secret}, timeout=9),
        lambda: one.ask(GENERATED, user=secret, metadata={"conversation": secret}),
    ]
    for ask in sent:
        ask()
    out, err = capfd.readouterr()
    metrics = requests.get(f"{one.address}/metrics", timeout=9).text
    ours = "\n".join(r.getMessage() for r in caplog.records if not r.name.startswith(("urllib3", "asyncio")))
    for where in (out, err, metrics, ours, json.dumps(one.rows())):
        assert "anna" not in where
    for file in one.root.glob("log.db*"):
        assert b"anna" not in file.read_bytes()


# -- anything -----------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    "messages prompt input model stream stream_options temperature top_p max_tokens max_completion_tokens stop seed n "
    "user metadata tools tool_choice response_format logprobs logit_bias store interaction rating reason correction "
    "encoding_format dimensions instructions text".split()
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "assistant", "tool", "x"])},
        optional={"content": JSON | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": st.text()}))},
    ),
    max_size=4,
)


@given(
    path=st.sampled_from(POSTS),
    body=st.one_of(
        JSON,
        st.dictionaries(NAMES, JSON, max_size=5),
        st.builds(lambda m, more: {**more, "messages": m}, MESSAGES, st.dictionaries(NAMES, JSON, max_size=2)),
    ),
)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_answered_or_refused_in_one_shape(one, path, body):
    response = send(one, json.dumps(body).encode(), path)
    assert response.status_code in (200, 400, 404, 422), response.text
    if response.status_code != 200:
        error = told(response, response.status_code)
        assert error["type"] == "invalid_request_error"
    elif response.headers["content-type"].startswith("text/event-stream") and path == CHAT:
        assert streamed(response.text).done


@given(data=st.binary(max_size=300), path=st.sampled_from(POSTS))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused(one, data, path):
    assert send(one, data, path).status_code in (400, 422)
