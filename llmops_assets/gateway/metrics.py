"""Prometheus metrics of one gateway process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

ANSWER_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 2, 4, 8, 16, 32)
STEP_BUCKETS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 4, 16)


class Metrics:
    """The metrics in a registry of their own. Times are in seconds."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "gateway_requests_total",
            "Requests by release, path and status",
            ["release", "path", "status"],
            registry=self.registry,
        )
        self.latency = Histogram(
            "gateway_latency_seconds",
            "Time to the whole answer",
            ["path"],
            registry=self.registry,
            buckets=ANSWER_BUCKETS,
        )
        self.steps = Histogram(
            "gateway_step_seconds", "Time of a step", ["step"], registry=self.registry, buckets=STEP_BUCKETS
        )
        self.guards = Counter(
            "gateway_guard_hits_total",
            "What the guards found, by what was done about it",
            ["guard", "place", "action"],
            registry=self.registry,
        )
        self.tokens = Counter("gateway_tokens_total", "Tokens of the engine", ["direction"], registry=self.registry)
        self.feedback = Counter("gateway_feedback_total", "Ratings", ["rating"], registry=self.registry)
        self.running = Gauge("gateway_requests_running", "Requests being answered", registry=self.registry)
        self.generation = Gauge("gateway_state_generation", "Generation of the served state", registry=self.registry)
