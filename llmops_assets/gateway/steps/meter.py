"""The figures of an exchange."""

from llmops_assets.gateway.exchange import Exchange
from llmops_assets.gateway.metrics import Metrics
from llmops_assets.gateway.steps.base import Step
from llmops_assets.lib.records import HostingOption
from llmops_assets.lib.watching.costs import price


class Meter(Step):
    """Count requests by how they ended; the time of whole answers; tokens and money of all, as all cost; what guards
    found.

    Money is counted at the prices of `hosting`, as the cost ledger does; without them it is not.
    """

    name = "meter"

    def __init__(self, metrics: Metrics, hosting: HostingOption | None = None) -> None:
        self._metrics = metrics
        self._hosting = hosting

    async def run(self, exchange: Exchange) -> None:
        """Returns when all is counted."""
        metrics, usage = self._metrics, exchange.usage
        path, status = exchange.path or "refused", exchange.progress.status
        metrics.requests.labels(exchange.release_id, path, str(status)).inc()
        if status == 200:
            metrics.latency.labels(path).observe(exchange.seconds)
            if path == "handover":
                metrics.handovers.labels(_reason(exchange)).inc()
        for found in exchange.findings:
            metrics.guards.labels(found.guard, found.place, found.action).inc()
        if exchange.first_token is not None:
            metrics.first_token.observe(exchange.first_token)
        if exchange.similarity is not None and exchange.recalled_after is None:
            metrics.similarity.observe(exchange.similarity)
        metrics.tokens.labels("input").inc(usage.input_tokens)
        metrics.tokens.labels("output").inc(usage.output_tokens)
        if self._hosting is not None and usage.output_tokens:
            money = price(exchange.seconds, usage.input_tokens, usage.output_tokens, self._hosting)
            metrics.cost.labels(exchange.release_id).inc(money)


def _reason(exchange: Exchange) -> str:
    """Why a person takes over: as it was decided, or because a guard took the engine's answer back."""
    decision = exchange.decision
    if decision is None or decision.path != "handover":
        return "guard"
    return decision.reason or "unknown"
