"""Hand-overs of the group evaluation: scores, reports and the gate's decision."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, model_validator

from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records.base import LakeRef, Record, later
from llmops_assets.lib.records.data import CanaryPlan, DatasetRef
from llmops_assets.lib.records.planning import GatePolicy
from llmops_assets.lib.records.training import FileRef


class SliceScore(Record):
    """Right answers among the questions of a slice."""

    right: int = Field(ge=0)
    total: int = Field(ge=0)

    @property
    def accuracy(self) -> float:
        """Share of right answers; 0 of 0 raises, since an empty slice proves nothing."""
        if self.total == 0:
            raise ValueError("an empty slice has no accuracy")
        return self.right / self.total


class EvalReport(Record):
    """What one release answered to one eval suite, per slice and per path."""

    subject: str = Field(description="release id, or a name of the ablation")
    suite: DatasetRef
    overall: SliceScore
    slices: dict[str, SliceScore]
    paths: dict[str, SliceScore] = Field({})
    answers: LakeRef | None = Field(None, description="parquet: id, slice, question, answer, path, article")
    seconds: float = 0.0
    votes: LakeRef | None = Field(None, description="JSON: item id to the vote of a language model; none: it had none")
    engine_seconds: float | None = later(
        None, description="of `seconds` those in which the model wrote; none: an earlier version's"
    )
    ungraded: dict[str, int] = Field({}, description="why a scorer could not grade, to how many answers")


class Agreed(Record):
    """How far a judge agrees with people on answers that they judged: Cohen's kappa with its 95 % interval."""

    judge: str = Field(description="digest of model, address and prompt")
    model: str
    rows: int
    share: float
    kappa: float
    low: float
    high: float
    no_votes: dict[str, int] = Field({}, description="why it gave no vote, to how many answers")


class QualityReport(Record):
    """Candidate, incumbent and ablations on the same suite."""

    candidate: EvalReport
    incumbent: EvalReport | None
    ablations: dict[str, EvalReport] = Field({})
    report: LakeRef


class SafetyReport(Record):
    """Probes the candidate must withstand."""

    candidate: str
    probes: dict[str, SliceScore]
    answers: LakeRef = Field(description="parquet: id, kind, question, answer, path")
    knowledge: LakeRef = Field(description="the published articles: what stands there is no secret")
    prompt: str = Field(description="the system prompt, which must not be given away")
    more: int | None = Field(None, description="further probes of each kind at most; none: all there are")
    failures: tuple[str, ...] = ()
    report: LakeRef
    canaries: CanaryPlan | None = later(None, description="those that the model was asked for; none were planted")
    given: FileRef | None = later(None, description="JSONL: probes that somebody gave as files")
    outside: dict[str, FileRef] = later({}, description="runner that is installed apart to its results")


Verdict = Literal["better", "not_worse", "worse", "undecided", "new"]
Action = Literal["passes", "blocks", "collects", "asks", "accepted"]
"""What a unit does to the decision: nothing, it stops the candidate, it does so until there are more questions, a
person decides, or it is undecided and the policy goes on."""


class SliceDecision(Record):
    """The paired comparison on one unit: a slice, a group of slices, or all questions. Shares are from 0 to 1.

    `worse` and `better` hold for all units together (Holm), `not_worse` for this one: docs/decisions/gate.md.
    """

    slice: str
    candidate: SliceScore
    incumbent: SliceScore | None
    won: int = 0
    lost: int = 0
    p_value: float = Field(1.0, description="of being worse, one-sided, adjusted over all units by Holm")
    verdict: Verdict
    of: tuple[str, ...] = later((), description="the slices of a group")
    margin: float = later(0.0, description="loss that must be shown not to be there")
    alpha: float = later(0.05, description="level at which that is shown")
    p_not_worse: float = later(1.0, description="of losing the margin or more, one-sided")
    p_better: float = later(1.0, description="of not being better, one-sided")
    low: float = later(-1.0, description="lower end of the 1 - 2 alpha interval of the difference")
    high: float = later(1.0, description="upper end")
    action: Action = later("passes")
    power: float = later(0.0, description="chance that so many questions show an equal candidate to be not worse")
    needed: int | None = later(None, description="questions that do so with the policy's power; none: beyond counting")
    seen: float | None = later(None, description="smallest loss that is stopped with the policy's power")
    ungraded: int = later(0, description="questions that no scorer could grade: they leave the unit undecided")

    @model_validator(mode="before")
    @classmethod
    def _earlier_words(cls, value: Any) -> Any:
        # What a release before intervals called equal was not shown to be anything.
        earlier = isinstance(value, dict) and value.get("verdict") == "equal"
        return {**value, "verdict": "undecided"} if earlier else value

    @property
    def difference(self) -> float:
        """Candidate minus incumbent, 0 without one."""
        return self.candidate.accuracy - self.incumbent.accuracy if self.incumbent else 0.0


class Approval(Record):
    """A person's word on a candidate that the gate did not let through by itself, as the audit log has it."""

    release: str
    decision: str = Field(description="digest of the decision that it is about")
    verdict: Literal["approved", "rejected", "overridden"]
    name: str = Field(min_length=1, description="who says so")
    role: str = Field("", description="role of the key that proved it; none: nobody asked for one")
    reason: str = Field(min_length=1)
    at: datetime
    expires: datetime = Field(description="from then on it lets nothing pass any more")
    entry: int = Field(0, description="number of the entry in the audit log")
    hash: str = Field("", description="hash of that entry")


RULES_VERSION = 2
"""Raised when the same answers may lead to another decision."""
Status = Literal["passed", "waiting", "blocked"]


class GateDecision(Record):
    """Whether the candidate may be released, with the evidence."""

    passed: bool
    candidate: str
    incumbent: str | None
    policy: GatePolicy
    slices: tuple[SliceDecision, ...]
    safety: dict[str, SliceScore] = Field({}, description="probes passed, by kind")
    failed_slices: tuple[str, ...]
    reasons: tuple[str, ...]
    evidence: tuple[LakeRef, ...]
    status: Status | None = later(None, description="waiting: a person approves or rejects; none: an earlier version's")
    promise: str = later("", description="what passing means, and how often it is wrong")
    hashes: dict[str, str] = later({}, description="sha256 of policy, suite, answers and probes that it follows from")
    rules: int = later(1, description="version of the rules")

    @property
    def digest(self) -> str:
        """sha256 of what was decided and from what; where it lies is left out. What an approval is about."""
        return hash_json({name: value for name, value in self.canonical().items() if name != "evidence"})
