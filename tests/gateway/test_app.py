"""The HTTP API, asked over a socket."""

import json
import threading
from datetime import UTC, datetime

import pytest
import requests
from gateway_support import Gateway, wait_for

DAY = (datetime(2026, 3, 11, tzinfo=UTC), datetime(2026, 3, 12, tzinfo=UTC))
MORNING = {"x-llmops-time": "2026-03-11T08:00:00+00:00"}


@pytest.fixture
def one(gateway):
    """The gateway with release `one` live."""
    bundle = gateway.files.bundle(gateway.root, "one")
    gateway.serve(1, live=bundle.release_id)
    gateway.one = bundle.release_id
    return gateway


def logged(gateway) -> list[dict]:
    return gateway.log.interactions(datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def content(response: requests.Response) -> str:
    assert response.status_code == 200, response.text
    return response.json()["choices"][0]["message"]["content"]


def test_a_known_question_gets_the_known_answer_in_openais_shape(one):
    body = one.ask("How long does delivery take?", model="assistant").json()
    assert body["object"] == "chat.completion"
    assert body["model"] == one.one
    assert body["choices"][0]["message"] == {"role": "assistant", "content": "Delivery takes 3 to 5 days."}
    assert body["usage"]["total_tokens"] == 0
    assert body["llmops"]["path"] == "matched"
    assert body["llmops"]["article"] == "delivery"


def test_a_near_question_is_generated_with_passages_and_a_foreign_one_handed_over(one):
    assert one.ask("delivery of my lamp?").json()["llmops"]["path"] == "generated"
    assert content(one.ask("zzz qqq")) == "A colleague of one will help."


def test_streaming_sends_the_same_answer_in_pieces_and_logs_it_whole(one):
    whole = content(one.ask("delivery of my lamp?"))
    response = one.ask("delivery of my lamp?", stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    events = [line[6:] for line in response.text.split("\n") if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == whole
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert [row["answer"] for row in logged(one)] == [whole, whole]


def test_personal_data_never_reaches_engine_log_or_answer(one):
    one.engines[0].answer = "Sure, anna@mail.example, I will call +31 6 12345678."
    response = one.ask("delivery for anna@mail.example, account NL91ABNA0417164300", user="anna@mail.example")
    assert content(response) == "Sure, <EMAIL_1>, I will call <PHONE_1>."
    (row,) = logged(one)
    assert row["question"] == "delivery for <EMAIL_1>, account <IBAN_1>"
    assert row["subject"] == one.redactor.subject("anna@mail.example")
    assert "anna" not in json.dumps(row)
    assert b"anna" not in (one.root / "log.db").read_bytes()


def test_a_streamed_answer_leaks_no_personal_data_at_any_cut(one):
    for padding in range(12):
        one.engines[0].answer = "x" * padding + " write to anna.keller@mail.example or " + "and so on " * 12
        text = one.ask("delivery of my lamp?", stream=True).text
        said = "".join(
            json.loads(line[6:])["choices"][0]["delta"].get("content", "")
            for line in text.split("\n")
            if line.startswith("data: {")
        )
        assert "<EMAIL_1>" in said
        assert "keller" not in said
        assert "mail.example" not in said


def test_when_redaction_fails_nothing_is_answered_and_nothing_stored(one):
    def refuse(texts):
        raise RuntimeError(texts[0])

    one.redactor.redact = refuse
    response = one.ask("delivery for anna@mail.example")
    assert response.status_code == 503
    assert "anna" not in response.text
    assert logged(one) == []


def test_feedback_is_stored_redacted_with_its_interaction(one):
    interaction = one.ask("delivery of my lamp?").json()["llmops"]["interaction"]
    body = {"interaction": interaction, "rating": -1, "correction": "No, ask anna@mail.example"}
    assert requests.post(f"{one.address}/v1/feedback", json=body, timeout=9).json() == {"stored": True}
    (row,) = logged(one)
    assert (row["rating"], row["correction"]) == (-1, "No, ask <EMAIL_1>")
    body["interaction"] = "nowhere"
    assert requests.post(f"{one.address}/v1/feedback", json=body, timeout=9).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("{", 400, "not JSON"),
        ("[]", 400, "JSON object"),
        ({}, 400, "messages must be a list"),
        ({"messages": []}, 400, "user message"),
        ({"messages": [{"role": "user", "content": " "}]}, 400, "user message"),
        ({"messages": [{"role": "user", "content": "x" * 9000}]}, 400, "8000 characters"),
        ({"messages": [{"role": "user", "content": "x"}], "model": "gpt"}, 404, "no model 'gpt'"),
        ({"messages": [{"role": "user", "content": "x" * 300_000}]}, 413, "bytes"),
    ],
)
def test_bad_requests_are_refused_in_openais_shape(one, body, status, message):
    data = body if isinstance(body, str) else json.dumps(body)
    response = requests.post(f"{one.address}/v1/chat/completions", data=data, timeout=9)
    assert response.status_code == status
    assert message in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "body", [{"rating": 1}, {"interaction": "x", "rating": 5}, {"interaction": "x", "rating": True}]
)
def test_bad_feedback_is_refused(one, body):
    assert requests.post(f"{one.address}/v1/feedback", json=body, timeout=9).status_code == 422


def test_without_a_release_nothing_is_answered_and_health_says_so(gateway):
    assert gateway.ask("hello").status_code == 503
    assert requests.get(f"{gateway.address}/healthz", timeout=9).status_code == 503


def test_keys_are_needed_where_keys_are_set(files, tmp_path):
    with Gateway(files, tmp_path, keys=("secret",)) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        assert gateway.ask("hello").status_code == 401
        headers = {"authorization": "Bearer secret"}
        body = {"messages": [{"role": "user", "content": "hello"}]}
        url = f"{gateway.address}/v1/chat/completions"
        assert requests.post(url, json=body, headers=headers, timeout=9).status_code == 200


def test_metrics_count_answers_by_release_and_path(one):
    one.ask("How long does delivery take?")
    one.ask("zzz")
    text = requests.get(f"{one.address}/metrics", timeout=9).text
    assert f'gateway_requests_total{{path="matched",release="{one.one}",status="200"}} 1.0' in text
    assert f'gateway_requests_total{{path="handover",release="{one.one}",status="200"}} 1.0' in text
    assert "gateway_state_generation 1.0" in text


def test_models_lists_what_is_served(one):
    data = requests.get(f"{one.address}/v1/models", timeout=9).json()["data"]
    assert [(m["id"], m["release"]) for m in data] == [("assistant", one.one)]


def test_a_release_that_does_not_load_leaves_the_old_one_serving(one):
    broken = one.files.bundle(one.root, "two", model=b"broken model")
    one.serve(2, live=broken.release_id)
    assert one.releases.state.live == one.one
    assert "broken" in requests.get(f"{one.address}/healthz", timeout=9).json()["error"]
    assert content(one.ask("zzz")) == "A colleague of one will help."


def test_preview_answers_who_asks_for_it_and_is_never_logged(one):
    two = one.files.bundle(one.root, "two").release_id
    one.serve(2, live=one.one, preview=two)
    assert content(one.ask("zzz", model="assistant-preview")) == "A colleague of two will help."
    assert logged(one) == []
    assert content(one.ask("zzz")) == "A colleague of one will help."


def test_a_canary_gets_its_share_of_conversations_and_each_conversation_stays_with_one_release(one):
    two = one.files.bundle(one.root, "two").release_id
    one.serve(2, live=one.one, canary=two, canary_share=0.3)
    served = {
        n: [one.ask("zzz", metadata={"conversation": f"c{n}"}).json()["model"] for _ in range(2)] for n in range(40)
    }
    assert all(len(set(releases)) == 1 for releases in served.values())
    share = sum(releases[0] == two for releases in served.values()) / 40
    assert 0.1 < share < 0.55


def test_swapping_releases_back_and_forth_drops_no_request(one):
    two = one.files.bundle(one.root, "two").release_id
    done, failed, seen = threading.Event(), [], set()

    def customer() -> None:
        while not done.is_set():
            response = one.ask("delivery of my lamp?")
            if response.status_code != 200:
                failed.append(response.text)
            else:
                body = response.json()
                seen.add(body["model"])
                # No answer mixes two releases: the engine names its own.
                assert body["choices"][0]["message"]["content"].startswith(body["model"])

    threads = [threading.Thread(target=customer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for generation in range(2, 10):
        one.serve(generation, live=two if generation % 2 == 0 else one.one)
    done.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert seen == {one.one, two}
    wait_for(lambda: sum(engine.running for engine in one.engines) == 1)


def test_times_of_past_days_are_taken_when_replaying(one):
    body = {"messages": [{"role": "user", "content": "zzz"}]}
    requests.post(f"{one.address}/v1/chat/completions", json=body, headers=MORNING, timeout=9)
    (row,) = one.log.interactions(*DAY)
    assert row["time"] == "2026-03-11T08:00:00.000000+00:00"
