"""Money by key, by team, in all; whatever runs at a time, in one process or several; and what the gateway does."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
import requests
from gateway_support import GENERATED, KNOWN, EchoEngine, Gateway, told, user, wait_for
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from prometheus_client import generate_latest
from pydantic import ValidationError

from llmops_assets.gateway.engine import Usage
from llmops_assets.gateway.identity.budgets import Budgets
from llmops_assets.gateway.identity.ledger import HOLD_SECONDS, Account, Hold, Ledger
from llmops_assets.gateway.identity.quotas import QuotaError
from llmops_assets.gateway.identity.spending import BILLION, BudgetSettings, Price
from llmops_assets.gateway.upstreams.settings import Upstream, UpstreamSettings

START = datetime(2026, 3, 2, 23, 0, tzinfo=UTC)
PRICE = Price(currency_per_million_input_tokens=1.0, currency_per_million_output_tokens=10.0)


class Clock:
    def __init__(self):
        self.seconds = 0.0

    @property
    def moment(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def ledger(self, url: str = "sqlite://") -> Ledger:
        return Ledger(url, clock=lambda: self.seconds, today=lambda: self.moment.date())

    def budgets(self, url: str = "sqlite://", prices=None, **limits) -> Budgets:
        return Budgets(BudgetSettings(**limits), prices or {"": PRICE}, self.ledger(url), now=lambda: self.moment)


def test_a_price_is_exact_and_rounded_up():
    assert PRICE.of(1_000_000, 0) == BILLION
    assert PRICE.of(3, 2) == 3 * 1000 + 2 * 10_000
    assert Price(currency_per_million_input_tokens=0.15).of(1, 0) == 150
    assert Price(currency_per_million_input_tokens=0.0001).of(1, 0) == 1
    assert Price().of(10**9, 10**9) == 0


def test_what_an_answer_did_not_take_is_given_back_once():
    budgets = Clock().budgets(key_per_day=0.01)
    first = budgets.reserve("k", "shop", 0, 1000)
    with pytest.raises(QuotaError) as refused:
        budgets.reserve("k", "shop", 0, 500)
    assert (refused.value.code, refused.value.retry_after) == ("insufficient_quota", 3600)
    first.settle(Usage(0, 400))
    first.settle(Usage(0, 0))
    budgets.reserve("k", "shop", 0, 600)
    with pytest.raises(QuotaError):
        budgets.reserve("k", "shop", 0, 1)


def test_each_budget_stops_whom_it_is_for():
    budgets = Clock().budgets(all_per_day=0.1, team_per_day=0.04, teams={"rich": 0.08}, keys={"small": 0.01})
    whole = (0, 1000)

    def ask(key, owner):
        try:
            budgets.reserve(key, owner, *whole).settle(Usage(*whole))
        except QuotaError as error:
            return str(error).split(" is ")[0].removeprefix("today's budget of ")
        return "answered"

    assert [ask("small", "poor"), ask("small", "poor"), ask("other", "poor")] == ["answered", "this key", "answered"]
    assert [ask("other", "poor") for _ in range(3)] == ["answered", "answered", "this key's team"]
    assert [ask("another", "rich") for _ in range(7)] == ["answered"] * 6 + ["the installation"]
    figures = "\n".join(str(sample) for metric in budgets.collect() for sample in metric.samples)
    assert "0.1" in figures
    assert ("small" in figures, "poor" in figures) == (False, False)


def test_an_answer_that_could_cost_more_than_the_budget_runs_alone_and_is_answered():
    budgets = Clock().budgets(key_per_day=0.01)
    alone = budgets.reserve("k", "shop", 0, 5000)
    with pytest.raises(QuotaError):
        budgets.reserve("k", "shop", 0, 1)
    alone.settle(Usage(0, 500))
    budgets.reserve("k", "shop", 0, 500)


def test_the_dearest_engine_is_reserved_for_and_the_one_that_answered_paid():
    dear = Price(currency_per_million_output_tokens=100.0)
    budgets = Clock().budgets(prices={"": Price(), "near": PRICE, "dear": dear}, key_per_day=0.1)
    held = budgets.reserve("k", "shop", 0, 1000)
    with pytest.raises(QuotaError):
        budgets.reserve("k", "shop", 0, 1)
    held.settle(Usage(0, 1000, by="near"))
    assert [budgets.cost(Usage(0, 1000, by=name)) for name in ("", "near", "dear")] == [
        0,
        BILLION // 100,
        BILLION // 10,
    ]
    budgets.reserve("k", "shop", 0, 900)
    with pytest.raises(QuotaError):
        budgets.reserve("k", "shop", 0, 1)


def test_a_new_day_begins_at_midnight_and_a_late_answer_is_of_the_day_it_began_on():
    clock = Clock()
    budgets = clock.budgets(key_per_day=0.01)
    late = budgets.reserve("k", "shop", 0, 1000)
    clock.seconds = 3600
    budgets.reserve("k", "shop", 0, 600)
    late.settle(Usage(0, 1000))
    budgets.reserve("k", "shop", 0, 400)
    with pytest.raises(QuotaError) as refused:
        budgets.reserve("k", "shop", 0, 1)
    assert refused.value.retry_after == 86_400


def test_what_was_spent_outlives_the_process_and_what_a_killed_one_held_is_free_after_a_while(database):
    clock = Clock()
    first = clock.ledger(database)
    account = Account("key:k", 100)
    first.settle(first.reserve([account], 40), 30)
    forgotten = first.reserve([account], 60)
    assert isinstance(forgotten, Hold)
    first.close()
    second = clock.ledger(database)
    assert second.spent("key:k") == (30, 60)
    assert second.reserve([account], 20) == account
    clock.seconds = HOLD_SECONDS + 1
    assert isinstance(second.reserve([account], 20), Hold)
    assert second.spent("key:k") == (30, 20)
    # It lives after all: what it took is spent, what was given back is not given back again.
    second.settle(forgotten, 50)
    assert second.spent("key:k") == (80, 20)
    second.close()


def test_a_refusal_holds_nothing_in_the_accounts_before_it(database):
    ledger = Clock().ledger(database)
    many, few = Account("a", 100), Account("b", 10)
    ledger.settle(ledger.reserve([few], 5), 5)
    assert ledger.reserve([many, few], 8) == few
    assert (ledger.spent("a"), ledger.spent("b")) == ((0, 0), (5, 0))
    ledger.close()


def test_several_processes_on_one_database_spend_one_budget(database):
    ledgers = [Ledger(database) for _ in range(3)]
    account, limit = Account("all", 1000), 1000

    def ask(number: int) -> int:
        ledger = ledgers[number % 3]
        held = ledger.reserve([account], 90)
        if not isinstance(held, Hold):
            return 0
        assert sum(ledger.spent("all")) <= limit
        ledger.settle(held, 80)
        return 80

    with ThreadPoolExecutor(6) as pool:
        taken = sum(pool.map(ask, range(60)))
    assert ledgers[0].spent("all") == (taken, 0)
    assert limit - 90 < taken <= limit
    for ledger in ledgers:
        ledger.close()


class Interleaving(RuleBasedStateMachine):
    """Answers of two keys of one team that begin and end in any order while time goes by."""

    running = Bundle("running")
    KEY, TEAM = 700, 1000

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.ledger = self.clock.ledger()
        self.spent: dict[tuple[str, date], int] = {}
        self.open: dict[str, tuple[str, date, int]] = {}

    def teardown(self):
        self.ledger.close()

    @rule(target=running, key=st.sampled_from("ab"), amount=st.integers(1, 900))
    def begin(self, key, amount):
        today = self.clock.moment.date()
        accounts = [Account(f"key:{key}", self.KEY), Account("team:t", self.TEAM)]
        held = self.ledger.reserve(accounts, amount)
        # It is refused only where it would not fit beside what is spent and open, and then by that account.
        fits = {account.name: self.fits(account, today, amount) for account in accounts}
        if isinstance(held, Account):
            assert not fits[held.name]
            return None
        assert all(fits.values())
        self.open[held.id] = (key, today, amount)
        return held

    def fits(self, account: Account, day: date, amount: int) -> bool:
        taken = self.taken(account.name, day)
        return taken == 0 or taken + amount <= account.limit

    def taken(self, name: str, day: date) -> int:
        held = sum(a for key, d, a in self.open.values() if d == day and name in (f"key:{key}", "team:t"))
        return held + self.spent.get((name, day), 0)

    @rule(held=consumes(running), share=st.floats(0, 1))
    def end(self, held, share):
        if held is None:
            return
        key, day, amount = self.open.pop(held.id)
        taken = int(amount * share)
        self.ledger.settle(held, taken)
        for name in (f"key:{key}", "team:t"):
            self.spent[name, day] = self.spent.get((name, day), 0) + taken

    @rule(seconds=st.sampled_from([1, 60, 400]))
    def wait(self, seconds):
        # Holds of an hour ago are of processes that are gone: here none is.
        if not self.open:
            self.clock.seconds += seconds * 10

    @invariant()
    def it_is_never_more_than_one_reservation_over(self):
        day = self.clock.moment.date()
        for name, limit in (("key:a", self.KEY), ("key:b", self.KEY), ("team:t", self.TEAM)):
            assert sum(self.ledger.spent(name)) == self.taken(name, day)
            assert self.taken(name, day) <= max(limit, 900)
            assert self.taken(name, day) <= limit or self.spent.get((name, day), 0) <= 900


TestInterleaving = Interleaving.TestCase
TestInterleaving.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


# -- settings and gateway ---------------------------------------------------------------------------------------------


def test_budgets_without_a_price_are_refused():
    free = Upstream(name="free", url="https://h/v1", models={"*": "m"})
    with pytest.raises(ValidationError, match="budgets need prices"):
        UpstreamSettings(upstreams=(free,), budgets=BudgetSettings(all_per_day=1))
    with pytest.raises(ValidationError, match="budgets need prices"):
        UpstreamSettings(budgets=BudgetSettings(all_per_day=1))
    here = Upstream(name="here", url="embedded", currency_per_million_output_tokens=2)
    made = UpstreamSettings(upstreams=(free, here), budgets=BudgetSettings(all_per_day=1))
    assert made.prices[""].of(0, 10**6) == 2 * BILLION
    assert made.prices["free"].of(10**6, 10**6) == 0


@pytest.fixture
def budgeted(files, tmp_path):
    """A gateway with keys of two teams, whose answers cost."""

    def serve(**limits):
        budgets = Budgets(BudgetSettings(**limits), {"": PRICE}, Ledger(f"sqlite:///{tmp_path / 'log.db'}"))
        gateway = Gateway(files, tmp_path, budgets=budgets)
        gateway.chain.metrics.registry.register(budgets)
        gateway.budgets = budgets
        gateway.keys = {}
        for name in ("shop", "desk"):
            key, token = gateway.store.create(name)
            gateway.keys[name] = key.id, {"authorization": f"Bearer {token}"}
        return gateway

    return serve


@pytest.mark.slow
def test_a_team_that_has_spent_its_budget_is_told_until_when_and_the_others_go_on(budgeted, files, tmp_path):
    most = PRICE.of(EchoEngine.context, 96)
    with budgeted(team_per_day=2 * most / BILLION, all_per_day=1) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        shop, desk = gateway.keys["shop"][1], gateway.keys["desk"][1]
        for _ in range(3):
            assert gateway.ask(KNOWN, headers=shop).status_code == 200
        assert gateway.budgets._ledger.spent("team:shop") == (0, 0)
        answers = 0
        while (answer := gateway.ask(GENERATED, headers=shop)).status_code == 200:
            answers += 1
        refused = told(answer, 429)
        assert refused["code"] == "insufficient_quota"
        assert "this key's team" in refused["message"]
        assert 0 < int(answer.headers["retry-after"]) <= 86_400
        spent, held = gateway.budgets._ledger.spent("team:shop")
        rows = [row for row in gateway.rows() if row["path"] == "generated"]
        assert spent == sum(PRICE.of(row["input_tokens"], row["output_tokens"]) for row in rows) > 0
        assert (held, len(rows)) == (0, answers)
        assert spent <= 2 * most
        assert gateway.ask(GENERATED, headers=desk).status_code == 200
        figures = generate_latest(gateway.chain.metrics.registry).decode()
        assert 'gateway_budget_refusals_total{budget="team"} 1.0' in figures
        assert "gateway_budget_left" in figures
        assert "shop" not in figures


def test_a_stream_whose_client_leaves_is_paid_as_far_as_it_came(budgeted, files, tmp_path):
    import threading

    with budgeted(all_per_day=1) as gateway:
        gateway.serve(1, live=files.bundle(tmp_path).release_id)
        engine = gateway.engines[0]
        engine.pause = threading.Event()
        body = json.dumps({"messages": user(GENERATED), "stream": True})
        headers = {**gateway.keys["shop"][1], "content-type": "application/json"}
        url = f"{gateway.address}/v1/chat/completions"
        with requests.post(url, data=body, headers=headers, stream=True, timeout=20):
            wait_for(lambda: engine.under_way)
            assert gateway.budgets._ledger.spent("all")[1] > 0
        wait_for(lambda: gateway.budgets._ledger.spent("all")[1] == 0)
        engine.pause.set()
        engine.losses = []
        spent = gateway.budgets._ledger.spent("all")[0]
        wait_for(lambda: len(gateway.rows()) == 1)
        (row,) = gateway.rows()
        assert row["status"] == 499
        assert spent == PRICE.of(row["input_tokens"], row["output_tokens"])
        time.sleep(0.1)
        assert engine.under_way == 0
