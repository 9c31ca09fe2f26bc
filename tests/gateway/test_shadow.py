"""A release in the shadow is asked what customers ask, and whatever it does, they notice nothing."""

import dataclasses
import threading
from datetime import UTC, datetime

import pytest
from gateway_support import GENERATED, KNOWN, Gateway, wait_for

from llmops_assets.gateway.cache import AnswerCache
from llmops_assets.gateway.shadow import Shadow
from llmops_assets.gateway.steps import Step
from llmops_assets.lib.records import Feedback

PERSONAL = "delivery of my lamp? write to anna.berg@mail.example"
PAST = datetime(2020, 1, 1, tzinfo=UTC)


class Shadowed:
    """A gateway with a live release, and another one in its shadow that is asked `share` of conversations."""

    def __init__(self, gateway: Gateway, share: float) -> None:
        self.gateway = gateway
        self.live, self.shadow = (gateway.files.bundle(gateway.root, name).release_id for name in ("one", "two"))
        gateway.serve(1, live=self.live, shadow=self.shadow, shadow_share=share)
        self.engine = next(engine for engine in gateway.engines if engine.bundle.release_id == self.shadow)

    def rows(self) -> list[dict]:
        return self.gateway.log.shadowed(self.shadow, PAST)

    def counted(self, outcome: str) -> float:
        return self.gateway.figure("gateway_shadow_total", outcome=outcome)


@pytest.fixture
def shadowed(files, tmp_path):
    root = tmp_path / "gateway"
    root.mkdir()
    with Gateway(files, root, cache=AnswerCache(10, 60.0)) as gateway:
        yield Shadowed(gateway, 1.0)


def test_it_answers_what_customers_ask_and_they_see_the_live_answer(shadowed):
    gateway = shadowed.gateway
    answers = [gateway.ask(question, user="Anna").json() for question in (GENERATED, KNOWN, PERSONAL)]
    assert {answer["model"] for answer in answers} == {shadowed.live}
    wait_for(lambda: shadowed.counted("answered") == 3)
    found = {row["id"]: row for row in shadowed.rows()}
    assert found.keys() == {answer["llmops"]["interaction"] for answer in answers}
    generated = found[answers[0]["llmops"]["interaction"]]
    assert generated["shadow_answer"] == generated["answer"].replace(shadowed.live, shadowed.shadow)
    assert [row["shadow_path"] for row in found.values()] == [row["path"] for row in found.values()]
    assert "anna.berg" not in str(shadowed.rows()) + str(shadowed.engine.asked)


@pytest.mark.slow
def test_it_is_in_no_log_budget_cost_or_cache_of_customers(shadowed):
    gateway = shadowed.gateway
    first = gateway.ask(GENERATED).json()
    wait_for(lambda: shadowed.counted("answered") == 1)
    assert [row["release_id"] for row in gateway.rows()] == [shadowed.live]
    read = first["usage"]["prompt_tokens"]
    assert gateway.figure("gateway_tokens_total", direction="input") == read
    assert gateway.log.counts_by_release() == {shadowed.live: 1}
    again = gateway.ask(GENERATED).json()
    assert again["llmops"]["cached_seconds"] is not None, "the live answer is remembered"
    assert gateway.figure("gateway_cache_entries") == 1
    assert len(shadowed.rows()) == 1, "what comes out of the cache is asked of nobody"
    assert not gateway.log.add_feedback(Feedback(interaction=shadowed.shadow, time=PAST, rating=1))


@pytest.mark.slow
def test_one_that_hangs_is_given_up_and_what_finds_no_place_is_dropped(shadowed, monkeypatch):
    gateway = shadowed.gateway
    monkeypatch.setattr(unseen(gateway), "_most", 2)
    shadowed.engine.pause = threading.Event()
    answers = [gateway.ask(f"{GENERATED} {n}") for n in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    wait_for(lambda: shadowed.counted("dropped") >= 1)
    shadowed.engine.pause.set()
    wait_for(lambda: shadowed.counted("dropped") + shadowed.counted("answered") == 5)
    monkeypatch.setattr(unseen(gateway), "_seconds", 0.05)
    shadowed.engine.pause = threading.Event()
    assert gateway.ask(f"{GENERATED} again").status_code == 200
    wait_for(lambda: shadowed.counted("failed") == 1)
    assert [row["shadow_status"] for row in shadowed.rows()][-1] == 504
    assert shadowed.rows()[-1]["shadow_answer"] == ""


def test_one_that_crashes_fails_alone(shadowed):
    shadowed.engine.losses = [0, 0, 0, 0]
    answer = shadowed.gateway.ask(GENERATED)
    assert (answer.status_code, answer.json()["model"]) == (200, shadowed.live)
    wait_for(lambda: shadowed.counted("failed") == 1)
    assert [row["shadow_status"] for row in shadowed.rows()] == [500]
    shadowed.engine.losses = []
    shadowed.gateway.ask(f"{GENERATED} again")
    wait_for(lambda: shadowed.counted("answered") == 1)


def unseen(gateway: Gateway) -> Shadow:
    """The step that puts questions to the shadow."""
    (found,) = (step for step in gateway.chain.steps.endings if isinstance(step, Shadow))
    return found


class Prices(Step):
    """A guard as another might write it."""

    name = "prices"

    async def run(self, exchange) -> None:
        if "euros" in (exchange.draft or ""):
            exchange.hand_over()


def test_every_guard_of_customers_is_its_guard_too(shadowed):
    chain = shadowed.gateway.chain
    chain.steps = dataclasses.replace(chain.steps, guards=(*chain.steps.guards, Prices()))
    shadowed.engine.answer = "It costs 5 euros."
    shadowed.gateway.ask(GENERATED)
    wait_for(lambda: shadowed.counted("answered") == 1)
    (row,) = shadowed.rows()
    assert (row["path"], row["shadow_path"], row["shadow_answer"]) == (
        "generated",
        "handover",
        "A colleague of two will help.",
    )


@pytest.mark.slow
def test_it_is_asked_its_share_of_conversations_and_tests_are_none(shadowed):
    gateway = shadowed.gateway
    gateway.serve(2, live=shadowed.live, shadow=shadowed.shadow, shadow_share=0.5)
    named = [[ask(gateway, f"{GENERATED} {n} {turn}", f"c{n}") for turn in range(2)] for n in range(8)]
    gateway.ask(KNOWN, model="assistant-shadow")
    gateway.serve(3, live=shadowed.live, shadow=shadowed.shadow, shadow_share=0.0)
    gateway.ask(GENERATED)
    wait_for(lambda: not unseen(gateway)._queue and shadowed.counted("answered") == len(shadowed.rows()) > 0)
    asked = {row["id"] for row in shadowed.rows()}
    by_conversation = [{name in asked for name in names} for names in named]
    assert all(len(sides) == 1 for sides in by_conversation), "a conversation is asked whole or not at all"
    assert {True} in by_conversation
    assert {False} in by_conversation
    assert asked <= {name for names in named for name in names}
    assert gateway.figure("gateway_share", stage="shadow") == 0.0


def ask(gateway: Gateway, question: str, conversation: str) -> str:
    """The interaction of an answer."""
    return gateway.ask(question, metadata={"conversation": conversation}).json()["llmops"]["interaction"]
