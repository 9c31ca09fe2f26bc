"""The figures for Prometheus: what is counted, and that no client can make them more."""

import threading
from datetime import UTC, datetime

import pytest
import requests
from gateway_support import GENERATED, KNOWN, Gateway, post, user, wait_for

from llmops_assets.lib.redaction import Redactor
from llmops_assets.lib.watching.costs import ledger

ALWAYS = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def ask_as(gateway: Gateway, name: str) -> None:
    """Everything that a client can name, named by it, on every endpoint, well and badly."""
    key = {"authorization": f"Bearer {name}"}
    conversation = {"conversation": name}
    for question in (KNOWN, GENERATED, f"{GENERATED} {name}", "zzz", "thanks"):
        for streaming in (False, True):
            post(gateway, messages=user(question), user=name, metadata=conversation, stream=streaming)
    answer = post(gateway, messages=user(f"{name} {name}"), safety_identifier=name)
    interaction = answer.json()["llmops"]["interaction"]
    for rating in (-1, 0, 1):
        post(gateway, "/v1/feedback", interaction=interaction, rating=rating, reason=name, correction=name)
    post(gateway, "/v1/feedback", interaction=name, rating=1)
    post(gateway, "/v1/completions", prompt=name)
    post(gateway, "/v1/responses", input=name)
    post(gateway, "/v1/embeddings", input=name, model="embedder")
    post(gateway, messages=user(KNOWN), model=name)
    post(gateway, messages=user(KNOWN), **{name: name})
    post(gateway, messages=user(KNOWN), temperature=name)
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        requests.request(method, f"{gateway.address}/v1/models/{name}", headers=key, timeout=20)
        requests.request(method, f"{gateway.address}/{name}", headers={"x-a": name}, timeout=20)
        requests.request(method, f"{gateway.address}/v1/chat/completions/{name}?{name}={name}", timeout=20)


@pytest.mark.slow
def test_no_client_can_make_the_number_of_series_grow_and_none_holds_what_it_said(one):
    ask_as(one, "anna0")
    before = set(one.figures())
    for number in range(1, 4):
        ask_as(one, f"anna{number}")
    after = set(one.figures())
    assert after == before
    assert not [sample for sample in after if "anna" in str(sample)]


@pytest.mark.slow
def test_an_answer_is_counted_by_what_made_it(one):
    one.engines[0].pause = None
    for question in (KNOWN, GENERATED, "zzz"):
        post(one, messages=user(question))
    assert one.figure("gateway_first_token_seconds_count") == 1
    assert one.figure("gateway_retrieval_similarity_count") == 3
    assert one.figure("gateway_retrieval_similarity_bucket", le="0.1") == 1
    assert one.figure("gateway_handovers_total", reason="unknown") == 1
    (row,) = [row for row in one.rows() if row["path"] == "generated"]
    assert one.figure("gateway_tokens_total", direction="input") == row["input_tokens"] > 0
    assert one.figure("gateway_tokens_total", direction="output") == row["output_tokens"] > 0


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("zzz", "unknown"),
        ("¿Cuánto tarda la entrega de mi lámpara?", "language"),
    ],
)
def test_a_handover_is_counted_by_its_reason(one, question, reason):
    post(one, messages=user(question))
    assert one.figure("gateway_handovers_total", reason=reason) == 1


def test_an_answer_that_a_guard_took_back_is_a_handover_by_a_guard(one):
    one.engines[0].answer = "Dear {{name}}"
    post(one, messages=user(GENERATED))
    assert one.figure("gateway_handovers_total", reason="guard") == 1


class Blind(Redactor):
    """Redacts nothing, and sees what it left."""

    def redact(self, texts):
        return list(texts)


def test_a_refusal_is_counted_by_the_step_that_refused(files, tmp_path):
    root = tmp_path / "gateway"
    root.mkdir()
    with Gateway(files, root, redactor=Blind(key=b"k" * 32, names=False), max_running=1) as gateway:
        post(gateway, messages=user(KNOWN))
        assert gateway.figure("gateway_refusals_total", step="release", status="503") == 1
        gateway.serve(1, live=files.bundle(root, "one").release_id)
        post(gateway, messages=user("I am anna.keller@mail.example"))
        assert gateway.figure("gateway_refusals_total", step="question", status="503") == 1
        engine = gateway.engines[0]
        go = engine.pause = threading.Event()
        waiting = threading.Thread(target=gateway.ask, args=(GENERATED,))
        waiting.start()
        wait_for(lambda: engine.under_way == 1)
        post(gateway, messages=user(KNOWN))
        go.set()
        waiting.join(timeout=20)
        assert gateway.figure("gateway_refusals_total", step="limit", status="429") == 1
        engine.losses = [0, 0]
        post(gateway, messages=user(GENERATED))
        assert gateway.figure("gateway_refusals_total", step="generate", status="502") == 1


def test_what_an_engine_writes_and_has_waiting_is_told_apart_by_its_slots(one):
    engine = one.engines[0]
    engine.slots = 2
    go = engine.pause = threading.Event()
    askers = [threading.Thread(target=one.ask, args=(GENERATED,)) for _ in range(5)]
    for asker in askers:
        asker.start()
    wait_for(lambda: engine.under_way == 5)
    assert one.figure("gateway_engine_requests", state="running") == 2
    assert one.figure("gateway_engine_requests", state="waiting") == 3
    engine.slots = None
    assert one.figure("gateway_engine_requests", state="running") == 5
    go.set()
    for asker in askers:
        asker.join(timeout=20)
    assert one.figure("gateway_engine_requests", state="running") == 0
    assert one.figure("gateway_engine_requests", state="waiting") == 0


def test_an_engine_that_fails_leaves_nobody_in_its_queue(one):
    one.engines[0].losses = [0, 0]
    post(one, messages=user(GENERATED))
    assert one.figure("gateway_engine_requests", state="running") == 0


def test_money_is_counted_as_the_cost_ledger_does(files, tmp_path, hosting):
    root = tmp_path / "gateway"
    root.mkdir()
    with Gateway(files, root, hosting=hosting) as gateway:
        release = files.bundle(root, "one").release_id
        gateway.serve(1, live=release)
        for question in (KNOWN, GENERATED, GENERATED, "zzz"):
            post(gateway, messages=user(question))
        counted = gateway.figure("gateway_cost_total", release=release)
        (line,) = ledger(gateway.rows(), hosting).lines
    assert counted == pytest.approx(line.currency)
    assert counted > sum(row["input_tokens"] + 2 * row["output_tokens"] for row in gateway.log.interactions(*ALWAYS))


def test_what_is_served_and_whether_it_was_taken_is_told(one):
    two = one.files.bundle(one.root, "two").release_id
    one.serve(2, live=one.one, canary=two, canary_share=0.1)
    assert one.figure("gateway_release_info", stage="live", release=one.one) == 1
    assert one.figure("gateway_release_info", stage="canary", release=two) == 1
    assert one.figure("gateway_state_failed") == 0
    one.serve(3, live="r-000000000000")
    assert one.figure("gateway_state_failed") == 1
    one.serve(4, live=two)
    assert one.figure("gateway_state_failed") == 0
    served = {sample for sample in one.figures() if sample[0] == "gateway_release_info"}
    assert served == {("gateway_release_info", frozenset({("stage", "live"), ("release", two)}))}


def test_the_version_is_told(one):
    assert [value for (name, _), value in one.figures().items() if name == "gateway_build_info"] == [1]
