"""The figures of an exchange."""

from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.metrics import Metrics
from llmops_assets.gateway.steps.base import Step


class Meter(Step):
    """Count requests by how they ended; the time of whole answers; tokens of all, as all cost; what guards found."""

    name = "meter"

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def run(self, exchange: Exchange) -> None:
        """Returns when all is counted."""
        path, status = exchange.path or "refused", exchange.progress.status
        self._metrics.requests.labels(exchange.release_id, path, str(status)).inc()
        if status == 200:
            self._metrics.latency.labels(path).observe(exchange.seconds)
        for found in exchange.findings:
            self._metrics.guards.labels(found.guard, found.place, found.action).inc()
        self._metrics.tokens.labels("input").inc(exchange.usage.input_tokens)
        self._metrics.tokens.labels("output").inc(exchange.usage.output_tokens)
