"""One budget of tokens: what is accepted fits, what does not is refused before anything is sent."""

import pytest
from gateway_support import GENERATED, KNOWN, EchoEngine, Gateway, post, said, streamed, told, user
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import article

from llmops_assets.gateway.budget import SPARE
from llmops_assets.gateway.protocol.messages import MOST_CHARACTERS
from llmops_assets.lib.answering.prompting import build_messages, render_chat

pytestmark = pytest.mark.slow

ANSWER_TOKENS = 96
NEAR = "delivery of my lamp "
"""Near enough to an article to be generated, however often it is repeated."""


def longest(gateway: Gateway) -> int:
    """Characters of the longest question that fits without a passage."""
    room = (gateway.engines[0].context - ANSWER_TOKENS - SPARE) * EchoEngine.PIECE
    return room - len(render_chat(build_messages("Be brief.", "")))


def long_question(characters: int) -> str:
    return (NEAR * (characters // len(NEAR) + 1))[:characters][:-1] + "?"


@pytest.mark.parametrize("streaming", [False, True])
def test_the_longest_question_that_fits_is_answered_and_a_longer_one_refused_with_the_figures(one, streaming):
    most = longest(one)
    assert most < MOST_CHARACTERS
    response = post(one, messages=user(long_question(most)), stream=streaming)
    assert response.status_code == 200, response.text
    error = told(post(one, messages=user(long_question(most + 1)), stream=streaming))
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")
    assert "about 1 tokens too long" in error["message"]
    assert str(one.engines[0].context) in error["message"]
    assert [row["status"] for row in one.rows()] == [200, 400]


def test_passages_give_way_to_the_question_the_farthest_first(one):
    assert len(post(one, messages=user(GENERATED)).json()["llmops"]["citations"]) == 2
    shown = []
    for characters in range(longest(one) - 140, longest(one) + 1, 10):
        body = post(one, messages=user(long_question(characters))).json()
        assert body["llmops"]["path"] == "generated", body
        shown.append(len(body["llmops"]["citations"]))
    assert shown == sorted(shown, reverse=True)
    assert (shown[0], shown[-1]) == (2, 0)
    assert 1 in shown


def test_who_wants_a_shorter_answer_may_ask_more(one):
    question = long_question(longest(one) + 200)
    assert told(post(one, messages=user(question)))["code"] == "context_length_exceeded"
    response = post(one, messages=user(question), max_tokens=20)
    assert response.json()["usage"]["completion_tokens"] <= 20


def test_a_release_that_would_fill_the_context_with_its_answer_answers_all_the_same(files, tmp_path):
    root = tmp_path / "gateway"
    root.mkdir()
    manifest = files.manifest()
    manifest = manifest.model_copy(update={"generation": manifest.generation.model_copy(update={"max_tokens": 9000})})
    with Gateway(files, root) as gateway:
        gateway.serve(1, live=files.put(root, manifest).release_id)
        gateway.engines[0].answer = "On and on and on. " * 1000
        choice = post(gateway, messages=user(GENERATED)).json()["choices"][0]
        assert choice["finish_reason"] == "length"


def test_a_passage_longer_than_the_context_does_not_make_a_question_fail(files, tmp_path):
    root = tmp_path / "gateway"
    root.mkdir()
    articles = [article(f"long {n}", f"Lamps {n} " * 900, f"how long delivery {n}") for n in range(3)]
    with Gateway(files, root) as gateway:
        gateway.serve(1, live=files.bundle(root, articles=articles).release_id)
        body = post(gateway, messages=user("how long is my delivery?")).json()
        assert body["llmops"]["path"] == "generated", body


@given(
    text=st.text(alphabet=st.characters(exclude_categories=("Cs",)), min_size=1, max_size=MOST_CHARACTERS + 50),
    repeated=st.integers(1, 400),
    most=st.one_of(st.none(), st.integers(1, 4000)),
    streaming=st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_is_accepted_fails_in_the_engine(one, text, repeated, most, streaming):
    question = f"{NEAR}{text * repeated}"[: MOST_CHARACTERS + 20]
    response = post(one, messages=user(question), max_tokens=most, stream=streaming)
    assert response.status_code in (200, 400), response.text
    if response.status_code == 200 and streaming:
        assert streamed(response.text).done
    if response.status_code == 400:
        assert told(response)["code"] in ("context_length_exceeded", "string_above_max_length")


def test_a_known_question_is_answered_though_the_engine_cannot_count(one):
    one.engines[0].running = False
    assert said(post(one, messages=user(KNOWN))) == "Delivery takes 3 to 5 days."
