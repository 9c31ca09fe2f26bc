"""Hand-overs of a staged rollout: its policy, what was measured of candidate and incumbent, and what was decided."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from llmops_assets.lib.records.base import Record, Share

Metric = Literal["errors", "slow", "guards", "handovers", "bad_ratings", "corrections"]
"""What can go wrong in a conversation; lib/watching/rollout.py says what each is."""
TOLERATED: dict[Metric, float] = {
    "errors": 0.03,
    "slow": 0.05,
    "guards": 0.05,
    "handovers": 0.1,
    "bad_ratings": 0.05,
    "corrections": 0.05,
}
"""Metric to the loss that a promotion must exclude, where the use case says nothing."""
OnTimeout = Literal["ask", "roll_back", "go_on"]
"""What follows a step that could not be decided in its time: a person is asked, the candidate is withdrawn, or the next
step begins although its interval is too wide."""
Verdict = Literal["wait", "advance", "roll_back", "ask"]


class RolloutPolicy(Record):
    """How a released candidate reaches all customers: by steps under a sequential test, or at once.

    Losses are in shares of conversations: 0.05 is five more bad ones in a hundred.
    """

    steps: tuple[float, ...] = Field(
        (), description="shares of conversations, growing, the last 1: 0.05, 0.25, 1; none: all customers at once"
    )
    alpha: float = Field(
        0.05, gt=0, lt=1, description="chance to take an equal candidate back, over all metrics and steps"
    )
    minimum_conversations: int = Field(200, ge=1, description="the candidate's, before a step can be passed")
    maximum_hours: float = Field(72.0, gt=0, description="how long a step may take")
    on_timeout: OnTimeout = Field("ask", description="what follows then")
    tolerated: dict[Metric, Share] = Field({}, description="metric to its own tolerated loss")
    slow_seconds: float | None = Field(
        None, gt=0, description="an answer that takes longer is slow; none: maximum_latency_p95_seconds"
    )

    @model_validator(mode="after")
    def _steps_lead_to_all(self) -> Self:
        if self.steps and (self.steps[-1] != 1 or self.steps[0] <= 0):
            raise ValueError(f"rollout.steps: {self.steps} must be above 0 and end with 1, all customers")
        if any(after <= before for before, after in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError(f"rollout.steps: {self.steps} must grow: who is with the candidate stays with it")
        return self

    @property
    def staged(self) -> bool:
        """Whether there is a step at which candidate and incumbent answer beside each other."""
        return len(self.steps) > 1

    def tolerance(self, metric: Metric) -> float:
        """The loss that a promotion must exclude."""
        return self.tolerated.get(metric, TOLERATED[metric])

    @property
    def level(self) -> float:
        """The level of each test: `alpha` is shared by all metrics and all watched steps (Bonferroni)."""
        return self.alpha / (len(TOLERATED) * max(1, len(self.steps) - 1))


class RolloutFigure(Record):
    """One metric of a step: conversations with the event on both sides, and what may be said about the difference.

    `low` to `high` holds the loss at every time at once; `p` is small where the candidate is shown to be worse, however
    often it was looked at.
    """

    metric: Metric
    candidate: int = Field(ge=0, description="the candidate's conversations with the event")
    candidate_of: int = Field(ge=0, description="the candidate's conversations")
    incumbent: int = Field(ge=0)
    incumbent_of: int = Field(ge=0)
    loss: float = Field(description="the candidate's share less the incumbent's")
    low: float
    high: float
    tolerated: float
    p: float = Field(ge=0, le=1, description="always-valid")
    level: float = Field(description="p from which on it is called worse")

    def told(self) -> str:
        """The figure in a sentence."""
        return (
            f"{self.metric} in {self.candidate} of {self.candidate_of} conversations of the candidate and "
            f"{self.incumbent} of {self.incumbent_of} of the incumbent: {100 * self.loss:+.1f} points "
            f"({100 * self.low:+.1f} to {100 * self.high:+.1f}), always-valid p {self.p:.2g} (level {self.level:.2g})"
        )


class RolloutDecision(Record):
    """What a step's figures call for. `metric` is the one that tripped; "": none did."""

    verdict: Verdict
    metric: Metric | Literal[""] = ""
    reason: str
    figures: tuple[RolloutFigure, ...] = ()


class Rollout(Record):
    """A candidate on its way to all customers, beside the incumbent that serves.

    `step` counts from 0; at the last one, `live`, the candidate serves all. `generation` is that of the served state
    in which it stood there: what is decided on another one is refused.
    """

    release_id: str
    incumbent: str
    policy: RolloutPolicy
    step: int = Field(ge=0)
    generation: int
    state: Literal["running", "live", "withdrawn"] = "running"
    held: bool = Field(False, description="a person holds it: not promoted, but still withdrawn where it is worse")
    began: datetime = Field(description="when the step was served")
    decision: RolloutDecision | None = Field(None, description="what led to the step; none: the first one")
    entry: int = Field(0, ge=0, description="the decision's entry in the audit log; 0: none")

    @property
    def share(self) -> float:
        """Share of conversations that the candidate answers."""
        return {"running": self.policy.steps[self.step], "live": 1.0, "withdrawn": 0.0}[self.state]
