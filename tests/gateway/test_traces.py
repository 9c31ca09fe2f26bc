"""Traces by OpenTelemetry's conventions, as a receiver of OTLP gets them."""

import dataclasses
import subprocess
import sys

import pytest
from gateway_support import GENERATED, KNOWN, Gateway, post, streamed, user
from otlp_receiver import Receiver
from support import COMMIT

from llmops_assets.gateway.cache import AnswerCache
from llmops_assets.gateway.steps import Step
from llmops_assets.gateway.traces import TracesError, open_traces

SECRETS = ("anna", "keller", "delivery", "Delivery", "sk-live", "colleague")


@pytest.fixture
def receiver():
    with Receiver() as listening:
        yield listening


@pytest.fixture
def traced(files, tmp_path, receiver):
    """A gateway whose traces are with the receiver after `sent`."""
    root = tmp_path / "gateway"
    root.mkdir()
    traces = open_traces(receiver.address)
    with Gateway(files, root, traces=traces, cache=AnswerCache(10, 60.0)) as gateway:
        gateway.one = files.bundle(root, "one").release_id
        gateway.serve(1, live=gateway.one)
        gateway.sent = traces.close
        yield gateway
    traces.close()


def roots(receiver):
    return [span for span in receiver.spans if not span.parent]


def children(receiver, root):
    return {span.name: span for span in receiver.spans if span.parent == root.id}


def test_a_generated_answer_is_a_trace_of_its_steps_with_the_conventions_names(traced, receiver):
    answer = post(traced, messages=user(GENERATED)).json()
    traced.sent()
    (root,) = roots(receiver)
    assert {span.trace for span in receiver.spans} == {root.trace}
    assert root.name == "invoke_workflow assistant"
    assert not root.failed
    assert root.attributes["service.name"] == "llmops-gateway"
    assert root.attributes["gen_ai.operation.name"] == "invoke_workflow"
    assert root.attributes["llmops.interaction"] == answer["llmops"]["interaction"]
    assert root.attributes["llmops.release"] == traced.one
    assert (root.attributes["llmops.path"], root.attributes["llmops.status"]) == ("generated", 200)
    inside = children(receiver, root)
    assert {"step question", "step release", "step log", "step notice", "step privacy"} <= set(inside)
    found, made = inside[f"retrieval {COMMIT}"], inside["chat base"]
    assert found.attributes["gen_ai.data_source.id"] == COMMIT
    assert 0 < found.attributes["llmops.similarity"] <= 1
    assert made.attributes["gen_ai.request.model"] == "base"
    assert made.attributes["gen_ai.response.model"] == traced.one
    assert made.attributes["gen_ai.provider.name"] == "llmops"
    assert made.attributes["gen_ai.usage.input_tokens"] == answer["usage"]["prompt_tokens"]
    assert made.attributes["gen_ai.usage.output_tokens"] == answer["usage"]["completion_tokens"]
    assert made.attributes["gen_ai.response.finish_reasons"] == ["stop"]


def test_streams_are_traced_and_each_exchange_by_itself(traced, receiver):
    streamed(post(traced, messages=user(GENERATED), stream=True).text)
    post(traced, messages=user(KNOWN))
    traced.sent()
    one, two = roots(receiver)
    assert one.trace != two.trace
    assert "step recall" in children(receiver, one)
    assert not any(name.startswith("chat") for name in children(receiver, two))


def test_an_answer_out_of_the_cache_says_so(traced, receiver):
    for _ in range(2):
        post(traced, messages=user(KNOWN))
    traced.sent()
    ages = [root.attributes.get("llmops.cached_seconds") for root in roots(receiver)]
    assert ages[0] is None
    assert ages[1] >= 0


class Broken(Step):
    name = "broken"

    async def run(self, exchange) -> None:
        raise RuntimeError(f"about {exchange.ask.text}")


@pytest.mark.slow
def test_no_text_and_nobody_is_in_a_trace_whatever_happens(traced, receiver):
    secret = "I am anna.keller@mail.example, key sk-live-4242424242424242, about delivery of my lamp?"
    named = {"user": "anna", "metadata": {"conversation": "anna keller"}}
    for streaming in (False, True):
        post(traced, messages=user(secret), stream=streaming, **named)
        post(traced, messages=user(KNOWN), stream=streaming, **named)
        post(traced, messages=user("zzz anna"), stream=streaming, **named)
    traced.engines[0].answer = "Delivery: write to anna.keller@mail.example"
    post(traced, messages=user("delivery of this lamp?"), **named)
    traced.engines[0].losses = [1, 1]
    post(traced, messages=user("delivery of that lamp?"), **named)
    steps = traced.chain.steps
    for place in ("admission", "answering", "guards", "endings"):
        traced.chain.steps = dataclasses.replace(steps, **{place: (*getattr(steps, place)[:3], Broken())})
        post(traced, messages=user(secret), **named)
    traced.sent()
    assert len(roots(receiver)) == 12
    assert sum(root.failed for root in roots(receiver)) >= 3
    assert any(span.attributes.get("error.type") == "RuntimeError" for span in receiver.spans)
    for span in receiver.spans:
        assert not [word for word in SECRETS if word in span.wire], span.name
    for _, body in receiver.requests:
        assert not [word for word in SECRETS if word.encode() in body]


def test_a_failing_engine_is_told_by_the_kind_of_its_error(traced, receiver):
    traced.engines[0].losses = [1, 1]
    assert post(traced, messages=user(GENERATED)).status_code == 502
    traced.sent()
    (root,) = roots(receiver)
    assert root.failed
    assert root.attributes["error.type"] == "502"
    failed = [span.attributes["error.type"] for span in children(receiver, root).values() if span.failed]
    assert failed == ["EngineLostError"]


@pytest.mark.slow
def test_a_receiver_that_is_gone_keeps_nobody_from_an_answer(files, tmp_path, receiver):
    root = tmp_path / "gateway"
    root.mkdir()
    traces = open_traces("http://127.0.0.1:9")
    with Gateway(files, root, traces=traces) as gateway:
        gateway.serve(1, live=files.bundle(root, "one").release_id)
        assert post(gateway, messages=user(KNOWN)).status_code == 200


@pytest.mark.slow
def test_without_an_endpoint_nothing_of_it_is_loaded():
    code = "import sys, llmops_assets.gateway.__main__; print([n for n in sys.modules if 'opentelemetry' in n])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "ftp://127.0.0.1", ""])
def test_an_endpoint_that_is_none_is_told(endpoint):
    with pytest.raises(TracesError, match="no address of an OTLP receiver"):
        open_traces(endpoint)
