"""The page of what is served: releases, traffic, latency, steps, feedback, tokens. It tells nothing that was asked."""

from collections.abc import Iterable, Mapping

from prometheus_client.metrics_core import Metric

from llmops_assets.gateway.metrics import Metrics
from llmops_assets.gateway.releases import Releases
from llmops_assets.lib import html

REFRESH_SECONDS = 10
UPSTREAM = {1.0: "asked", 0.5: "being tried", 0.0: "left alone"}
"""States of an upstream by their figure in the metrics."""
STAGES = ("live", "canary", "shadow", "preview")


def state_page(releases: Releases, metrics: Metrics) -> str:
    """The page as HTML."""
    state = releases.state
    served = [[stage, getattr(state, stage) or "–", _share(releases, stage)] for stage in STAGES]
    problem = [html.paragraph(f"The last change was not taken: {releases.error}")] if releases.error else []
    found = {metric.name: metric for metric in metrics.registry.collect()}
    requests, latency, steps = (found[f"gateway_{name}"] for name in ("requests", "latency_seconds", "step_seconds"))
    times = ("half within", "19 of 20 within")
    parts = [
        html.link("chat", "Try the assistant", f". Figures of this process, renewed every {REFRESH_SECONDS} seconds."),
        *problem,
        html.heading("Releases"),
        html.table(["stage", "release", "share of conversations"], served),
        *_upstreams(found),
        html.heading("Requests"),
        html.table(["release", "path", "status", "requests"], _counts(requests, "release", "path", "status")),
        html.heading("Time to the whole answer"),
        html.table(["path", "answers", *times], _times(latency, "path")),
        html.heading("Steps"),
        html.table(["step", "times", *times], _times(steps, "step")),
        html.heading("Feedback"),
        html.table(["rating", "times"], _counts(found["gateway_feedback"], "rating")),
        html.heading("Tokens of the engine"),
        html.table(["direction", "tokens"], _counts(found["gateway_tokens"], "direction")),
    ]
    return html.page("Gateway", *parts, refresh=REFRESH_SECONDS)


def _upstreams(found: Mapping[str, Metric]) -> list[str]:
    """Heading and table of the upstreams; nothing where the embedded engine answers alone."""
    if not (up := found["gateway_upstream_up"].samples if "gateway_upstream_up" in found else []):
        return []
    running = {sample.labels["upstream"]: int(sample.value) for sample in found["gateway_upstream_running"].samples}
    came = found["gateway_upstream_attempts"].samples
    rows: list[list[object]] = []
    for sample in up:
        name = sample.labels["upstream"]
        outcomes = {s.labels["outcome"]: int(s.value) for s in came if s.labels["upstream"] == name}
        failed = ", ".join(f"{outcomes[key]} {key}" for key in sorted(outcomes) if key != "answered")
        rows.append([name, UPSTREAM[sample.value], running[name], outcomes.get("answered", 0), failed or "–"])
    headings = ["upstream", "state", "under way", "answered", "not answered"]
    return [html.heading("Upstreams"), html.table(headings, rows)]


def _share(releases: Releases, stage: str) -> str:
    state = releases.state
    if stage == "canary" and state.canary:
        return f"{state.canary_share:.0%}"
    if stage == "shadow" and state.shadow:
        return f"none; asked {state.shadow_share:.0%} too"
    if stage == "live" and state.live:
        return f"{1 - (state.canary_share if state.canary else 0):.0%}"
    return "–"


def _counts(metric: Metric, *labels: str) -> list[list[object]]:
    """Label values and count of every counted series, the most frequent first."""
    counted = [sample for sample in metric.samples if sample.name.endswith("_total") and sample.value]
    counted.sort(key=lambda sample: -sample.value)
    return [[*(sample.labels[label] or "–" for label in labels), int(sample.value)] for sample in counted]


def _times(metric: Metric, label: str) -> list[list[object]]:
    """Label value, count, and the bounds of the buckets that hold the median and the 95th percentile."""
    names = dict.fromkeys(sample.labels[label] for sample in metric.samples if label in sample.labels)
    rows: list[list[object]] = []
    for name in names:
        buckets = [
            (float(sample.labels["le"]), sample.value)
            for sample in metric.samples
            if sample.name.endswith("_bucket") and sample.labels[label] == name
        ]
        total = buckets[-1][1]
        if total:
            rows.append([name, int(total), _within(buckets, 0.5), _within(buckets, 0.95)])
    return rows


def _within(buckets: Iterable[tuple[float, float]], share: float) -> str:
    """The upper bound of the bucket in which a share of all observations is reached; buckets are cumulative."""
    listed = list(buckets)
    bound = next(upper for upper, count in listed if count >= share * listed[-1][1])
    return (
        f"{bound * 1000:g} ms"
        if bound < 1
        else (f"{bound:g} s" if bound != float("inf") else f"over {listed[-2][0]:g} s")
    )
