"""Hand-overs of the group monitoring: interactions, drift, KPIs, costs."""

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from llmops_assets.lib.records.base import LakeRef, Record, later


class Interaction(Record):
    """One request/response of the gateway; text is redacted before this record exists.

    `answer` is what was sent. `path` "refused": a guard let nothing be answered, or it ended before it was known how.
    """

    id: str
    time: datetime
    release_id: str
    subject: str
    conversation: str
    question: str
    answer: str
    path: Literal["matched", "generated", "handover", "small_talk", "refused"]
    turn: int = Field(0, ge=0, description="questions of the conversation before this one, as its sender sent them")
    caller: str = Field("", description="id of the key it was asked with")
    owner: str = Field("", description="whom that key is for")
    guards: str = Field("", description="what the guards found: guard:place:action, by commas")
    article: str | None = None
    similarity: float | None = None
    latency_seconds: float = Field(ge=0)
    input_tokens: int = Field(0, ge=0)
    output_tokens: int = Field(0, ge=0)
    cached_seconds: float | None = Field(None, ge=0, description="age of the answer where it came out of the cache")
    status: int = Field(
        200, description="HTTP's: 200 whole; 206 as short as its caller wanted; 499 the client left; 5xx it failed"
    )


class ShadowAnswer(Record):
    """What a candidate would have answered to a live question: nobody was sent it. Text is redacted.

    `interaction` names what the customer was answered. `status`: 200 whole; 500 it failed; 504 it took too long.
    """

    interaction: str
    release_id: str
    time: datetime
    subject: str
    answer: str
    path: Literal["matched", "generated", "handover", "small_talk", "refused"]
    guards: str = ""
    article: str | None = None
    similarity: float | None = None
    latency_seconds: float = Field(ge=0)
    input_tokens: int = Field(0, ge=0)
    output_tokens: int = Field(0, ge=0)
    status: int = 200


class Feedback(Record):
    """A rating (-1, 0, 1), a reason and a correction of an interaction; text is redacted."""

    interaction: str
    time: datetime
    rating: Literal[-1, 0, 1]
    reason: str = ""
    correction: str = ""


class DriftWindow(Record):
    """One window of interactions against the reference."""

    start: datetime
    end: datetime
    size: int
    novelty_share: float
    novelty_p: float
    intents_p: float
    drifted: bool
    volume: bool = Field(False, description="known topics are asked more often and are answered well: no drift")
    p: float = later(1.0, description="share of windows drawn from the reference that look as unusual")


class DriftReport(Record):
    """A day's windows, the running CUSUM and the thresholds that belong to these sizes."""

    day: date
    reference: LakeRef
    reference_size: int
    calibration_size: int
    novelty_threshold: float
    alpha: float
    windows: tuple[DriftWindow, ...]
    cusum: float
    cusum_alarm_at: int | None = Field(None, description="counted interactions since the day began")
    interactions: int
    left_out: dict[str, int] = Field({}, description="messages that say nothing about what is asked, by reason")
    drifted: bool
    outcome: Literal["judged", "no traffic", "too few questions"] = later("judged")
    alarm_at: int | None = later(None, description="counted interactions until the calibrated alarm")
    by: tuple[str, ...] = later((), description="the detectors that gave the alarm")
    p: float = later(1.0, description="share of days drawn from the reference that look as unusual")
    window: int = later(0, description="interactions per window; a small reference allows smaller ones only")
    p_values: dict[str, float] = later({}, description="smallest p of each detector over the day's looks")
    level: float = later(0.0, description="p at or below which the day alarms")
    cannot: dict[str, str] = later({}, description="detectors that could not fire, and why; they are not counted")
    poor_share: float | None = later(None, description="share of the counted questions that were answered poorly")
    novel: tuple[str, ...] = Field((), description="ids of interactions, farthest from everything known first")
    report: LakeRef


class TriggerDecision(Record):
    """The pure N-of-M decision whether to retrain."""

    fire: bool
    cause: str = Field(description="stable name of the cause: the run key of the retraining")
    reasons: tuple[str, ...]
    violated: int
    of: int


KpiState = Literal["met", "missed", "alarm", "unmeasured"]
"""A KPI in alarm missed its target on most of the last days that it was measured on, the newest included."""


class KpiValue(Record):
    """A KPI of a day beside its target; value None when nothing was measured."""

    name: str
    value: float | None
    target: float
    met: bool | None
    state: KpiState = Field("unmeasured", description="whether it asks for somebody")
    since: date | None = Field(None, description="first day of the alarm")


class KpiWeek(Record):
    """KPIs of a week (Monday to Sunday): the mean of each over the days that it was measured on."""

    monday: date
    days: int = Field(ge=1, description="days with a report")
    interactions: int
    values: dict[str, float]


class ReleaseQuality(Record):
    """How one release answered on a day: its whole answers, their latency, and what those who rated them found."""

    release_id: str
    answers: int
    p95_latency_seconds: float | None
    rated: int
    right: int = Field(description="rated well and not corrected")
    low: float = Field(0.0, description="lower end of the 95 % Wilson interval of right among rated")
    high: float = Field(1.0, description="upper end")


class KpiReport(Record):
    """KPIs of one day, with the weeks before, and by release."""

    day: date
    interactions: int
    values: tuple[KpiValue, ...]
    weeks: tuple[KpiWeek, ...] = Field((), description="this one and those before, oldest first")
    releases: tuple[ReleaseQuality, ...] = Field((), description="what answered that day")


class WeeklyDigest(Record):
    """A week for the product owner: where its page and its mail lie, and what they ask for."""

    monday: date
    days: int = Field(ge=0, description="days of the week with a report of KPIs")
    alarms: tuple[str, ...] = Field(description="KPIs in alarm at the end of the week")
    page: LakeRef
    mail: LakeRef


class CostLine(Record):
    """Money and energy of one release over the ledger's period."""

    release_id: str
    answers: int
    generated: int
    engine_seconds: float
    currency: float
    energy_kwh: float
    co2_grams: float


class TrainingCost(Record):
    """What one retraining took: training its adapter and asking the eval suite."""

    adapter: str = Field(description="digest of the weights")
    seconds: float = Field(ge=0)
    currency: float = Field(ge=0)
    energy_kwh: float = Field(ge=0)
    co2_grams: float = Field(ge=0)


class CostLedger(Record):
    """Costs per release and per retraining, with the assumptions behind them."""

    lines: tuple[CostLine, ...]
    assumptions: dict[str, float]
    trainings: tuple[TrainingCost, ...] = later((), description="oldest first")
