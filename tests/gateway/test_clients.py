"""OpenAI's own Python client against a running gateway, as its users write it."""

import openai
import pytest
from gateway_support import GENERATED, KNOWN, EchoEngine, Gateway
from openai.types import completion_create_params, embedding_create_params
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.responses import response_create_params

from llmops_assets.gateway.protocol.chat import ChatBody
from llmops_assets.gateway.protocol.completions import CompletionBody
from llmops_assets.gateway.protocol.embeddings import EmbeddingsBody
from llmops_assets.gateway.protocol.responses import ResponseBody

ANSWER = "Delivery takes 3 to 5 days."
ASKED = [{"role": "user", "content": KNOWN}]


@pytest.fixture
def client(one):
    with openai.OpenAI(base_url=f"{one.address}/v1", api_key="any", max_retries=0) as made:
        yield made


def interaction(answer) -> str:
    return answer.model_extra["llmops"]["interaction"]


def test_a_chat_completion(client, one):
    answer = client.chat.completions.create(model="assistant", messages=ASKED, user="anna", store=False)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (ANSWER, "stop")
    assert answer.model == one.one
    assert answer.usage.total_tokens > 0
    assert answer.model_extra["llmops"]["ignored"] == ["store"]
    assert one.rows()[0]["id"] == interaction(answer)


def test_a_chat_completion_in_chunks(client, one):
    options = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(model="assistant", messages=ASKED, stream=True, stream_options=options)
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == ANSWER
    assert chunks[0].choices[0].delta.role == "assistant"
    assert interaction(chunks[0]) == one.rows()[0]["id"]
    assert chunks[-1].usage.completion_tokens > 0
    assert len({(c.id, c.model, c.created) for c in chunks}) == 1


def test_a_collected_stream_is_a_whole_answer(client):
    with client.chat.completions.stream(model="assistant", messages=ASKED) as stream:
        assert "content.done" in [event.type for event in stream]
        final = stream.get_final_completion()
    assert (final.choices[0].message.role, final.choices[0].message.content) == ("assistant", ANSWER)
    assert final.model_extra["llmops"]["interaction"]
    cut = client.chat.completions.stream(model="assistant", messages=ASKED, max_completion_tokens=4)
    with cut as stream, pytest.raises(openai.LengthFinishReasonError) as refused:
        stream.get_final_completion()
    assert refused.value.completion.choices[0].message.content == ANSWER[: 4 * EchoEngine.PIECE].strip()


def test_parts_and_instructions(client):
    parts = [{"type": "text", "text": KNOWN}]
    messages = [{"role": "developer", "content": "Rhyme."}, {"role": "user", "content": parts}]
    answer = client.chat.completions.create(model="assistant", messages=messages)
    assert answer.choices[0].message.content == ANSWER


def test_a_completion_whole_and_in_chunks(client):
    assert client.completions.create(model="assistant", prompt=KNOWN).choices[0].text == ANSWER
    chunks = client.completions.create(model="assistant", prompt=KNOWN, stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == ANSWER


@pytest.mark.slow
def test_a_response_whole_and_by_events(client, one):
    answer = client.responses.create(model="assistant", input=KNOWN)
    assert (answer.output_text, answer.status, answer.error) == (ANSWER, "completed", None)
    assert answer.usage.output_tokens > 0
    with client.responses.stream(model="assistant", input=GENERATED) as stream:
        deltas = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert final.output_text == deltas == f"{one.one} says Question: {GENERATED}"
    assert interaction(final) == one.rows()[1]["id"]


def test_embeddings_and_models(client):
    # The client asks for base64 and unpacks it.
    found = client.embeddings.create(model="embedder", input=[KNOWN, "returns"])
    assert [len(row.embedding) for row in found.data] == [256, 256]
    assert all(isinstance(value, float) for value in found.data[0].embedding)
    models = client.models.list().data
    assert [model.id for model in models] == ["assistant", "embedder"]
    assert client.models.retrieve("assistant") == models[0]


def test_errors_are_the_clients_own(client, one):
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-4o", messages=ASKED)
    assert (missing.value.code, missing.value.param, missing.value.type) == (
        "model_not_found",
        "model",
        "invalid_request_error",
    )
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model="assistant", messages=ASKED, n=2)
    assert (bad.value.code, bad.value.param) == ("unsupported_parameter", "n")
    one.engines[0].losses = [2, 0]
    with pytest.raises(openai.APIError, match="did not answer"):
        list(
            client.chat.completions.create(
                model="assistant", messages=[{"role": "user", "content": GENERATED}], stream=True
            )
        )


def test_a_wrong_key_is_an_authentication_error(files, tmp_path):
    with Gateway(files, tmp_path, roles=("caller",)) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        with openai.OpenAI(base_url=f"{gateway.address}/v1", api_key="wrong", max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError) as refused:
                client.models.list()
            assert refused.value.code == "invalid_api_key"
        with openai.OpenAI(base_url=f"{gateway.address}/v1", api_key=gateway.tokens["caller"]) as client:
            assert client.models.list().data


@pytest.mark.parametrize(
    ("given", "body"),
    [
        (chat_create_params.CompletionCreateParamsStreaming, ChatBody),
        (completion_create_params.CompletionCreateParamsStreaming, CompletionBody),
        (response_create_params.ResponseCreateParamsStreaming, ResponseBody),
        (embedding_create_params.EmbeddingCreateParams, EmbeddingsBody),
    ],
    ids=lambda shape: shape.__name__,
)
def test_every_parameter_that_the_client_can_send_has_its_treatment(given, body):
    sent = {name for shape in given.__mro__ for name in getattr(shape, "__annotations__", {})}
    sent |= {name for shape in given.__orig_bases__ for name in getattr(shape, "__annotations__", {})}
    assert "model" in sent
    assert sent - set(body.model_fields) == set()
