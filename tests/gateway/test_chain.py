"""The chain's steps: what each refuses, and that another one is one class and one entry."""

import dataclasses

import pytest
import requests
from gateway_support import ARTICLES, GENERATED, HANDOVER, Gateway, Streamed, streamed
from support import article

from llmops_assets.gateway.progress import Event, Progress, State
from llmops_assets.gateway.steps import Step
from llmops_assets.lib.redaction import Redactor

MATCHED = "How long does delivery take?"


class Blind(Redactor):
    """Overlooks what stands in `overlooked`; what it should have found is found by `leaks`."""

    def __init__(self, overlooked: str) -> None:
        super().__init__(key=b"k" * 32, names=False)
        self._overlooked = overlooked

    def redact(self, texts):
        return [text if self._overlooked in text else super(Blind, self).redact([text])[0] for text in texts]


@pytest.fixture
def blind(files, tmp_path):
    """A gateway whose redactor overlooks bob@mail.example."""
    root = tmp_path / "gateway"
    root.mkdir()
    with Gateway(files, root, redactor=Blind("bob@mail.example")) as gateway:
        gateway.serve(1, live=files.bundle(root).release_id)
        yield gateway


def answered(gateway: Gateway, question: str, *, streaming: bool) -> tuple[str, str]:
    """(text, path) of a whole answer."""
    response = gateway.ask(question, stream=streaming)
    assert response.status_code == 200, response.text
    if not streaming:
        body = response.json()
        assert response.headers["x-answer-path"] == body["llmops"]["path"]
        return body["choices"][0]["message"]["content"], body["llmops"]["path"]
    said = streamed(response.text)
    assert said.done
    return said.text, said.chunks[-1]["llmops"]["path"]


def refused(gateway: Gateway, question: str, *, streaming: bool) -> str:
    """The message of a refusal: by status, or by the event that ends a stream of which nothing was sent."""
    response = gateway.ask(question, stream=streaming)
    if not streaming:
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        return response.json()["error"]["message"]
    said: Streamed = streamed(response.text)
    assert (said.text, said.done) == ("", False)
    assert said.error is not None
    return said.error["message"]


# -- personal data ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streaming", [False, True])
def test_a_question_that_still_shows_personal_data_is_not_used(blind, streaming):
    response = blind.ask("delivery for bob@mail.example", stream=streaming)
    assert response.status_code == 503
    assert "cleared of personal data" in response.json()["error"]["message"]
    assert blind.rows() == []
    assert blind.engines[0].asked == []


@pytest.mark.slow
@pytest.mark.parametrize("streaming", [False, True])
def test_an_answer_that_still_shows_personal_data_is_not_sent(blind, streaming):
    blind.engines[0].answer = "Write to bob@mail.example today."
    assert "cleared of personal data" in refused(blind, GENERATED, streaming=streaming)
    (row,) = blind.rows()
    assert (row["question"], row["answer"], row["status"]) == (GENERATED, "", 503)
    assert b"bob" not in (blind.root / "log.db").read_bytes()


@pytest.mark.parametrize("field", ["reason", "correction"])
def test_feedback_that_still_shows_personal_data_is_not_stored(blind, field):
    interaction = blind.ask(GENERATED).json()["llmops"]["interaction"]
    body = {"interaction": interaction, "rating": -1, field: "ask bob@mail.example"}
    response = requests.post(f"{blind.address}/v1/feedback", json=body, timeout=9)
    assert response.status_code == 503
    (row,) = blind.rows()
    assert (row["rating"], row["reason"], row["correction"]) == (0, "", "")


@pytest.mark.parametrize("method", ["redact", "leaks", "subject"])
def test_a_redactor_that_fails_in_whatever_way_stops_the_request(one, method):
    def fail(*given):
        raise RuntimeError(str(given))

    setattr(one.redactor, method, fail)
    response = one.ask("delivery for anna@mail.example", user="anna")
    assert response.status_code == 503
    assert "anna" not in response.text
    assert one.rows() == []


# -- placeholders -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "slot", ["<PERSON_2>", "{{Order Number}}", "[Your Name]", "%{name}", "#{name}", "<<Name>>", "{{<b>name</b>}}"]
)
def test_an_article_with_an_unfilled_slot_is_handed_over(files, tmp_path, slot, streaming):
    root = tmp_path / "gateway"
    root.mkdir()
    articles = (article("signed", f"It takes 3 days. Best, {slot}", "how long does delivery take"), ARTICLES[1])
    with Gateway(files, root) as gateway:
        gateway.serve(1, live=files.bundle(root, articles=articles).release_id)
        assert answered(gateway, MATCHED, streaming=streaming) == (HANDOVER, "handover")
        (row,) = gateway.rows()
        assert (row["answer"], row["path"], row["article"], row["status"]) == (HANDOVER, "handover", None, 200)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "answer",
    ["Best, <PERSON_2>", "Your order {{Order Number}} left.", "Dear [Name], hello", "It goes to <EMAIL", " \n"],
)
def test_a_generated_answer_with_an_unfilled_slot_or_nothing_in_it_is_handed_over(one, answer, streaming):
    one.engines[0].answer = answer
    assert answered(one, GENERATED, streaming=streaming) == (HANDOVER, "handover")
    (row,) = one.rows()
    assert (row["answer"], row["path"], row["status"]) == (HANDOVER, "handover", 200)
    assert row["output_tokens"] > 0


@pytest.mark.parametrize("streaming", [False, True])
def test_a_question_may_hold_a_placeholder_and_an_answer_that_repeats_it_is_not_sent(one, streaming):
    question = "delivery of my lamp to <PERSON_1>?"
    assert answered(one, question, streaming=streaming) == (HANDOVER, "handover")
    (row,) = one.rows()
    assert row["question"] == question
    assert question in one.engines[0].asked[0]
    one.engines[0].answer = "It comes on Monday."
    assert answered(one, question, streaming=streaming) == ("It comes on Monday.", "generated")


@pytest.mark.parametrize("streaming", [False, True])
def test_a_handover_with_an_unfilled_slot_is_not_sent_either(files, tmp_path, streaming):
    root = tmp_path / "gateway"
    root.mkdir()
    with Gateway(files, root) as gateway:
        gateway.serve(1, live=files.bundle(root, handover="<PERSON_1> will help.").release_id)
        assert "unfilled slot" in refused(gateway, "zzz qqq", streaming=streaming)
        (row,) = gateway.rows()
        assert (row["answer"], row["path"], row["status"]) == ("", "handover", 503)


@pytest.mark.parametrize("streaming", [False, True])
def test_no_html_is_sent_whichever_way_an_answer_was_made(files, tmp_path, streaming):
    root = tmp_path / "gateway"
    root.mkdir()
    marked = article("marked", "<p>Bulbs last <b>9 years</b>.</p>", "bulbs last")
    with Gateway(files, root) as gateway:
        bundle = files.bundle(root, articles=(marked, *ARTICLES), handover="<b>Somebody</b> will help.")
        gateway.serve(1, live=bundle.release_id)
        assert answered(gateway, "bulbs last", streaming=streaming) == ("Bulbs last 9 years.", "matched")
        gateway.engines[0].answer = "<div>On <i>Monday</i></div>"
        assert answered(gateway, GENERATED, streaming=streaming) == ("On Monday", "generated")
        assert answered(gateway, "zzz qqq", streaming=streaming) == ("Somebody will help.", "handover")
        assert [row["answer"] for row in gateway.rows()] == ["Bulbs last 9 years.", "On Monday", "Somebody will help."]


# -- look-ups -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streaming", [False, True])
def test_a_question_about_one_case_is_handed_over_with_the_reason_however_near_it_is(files, tmp_path, streaming):
    root = tmp_path / "gateway"
    root.mkdir()
    look_up = article("status", "I cannot look into parcels.", "where is my parcel now")
    look_up = look_up.model_copy(update={"kind": "look_up"})
    with Gateway(files, root) as gateway:
        gateway.serve(1, live=files.bundle(root, articles=(*ARTICLES, look_up)).release_id)
        said = f"I cannot look into parcels. {HANDOVER}"
        for question in ("where is my parcel now", "where is the parcel?"):
            assert answered(gateway, question, streaming=streaming) == (said, "handover")
        assert answered(gateway, "zzz qqq", streaming=streaming) == (HANDOVER, "handover")
        assert answered(gateway, "delivery of my parcel lamp long", streaming=streaming)[1] == "generated"
        (prompt,) = gateway.engines[0].asked
        assert "I cannot look" not in prompt


# -- the table ----------------------------------------------------------------------------------------------------


def test_the_steps_stand_in_one_table_in_their_order(gateway):
    steps = gateway.chain.steps
    assert {place.name: [s.name for s in getattr(steps, place.name)] for place in dataclasses.fields(steps)} == {
        "admission": ["requests", "limit", "question", "release", "fit", "tokens"],
        "answering": ["courtesy", "guard_question", "retrieve", "route", "heed_question", "generate"],
        "guards": ["guard_answer", "grounded", "privacy", "filled", "formed", "shorten", "notice"],
        "endings": ["log", "meter", "report", "shadow"],
    }


class Prices(Step):
    """A guard as another might write it: prices are told by people."""

    name = "prices"

    async def run(self, exchange) -> None:
        if "euros" in (exchange.draft or ""):
            exchange.hand_over()


class Greeting(Step):
    """An answer before any retrieval."""

    name = "greeting"

    async def run(self, exchange) -> None:
        if exchange.asked.text == "hello":
            exchange.answer("matched", "Hello, how can I help?")


def test_a_new_guard_is_one_class_and_one_entry(one):
    one.chain.steps = dataclasses.replace(one.chain.steps, guards=(*one.chain.steps.guards, Prices()))
    one.engines[0].answer = "It costs 5 euros."
    for streaming in (False, True):
        assert answered(one, GENERATED, streaming=streaming) == (HANDOVER, "handover")
    one.engines[0].answer = "It costs nothing."
    assert answered(one, GENERATED, streaming=False) == ("It costs nothing.", "generated")
    assert 'gateway_step_seconds_count{step="prices"} 3.0' in requests.get(f"{one.address}/metrics", timeout=9).text


def test_an_answer_of_an_early_step_spares_the_later_ones_but_no_guard(one):
    steps = one.chain.steps
    one.chain.steps = dataclasses.replace(steps, answering=(Greeting(), *steps.answering))
    assert answered(one, "hello", streaming=True) == ("Hello, how can I help?", "matched")
    text = requests.get(f"{one.address}/metrics", timeout=9).text
    assert 'step="retrieve"' not in text
    assert 'gateway_step_seconds_count{step="filled"} 1.0' in text


class Broken(Step):
    name = "broken"

    async def run(self, exchange) -> None:
        raise RuntimeError(f"about {exchange.asked.text}")


def test_a_fault_of_our_own_is_told_in_openais_shape_and_logged(one):
    steps = one.chain.steps
    one.chain.steps = dataclasses.replace(steps, answering=(Broken(),))
    response = one.ask(GENERATED)
    assert response.status_code == 500
    message = "the gateway failed; its log says why"
    assert response.json()["error"] == {
        "type": "server_error",
        "message": message,
        "param": None,
        "code": "internal_error",
    }
    (row,) = one.rows()
    assert (row["status"], row["path"], row["answer"]) == (500, "refused", "")


def test_every_ending_runs_and_frees_what_is_held_though_one_fails(one):
    one.chain.steps = dataclasses.replace(one.chain.steps, endings=(Broken(), *one.chain.steps.endings))
    assert one.ask(GENERATED).status_code == 500
    assert [row["status"] for row in one.rows()] == [200]
    assert "gateway_requests_running 0.0" in requests.get(f"{one.address}/metrics", timeout=9).text


# -- the state of an answer ---------------------------------------------------------------------------------------


def moved(*events: Event) -> Progress:
    progress = Progress()
    for event in events:
        {
            Event.PIECE: lambda: progress.piece("a "),
            Event.END: progress.end,
            Event.ERROR: lambda: progress.fail(502),
            Event.LEFT: progress.leave,
        }[event]()
    return progress


@pytest.mark.parametrize(
    ("events", "state", "status", "sent"),
    [
        ([Event.PIECE, Event.PIECE, Event.END], State.DONE, 200, "a a "),
        ([Event.ERROR], State.FAILED, 502, ""),
        ([Event.PIECE, Event.ERROR], State.FAILED, 502, "a "),
        ([Event.LEFT], State.ABORTED, 499, ""),
        ([Event.PIECE, Event.LEFT], State.ABORTED, 499, "a "),
    ],
)
def test_an_answer_ends_with_its_status_and_what_was_sent(events, state, status, sent):
    progress = moved(*events)
    assert (progress.state, progress.status, progress.sent, progress.ended) == (state, status, sent, True)
    for event in Event:
        with pytest.raises(RuntimeError, match=f"after the answer was {state}"):
            moved(*events, event)


def test_an_answer_of_which_nothing_was_sent_cannot_be_done():
    with pytest.raises(RuntimeError, match="end after the answer was open"):
        moved(Event.END)
    assert not any(moved(*[Event.PIECE] * n).ended for n in range(3))
