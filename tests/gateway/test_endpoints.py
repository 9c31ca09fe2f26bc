"""The other endpoints: completions, responses, embeddings, feedback, models, and what the description says of them."""

import base64
import json

import numpy as np
import pytest
import requests
from gateway_support import GENERATED, HANDOVER, KNOWN, EchoEngine, Gateway, post, told, user
from support import WordEmbedder

from llmops_assets.gateway.protocol.embeddings import MOST_TEXTS

ANSWER = "Delivery takes 3 to 5 days."
COMPLETIONS, RESPONSES, EMBEDDINGS = "/v1/completions", "/v1/responses", "/v1/embeddings"


def ok(response: requests.Response) -> dict:
    assert response.status_code == 200, response.text
    return response.json()


# -- completions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", [KNOWN, [KNOWN]])
def test_a_prompt_is_a_question(one, prompt):
    body = ok(post(one, COMPLETIONS, prompt=prompt, max_tokens=4, user="anna"))
    assert body["object"] == "text_completion"
    choice = {"index": 0, "text": ANSWER[: 4 * EchoEngine.PIECE].strip(), "finish_reason": "length", "logprobs": None}
    assert body["choices"] == [choice]
    assert body["llmops"]["path"] == "matched"
    (row,) = one.rows()
    assert (row["subject"], body["id"]) == (one.redactor.subject("anna"), f"cmpl-{row['id']}")


def test_a_completion_streams_its_text(one):
    response = post(one, COMPLETIONS, prompt=GENERATED, stream=True, stream_options={"include_usage": True})
    events = [event[6:] for event in response.text.split("\n\n") if event]
    assert events.pop() == "[DONE]"
    chunks = [json.loads(event) for event in events]
    assert {(c["id"], c["object"], c["model"]) for c in chunks} == {(chunks[0]["id"], "text_completion", one.one)}
    assert "".join(c["text"] for chunk in chunks for c in chunk["choices"]) == f"{one.one} says Question: {GENERATED}"
    assert chunks[0]["llmops"]["interaction"] == one.rows()[0]["id"]
    assert (chunks[-1]["choices"], chunks[-2]["choices"][0]["finish_reason"]) == ([], "stop")
    assert chunks[-1]["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("prompt", [1, 2]),
        ("prompt", [KNOWN, KNOWN]),
        ("prompt", []),
        ("prompt", " "),
        ("prompt", None),
        ("echo", True),
        ("echo", 0),
        ("suffix", "."),
        ("best_of", 3),
        ("logprobs", 2),
        ("messages", []),
    ],
)
def test_what_is_no_question_or_is_not_served_is_refused(one, param, value):
    assert told(post(one, COMPLETIONS, **{"prompt": KNOWN, param: value}))["param"].split(".")[0] == param


# -- responses ----------------------------------------------------------------------------------------------------


INPUTS = [
    KNOWN,
    user(KNOWN),
    [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": KNOWN}]}],
    [
        *user("zzz"),
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "7"},
        {"type": "reasoning", "id": "r", "summary": []},
        *user(KNOWN),
    ],
]


@pytest.mark.parametrize("given", INPUTS)
def test_the_last_user_item_with_text_is_the_question(one, given):
    body = ok(post(one, RESPONSES, input=given))
    (message,) = body["output"]
    assert (body["object"], body["status"], body["error"]) == ("response", "completed", None)
    assert (message["role"], message["status"], message["type"]) == ("assistant", "completed", "message")
    assert [(part["type"], part["text"]) for part in message["content"]] == [("output_text", ANSWER)]
    assert body["usage"]["total_tokens"] == body["usage"]["input_tokens"] + body["usage"]["output_tokens"] > 0
    assert body["llmops"]["ignored"] == (["input.tool"] if len(given) == 5 else [])
    assert body["id"] == f"resp_{one.rows()[0]['id']}"


@pytest.mark.parametrize("question", [KNOWN, GENERATED, "zzz"])
@pytest.mark.parametrize("most", [None, 4])
def test_a_response_streams_as_named_and_numbered_events(one, question, most):
    whole = ok(post(one, RESPONSES, input=question, max_output_tokens=most))
    response = post(one, RESPONSES, input=question, max_output_tokens=most, stream=True)
    events = [event.split("\n") for event in response.text.split("\n\n") if event]
    assert all(len(event) == 2 for event in events)
    told_events = [json.loads(event[1].removeprefix("data: ")) for event in events]
    assert [event[0] for event in events] == [f"event: {event['type']}" for event in told_events]
    assert [event["sequence_number"] for event in told_events] == list(range(len(events)))
    kinds = list(dict.fromkeys(event["type"] for event in told_events))
    end = "response.incomplete" if most else "response.completed"
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        end,
    ]
    text = "".join(event.get("delta", "") for event in told_events)
    last = told_events[-1]["response"]
    assert text == last["output"][0]["content"][0]["text"] == whole["output"][0]["content"][0]["text"]
    assert told_events[-2]["item"] == last["output"][0]
    assert last["incomplete_details"] == ({"reason": "max_output_tokens"} if most else None)
    for field in ("status", "usage", "incomplete_details", "max_output_tokens"):
        assert last[field] == whole[field]
    assert told_events[0]["response"]["llmops"]["interaction"] == one.rows()[1]["id"]
    assert {event["item_id"] for event in told_events if "item_id" in event} == {last["output"][0]["id"]}


def test_a_response_that_fails_says_so_in_its_last_event(one):
    one.engines[0].losses = [2, 0]
    response = post(one, RESPONSES, input=GENERATED, stream=True)
    last = json.loads(response.text.strip().split("\n\n")[-1].split("\n")[1].removeprefix("data: "))
    assert (last["type"], last["response"]["status"]) == ("response.failed", "failed")
    assert last["response"]["error"] == {"code": "engine_failed", "message": "the engine did not answer; try again"}
    assert last["response"]["output"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("previous_response_id", "resp_1"),
        ("conversation", "conv_1"),
        ("background", True),
        ("tools", [{"type": "web_search"}]),
        ("include", ["message.output_text.logprobs"]),
        ("top_logprobs", 2),
        ("text", {"format": {"type": "json_schema"}}),
        ("text", {"format": {"type": "xml"}}),
        ("prompt", {"id": "p"}),
        ("input", []),
        ("input", " "),
        ("input", [{"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]),
        ("input", [{"type": "reasoning", "summary": []}]),
        ("max_output_tokens", 0),
        ("stop", "x"),
    ],
)
def test_what_responses_do_not_serve_is_refused(one, param, value):
    assert told(post(one, RESPONSES, **{"input": KNOWN, param: value}))["param"].split(".")[0] == param


def test_what_changes_nothing_in_a_response_is_named(one):
    given = {"instructions": "Rhyme.", "store": False, "truncation": "auto", "reasoning": {"effort": "low"}}
    body = ok(post(one, RESPONSES, input=GENERATED, text={"verbosity": "low"}, metadata={"shop": "north"}, **given))
    assert set(body["llmops"]["ignored"]) == {*given, "text.verbosity", "metadata.shop"}
    assert body["metadata"] == {"shop": "north"}
    assert "Rhyme" not in one.engines[0].asked[0]


# -- embeddings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [KNOWN, [KNOWN, "returns"]])
def test_embeddings_are_those_of_the_index_in_order(one, given):
    body = ok(post(one, EMBEDDINGS, input=given, model="embedder"))
    texts = [given] if isinstance(given, str) else given
    found = np.array([row["embedding"] for row in body["data"]], np.float32)
    np.testing.assert_array_equal(found, WordEmbedder().embed(texts))
    assert [row["index"] for row in body["data"]] == list(range(len(texts)))
    count = sum(len(text.split()) for text in texts)
    assert body["usage"] == {"prompt_tokens": count, "total_tokens": count}
    assert (body["object"], body["model"], body["llmops"]) == ("list", "embedder", {"ignored": []})
    packed = ok(post(one, EMBEDDINGS, input=given, encoding_format="base64", user="anna"))
    vectors = [np.frombuffer(base64.b64decode(row["embedding"]), "<f4") for row in packed["data"]]
    np.testing.assert_array_equal(np.stack(vectors), found)
    assert packed["llmops"]["ignored"] == ["user"]


def test_personal_data_is_not_embedded(one):
    body = ok(post(one, EMBEDDINGS, input=["ask anna@mail.example", "ask <EMAIL_1>"]))
    assert body["data"][0]["embedding"] == body["data"][1]["embedding"]


@pytest.mark.parametrize(
    ("given", "status", "param"),
    [
        ({"input": ""}, 400, "input"),
        ({"input": []}, 400, "input"),
        ({"input": [1, 2]}, 400, "input"),
        ({"input": ["a"] * (MOST_TEXTS + 1)}, 400, "input"),
        ({"input": "word " * 129}, 400, "input"),
        ({"input": "a", "dimensions": 16}, 400, "dimensions"),
        ({"input": "a", "encoding_format": "int8"}, 400, "encoding_format"),
        ({"input": "a", "model": "assistant"}, 404, "model"),
        ({}, 400, "input"),
    ],
)
def test_what_cannot_be_embedded_is_refused(one, given, status, param):
    assert told(post(one, EMBEDDINGS, **given), status)["param"].split(".")[0] == param


# -- feedback and models ------------------------------------------------------------------------------------------


def test_feedback_for_somebody_elses_interaction_is_not_stored(one):
    interaction = ok(post(one, messages=user(KNOWN), user="anna"))["llmops"]["interaction"]
    given = {"interaction": interaction, "rating": -1}
    assert told(post(one, "/v1/feedback", **given, user="bob"), 404)["code"] == "interaction_not_found"
    assert one.rows()[0]["rating"] == 0
    assert told(post(one, "/v1/feedback", **given, user=one.rows()[0]["subject"]), 404)
    assert ok(post(one, "/v1/feedback", **given, user="anna")) == {"stored": True}
    assert one.rows()[0]["rating"] == -1


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("interaction", 5),
        ("interaction", "x" * 100),
        ("rating", 1.5),
        ("rating", "1"),
        ("reason", ["a"]),
        ("correction", "x" * 8001),
        ("comment", "good"),
    ],
)
def test_feedback_that_cannot_be_stored_as_it_is_names_what_is_wrong(one, param, value):
    error = told(post(one, "/v1/feedback", **{"interaction": "x", param: value}), 422)
    assert error["param"] == param


def test_a_model_can_be_asked_for_by_name(one):
    listed = requests.get(f"{one.address}/v1/models", timeout=9).json()
    assert [model["id"] for model in listed["data"]] == ["assistant", "embedder"]
    for model in listed["data"]:
        assert requests.get(f"{one.address}/v1/models/{model['id']}", timeout=9).json() == model
        assert (model["object"], model["owned_by"]) == ("model", "llmops")
        assert model["created"] > 1_600_000_000
    assert listed["data"][0]["context"] == one.engines[0].context
    assert told(requests.get(f"{one.address}/v1/models/assistant-canary", timeout=9), 404)["code"] == "model_not_found"


def test_without_a_release_there_are_no_models(gateway):
    assert requests.get(f"{gateway.address}/v1/models", timeout=9).json() == {"object": "list", "data": []}
    assert told(requests.get(f"{gateway.address}/v1/models/assistant", timeout=9), 404)


# -- guards -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/chat/completions", COMPLETIONS, RESPONSES])
@pytest.mark.parametrize("streaming", [False, True])
def test_every_endpoint_goes_through_the_same_chain(one, path, streaming):
    asked = "delivery for anna@mail.example"
    one.engines[0].answer = "Write to anna@mail.example, please."
    given = {"messages": user(asked)} if "chat" in path else {"input" if "resp" in path else "prompt": asked}
    response = post(one, path, stream=streaming, user="anna", **given)
    assert response.status_code == 200
    assert "anna" not in response.text
    assert HANDOVER[:20] in response.text
    assert "delivery for <EMAIL_1>" in one.engines[0].asked[0]
    (row,) = one.rows()
    assert (row["question"], row["path"], row["status"]) == ("delivery for <EMAIL_1>", "handover", 200)
    assert response.headers["x-interaction-id"] == row["id"]


def test_the_embedder_takes_a_place_as_an_answer_does(files, tmp_path):
    with Gateway(files, tmp_path, max_running=0) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        for response in (post(gateway, EMBEDDINGS, input="a"), post(gateway, messages=user(KNOWN))):
            assert told(response, 429)["code"] == "rate_limit_exceeded"
