"""Files of requests and batches: OpenAI's own client, what is stored of a file, what a kill or an erasure leaves."""

import json
import threading
import time
from collections import Counter

import openai
import pytest
import requests
import sqlalchemy as sa
from gateway_support import GENERATED, KNOWN, Gateway, told, wait_for
from openai.types.batch_create_params import BatchCreateParams
from openai.types.file_create_params import FileCreateParams

from llmops_assets.gateway.batching import lines, runner, store
from llmops_assets.gateway.batching.lines import MOST_LINES
from llmops_assets.gateway.errors import RequestError
from llmops_assets.gateway.identity.budgets import Budgets
from llmops_assets.gateway.identity.ledger import Ledger
from llmops_assets.gateway.identity.quotas import Allowance
from llmops_assets.gateway.identity.spending import BudgetSettings, Price
from llmops_assets.gateway.protocol.batches import BatchBody, FileBody
from llmops_assets.gateway.upload import MOST_FILE
from llmops_assets.lib.redaction import Redactor

ANSWER = "Delivery takes 3 to 5 days."
CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
REDACTOR = Redactor(key=b"k" * 32, names=False)
MAIL = "anna.keller@mail.example"


def line(number: int, content: str = KNOWN, *, url: str = CHAT, **body) -> dict:
    texts = {
        CHAT: {"messages": [{"role": "user", "content": content}]},
        "/v1/completions": {"prompt": content},
        "/v1/responses": {"input": content},
        EMBEDDINGS: {"input": content},
    }
    return {"custom_id": f"line-{number}", "method": "POST", "url": url, "body": {**texts[url], **body}}


def jsonl(*rows: dict) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def send(gateway: Gateway, content: bytes, token: str = "any", **fields) -> requests.Response:
    return requests.post(
        f"{gateway.address}/v1/files",
        files={"file": ("questions.jsonl", content)},
        data={"purpose": "batch", **fields},
        headers={"authorization": f"Bearer {token}"},
        timeout=30,
    )


def call(gateway: Gateway, method: str, path: str, token: str = "any", **body) -> requests.Response:
    headers = {"authorization": f"Bearer {token}"}
    return requests.request(method, gateway.address + path, json=body or None, headers=headers, timeout=30)


def begin(gateway: Gateway, *rows: dict, token: str = "any", endpoint: str = CHAT) -> str:
    """A batch of these lines; its id."""
    sent = send(gateway, jsonl(*rows), token)
    assert sent.status_code == 200, sent.text
    body = {"input_file_id": sent.json()["id"], "endpoint": endpoint, "completion_window": "24h"}
    made = call(gateway, "POST", "/v1/batches", token, **body)
    assert made.status_code == 200, made.text
    return made.json()["id"]


def seen(gateway: Gateway, batch: str, token: str = "any") -> dict:
    return call(gateway, "GET", f"/v1/batches/{batch}", token).json()


def over(gateway: Gateway, batch: str, token: str = "any") -> dict:
    """The batch, once it is over."""
    wait_for(lambda: seen(gateway, batch, token)["status"] not in store.ACTIVE)
    return seen(gateway, batch, token)


def lines_of(gateway: Gateway, file: str | None, token: str = "any") -> list[dict]:
    if file is None:
        return []
    text = call(gateway, "GET", f"/v1/files/{file}/content", token).text
    return [json.loads(row) for row in text.splitlines()]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nobody waits long for the next look."""
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(runner, "PAUSE", 0.01)


# -- the client -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_openais_client_has_a_file_answered(one, tmp_path):
    (tmp_path / "questions.jsonl").write_bytes(jsonl(line(1), line(2, GENERATED), line(3, model="gpt-4o")))
    with openai.OpenAI(base_url=f"{one.address}/v1", api_key="any", max_retries=0) as client:
        with (tmp_path / "questions.jsonl").open("rb") as opened:
            file = client.files.create(
                file=opened, purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600}
            )
        assert (file.filename, file.purpose, file.status) == ("questions.jsonl", "batch", "processed")
        assert file.expires_at - file.created_at == 3600
        batch = client.batches.create(
            input_file_id=file.id, endpoint=CHAT, completion_window="24h", metadata={"of": "the shop"}
        )
        assert (batch.status, batch.request_counts.total, batch.metadata) == ("validating", 3, {"of": "the shop"})
        wait_for(lambda: client.batches.retrieve(batch.id).status == "completed")
        batch = client.batches.retrieve(batch.id)
        assert (batch.request_counts.completed, batch.request_counts.failed) == (2, 1)
        assert batch.completed_at >= batch.in_progress_at >= batch.created_at
        answers = [json.loads(row) for row in client.files.content(batch.output_file_id).text.splitlines()]
        assert [answer["custom_id"] for answer in answers] == ["line-1", "line-2"]
        first = answers[0]["response"]
        assert (first["status_code"], first["body"]["choices"][0]["message"]["content"]) == (200, ANSWER)
        assert {answer["response"]["request_id"] for answer in answers} == {row["id"] for row in one.rows()}
        (wrong,) = [json.loads(row) for row in client.files.content(batch.error_file_id).text.splitlines()]
        assert (wrong["custom_id"], wrong["response"]["status_code"]) == ("line-3", 404)
        assert wrong["response"]["body"]["error"]["code"] == "model_not_found"
        assert [found.id for found in client.batches.list(limit=1)] == [batch.id]
        assert {found.id for found in client.files.list()} == {file.id, batch.output_file_id, batch.error_file_id}
        with pytest.raises(openai.ConflictError):
            client.batches.cancel(batch.id)
        assert client.files.delete(file.id).deleted
        with pytest.raises(openai.NotFoundError):
            client.files.retrieve(file.id)


@pytest.mark.parametrize(
    ("given", "body", "beside"),
    [(BatchCreateParams, BatchBody, set()), (FileCreateParams, FileBody, {"file"})],
    ids=["batch", "file"],
)
def test_every_parameter_that_the_client_can_send_is_known(given, body, beside):
    assert set(given.__annotations__) - beside == set(body.model_fields)


@pytest.mark.slow
@pytest.mark.parametrize("url", ["/v1/completions", "/v1/responses", EMBEDDINGS])
def test_each_endpoint_is_answered_in_its_own_shape(one, url):
    done = over(one, begin(one, line(1, url=url), endpoint=url))
    (answer,) = lines_of(one, done["output_file_id"])
    body = answer["response"]["body"]
    if url == EMBEDDINGS:
        assert len(body["data"][0]["embedding"]) == 256
    else:
        text = body["choices"][0]["text"] if url == "/v1/completions" else body["output"][0]["content"][0]["text"]
        assert text == ANSWER


def test_a_follow_up_is_read_in_its_conversation(one):
    turns = [("user", KNOWN), ("assistant", ANSWER), ("user", "and how can i return a lamp")]
    messages = [{"role": role, "content": content} for role, content in turns]
    body = {"messages": messages, "metadata": {"conversation": "c-1", "shop": "north"}, "store": True}
    done = over(one, begin(one, {"custom_id": "a", "method": "POST", "url": CHAT, "body": body}))
    (answer,) = lines_of(one, done["output_file_id"])
    assert answer["response"]["body"]["llmops"]["ignored"] == ["metadata.shop", "store"]
    (row,) = one.rows()
    assert (row["turn"], row["conversation"]) == (1, one.redactor.subject("c-1"))


# -- what is stored ---------------------------------------------------------------------------------------------------


def everything_stored(gateway: Gateway) -> str:
    with gateway.log.database.connect() as connection:
        rows = [connection.execute(sa.select(table)).all() for table in (store.FILES, store.LINES, store.BATCHES)]
    return str(rows)


def test_no_personal_data_is_stored_and_a_person_is_a_pseudonym(one):
    body = {"user": MAIL, "metadata": {"conversation": MAIL}}
    batch = begin(one, line(1, f"{KNOWN} {MAIL}", **body), line(2, GENERATED, **body))
    done = over(one, batch)
    assert done["request_counts"] == {"total": 2, "completed": 2, "failed": 0}
    assert MAIL not in everything_stored(one)
    assert {(row["subject"], row["conversation"]) for row in one.rows()} == {(one.redactor.subject(MAIL),) * 2}
    asked, _ = lines_of(one, done["input_file_id"])
    assert asked["body"] == {"messages": [{"role": "user", "content": f"{KNOWN} <EMAIL_1>"}]}


def test_personal_data_about_a_batch_is_masked(one):
    file = send(one, jsonl(line(1))).json()["id"]
    body = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
    made = call(one, "POST", "/v1/batches", **body, metadata={"by": MAIL}).json()
    assert made["metadata"] == {"by": "<EMAIL_1>"}
    assert told(call(one, "POST", "/v1/batches", **body, metadata={MAIL: "x"}))["code"] == "personal_data"


@pytest.mark.slow
def test_an_erased_person_is_in_no_file_and_is_not_answered_any_more(one):
    theirs, other = {"user": "anna"}, {"user": "bert"}
    first = over(one, begin(one, line(1, **theirs), line(2, **other)))
    one.engines[0].pause = threading.Event()
    going = begin(one, line(1, GENERATED, **other), *(line(n, **theirs) for n in range(2, 12)))
    wait_for(lambda: one.engines[0].under_way)
    files = store.FileStore(one.log.database)
    before = files.file("anonymous", first["output_file_id"]).bytes
    with one.log.database.begin() as connection:
        assert files.erase([one.redactor.subject("anna")], connection) >= 12
    one.engines[0].pause.set()
    done = over(one, going)
    for batch in (first, done):
        assert [row["custom_id"] for row in lines_of(one, batch["input_file_id"])] in (["line-2"], ["line-1"])
        assert len(lines_of(one, batch["output_file_id"])) == 1
    assert files.file("anonymous", first["output_file_id"]).bytes < before
    assert (done["request_counts"]["total"], done["request_counts"]["completed"]) == (11, 1)


@pytest.mark.slow
def test_a_line_that_was_erased_while_it_was_answered_leaves_nothing(one):
    one.engines[0].pause = threading.Event()
    batch = begin(one, line(1, GENERATED, user="anna"))
    wait_for(lambda: one.engines[0].under_way)
    with one.log.database.begin() as connection:
        store.FileStore(one.log.database).erase([one.redactor.subject("anna")], connection)
    one.engines[0].pause.set()
    assert over(one, batch)["output_file_id"] is None
    assert one.rows() == []


# -- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\n \n", "empty_file"),
        (jsonl(line(1)) + b"\n{", "invalid_json_line"),
        (b"\xff\xfe", "invalid_json_line"),
        (b"[]", "invalid_json_line"),
        (b'{"custom_id": "\\ud800"}', "invalid_json_line"),
        (jsonl({**line(1), "more": 1}), "invalid_json_line"),
        (jsonl({**line(1), "body": "x"}), "invalid_json_line"),
        (jsonl({**line(1), "custom_id": 7}), "invalid_custom_id"),
        (jsonl({**line(1), "custom_id": ""}), "invalid_custom_id"),
        (jsonl({**line(1), "custom_id": MAIL}), "personal_data"),
        (jsonl(line(1), line(1)), "duplicate_custom_id"),
        (jsonl({**line(1), "method": "GET"}), "invalid_method"),
        (jsonl({**line(1), "url": "/v1/feedback"}), "invalid_url"),
        (jsonl(line(1), line(2, url=EMBEDDINGS)), "mismatched_url"),
        (jsonl(line(1, "x" * 300_000)), "line_too_large"),
        (b"\n".join(b'{"custom_id":"%d","method":"POST","url":"/v1/completions","body":{}}' % n
                    for n in range(MOST_LINES + 1)), "too_many_lines"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_one_of_requests_is_refused_with_its_line(content, code):
    with pytest.raises(RequestError) as refused:
        [lines.clean(REDACTOR, request) for request in lines.requests(content)]
    error = refused.value
    assert (error.status, error.code, error.param) == (400, code, "file")
    assert code == "empty_file" or str(error).startswith("line ")
    assert MAIL not in str(error)


def test_nothing_of_a_file_is_kept_of_which_one_line_is_wrong(one):
    assert told(send(one, jsonl(line(1), line(1))))["code"] == "duplicate_custom_id"
    assert call(one, "GET", "/v1/files").json()["data"] == []
    assert everything_stored(one) == "[[], [], []]"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"n": 2}, "unsupported_parameter"),
        ({"stream": True}, "unsupported_parameter"),
        ({"model": "assistant-preview"}, "model_not_found"),
        ({"nonsense": 1}, "unknown_parameter"),
        ({"messages": []}, "array_below_min_length"),
        ({"user": 7}, "invalid_type"),
        ({"stop": [MAIL]}, "personal_data"),
        ({"metadata": {MAIL: "yes"}}, "personal_data"),
    ],
    ids=str,
)
def test_of_a_line_that_cannot_be_answered_its_refusal_is_kept_alone(body, code):
    (request,) = lines.requests(jsonl(line(1, **body)))
    made = lines.clean(REDACTOR, request)
    refused = lines.work(made)
    assert isinstance(refused, lines.Refused)
    assert (refused.status, refused.body["error"]["code"]) == (400, code)
    assert json.loads(made.text)["body"] is None
    assert MAIL not in made.text + made.run


def test_a_redactor_that_fails_keeps_a_file_out(files, tmp_path):
    class Failing(Redactor):
        def redact(self, texts):
            raise OSError(MAIL)

    with Gateway(files, tmp_path, redactor=Failing(key=b"k" * 32, names=False)) as gateway:
        assert told(send(gateway, jsonl(line(1))), 503)["code"] == "redaction_failed"
        assert everything_stored(gateway) == "[[], [], []]"


@pytest.mark.slow
def test_forms_that_are_none_are_refused(one):
    address = f"{one.address}/v1/files"
    assert told(requests.post(address, json={"purpose": "batch"}, timeout=9))["code"] == "invalid_form"
    whole = "multipart/form-data; boundary=b"
    for body in (b"", b"--b\r\n", b"--b--\r\nmore", b"--b\r\ncontent-disposition: form-data\r\n\r\nx\r\n--b--"):
        sent = requests.post(address, data=body, headers={"content-type": whole}, timeout=9)
        assert told(sent)["code"] in ("invalid_form", "missing_required_parameter")
    two = [("file", ("a", b"1")), ("file", ("b", b"2"))]
    assert told(requests.post(address, data={"purpose": "batch"}, files=two, timeout=9))["code"] == "invalid_form"
    assert told(send(one, jsonl(line(1)), purpose="fine-tune"))["param"] == "purpose"
    assert told(send(one, jsonl(line(1)), **{"expires_after[seconds]": "1"}))["param"] == "expires_after.anchor"
    early = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "60"}
    assert told(send(one, jsonl(line(1)), **early))["param"] == "expires_after.seconds"
    missing = requests.post(address, files={"purpose": (None, "batch")}, timeout=9)
    assert told(missing)["param"] == "file"


@pytest.mark.slow
def test_a_file_that_is_too_large_is_refused(one):
    assert told(send(one, b"x" * (MOST_FILE + 1)), 413)["code"] == "request_too_large"


@pytest.mark.slow
def test_a_batch_of_what_is_no_file_of_requests_is_refused(one):
    file = send(one, jsonl(line(1))).json()["id"]
    body = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}

    def refused(status: int = 400, **other) -> dict:
        return told(call(one, "POST", "/v1/batches", **{**body, **other}), status)

    assert refused(404, input_file_id="file-1")["code"] == "file_not_found"
    assert refused(endpoint=EMBEDDINGS)["code"] == "mismatched_url"
    assert refused(endpoint="/v1/feedback")["param"] == "endpoint"
    assert refused(completion_window="1h")["param"] == "completion_window"
    done = over(one, call(one, "POST", "/v1/batches", **body).json()["id"])
    assert refused(input_file_id=done["output_file_id"])["code"] in ("invalid_value", "mismatched_url")
    assert told(call(one, "GET", "/v1/batches/none"), 404)["code"] == "batch_not_found"
    for wrong in ("limit=0", "limit=x", "limit=101", "after=none"):
        told(call(one, "GET", f"/v1/batches?{wrong}"), 404 if "after" in wrong else 400)
    told(call(one, "GET", "/v1/files?order=up"))
    told(call(one, "PUT", "/v1/files"), 405)


# -- whose, and how long ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_everybody_sees_their_own_and_roles_that_only_read_see_nothing(files, tmp_path):
    with Gateway(files, tmp_path, roles=("caller", "admin", "auditor")) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        mine, other = gateway.tokens["caller"], gateway.tokens["admin"]
        batch = begin(gateway, line(1), token=mine)
        done = over(gateway, batch, mine)
        for file in (done["input_file_id"], done["output_file_id"]):
            for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
                told(call(gateway, method, f"/v1/files/{file}{path}", other), 404)
        told(call(gateway, "GET", f"/v1/batches/{batch}", other), 404)
        told(call(gateway, "POST", f"/v1/batches/{batch}/cancel", other), 404)
        body = {"input_file_id": done["input_file_id"], "endpoint": CHAT, "completion_window": "24h"}
        told(call(gateway, "POST", "/v1/batches", other, **body), 404)
        assert call(gateway, "GET", "/v1/files", other).json()["data"] == []
        assert call(gateway, "GET", "/v1/batches", other).json()["data"] == []
        for path in ("/v1/files", "/v1/batches", f"/v1/files/{done['input_file_id']}/content"):
            told(call(gateway, "GET", path, gateway.tokens["auditor"]), 403)
            told(call(gateway, "GET", path, "wrong"), 401)
        (row,) = gateway.rows()
        assert row["owner"] == "the caller"
        # Another key of the same owner is the same application.
        _, second = gateway.store.create("the caller")
        assert seen(gateway, batch, second)["id"] == batch


@pytest.mark.slow
def test_lists_go_on_behind_what_was_seen(one):
    names = [send(one, jsonl(line(1))).json()["id"] for _ in range(3)]
    listed = call(one, "GET", "/v1/files?limit=2&order=asc").json()
    assert ([file["id"] for file in listed["data"]], listed["has_more"]) == (names[:2], True)
    rest = call(one, "GET", f"/v1/files?order=asc&after={listed['last_id']}").json()
    assert ([file["id"] for file in rest["data"]], rest["has_more"]) == (names[2:], False)
    assert [file["id"] for file in call(one, "GET", "/v1/files").json()["data"]] == names[::-1]
    assert call(one, "GET", "/v1/files?purpose=batch_output").json()["data"] == []


@pytest.mark.slow
def test_as_many_files_and_batches_as_may_be(one, monkeypatch):
    monkeypatch.setattr(store, "MOST_FILES", 1)
    monkeypatch.setattr(store, "MOST_OPEN", 1)
    one.engines[0].pause = threading.Event()
    batch = begin(one, line(1, GENERATED))
    file = seen(one, batch)["input_file_id"]
    assert told(send(one, jsonl(line(1))))["code"] == "too_many_files"
    body = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
    assert told(call(one, "POST", "/v1/batches", **body), 429)["code"] == "too_many_batches"
    assert told(call(one, "DELETE", f"/v1/files/{file}"), 409)["code"] == "file_in_use"
    one.engines[0].pause.set()
    over(one, batch)
    assert call(one, "DELETE", f"/v1/files/{file}").status_code == 200


def test_a_file_is_gone_when_its_time_is_over(one):
    now = [time.time()]
    files = store.FileStore(one.log.database, clock=lambda: now[0])
    kept, gone = (files.add("a", "f", [store.Line(1, "", "{}", "{}")], seconds) for seconds in (7200, 3600))
    now[0] += 3601
    assert [file.id for file in files.files("a")[0]] == [kept.id]
    assert files.prune() == 1
    now[0] -= 3601
    assert [file.id for file in files.files("a")[0]] == [kept.id]
    with one.log.database.connect() as connection:
        assert connection.execute(sa.select(store.LINES.c.source)).scalars().all() == [kept.id]
    assert gone.id != kept.id


# -- how it is answered -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_cancelled_batch_keeps_what_was_answered(one):
    one.engines[0].pause = threading.Event()
    batch = begin(one, *(line(n, GENERATED) for n in range(1, 6)))
    wait_for(lambda: one.engines[0].under_way)
    assert call(one, "POST", f"/v1/batches/{batch}/cancel").json()["status"] == "cancelling"
    one.engines[0].pause.set()
    done = over(one, batch)
    assert (done["status"], done["request_counts"]["completed"]) == ("cancelled", len(one.rows()))
    assert 0 < len(one.rows()) < 5
    assert done["cancelled_at"] >= done["cancelling_at"]


@pytest.mark.slow
def test_whoever_waits_for_an_answer_comes_first(one):
    one.engines[0].pause = threading.Event()
    waiting = threading.Thread(target=one.ask, args=(GENERATED,))
    waiting.start()
    wait_for(lambda: one.engines[0].under_way)
    batch = begin(one, line(1, GENERATED))
    time.sleep(0.3)
    assert (one.engines[0].under_way, seen(one, batch)["request_counts"]["completed"]) == (1, 0)
    one.engines[0].pause.set()
    waiting.join()
    assert over(one, batch)["request_counts"]["completed"] == 1


@pytest.mark.slow
def test_what_is_not_answered_in_a_day_has_expired(one, monkeypatch):
    monkeypatch.setattr(store, "WINDOW_SECONDS", 1)
    one.engines[0].pause = threading.Event()
    batch = begin(one, *(line(n, GENERATED) for n in range(1, 6)))
    wait_for(lambda: one.engines[0].under_way)
    time.sleep(1.1)
    one.engines[0].pause.set()
    done = over(one, batch)
    assert (done["status"], done["expired_at"] is not None) == ("expired", True)
    answered, late = lines_of(one, done["output_file_id"]), lines_of(one, done["error_file_id"])
    assert {row["custom_id"] for row in answered + late} == {f"line-{n}" for n in range(1, 6)}
    assert {row["error"]["code"] for row in late} == {"batch_expired"}
    assert done["request_counts"] == {"total": 5, "completed": len(answered), "failed": len(late)}


@pytest.mark.slow
def test_an_engine_that_fails_is_asked_again_and_three_failures_are_the_answer(one):
    one.engines[0].losses = [0] * 3
    done = over(one, begin(one, line(1, GENERATED)))
    assert done["request_counts"]["completed"] == 1
    one.engines[0].losses = [0] * 100
    done = over(one, begin(one, line(1, GENERATED)))
    (wrong,) = lines_of(one, done["error_file_id"])
    assert (wrong["response"]["status_code"], done["status"]) == (502, "completed")


@pytest.mark.slow
def test_limits_and_budgets_hold_a_batch_up_and_a_revoked_key_ends_it(files, tmp_path):
    spending = BudgetSettings(key_per_day=1e-9)
    ledger = Ledger(f"sqlite:///{tmp_path / 'log.db'}")
    budgets = Budgets(spending, {"": Price(currency_per_million_output_tokens=1000.0)}, ledger)
    with Gateway(files, tmp_path, roles=("admin",), budgets=budgets) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        limited, token = gateway.store.create("shop", allowance=Allowance(requests_per_minute=30))
        batch = begin(gateway, *(line(n, GENERATED) for n in range(1, 6)), token=token)
        wait_for(lambda: gateway.figure("gateway_batch_lines_total", outcome="later") >= 1)
        wait_for(lambda: [row["status"] for row in gateway.rows()].count(200) == 1)
        assert seen(gateway, batch, token)["status"] == "in_progress"
        gateway.store.revoke(limited.id)
        with gateway.log.database.connect() as connection:
            status = sa.select(store.BATCHES.c.status, store.BATCHES.c.problems)
            wait_for(lambda: connection.execute(status).one().status == "failed")
            assert "invalid_api_key" in connection.execute(status).one().problems
    ledger.close()


@pytest.mark.slow
def test_a_batch_is_taken_up_again_and_no_line_is_answered_twice(files, tmp_path):
    asked = [line(n, KNOWN if n % 2 else GENERATED) for n in range(1, 21)]
    with Gateway(files, tmp_path) as first:
        first.serve(1, live=files.bundle(tmp_path).release_id)
        first.engines[0].pause = threading.Event()
        batch = begin(first, *asked)
        wait_for(lambda: first.engines[0].under_way)
        done_before = len(first.rows())
    with Gateway(files, tmp_path) as second:
        wait_for(lambda: second.engines and second.engines[0].running)
        done = over(second, batch)
        answers = lines_of(second, done["output_file_id"])
        assert [row["custom_id"] for row in answers] == [row["custom_id"] for row in asked]
        rows = [row for row in second.rows() if row["status"] == 200]
        assert len(rows) == len(asked)
        assert {row["response"]["request_id"] for row in answers} == {row["id"] for row in rows}
        assert done_before < len(asked)


@pytest.mark.slow
def test_two_processes_at_one_batch_answer_each_line_once(one, files):
    """The second believes that the first is gone: what it answers too is stored once, and logged once."""
    one.engines[0].pause = threading.Event()
    batch = begin(one, *(line(n, GENERATED) for n in range(1, 5)))
    wait_for(lambda: one.engines[0].under_way)
    with one.log.database.begin() as connection:
        connection.execute(sa.update(store.BATCHES).values(held_until=0.0))
    with Gateway(files, one.root) as second:
        wait_for(lambda: second.engines and second.engines[0].running)
        done = over(second, batch)
        one.engines[0].pause.set()
        wait_for(lambda: not one.engines[0].under_way)
        wait_for(lambda: one.figure("gateway_batch_lines_total", outcome="gone") >= 1)
        answers = lines_of(second, done["output_file_id"])
    assert len(answers) == len(one.rows()) == 4
    assert Counter(row["custom_id"] for row in answers).most_common(1)[0][1] == 1
