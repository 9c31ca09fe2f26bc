"""Streams: nothing unguarded leaves whatever the cut, and whatever ends a stream leaves its row."""

import asyncio
import contextlib
import dataclasses
import threading
from datetime import datetime

import pytest
import requests
from gateway_support import GENERATED, HANDOVER, Client, Files, Gateway, Streamed, streamed, wait_for
from starlette.requests import ClientDisconnect
from support import article

from llmops_assets.gateway.chain import PIECE
from llmops_assets.gateway.steps import Step
from llmops_assets.lib.redaction import Redactor
from llmops_assets.lib.sources import Shape
from resources.sources.interactions import Interactions

EMAIL_45 = "anna.maria.keller-brandt@post.lumora-mail.exa"
EMAIL_64 = "anna.maria.margarethe.keller-brandt+lamps@post.lumora-mail.examp"


class Masking(Redactor):
    """Hides one value behind a word that is no placeholder, and so shows what of it leaves."""

    def __init__(self, value: str) -> None:
        super().__init__(key=b"k" * 32, names=False)
        self.value = value

    def redact(self, texts):
        return [text.replace(self.value, "(hidden)") for text in texts]

    def leaks(self, text):
        return ["VALUE"] if self.value in text else []


def ask(gateway: Gateway, question: str = GENERATED, **body) -> Streamed:
    response = gateway.ask(question, stream=True, **body)
    assert response.headers["content-type"].startswith("text/event-stream")
    return streamed(response.text)


@pytest.fixture
def slow(one):
    """The gateway whose engine waits until `slow.go` is set."""
    one.go = one.engines[0].pause = threading.Event()
    yield one
    one.go.set()


def masking(files: Files, root, value: str) -> Gateway:
    root.mkdir()
    return Gateway(files, root, redactor=Masking(value))


# -- what leaves --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", [GENERATED, "How long does delivery take?", "zzz qqq"])
def test_a_stream_is_the_answer_in_pieces_and_both_are_logged_alike(one, question):
    whole = one.ask(question).json()["choices"][0]["message"]["content"]
    said = ask(one, question)
    assert (said.text, said.error, said.done) == (whole, None, True)
    pieces = [chunk["choices"][0]["delta"].get("content", "") for chunk in said.chunks]
    assert max(map(len, pieces)) <= PIECE < len(whole)
    assert said.chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert said.chunks[-1]["choices"][0]["finish_reason"] == "stop"
    left_out = {"id", "time", "latency_seconds", "conversation"}
    first, second = ({k: v for k, v in row.items() if k not in left_out} for row in one.rows())
    assert first == second
    assert (first["answer"], first["status"]) == (whole, 200)


def test_a_stream_names_its_interaction_from_the_first_chunk_on(one):
    response = one.ask(GENERATED, stream=True)
    (row,) = one.rows()
    assert response.headers["x-interaction-id"] == row["id"]
    assert response.headers["x-release-id"] == one.one
    chunks = streamed(response.text).chunks
    assert {chunk["id"] for chunk in chunks} == {f"chatcmpl-{row['id']}"}
    assert chunks[-1]["llmops"]["path"] == "generated"
    feedback = {"interaction": row["id"], "rating": 1}
    assert requests.post(f"{one.address}/v1/feedback", json=feedback, timeout=9).status_code == 200


def test_a_stream_counts_the_tokens_of_the_engine_as_an_answer_does(one):
    usage = one.ask(GENERATED).json()["usage"]
    assert usage["prompt_tokens"] > usage["completion_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    last = ask(one, stream_options={"include_usage": True}).chunks[-1]
    assert (last["choices"], last["usage"]) == ([], usage)
    for row in one.rows():
        assert (row["input_tokens"], row["output_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert "usage" not in ask(one).chunks[-1]


@pytest.mark.slow
@pytest.mark.parametrize("value", [EMAIL_45, EMAIL_64], ids=["45", "64"])
def test_no_part_of_a_value_leaves_at_any_cut(files, tmp_path, value):
    with masking(files, tmp_path / "gateway", value) as gateway:
        gateway.serve(1, live=files.bundle(gateway.root).release_id)
        for padding in range(PIECE + 1):
            before = f"Write {'x' * padding} to "
            gateway.engines[0].answer = f"{before}{value} or ask us again, and so on and on and on."
            said = ask(gateway)
            assert (said.text, said.done) == (f"{before}(hidden) or ask us again, and so on and on and on.", True)
        assert all(value[:6] not in row["answer"] for row in gateway.rows())


@pytest.mark.slow
@pytest.mark.parametrize("value", [EMAIL_45, EMAIL_64], ids=["45", "64"])
@pytest.mark.parametrize("after", ["", " or ask us again, and so on and on."])
def test_the_real_redactor_lets_no_part_of_an_address_leave_at_any_cut(one, value, after):
    for padding in range(PIECE + 1):
        one.engines[0].answer = "x" * padding + f" write to {value}{after}"
        assert ask(one).text == HANDOVER


@pytest.mark.parametrize("length", [1, PIECE - 1, PIECE, PIECE + 1, 45, 64, 10 * PIECE])
def test_an_answer_of_any_length_arrives_whole(one, length):
    one.engines[0].answer = ("Twelve words. " * 20)[:length].strip()
    assert ask(one).text == one.engines[0].answer


def test_a_name_that_is_known_only_later_does_not_leave(one):
    # Without the last sentence "keller" is an ordinary word, further back than any hold-back could reach.
    told = "The keller lamp is at the desk. " + "It is open all day. " * 6
    one.engines[0].answer = told
    assert ask(one).text == told.strip()
    one.engines[0].answer = told + "Her name is Anna Keller."
    assert ask(one).text == HANDOVER
    assert "keller" not in one.rows()[1]["answer"]


@pytest.mark.slow
def test_the_redactor_with_names_guards_question_stream_and_log(files, tmp_path):
    root = tmp_path / "gateway"
    root.mkdir()
    with Gateway(files, root, redactor=Redactor(key=b"k" * 32)) as gateway:
        gateway.serve(1, live=files.bundle(root).release_id)
        engine = gateway.engines[0]
        for answer in (
            "Yesterday Julia Brandt packed it. It will be with you soon.",
            "brandt will bring it. " + "It will be with you soon. " * 8 + "Regards, Julia Brandt",
        ):
            engine.answer = answer
            assert ask(gateway, "delivery of my lamp? Yesterday Julia Brandt told me to wait.").text == HANDOVER
        engine.answer = "It will be with you within five days."
        assert ask(gateway).text == engine.answer
        assert "Julia" not in "".join(engine.asked)
        assert "<PERSON_1>" in engine.asked[0]
        for row in gateway.rows():
            assert "brandt" not in f"{row['question']} {row['answer']}".lower()


# -- how it ends --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_error", [False, True], ids=["by message", "by error"])
@pytest.mark.parametrize("events", [1, 2, 4])
def test_a_client_that_leaves_is_logged_as_aborted_with_what_was_sent(one, events, by_error):
    one.engines[0].answer = "A long answer about lamps and how they come to you. " * 3

    async def leave() -> Client:
        client = Client(leaves_after=events, by_error=by_error)
        with pytest.raises(ClientDisconnect) if by_error else contextlib.nullcontext():
            await client.ask(one.app, GENERATED)
        return client

    client = asyncio.run(leave())
    said = streamed(client.body.decode())
    assert not said.done
    (row,) = one.rows()
    # The first event holds no text yet: who leaves there has left before it was known how to answer.
    path = "generated" if events > 1 else "refused"
    assert (row["status"], row["path"], row["answer"]) == (499, path, said.text)
    assert len(said.text) == PIECE * (events - 1)
    assert (row["output_tokens"] > 0) == (events > 1)
    metrics = requests.get(f"{one.address}/metrics", timeout=9).text
    assert f'gateway_requests_total{{path="{path}",release="{one.one}",status="499"}} 1.0' in metrics
    assert "gateway_requests_running 0.0" in metrics


def test_an_answer_that_broke_off_teaches_nothing_but_its_correction(one):
    one.engines[0].answer = "A long answer about lamps and how they come to you."
    asyncio.run(Client(leaves_after=3).ask(one.app, GENERATED))
    (row,) = one.rows()
    source = Interactions("live", one.log.url, Shape("live"))
    day = datetime.fromisoformat(row["time"]).date()
    for correction, learnt in (("", []), ("In 3 days.", ["In 3 days."])):
        body = {"interaction": row["id"], "rating": 1, "correction": correction}
        assert requests.post(f"{one.address}/v1/feedback", json=body, timeout=9).status_code == 200
        assert [read.answer for read in source.read(day)] == learnt
    source.close()


def test_a_client_that_leaves_during_generation_stops_it_and_frees_its_place(slow):
    response = requests.post(
        f"{slow.address}/v1/chat/completions",
        json={"messages": [{"role": "user", "content": GENERATED}], "stream": True},
        stream=True,
        timeout=9,
    )
    wait_for(lambda: slow.engines[0].under_way == 1)
    response.close()
    wait_for(slow.rows)
    (row,) = slow.rows()
    assert (row["status"], row["answer"], row["path"]) == (499, "", "generated")
    assert slow.engines[0].under_way == 0
    assert "gateway_requests_running 0.0" in requests.get(f"{slow.address}/metrics", timeout=9).text


def test_a_client_that_leaves_while_the_row_is_written_is_logged(one):
    async def leave() -> None:
        client = Client()

        class Leaving(Step):
            name = "leaving"

            async def run(self, exchange) -> None:
                client.leave()
                await asyncio.sleep(0.05)

        steps = one.chain.steps
        one.chain.steps = dataclasses.replace(steps, endings=(Leaving(), *steps.endings))
        await client.ask(one.app, GENERATED)
        assert not streamed(client.body.decode()).done

    asyncio.run(leave())
    assert [(row["status"], row["answer"]) for row in one.rows()] == [(200, f"{one.one} says Question: {GENERATED}")]


def test_the_row_stands_before_an_answer_is_said_to_be_whole(one):
    rows = {}

    async def watch() -> None:
        client = Client()
        client.at_event = lambda event: rows.update({event: len(one.rows())})
        await client.ask(one.app, GENERATED)

    asyncio.run(watch())
    assert [count for event, count in rows.items() if b"[DONE]" in event] == [1]
    assert {count for event, count in rows.items() if b'"finish_reason":null' in event} == {0}


def test_an_engine_that_is_lost_once_is_asked_again(one):
    one.engines[0].losses = [2]
    said = ask(one)
    assert (said.done, said.text) == (True, f"{one.one} says Question: {GENERATED}")
    assert len(one.engines[0].asked) == 2
    assert [row["status"] for row in one.rows()] == [200]


@pytest.mark.parametrize("streaming", [False, True])
def test_an_engine_that_fails_leaves_a_row_with_its_status(one, streaming):
    one.engines[0].losses = [2, 0]
    response = one.ask(GENERATED, stream=streaming)
    if streaming:
        said = streamed(response.text)
        assert (said.text, said.done) == ("", False)
        error = said.error
    else:
        assert response.status_code == 502
        error = response.json()["error"]
    assert error == {
        "type": "server_error",
        "message": "the engine did not answer; try again",
        "param": None,
        "code": "engine_failed",
    }
    (row,) = one.rows()
    # What the engine wrote before it ended has cost, though nobody reads it.
    assert (row["status"], row["answer"], row["path"], row["output_tokens"]) == (502, "", "generated", 2)
    assert len(one.engines[0].asked) == 2


def test_a_swap_in_the_middle_of_a_slow_stream_lets_the_old_release_finish(slow):
    two = slow.files.bundle(slow.root, "two").release_id
    said = []
    customer = threading.Thread(target=lambda: said.append(ask(slow)))
    customer.start()
    wait_for(lambda: slow.engines[0].under_way == 1)
    slow.serve(2, live=two)
    assert slow.ask(GENERATED).json()["model"] == two
    old, new = slow.engines
    assert (old.running, new.running, said) == (True, True, [])
    slow.go.set()
    customer.join(timeout=15)
    assert said[0].text == f"{slow.one} says Question: {GENERATED}"
    assert {chunk["model"] for chunk in said[0].chunks} == {slow.one}
    wait_for(lambda: not old.running)
    assert sorted(row["release_id"] for row in slow.rows()) == sorted([slow.one, two])


def test_an_article_of_many_pieces_is_sent_as_it_was_published(files, tmp_path):
    root = tmp_path / "gateway"
    root.mkdir()
    # Published, so it stays although it looks like somebody's.
    long = "How long does delivery take? " * 20 + f"Write to {EMAIL_64}."
    articles = (article("delivery", long, "how long does delivery take"), article("x", "y z", "zzz"))
    with Gateway(files, root) as gateway:
        gateway.serve(1, live=files.bundle(root, articles=articles).release_id)
        assert ask(gateway, "How long does delivery take?").text == long
        short = f"Delivery, you ask? {EMAIL_64}"
        articles = (article("delivery", short, "how long does delivery take"), article("x", "y z", "zzz"))
        gateway.serve(2, live=files.bundle(root, articles=articles).release_id)
        gateway.engines[1].answer = short
        said = ask(gateway)
        assert (said.text, said.chunks[-1]["llmops"]["path"]) == (short, "generated")


def test_the_handover_is_sent_as_it_was_released(files, tmp_path):
    root = tmp_path / "gateway"
    root.mkdir()
    handover = "Anna Keller will help you: anna@lumora.example."
    with Gateway(files, root) as gateway:
        gateway.serve(1, live=files.bundle(root, handover=handover).release_id)
        assert ask(gateway, "zzz qqq").text == handover
