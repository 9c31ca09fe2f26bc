"""Prometheus metrics of one gateway process.

Labels take values that the code, a release or HTTP knows: never a caller, a person, a path or a text that somebody
sent, so that no client can make the number of series grow (https://prometheus.io/docs/practices/naming/#labels).
"""

import platform
from importlib import metadata

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

ANSWER_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 2, 4, 8, 16, 32)
STEP_BUCKETS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 4, 16)
SIMILARITY_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
AGE_BUCKETS = (1, 10, 60, 300, 900, 3600, 14400, 86400)


class Metrics:
    """The metrics in a registry of their own. Times are in seconds, money is in the currency of the use case."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(name, about, labels, registry=self.registry)

        def gauge(name: str, about: str, *labels: str) -> Gauge:
            return Gauge(name, about, labels, registry=self.registry)

        def histogram(name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(name, about, labels, registry=self.registry, buckets=buckets)

        self.requests = counter(
            "gateway_requests_total", "Requests by release, path and status", "release", "path", "status"
        )
        self.latency = histogram("gateway_latency_seconds", "Time to the whole answer", ANSWER_BUCKETS, "path")
        self.first_token = histogram(
            "gateway_first_token_seconds", "Time until the engine's first piece of an answer", ANSWER_BUCKETS
        )
        self.steps = histogram("gateway_step_seconds", "Time of a step", STEP_BUCKETS, "step")
        self.tokens = counter("gateway_tokens_total", "Tokens of the engine", "direction")
        self.similarity = histogram(
            "gateway_retrieval_similarity", "How near the nearest article was", SIMILARITY_BUCKETS
        )
        self.handovers = counter("gateway_handovers_total", "Answers that a person will give, by reason", "reason")
        self.refusals = counter(
            "gateway_refusals_total", "Requests that a step refused or failed, by HTTP status", "step", "status"
        )
        self.guards = counter(
            "gateway_guard_hits_total", "What the guards found, by what was done about it", "guard", "place", "action"
        )
        self.feedback = counter("gateway_feedback_total", "Ratings", "rating")
        self.cost = counter("gateway_cost_total", "Money that answers cost, by release", "release")
        self.budget = gauge("gateway_budget_per_day", "Money that a day may cost; 0: no limit was set")
        self.cache_lookups = counter("gateway_cache_lookups_total", "Answers looked for in the cache", "result")
        self.cache_age = histogram("gateway_cache_age_seconds", "Age of answers out of the cache", AGE_BUCKETS)
        self.cache_saved_seconds = counter(
            "gateway_cache_saved_seconds_total", "Time that answers out of the cache took when they were made"
        )
        self.cache_saved_tokens = counter(
            "gateway_cache_saved_tokens_total", "Tokens that the engine did not read or write again", "direction"
        )
        self.cache_entries = gauge("gateway_cache_entries", "Answers in the cache")
        self.running = gauge("gateway_requests_running", "Requests being answered")
        self.engine = gauge(
            "gateway_engine_requests", "Answers that an engine writes (running) or will write (waiting)", "state"
        )
        self.generation = gauge("gateway_state_generation", "Generation of the served state")
        self.state_failed = gauge("gateway_state_failed", "1: the last change of what is served was not taken")
        self.served = gauge("gateway_release_info", "Releases that are served, by stage", "stage", "release")
        self.share = gauge("gateway_share", "Share of conversations that a stage answers, or is asked too", "stage")
        self.shadow = counter("gateway_shadow_total", "Live questions that the shadow was to answer too", "outcome")
        self.batched = counter("gateway_batch_lines_total", "Lines of batches, by what came of them", "outcome")
        self.build = gauge("gateway_build_info", "Version of this software", "version", "python")
        # A counter that begins at one has not increased for Prometheus: what alerts are about begins at zero.
        for step in ("question", "privacy"):
            self.refusals.labels(step, "503")
        for outcome in ("answered", "failed", "dropped", "gone"):
            self.shadow.labels(outcome)
        for rating in ("-1", "0", "1"):
            self.feedback.labels(rating)
        self.build.labels(metadata.version("llmops-assets"), platform.python_version()).set(1)
