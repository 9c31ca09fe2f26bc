"""The HTTP API, asked over a socket."""

import asyncio
import json
import re
import threading
from datetime import UTC, datetime

import pytest
import requests
from gateway_support import Gateway, wait_for

from llmops_assets.gateway.releases import share_of

DAY = (datetime(2026, 3, 11, tzinfo=UTC), datetime(2026, 3, 12, tzinfo=UTC))
MORNING = {"x-llmops-time": "2026-03-11T08:00:00+00:00"}


def content(response: requests.Response) -> str:
    assert response.status_code == 200, response.text
    return response.json()["choices"][0]["message"]["content"]


def test_a_known_question_gets_the_known_answer_in_openais_shape(one):
    body = one.ask("How long does delivery take?", model="assistant").json()
    assert body["object"] == "chat.completion"
    assert body["model"] == one.one
    message = {"role": "assistant", "content": "Delivery takes 3 to 5 days.", "refusal": None}
    assert body["choices"][0]["message"] == message
    assert body["llmops"]["path"] == "matched"
    assert body["llmops"]["article"] == "delivery"


def test_a_near_question_is_generated_with_passages_and_a_foreign_one_handed_over(one):
    assert one.ask("delivery of my lamp?").json()["llmops"]["path"] == "generated"
    assert content(one.ask("zzz qqq")) == "A colleague of one will help."


def test_personal_data_never_reaches_engine_log_or_answer(one):
    one.engines[0].answer = "Sure, anna@mail.example, I will call +31 6 12345678."
    response = one.ask("delivery for anna@mail.example, account NL91ABNA0417164300", user="anna@mail.example")
    assert content(response) == "A colleague of one will help."
    assert "delivery for <EMAIL_1>, account <IBAN_1>" in one.engines[0].asked[0]
    assert "anna" not in one.engines[0].asked[0]
    (row,) = one.rows()
    assert row["question"] == "delivery for <EMAIL_1>, account <IBAN_1>"
    assert row["subject"] == one.redactor.subject("anna@mail.example")
    assert "anna" not in json.dumps(row)
    assert b"anna" not in (one.root / "log.db").read_bytes()


def test_feedback_is_stored_redacted_with_its_interaction(one):
    interaction = one.ask("delivery of my lamp?").json()["llmops"]["interaction"]
    body = {"interaction": interaction, "rating": -1, "correction": "No, ask anna@mail.example"}
    assert requests.post(f"{one.address}/v1/feedback", json=body, timeout=9).json() == {"stored": True}
    (row,) = one.rows()
    assert (row["rating"], row["correction"]) == (-1, "No, ask <EMAIL_1>")
    body["interaction"] = "nowhere"
    assert requests.post(f"{one.address}/v1/feedback", json=body, timeout=9).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("{", 400, "not JSON"),
        ("[]", 400, "JSON object"),
        ({}, 400, "messages is missing"),
        ({"messages": []}, 400, "at least 1 item"),
        ({"messages": [{"role": "user", "content": " "}]}, 400, "user message"),
        ({"messages": [{"role": "user", "content": "x" * 9000}]}, 400, "9000 characters, at most 8000"),
        (
            {"messages": [{"role": "user", "content": "x"}], "model": "gpt"},
            404,
            "no model of that name; there are assistant,",
        ),
        ({"messages": [{"role": "user", "content": "x" * 1_100_000}]}, 413, "bytes"),
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


ROUTES = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hello"}]},
    "/v1/completions": {"prompt": "hello"},
    "/v1/responses": {"input": "hello"},
    "/v1/embeddings": {"input": "hello"},
    "/v1/feedback": {"interaction": "nowhere", "rating": 1},
    "/v1/models": None,
    "/v1/models/{model}": None,
    "/v1/files": None,
    "/v1/files/{file_id}": None,
    "/v1/files/{file_id}/content": None,
    "/v1/batches": {"input_file_id": "none", "endpoint": "/v1/completions", "completion_window": "24h"},
    "/v1/batches/{batch_id}": None,
    "/v1/batches/{batch_id}/cancel": {},
    "/": None,
    "/chat": None,
    "/chat.js": None,
    "/chat.css": None,
    "/openapi.json": None,
    "/healthz": None,
    "/metrics": None,
}
NOWHERE = {"/v1/feedback", "/v1/batches"} | {route for route in ROUTES if "{file_id}" in route or "{batch_id}" in route}
OPEN = ("/", "/chat", "/chat.js", "/chat.css", "/openapi.json", "/healthz", "/metrics")


def call(gateway, route: str, authorization: str | None) -> requests.Response:
    headers = {} if authorization is None else {"authorization": authorization}
    method = "GET" if ROUTES[route] is None else "POST"
    address = gateway.address + re.sub(r"{\w+_id}", "x", route.replace("{model}", "assistant"))
    return requests.request(method, address, json=ROUTES[route], headers=headers, timeout=9)


@pytest.mark.slow
def test_every_route_but_health_and_metrics_needs_a_key_where_keys_are_set(files, tmp_path):
    with Gateway(files, tmp_path, roles=("caller", "operator")) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        assert set(ROUTES) == {route.path for route in gateway.app.routes}
        token = gateway.tokens["caller"]
        for route in ROUTES:
            for given in (None, "", "Bearer", f"Bearer {token[:-1]}", f"Bearer {token}2", token, f"Basic {token}"):
                response = call(gateway, route, given)
                if route in OPEN:
                    assert response.status_code == 200
                    continue
                assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer"), (route, given)
                assert response.json()["error"]["type"] == "invalid_request_error"
            for given in (f"Bearer {token}", f"bearer  {token}", f"Bearer {gateway.tokens['operator']}"):
                # Interaction, file and batch are none that exist.
                found = 404 if route in NOWHERE else 200
                assert call(gateway, route, given).status_code == found, (route, given)
        assert len(gateway.rows()) == 9


def test_without_keys_every_route_is_open(one):
    for route in ROUTES:
        assert call(one, route, None).status_code == (404 if route in NOWHERE else 200)


def test_more_requests_than_are_answered_at_a_time_are_refused_and_places_are_given_back(files, tmp_path):
    with Gateway(files, tmp_path, max_running=2) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        engine = gateway.engines[0]
        for _ in range(2):
            go = engine.pause = threading.Event()
            customers = [threading.Thread(target=gateway.ask, args=("delivery of my lamp?",)) for _ in range(2)]
            for customer in customers:
                customer.start()
            wait_for(lambda: engine.under_way == 2)
            for question in ("How long does delivery take?", "delivery of my lamp?"):
                response = gateway.ask(question)
                assert (response.status_code, response.headers["retry-after"]) == (429, "1")
                assert response.json()["error"]["type"] == "rate_limit_error"
            go.set()
            for customer in customers:
                customer.join(timeout=15)
        assert gateway.ask("delivery of my lamp?").status_code == 200
        assert [row["status"] for row in gateway.rows()] == [200] * 5
        metrics = requests.get(f"{gateway.address}/metrics", timeout=9).text
        assert 'gateway_requests_total{path="refused",release="",status="429"} 4.0' in metrics


def test_metrics_count_answers_by_release_and_path(one):
    one.ask("How long does delivery take?")
    one.ask("zzz")
    text = requests.get(f"{one.address}/metrics", timeout=9).text
    assert f'gateway_requests_total{{path="matched",release="{one.one}",status="200"}} 1.0' in text
    assert f'gateway_requests_total{{path="handover",release="{one.one}",status="200"}} 1.0' in text
    assert "gateway_state_generation 1.0" in text


def test_models_lists_what_is_served(one):
    data = requests.get(f"{one.address}/v1/models", timeout=9).json()["data"]
    assert [(m["id"], m["release"]) for m in data] == [("assistant", one.one), ("embedder", None)]


def test_a_release_that_does_not_load_leaves_the_old_one_serving(one):
    broken = one.files.bundle(one.root, "two", model=b"broken model")
    one.serve(2, live=broken.release_id)
    assert one.releases.state.live == one.one
    assert "broken" in requests.get(f"{one.address}/healthz", timeout=9).json()["error"]
    assert content(one.ask("zzz")) == "A colleague of one will help."


@pytest.mark.parametrize("which", ["preview", "canary"])
@pytest.mark.parametrize("streaming", [False, True])
def test_canary_and_preview_answer_who_asks_for_them_by_name_and_are_never_logged(one, which, streaming):
    two = one.files.bundle(one.root, "two").release_id
    one.serve(2, live=one.one, **{which: two})
    model = f"assistant-{which}"
    assert content(one.ask("zzz", model=model)) == "A colleague of two will help."
    for question in ("zzz", "delivery of my lamp?", "How long does delivery take?"):
        response = one.ask(question, model=model, stream=streaming)
        assert (response.status_code, response.headers["x-release-id"]) == (200, two)
    one.engines[1].losses = [0, 0]
    one.ask("delivery of my lamp?", model=model, stream=streaming)
    assert one.engines[1].losses == []
    assert one.rows() == []
    assert content(one.ask("zzz")) == "A colleague of one will help."
    assert [row["release_id"] for row in one.rows()] == [one.one]


def test_no_release_is_served_under_a_name_that_the_state_does_not_fill(one):
    for model in ("assistant-canary", "assistant-preview"):
        response = one.ask("zzz", model=model)
        assert response.status_code == 503
        assert "deploy one first" in response.json()["error"]["message"]


@pytest.mark.slow
def test_a_canarys_customers_are_logged_with_its_release_and_each_conversation_stays_with_one(one):
    two = one.files.bundle(one.root, "two").release_id
    one.serve(2, live=one.one, canary=two, canary_share=0.3)
    asked = [f"c{n}" for n in range(40)]
    served = {c: {one.ask("zzz", metadata={"conversation": c}).json()["model"] for _ in range(2)} for c in asked}
    drawn = {c for c in asked if share_of(one.redactor.subject(c), two) < 0.3}
    assert {c for c in asked if served[c] == {two}} == drawn
    assert {c for c in asked if served[c] == {one.one}} == set(asked) - drawn
    assert sum(row["release_id"] == two for row in one.rows()) == 2 * len(drawn) > 0


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 1.0])
def test_a_canarys_share_of_conversations_is_what_was_asked_for(one, share):
    two = one.files.bundle(one.root, "two").release_id
    one.serve(2, live=one.one, canary=two, canary_share=share)

    async def count() -> int:
        taken = 0
        for n in range(4000):
            async with one.releases.use("live", f"conversation {n}") as serving:
                taken += serving.bundle.release_id == two
        return taken

    # Four standard deviations of a fair draw, which is another one for each release; none where nothing is to draw.
    assert abs(asyncio.run(count()) - 4000 * share) <= 4 * (4000 * share * (1 - share)) ** 0.5


@pytest.mark.slow
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
    one.ask("zzz", headers=MORNING)
    (row,) = one.log.interactions(*DAY)
    assert row["time"] == "2026-03-11T08:00:00.000000+00:00"
    response = one.ask("zzz", headers={"x-llmops-time": "yesterday"})
    assert (response.status_code, len(one.rows())) == (400, 1)


def test_where_replay_is_off_no_request_says_when_it_was(files, tmp_path):
    with Gateway(files, tmp_path, replay=False) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        before = datetime.now(UTC)
        for headers in (MORNING, {"x-llmops-time": "yesterday"}):
            assert gateway.ask("zzz", headers=headers).status_code == 200
        assert gateway.log.interactions(*DAY) == []
        rows = gateway.log.interactions(before, datetime.now(UTC))
        assert len(rows) == 2
        body = {"interaction": rows[0]["id"], "rating": 1}
        url = f"{gateway.address}/v1/feedback"
        assert requests.post(url, json=body, headers={"x-llmops-time": "yesterday"}, timeout=9).status_code == 200
