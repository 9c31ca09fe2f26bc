"""What the gateway's process logs: JSON lines with ids, and nothing of anybody, on whatever path."""

import contextlib
import dataclasses
import io
import json
import logging
import subprocess
import sys

import pytest
import requests
from gateway_support import GENERATED, KNOWN, Gateway, post, user

from llmops_assets.gateway.logs import JsonLines, TextLines, about
from llmops_assets.gateway.steps import Step
from llmops_assets.lib.redaction import Redactor

SECRET = "anna.keller@mail.example"
HIDDEN = ("anna", "keller", "mail.example")


@pytest.fixture(params=[JsonLines, TextLines], ids=["json", "text"])
def logged(request):
    """What the process logs in either form, everything that any logger tells from DEBUG on."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(request.param())
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", "uvicorn", "uvicorn.error", "llmops_assets")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    # A client's own log is no part of the gateway's.
    handler.addFilter(lambda record: not record.name.startswith("urllib3"))
    root.addHandler(handler)
    yield out
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


class Broken(Step):
    """A fault of our own whose message quotes what it was about, raised from another one that does too."""

    name = "broken"

    async def run(self, exchange) -> None:
        try:
            raise KeyError(exchange.ask.text)
        except KeyError as error:
            raise RuntimeError(f"about {exchange.ask.text}") from error


class Failing(Redactor):
    def redact(self, texts):
        raise ValueError(f"cannot read {texts}")


def every_error(gateway: Gateway) -> None:
    """Personal data through every place where a request can go wrong."""
    named = {"user": SECRET, "metadata": {"conversation": SECRET}}
    steps = gateway.chain.steps
    for place in ("admission", "answering", "guards", "endings"):
        for streaming in (False, True):
            before = getattr(steps, place)
            gateway.chain.steps = dataclasses.replace(steps, **{place: (*before[:3], Broken(), *before[3:])})
            # A stream that fails in its endings has no end of its own.
            with contextlib.suppress(requests.RequestException):
                post(gateway, messages=user(f"{GENERATED} {SECRET}"), stream=streaming, **named)
    gateway.chain.steps = steps
    engine = gateway.engines[0]
    engine.losses = [1, 1]
    post(gateway, messages=user(f"{GENERATED} {SECRET}"), **named)
    engine.running = False
    post(gateway, messages=user(f"{GENERATED} {SECRET}"), **named)
    engine.running = True
    post(gateway, messages=user(SECRET * 1000))
    post(gateway, messages=user(7), user=SECRET)
    post(gateway, messages=user(KNOWN), model=SECRET)
    post(gateway, messages=user(KNOWN), **{SECRET: SECRET})
    post(gateway, messages=user(KNOWN), temperature=SECRET)
    post(gateway, "/v1/feedback", interaction=SECRET, rating=1, reason=SECRET)
    post(gateway, "/v1/embeddings", input=SECRET, model=SECRET)
    address = gateway.address
    requests.post(f"{address}/v1/chat/completions", data=SECRET.encode(), timeout=20)
    requests.get(f"{address}/v1/models/{SECRET}?q={SECRET}", headers={"x-a": SECRET}, timeout=20)
    requests.get(f"{address}/{SECRET}", headers={"authorization": f"Bearer {SECRET}"}, timeout=20)
    requests.put(f"{address}/v1/chat/completions", data=SECRET, timeout=20)


@pytest.mark.slow
def test_nothing_of_anybody_is_logged_on_any_path_of_an_error(one, logged):
    every_error(one)
    told = logged.getvalue()
    assert "RuntimeError from KeyError" in told
    assert "test_logs.py" in told, "where it was raised is told"
    for hidden in HIDDEN:
        assert hidden not in told


def test_a_redactor_that_fails_with_the_text_in_its_message_is_not_quoted(files, tmp_path, logged):
    root = tmp_path / "gateway"
    root.mkdir()
    with Gateway(files, root, redactor=Failing(key=b"k" * 32, names=False)) as gateway:
        gateway.serve(1, live=files.bundle(root, "one").release_id)
        assert post(gateway, messages=user(SECRET)).status_code == 503
        assert post(gateway, "/v1/embeddings", input=SECRET, model="embedder").status_code == 503
    assert not [hidden for hidden in HIDDEN if hidden in logged.getvalue()]


@pytest.mark.parametrize("logged", [JsonLines], indirect=True, ids=["json"])
def test_a_request_is_one_line_with_the_ids_that_lead_to_its_row(one, logged):
    answer = post(one, messages=user(f"{GENERATED}"), user=SECRET).json()["llmops"]
    post(one, messages=user(KNOWN), temperature="warm")
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    (told,) = [line for line in lines if line["message"] == "answered"]
    assert told["interaction"] == answer["interaction"]
    assert (told["release"], told["path"], told["status"], told["level"]) == (one.one, "generated", 200, "info")
    assert told["output_tokens"] > 0
    assert told["seconds"] == answer["latency_seconds"]
    (refused,) = [line for line in lines if line["message"] == "refused"]
    assert (refused["route"], refused["status"]) == ("/v1/chat/completions", 400)
    assert "interaction" not in refused


def test_a_line_is_of_the_interaction_and_trace_of_its_task():
    record = logging.LogRecord("llmops_assets.x", logging.WARNING, "f", 1, "told %s", ("twice",), None)
    about("i" * 32, "t" * 32)
    line = json.loads(JsonLines().format(record))
    about("", "")
    assert (line["interaction"], line["trace"], line["message"]) == ("i" * 32, "t" * 32, "told twice")
    assert "trace" not in json.loads(JsonLines().format(record))


@pytest.mark.parametrize("lines", [JsonLines(), TextLines()], ids=["json", "text"])
def test_of_others_neither_what_was_put_into_a_message_nor_its_further_lines_are_told(lines):
    """asyncio quotes tasks with their errors in the lines after the first."""
    for message, arguments in (("cannot ask %s", (SECRET,)), (f"an error was lost\nfuture: {SECRET}", ())):
        told = lines.format(logging.LogRecord("asyncio", logging.ERROR, "f", 1, message, arguments, None))
        assert SECRET not in told
        assert message.split("\n")[0].split("%")[0].strip() in told


def test_errors_that_come_from_each_other_in_a_circle_end():
    one, two = ValueError("a"), ValueError("b")
    one.__cause__, two.__cause__ = two, one
    record = logging.LogRecord("llmops_assets", logging.ERROR, "f", 1, "x", (), (ValueError, one, None))
    assert json.loads(JsonLines().format(record))["error"]["type"] == "ValueError from ValueError"


@pytest.mark.parametrize(("form", "lines"), [("json", 2), ("text", 1)])
def test_a_process_logs_in_the_form_that_it_is_told(form, lines):
    code = (
        f"import logging; from llmops_assets.gateway.logs import set_up; set_up({form!r});"
        "logging.getLogger('llmops_assets.gateway').info('quiet');"
        "logging.getLogger('llmops_assets.gateway').warning('loud'); logging.getLogger('other').info('never')"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True).stderr
    assert len(told.splitlines()) == lines
    assert "loud" in told
    if form == "json":
        assert [json.loads(line)["message"] for line in told.splitlines()] == ["quiet", "loud"]
