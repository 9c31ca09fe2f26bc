"""How many requests the gateway answers at a time."""

import contextlib
from collections.abc import Generator

from llmops_assets.gateway.errors import BusyError
from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.metrics import Metrics
from llmops_assets.gateway.steps.base import Step


class Limit(Step):
    """Refuse what comes while `most` requests are being answered: waiting in a queue would only time out later."""

    name = "limit"

    def __init__(self, most: int, metrics: Metrics) -> None:
        self._most = most
        self._running = 0
        self._gauge = metrics.running

    @property
    def running(self) -> int:
        """How many are being answered."""
        return self._running

    async def run(self, exchange: Exchange) -> None:
        """Occupy a place until the exchange is over; BusyError when there is none."""
        exchange.held.enter_context(self.place())

    @contextlib.contextmanager
    def place(self) -> Generator[None]:
        """A place, also for work that is no exchange; BusyError when there is none."""
        if self._running >= self._most:
            raise BusyError(f"{self._most} requests are being answered: try again in a second")
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self._running += change
        self._gauge.set(self._running)
