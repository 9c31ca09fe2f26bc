"""How much a caller may ask: by the minute, by the day, whatever runs at a time."""

from datetime import UTC, date, datetime, timedelta

import pytest
import requests
from gateway_support import GENERATED, KNOWN, Gateway, told, user
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from llmops_assets.gateway.identity.keys import ApiKeyError, KeyStore
from llmops_assets.gateway.identity.quotas import MINUTE, Allowance, QuotaError, Quotas

START = datetime(2026, 3, 2, 23, 0, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def quotas(self, spent_on=lambda caller, day: 0):
        return Quotas(spent_on, clock=lambda: self.seconds, now=lambda: START + timedelta(seconds=self.seconds))


def test_requests_of_a_minute_are_counted_and_come_back_evenly():
    clock = Clock()
    quotas, allowed = clock.quotas(), Allowance(requests_per_minute=3)
    for _ in range(3):
        quotas.request("shop", allowed)
    with pytest.raises(QuotaError) as refused:
        quotas.request("shop", allowed)
    assert refused.value.retry_after == MINUTE / 3
    quotas.request("another", allowed)
    clock.seconds += MINUTE / 3
    quotas.request("shop", allowed)
    with pytest.raises(QuotaError):
        quotas.request("shop", allowed)
    clock.seconds += 10 * MINUTE
    for _ in range(3):
        quotas.request("shop", allowed)


def test_tokens_that_an_answer_did_not_take_are_given_back_once():
    clock = Clock()
    quotas, allowed = clock.quotas(), Allowance(tokens_per_minute=100)
    first = quotas.reserve("shop", allowed, 100)
    with pytest.raises(QuotaError):
        quotas.reserve("shop", allowed, 50)
    first.settle(40)
    first.settle(0)
    quotas.reserve("shop", allowed, 60)
    with pytest.raises(QuotaError):
        quotas.reserve("shop", allowed, 1)


def test_an_answer_that_could_take_more_than_the_limit_runs_alone_and_is_answered():
    clock = Clock()
    quotas, allowed = clock.quotas(), Allowance(tokens_per_minute=100, tokens_per_day=150)
    quotas.reserve("shop", allowed, 5000).settle(90)
    clock.seconds += MINUTE
    with pytest.raises(QuotaError) as refused:
        quotas.reserve("shop", allowed, 5000)
    assert refused.value.code == "insufficient_quota"


def test_a_day_begins_with_what_was_taken_before_this_process_and_ends_at_midnight():
    clock = Clock()
    asked = []

    def spent_on(caller: str, day: date) -> int:
        asked.append((caller, day))
        return 90 if day == START.date() else 0

    quotas, allowed = clock.quotas(spent_on), Allowance(tokens_per_day=100)
    with pytest.raises(QuotaError) as refused:
        quotas.reserve("shop", allowed, 20)
    assert refused.value.retry_after == 3600
    quotas.reserve("shop", allowed, 10)
    clock.seconds += 3600
    quotas.reserve("shop", allowed, 100)
    assert asked == [("shop", date(2026, 3, 2)), ("shop", date(2026, 3, 3))]


def test_what_is_settled_after_midnight_is_of_the_day_it_began_on():
    clock = Clock()
    quotas, allowed = clock.quotas(), Allowance(tokens_per_day=100)
    late = quotas.reserve("shop", allowed, 100)
    clock.seconds += 3600
    quotas.reserve("shop", allowed, 60)
    late.settle(0)
    with pytest.raises(QuotaError):
        quotas.reserve("shop", allowed, 41)
    quotas.reserve("shop", allowed, 40)


def test_who_has_no_limit_asks_as_much_as_it_wants():
    quotas = Clock().quotas()
    for _ in range(1000):
        quotas.request("shop", Allowance())
        quotas.reserve("shop", Allowance(), 10_000)


class Interleaving(RuleBasedStateMachine):
    """Answers that begin and end in any order while time goes by: no limit is ever overrun."""

    running = Bundle("running")
    MINUTELY, DAILY = 500, 2000

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.quotas = self.clock.quotas()
        self.allowed = Allowance(tokens_per_minute=self.MINUTELY, tokens_per_day=self.DAILY)
        self.taken: list[tuple[float, float]] = []
        self.open: dict[int, int] = {}

    @rule(target=running, tokens=st.integers(1, 400))
    def begin(self, tokens):
        try:
            reserved = self.quotas.reserve("shop", self.allowed, tokens)
        except QuotaError:
            return None
        self.open[id(reserved)] = tokens
        return reserved, tokens, self.clock.seconds

    @rule(one=consumes(running), share=st.floats(0, 1))
    def end(self, one, share):
        if one is None:
            return
        reserved, tokens, began = one
        taken = int(tokens * share)
        reserved.settle(taken)
        del self.open[id(reserved)]
        self.taken.append((began, taken))

    @rule(seconds=st.floats(0, 90))
    def wait(self, seconds):
        self.clock.seconds += seconds

    @invariant()
    def no_day_is_overrun(self):
        if self.clock.seconds < 3600:
            assert sum(taken for _, taken in self.taken) + sum(self.open.values()) <= self.DAILY

    @invariant()
    def no_stretch_of_time_takes_more_than_a_bucket_and_what_flowed_in(self):
        flowed = self.MINUTELY + self.clock.seconds * self.MINUTELY / MINUTE
        assert sum(taken for _, taken in self.taken) + sum(self.open.values()) <= flowed + 1e-6


TestInterleaving = Interleaving.TestCase
TestInterleaving.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


# -- the gateway ----------------------------------------------------------------------------------------------------


@pytest.fixture
def limited(files, tmp_path):
    """A gateway whose only key has a limit."""

    def serve(**limits):
        gateway = Gateway(files, tmp_path)
        gateway.store.create("the shop", allowance=Allowance(**limits))
        _, gateway.token = gateway.store.create("the shop", allowance=Allowance(**limits))
        return gateway

    return serve


def ask(gateway, question):
    headers = {"authorization": f"Bearer {gateway.token}"}
    body = {"messages": user(question)}
    return requests.post(f"{gateway.address}/v1/chat/completions", json=body, headers=headers, timeout=20)


def test_a_request_too_many_is_told_when_to_come_again(limited, files, tmp_path):
    with limited(requests_per_minute=2) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        assert [ask(gateway, KNOWN).status_code for _ in range(3)] == [200, 200, 429]
        refused = ask(gateway, KNOWN)
        assert told(refused, 429)["code"] == "rate_limit_exceeded"
        assert 1 <= int(refused.headers["retry-after"]) <= MINUTE / 2
        assert len(gateway.rows()) == 2


@pytest.mark.slow
def test_only_what_the_engine_took_counts(limited, files, tmp_path):
    with limited(tokens_per_day=4000) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        for _ in range(6):
            assert ask(gateway, KNOWN).status_code == 200
        while (answer := ask(gateway, GENERATED)).status_code == 200:
            assert sum(row["input_tokens"] + row["output_tokens"] for row in gateway.rows()) <= 4000
        assert told(answer, 429)["code"] == "insufficient_quota"
        caller = gateway.token.split("_")[1]
        taken = gateway.log.tokens_of(caller, datetime.now(UTC).date())
        assert 4000 - gateway.engines[0].context < taken <= 4000
        assert gateway.log.tokens_of(caller, date(2020, 1, 1)) == 0


def test_limits_are_kept_with_the_key_and_a_senseless_one_is_refused(database):
    store = KeyStore(database)
    limits = Allowance(5, 600, 7000)
    key, token = store.create("shop", allowance=limits)
    assert store.find(token).allowance == limits
    assert store.rotate(key.id)[0].allowance == limits
    with pytest.raises(ApiKeyError):
        store.create("shop", allowance=Allowance(tokens_per_day=0))
    store.close()
