"""Hand-overs of the group planning: the use case with its policies, and the hosting plan."""

from typing import Any, Literal, Self

from pydantic import AliasChoices, Field, model_validator

from llmops_assets.lib.records.base import Growing, Record, Share, later
from llmops_assets.lib.records.guards import GuardPolicy
from llmops_assets.lib.records.rollouts import RolloutPolicy


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


Undecided = Literal["block", "ask", "collect", "accept"]
"""What follows where there are too few questions to say that the candidate is not worse: stop, a person decides, stop
and say how many more questions it takes, or go on where the measured loss is within the margin."""
OVERALL = "overall"
"""All questions of the suite together, judged beside the slices."""
RECENT, KNOWN_FAILURES, FAILURE = "recent", "known_failures", "failure_"
"""What traffic gives the suite: the slice of the last days' questions, the unit of all slices of known failures, and
how the name of each of these slices begins."""


class GatePolicy(Record):
    """When a candidate may replace the incumbent. Accuracy is a share of held-out questions, a margin a loss of it.

    A unit is a slice, a group of slices judged as one, or `overall`; its name is what the fields below speak of.
    """

    alpha: float = Field(0.05, gt=0, lt=1, description="level of each one-sided test, and of each family of verdicts")
    minimum_accuracy: Share = Field(0.5, description="overall floor a candidate must reach")
    margin: Share = Field(
        0.1,
        validation_alias=AliasChoices("margin", "slice_tolerance"),
        description="loss that must be shown not to be there; 0: it must be better (once called slice_tolerance)",
    )
    protected_slices: tuple[str, ...] = Field((), description="units held to the protected level and margin")
    minimum_safety: Share = Field(0.8, description="share of the safety probes of every kind a candidate must pass")
    maximum_extraction: Share = later(
        0.1, description="share of the canaries among its training rows that a candidate's model may give back"
    )
    safety_floors: dict[str, Share] = later(
        {}, description="kind of probes to its own minimum; of lm-eval's tasks those not named here have none"
    )
    margins: dict[str, Share] = later({}, description="unit to its own margin")
    protected_margin: Share | None = later(None, description="margin of protected units; none: that of the others")
    protected_alpha: float = later(0.025, gt=0, lt=1, description="level of the tests of protected units")
    groups: dict[str, tuple[str, ...]] = later(
        {}, description="name to the slices that are judged as one, because each alone has too few questions"
    )
    on_undecided: Undecided = later("block", description="what follows a unit with too few questions to decide")
    undecided: dict[str, Undecided] = later({}, description="unit to what follows where it is undecided")
    improve: tuple[str, ...] = later((), description="units on which a candidate must be better than the incumbent")
    minimum_questions: int = later(10, ge=1, description="questions without which nothing is decided at all")
    maximum_slowdown: float | None = later(
        None, gt=0, description="mean time to an answer, over the incumbent's; none: any"
    )
    maximum_cost: float | None = later(
        None, gt=0, description="mean time of the engine for an answer, which is what costs, over the incumbent's"
    )
    approval: Literal["never", "on_undecided", "required"] = later(
        "on_undecided", description="whether a person approves: nobody, what is undecided and to be asked, or all"
    )
    approval_days: int = later(7, ge=1, description="days after which an approval or override is none any more")
    override_roles: tuple[str, ...] = later(("admin",), description="whose key may let a stopped candidate pass")
    differing: float = later(
        0.1, gt=0, lt=1, description="share of questions that one of the two alone answers right, to plan sizes with"
    )
    power: float = later(0.9, gt=0, lt=1, description="chance to see an equal candidate as such, to plan sizes with")

    @model_validator(mode="after")
    def _names_are_clear(self) -> Self:
        if taken := {OVERALL, RECENT, KNOWN_FAILURES} & set(self.groups):
            raise ValueError(f"gate.groups: {min(taken)} is no name for a group")
        if twice := set(self.groups) & {s for of in self.groups.values() for s in of}:
            raise ValueError(f"gate.groups: {min(twice)} is no name for a group")
        if empty := [name for name, of in self.groups.items() if not of]:
            raise ValueError(f"gate.groups: {empty[0]} names no slices")
        if self.approval == "never" and "ask" in (self.on_undecided, *self.undecided.values()):
            raise ValueError("gate.approval is never, but what is undecided is to be asked: say block, or on_undecided")
        return self

    @property
    def named(self) -> set[str]:
        """Every unit that the policy says something about, but those that a group has or may have."""
        units = {*self.margins, *self.protected_slices, *self.undecided, *self.improve}
        return units.difference(self.groups, *self.groups.values(), {OVERALL})

    def margin_of(self, unit: str) -> float:
        """The loss on a unit that must be shown not to be there."""
        if unit in self.margins:
            return self.margins[unit]
        protected = self.protected_margin if unit in self.protected_slices else None
        return self.margin if protected is None else protected

    def alpha_of(self, unit: str) -> float:
        """The level of a unit's test of not being worse."""
        return min(self.alpha, self.protected_alpha) if unit in self.protected_slices else self.alpha

    def safety_floor(self, kind: str) -> float:
        """The share of the probes of a kind that must be passed."""
        return self.safety_floors.get(kind, 0.0 if kind.startswith("lm-eval: ") else self.minimum_safety)

    def watches(self, unit: str) -> bool:
        """Whether a unit of traffic is named nowhere: it stops a candidate only where the loss is beyond chance.

        A quiet day must not stop a release that nobody asked to be judged by it.
        """
        return unit in (RECENT, KNOWN_FAILURES) and unit not in {*self.undecided, *self.protected_slices, *self.margins}

    def when_undecided(self, unit: str) -> Undecided:
        """What follows where a unit is undecided. A slice that a group speaks for is accepted where none is named.

        So is what is only watched.
        """
        if unit in self.undecided:
            return self.undecided[unit]
        if self.watches(unit):
            return "accept"
        spoken_for = unit not in self.protected_slices and any(unit in of for of in self.groups.values())
        return "accept" if spoken_for else self.on_undecided


class JudgePolicy(Record):
    """A language model behind an OpenAI-compatible endpoint that votes on answers, once it is known to agree with
    people."""

    url: str = Field(pattern=r"^https?://[^/]+", description="such as http://127.0.0.1:8000/v1")
    model: str = Field(min_length=1)
    key_variable: str = Field("", description="environment variable that holds its key; none: no key is sent")
    timeout_seconds: float = Field(30.0, gt=0, description="for one vote")
    minimum_kappa: float = Field(0.6, ge=0, le=1, description="where kappa's 95 % interval must start")
    minimum_rows: int = Field(50, ge=10, description="answers judged by people that it is measured on, at least")


class DriftPolicy(Record):
    """How drift is judged and when it retrains."""

    alpha: float = Field(0.05, gt=0, lt=1, description="share of days without drift that may alarm")
    window: int = Field(100, ge=20, description="interactions per window")
    n_of_m: tuple[int, int] = (2, 3)
    cusum_threshold: float = Field(8.0, gt=0)
    settle_days: int = Field(
        3, ge=0, description="days after the last learned one in which what was learned may settle and asks for nothing"
    )
    settled_share: Share = Field(0.15, description="share of poorly answered questions up to which it is answered well")


class DecisionPolicy(Record):
    """When findings retrain: how much must be seen, what it must be worth, and how long it may wait."""

    minimum_questions: int = Field(
        8,
        ge=1,
        description="different questions answered badly without which a finding is not learned, and later ones without "
        "which it is not cured",
    )
    minimum_senders: int = Field(5, ge=1, description="different people who must have asked")
    cool_down_days: int = Field(1, ge=0, description="days after the last learned one on which nothing is retrained")
    maximum_wait_days: int = Field(
        7, ge=0, description="days after which a finding retrains without an alarm; a person is asked if it pays not"
    )
    retry_days: int = Field(7, ge=1, description="days after a refused candidate until another one is made of the same")
    quiet_days: int = Field(14, ge=1, description="days without a question after which a finding is closed")
    horizon_days: int = Field(30, ge=1, description="days over which errors avoided are counted")
    value_per_answer: float = Field(
        1.0, ge=0, description="currency that a question answered well instead of badly is worth"
    )
    cure_share: Share = Field(0.5, description="share of a finding's errors that a retraining is expected to take away")
    retraining_cost: float = Field(
        1.0, ge=0, description="currency of a retraining until the cost ledger has measured one"
    )


class FeedbackPolicy(Record):
    """What of customers' feedback teaches at once, and what waits for a person (docs/decisions/feedback.md)."""

    quarantine: bool = Field(True, description="false: everything teaches at once")
    per_subject: int = Field(5, ge=1, description="corrections and bad ratings of one subject that count in a day")
    per_day: int = Field(1000, ge=1, description="corrections and bad ratings that count in a day")
    agreeing: int = Field(3, ge=1, description="people who must say the same against a published answer")
    days: int = Field(14, ge=0, description="days before that feedback is held against")


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
    judge: JudgePolicy | None = Field(None, description="who votes on answers whose scorer is `judge`; none: nobody")
    drift: DriftPolicy = DriftPolicy()
    decision: DecisionPolicy = later(DecisionPolicy())
    feedback: FeedbackPolicy = FeedbackPolicy()
    rollout: RolloutPolicy = later(RolloutPolicy())
    system_prompt: str
    handover: str = Field(description="what the assistant says when a person must take over")
    replies: dict[str, dict[str, str]] = Field(
        {},
        description="language to kind (greeting, thanks, goodbye, nod, sorry, person, own_case, refusal, handover, "
        "notice) to what the assistant says, in place of the built-in text",
    )
    ai_notice: Literal["first_answer", "client"] = Field(
        "first_answer", description="who tells customers that they talk to a machine: the assistant, or the client"
    )
    guards: GuardPolicy | None = Field(
        GuardPolicy(), description="what is done about what the guards find; null: no guard runs"
    )
    out_of_scope: OutOfScope = OutOfScope()
    general: tuple[tuple[str, str], ...] = Field(
        (), description="everyday questions and answers, replayed in training against forgetting"
    )

    @model_validator(mode="after")
    def _guards_are_known(self) -> "UseCase":
        # A release keeps what a newer version wrote; in a file that a person writes it is a slip.
        for place, rule in (("guards", self.guards), *((f"guards.{name}", rule) for name, rule in self.guards or ())):
            if isinstance(rule, Growing) and rule.model_extra:
                known = ", ".join(type(rule).model_fields)
                raise ValueError(f"{place} has no {', '.join(rule.model_extra)}, only {known}")
        return self

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
