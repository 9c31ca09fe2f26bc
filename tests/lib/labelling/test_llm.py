"""A model labels only after it was measured; the endpoint is a real HTTP server of its own."""

import pytest
from chat_server import ChatServer

from llmops_assets.lib.labelling.llm import AgreementError, agreement, ask_intent, label_questions
from resources.chat_endpoint import ChatEndpoint, ChatError

INTENTS = ["delivery", "returns", "payment"]
KNOWN = [(f"{intent} question {n}", intent) for n in range(20) for intent in INTENTS]


@pytest.fixture
def served():
    """Starts a model that names the intent a question begins with, wrong every `wrong`-th time."""
    servers = []

    def start(wrong: int = 0) -> tuple[ChatServer, ChatEndpoint]:
        def reply(text: str, number: int) -> str:
            place = INTENTS.index(text.split()[0])
            place += bool(wrong) and number % wrong == 0
            return f" {INTENTS[place % len(INTENTS)].title()}. "

        servers.append(ChatServer(reply))
        return servers[-1], ChatEndpoint(servers[-1].address, "small", "secret", timeout_seconds=10)

    yield start
    for server in servers:
        server.close()


def test_a_model_that_agrees_with_people_labels_the_rest(served):
    server, endpoint = served()
    labels, measured = label_questions(endpoint.ask, ["returns of <PERSON_1>", "payment now"], INTENTS, KNOWN)
    assert labels == ["returns", "payment"]
    assert (measured.rows, measured.kappa, measured.low) == (60, 1.0, 1.0)
    assert {r["path"] for r in server.requests} == {"/v1/chat/completions"}
    assert {r["key"] for r in server.requests} == {"Bearer secret"}
    assert server.requests[-2]["messages"][-1]["content"] == "returns of <PERSON_1>"
    assert {(r["model"], r["temperature"]) for r in server.requests} == {("small", 0)}


def test_a_model_that_does_not_agree_is_refused_with_the_figure_and_sees_nothing_else(served):
    server, endpoint = served(wrong=2)
    with pytest.raises(AgreementError, match=r"kappa 0\.2\d \[0\.\d\d, 0\.\d\d\].* on 60 rows"):
        label_questions(endpoint.ask, ["returns please"], INTENTS, KNOWN)
    assert len(server.requests) == len(KNOWN)


def test_a_good_figure_on_few_rows_is_not_enough(served):
    server, endpoint = served()
    with pytest.raises(AgreementError, match="12 rows carry a person's label and 50 are needed"):
        label_questions(endpoint.ask, ["returns"], INTENTS, KNOWN[:12])
    assert server.requests == []
    _, shaky = served(wrong=5)
    with pytest.raises(AgreementError, match=r"the interval must start at 0\.6"):
        label_questions(shaky.ask, ["returns"], INTENTS, KNOWN[:12], minimum_rows=12)


def test_a_reply_that_names_no_intent_is_unknown():
    assert ask_intent(lambda _: "I think it is delivery", "q", INTENTS) == ""
    assert ask_intent(lambda _: "unknown", "q", INTENTS) == ""
    assert ask_intent(lambda _: '"Delivery"', "q", INTENTS) == "delivery"


@pytest.mark.parametrize(("status", "message"), [(401, "status 401"), (299, "no chat completion")])
def test_what_the_endpoint_refuses_is_said_without_the_text(served, status, message):
    server, endpoint = served()
    server.status = status
    with pytest.raises(ChatError, match=message) as refused:
        endpoint.ask([{"role": "user", "content": "delivery of my words"}])
    assert "my words" not in str(refused.value)
    assert "secret" not in f"{refused.value} {endpoint!r}"


def test_an_address_that_nobody_listens_at_or_that_is_none():
    with pytest.raises(ChatError, match="cannot be reached"):
        ChatEndpoint("http://127.0.0.1:9/v1", "m", timeout_seconds=2).ask([])
    with pytest.raises(ChatError, match="is no address"):
        ChatEndpoint("file:///etc", "m").ask([])


def test_kappa_as_in_cohens_definition():
    people = ["a"] * 25 + ["b"] * 25
    model = ["a"] * 20 + ["b"] * 5 + ["a"] * 10 + ["b"] * 15
    found = agreement(people, model)
    assert found.kappa == pytest.approx(0.4)
    assert found.low < 0.4 < found.high
    assert agreement(["a"] * 60, ["a"] * 60).kappa == 0.0, "one intent alone proves nothing"
