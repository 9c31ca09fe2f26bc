"""How much money answers may cost in a day: of each key, of each team, of all together.

Money is set aside before an answer is made, as much as it can cost, and settled with what it did, however it ends.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from llmops_assets.gateway.engine import Usage
from llmops_assets.gateway.identity.ledger import Account, Hold, Ledger
from llmops_assets.gateway.identity.quotas import QuotaError
from llmops_assets.gateway.identity.spending import BILLION, BudgetSettings, Price

ALL = "all"


class Reserved:
    """Money that is set aside for one answer."""

    def __init__(self, settle: Callable[[Usage], None]) -> None:
        self._settle: Callable[[Usage], None] | None = settle

    def settle(self, usage: Usage) -> None:
        """Spend what the answer took; a second time changes nothing."""
        settle, self._settle = self._settle, None
        if settle is not None:
            settle(usage)


class Budgets(Collector):
    """The budgets of an installation with the prices of its engines: name of an upstream to price, "" the embedded one.

    Also a collector of figures: what was spent by engine, refusals, and how much of the whole is left.
    """

    def __init__(
        self,
        settings: BudgetSettings,
        prices: Mapping[str, Price],
        ledger: Ledger,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._prices = dict(prices)
        self._ledger = ledger
        self._now = now
        self._lock = threading.Lock()
        self._cost: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()

    def reserve(self, key: str, owner: str, read: int, written: int) -> Reserved:
        """Set aside what an answer can cost that reads and writes so many tokens at most; QuotaError 429."""
        accounts = self._accounts(key, owner)
        amount = max(price.of(read, written) for price in self._prices.values())
        held = self._ledger.reserve(accounts, amount) if accounts else None
        if isinstance(held, Account):
            scope = held.name.partition(":")[0]
            with self._lock:
                self._refused[scope] += 1
            whose = {"key": "this key", "team": "this key's team"}.get(scope, "the installation")
            said = f"today's budget of {whose} is spent or set aside"
            raise QuotaError(said, self._until_midnight(), "insufficient_quota")
        return Reserved(lambda usage: self._spend(held, usage))

    def cost(self, usage: Usage) -> int:
        """What an answer cost, in billionths; of an engine without a price nothing."""
        return self._prices.get(usage.by, Price()).of(usage.input_tokens, usage.output_tokens)

    def collect(self) -> Iterator[Metric]:
        """The figures now; no key and no team is a label, of which there may be any number."""
        cost = CounterMetricFamily("gateway_cost", "Money that answers took, by upstream", labels=["upstream"])
        refused = CounterMetricFamily("gateway_budget_refusals", "Requests over a budget", labels=["budget"])
        with self._lock:
            for upstream, amount in self._cost.items():
                cost.add_metric([upstream or "embedded"], amount / BILLION)
            for scope, times in self._refused.items():
                refused.add_metric([scope], times)
        yield from (cost, refused)
        if self._settings.all_per_day is not None:
            spent, held = self._ledger.spent(ALL)
            left = GaugeMetricFamily("gateway_budget_left", "Money that is left today of the whole budget")
            left.add_metric([], self._settings.all_per_day - (spent + held) / BILLION)
            yield left

    def _spend(self, held: Hold | None, usage: Usage) -> None:
        cost = self.cost(usage)
        with self._lock:
            self._cost[usage.by] += cost
        if held is not None:
            self._ledger.settle(held, cost)

    def _accounts(self, key: str, owner: str) -> list[Account]:
        limits = self._settings
        found = {
            f"key:{key}": limits.keys.get(key, limits.key_per_day),
            f"team:{owner}": limits.teams.get(owner, limits.team_per_day),
            ALL: limits.all_per_day,
        }
        return [Account(name, round(limit * BILLION)) for name, limit in found.items() if limit is not None]

    def _until_midnight(self) -> float:
        moment = self._now()
        return 86_400 - (moment.hour * 3600 + moment.minute * 60 + moment.second)
