"""How many replicas a scaling plan asks for at a moment; none once it has expired.

What makes a plan, and the gate that says whether it is better than no plan, are not here. An autoscaler takes the
larger of what the plan and what the running requests ask for, so a plan can never take a replica away
(docs/decisions/scaling.md).
"""

from datetime import datetime, timedelta
from itertools import pairwise

from pydantic import AwareDatetime, Field, model_validator

from llmops_assets.lib.records.base import Growing, Record

AHEAD = timedelta(minutes=5)
"""How long a replica takes to serve, at most: slots that begin so soon count already."""


class Slot(Record):
    """A piece of the time that is planned."""

    start: AwareDatetime
    replicas: int = Field(ge=0)
    requests: dict[str, float] = Field({}, description="quantile to requests a second in the slot's peak minute")


class ScalingPlan(Growing):
    """Replicas by time: what an asset `scaling_plan` hands over."""

    made: AwareDatetime
    valid_until: AwareDatetime = Field(description="from then on it asks for nothing")
    slot_minutes: int = Field(10, ge=1, le=1440)
    slots: tuple[Slot, ...]

    @model_validator(mode="after")
    def _in_order(self) -> "ScalingPlan":
        starts = [slot.start for slot in self.slots]
        if any(later - sooner < self.slot for sooner, later in pairwise(starts)):
            raise ValueError(f"slots overlap or are not in order: each lasts {self.slot_minutes} minutes")
        if self.valid_until <= self.made:
            raise ValueError("the plan expires before it was made")
        return self

    @property
    def slot(self) -> timedelta:
        """How long each slot lasts."""
        return timedelta(minutes=self.slot_minutes)


class Planned(Record):
    """What a plan says at a moment."""

    replicas: int = Field(ge=0)
    valid_until: AwareDatetime
    requests: dict[str, float] = Field({}, description="quantile to requests a second")


def planned(plan: ScalingPlan, moment: datetime, ahead: timedelta = AHEAD) -> Planned:
    """The most replicas of the slots that last into the time from `moment` until `ahead` of it, and the forecast of
    the slot of `moment`; nothing before the first slot, after the last and once the plan has expired.
    """
    if moment >= plan.valid_until:
        return Planned(replicas=0, valid_until=plan.valid_until)
    touched = [slot for slot in plan.slots if slot.start <= moment + ahead and moment < slot.start + plan.slot]
    now = next((slot.requests for slot in touched if slot.start <= moment), {})
    replicas = max((slot.replicas for slot in touched), default=0)
    return Planned(replicas=replicas, valid_until=plan.valid_until, requests=now)
