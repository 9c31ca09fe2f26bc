"""How every upstream does, for all releases of a gateway together, and its figures for Prometheus.

The figures are read when they are asked for: the collector stands in the gateway's registry
(https://prometheus.github.io/client_python/collector/custom/).
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from llmops_assets.gateway.upstreams.breaker import Breaker, State
from llmops_assets.gateway.upstreams.settings import Upstream, UpstreamPolicy

Outcome = Literal["answered", "busy", "failed", "lost", "refused", "dropped"]
"""What came of one attempt: `busy`: it had no time; `lost`: it ended in the middle of its answer; `refused`: the
request was at fault; `dropped`: another one was faster, or the client left."""
UP = {State.CLOSED: 1.0, State.HALF_OPEN: 0.5, State.OPEN: 0.0}


@dataclass
class Health:
    """What is known of one upstream. `error` is why its last attempt failed, "" after one that did not."""

    upstream: Upstream
    breaker: Breaker
    clock: Callable[[], float]
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    running: int = 0
    error: str = ""
    busy_until: float = 0.0

    @property
    def name(self) -> str:
        """The upstream's."""
        return self.upstream.name

    @property
    def waits(self) -> float:
        """Seconds until it may be asked again, as far as that is known; 0: now."""
        return max(self.busy_until - self.clock(), self.breaker.rests, 0.0)

    @property
    def open_to_requests(self) -> bool:
        """Whether it may be asked now."""
        return self.clock() >= self.busy_until and self.breaker.lets_through


class Healths(Collector):
    """The health of all upstreams, in the order of their settings."""

    def __init__(
        self, upstreams: Sequence[Upstream], policy: UpstreamPolicy, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._known = {
            one.name: Health(one, Breaker(policy.failures, policy.rest_seconds, clock), clock) for one in upstreams
        }

    def __getitem__(self, name: str) -> Health:
        return self._known[name]

    def __iter__(self) -> Iterator[Health]:
        return iter(self._known.values())

    def collect(self) -> Iterator[Metric]:
        """The figures now. Names of upstreams are those of the settings, so the labels are bounded."""
        up = GaugeMetricFamily(
            "gateway_upstream_up", "1: asked as ever; 0.5: being tried; 0: left alone", labels=["upstream"]
        )
        running = GaugeMetricFamily("gateway_upstream_running", "Attempts under way", labels=["upstream"])
        attempts = CounterMetricFamily(
            "gateway_upstream_attempts", "Attempts by what came of them", labels=["upstream", "outcome"]
        )
        for health in self:
            up.add_metric([health.name], UP[health.breaker.state])
            running.add_metric([health.name], health.running)
            for outcome, times in health.outcomes.items():
                attempts.add_metric([health.name, outcome], times)
        yield from (up, running, attempts)
