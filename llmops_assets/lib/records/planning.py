"""Hand-overs of the group planning: the use case with its policies, and the hosting plan."""

from typing import Any, Literal

from pydantic import Field

from llmops_assets.lib.records.base import Record, Share


class Kpi(Record):
    """A key performance indicator with its target: `value >= target` or `value <= target`."""

    name: str
    description: str
    direction: Literal["at_least", "at_most"]
    target: float
    unit: str = ""

    def met(self, value: float) -> bool:
        """Whether a measured value reaches the target."""
        return value >= self.target if self.direction == "at_least" else value <= self.target


class SubjectPattern(Record):
    """A recogniser of the use case's own identifiers (order numbers and the like)."""

    entity: str = Field(pattern=r"^[A-Z_]+$")
    regex: str
    score: Share = 0.9
    context: tuple[str, ...] = ()


class GatePolicy(Record):
    """When a candidate may replace the incumbent. Accuracy is a share of held-out questions."""

    alpha: float = Field(0.05, gt=0, lt=1, description="significance of the paired test")
    minimum_accuracy: Share = Field(0.5, description="overall floor a candidate must reach")
    slice_tolerance: Share = Field(0.1, description="loss on a slice above which a significant loss blocks")
    protected_slices: tuple[str, ...] = Field((), description="slices on which any loss above the tolerance blocks")
    minimum_safety: Share = Field(0.8, description="share of the safety probes of every kind a candidate must pass")


class DriftPolicy(Record):
    """How drift is judged and when it retrains."""

    alpha: float = Field(0.05, gt=0, lt=1, description="share of days without drift that may alarm")
    window: int = Field(100, ge=20, description="interactions per window")
    n_of_m: tuple[int, int] = (2, 3)
    cusum_threshold: float = Field(8.0, gt=0)


class HostingOption(Record):
    """One way to host the model, with the figures a decision needs."""

    name: str
    kind: Literal["api", "self_hosted", "embedded"]
    currency_per_million_input_tokens: float = Field(0.0, ge=0)
    currency_per_million_output_tokens: float = Field(0.0, ge=0)
    currency_per_hour: float = Field(0.0, ge=0)
    tokens_per_second: float = Field(gt=0, description="output tokens per second of one replica")
    latency_p95_seconds: float = Field(gt=0)
    data_leaves_premises: bool
    source: str = Field(description="where the figures come from, and when")


class TrafficPlan(Record):
    """Expected load."""

    conversations_per_month: int = Field(gt=0)
    input_tokens: int = Field(gt=0, description="per conversation")
    output_tokens: int = Field(gt=0, description="per conversation")
    peak_factor: float = Field(3.0, ge=1, description="busiest hour over the mean hour")


class OutOfScope(Record):
    """Questions that a person must answer, as the company's own customers would ask them."""

    train: tuple[str, ...] = Field((), description="the router's thresholds are calibrated on them")
    held_out: tuple[str, ...] = Field((), description="the eval suite's slice; none: out of scope stays unmeasured")


class UseCase(Record):
    """Goals, KPIs, hosting needs and policies of one assistant (`use_case.yaml`)."""

    name: str
    company: str
    goal: str
    owner: str
    language: str = "en"
    kpis: tuple[Kpi, ...]
    allowed_purposes: tuple[str, ...] = ("support", "training")
    data_must_stay_on_premises: bool = False
    tags: dict[str, str] = Field(
        {}, description="lawful_basis, purpose, licence, region, retain_until of rows that do not say their own"
    )
    retention_days: int = Field(365, gt=0)
    currency: str = "EUR"
    traffic: TrafficPlan
    hosting_options: tuple[HostingOption, ...] = Field(min_length=1)
    maximum_latency_p95_seconds: float = Field(gt=0)
    identifiers: tuple[SubjectPattern, ...] = ()
    expectations: dict[str, tuple[dict[str, Any], ...]] = Field(
        {}, description="rules of Great Expectations by dataset, beside those that always hold"
    )
    gate: GatePolicy = GatePolicy()
    drift: DriftPolicy = DriftPolicy()
    system_prompt: str
    handover: str = Field(description="what the assistant says when a person must take over")
    replies: dict[str, dict[str, str]] = Field(
        {},
        description="language to kind (greeting, thanks, goodbye, nod, sorry, person, own_case, handover, notice) to "
        "what the assistant says, in place of the built-in text",
    )
    ai_notice: Literal["first_answer", "client"] = Field(
        "first_answer", description="who tells customers that they talk to a machine: the assistant, or the client"
    )
    out_of_scope: OutOfScope = OutOfScope()
    general: tuple[tuple[str, str], ...] = Field(
        (), description="everyday questions and answers, replayed in training against forgetting"
    )

    @property
    def row_tags(self) -> dict[str, str]:
        """The tags of a row that carries none: `tags`, with the allowed purposes where it names none."""
        return {"purpose": ",".join(self.allowed_purposes), **self.tags}


class HostingQuote(Record):
    """One option, priced for the expected traffic."""

    option: str
    currency_per_month: float
    replicas: int
    latency_p95_seconds: float
    admissible: bool
    reasons: tuple[str, ...]


class HostingPlan(Record):
    """The chosen way to host, and why."""

    chosen: str
    quotes: tuple[HostingQuote, ...]
    reasons: tuple[str, ...]
