"""Hand-overs of the group evaluation: scores, reports and the gate's decision."""

from typing import Literal

from pydantic import Field

from llmops_assets.lib.records.base import LakeRef, Record
from llmops_assets.lib.records.data import DatasetRef
from llmops_assets.lib.records.planning import GatePolicy


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
    failures: tuple[str, ...] = ()
    report: LakeRef


class SliceDecision(Record):
    """The paired comparison on one slice (exact McNemar test, two-sided p)."""

    slice: str
    candidate: SliceScore
    incumbent: SliceScore | None
    won: int = 0
    lost: int = 0
    p_value: float = 1.0
    verdict: Literal["better", "equal", "worse", "new"]


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
