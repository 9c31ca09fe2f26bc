"""The hand-overs between assets: one frozen pydantic model each, written as asset metadata and parsed back.

Only types and their validation live here; what makes and what judges them is in the modules beside this one.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_serializer, model_validator

from llmops_assets.lib.hashing import canonical_json, hash_json

Share = Annotated[float, Field(ge=0.0, le=1.0)]


LATER = "later"


def later(default: Any, **options: Any) -> Any:
    """A pydantic field that came to a record after its first version.

    It is part of the record's hash only where it differs from its default, so that what was made before keeps its name.
    """
    return Field(default, json_schema_extra={LATER: True}, **options)


class Record(BaseModel):
    """Base of every hand-over: immutable, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @property
    def content_hash(self) -> str:
        """sha256 of the record's canonical form."""
        return hash_json(self.canonical())

    def canonical(self) -> dict[str, Any]:
        """The record as JSON values without later fields that stand at their defaults, unknown fields included."""
        return _canonical(self, self.model_dump(mode="json"))


class Growing(Record):
    """A record that newer versions may have added to: unknown fields are kept, and are part of its hash.

    The way of python-tuf (`unrecognized_fields`): what an older reader does not know it still verifies and hands on.
    """

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)


def _canonical(value: Any, dumped: Any) -> Any:
    if isinstance(value, BaseModel) and isinstance(dumped, dict):
        fields = type(value).model_fields
        left_out = {
            name
            for name, field in fields.items()
            if isinstance(field.json_schema_extra, dict)
            and field.json_schema_extra.get(LATER)
            and getattr(value, name) == field.get_default(call_default_factory=True)
        }
        return {k: _canonical(getattr(value, k, v), v) for k, v in dumped.items() if k not in left_out}
    if isinstance(value, Mapping) and isinstance(dumped, dict):
        return {str(k): _canonical(v, dumped[str(k)]) for k, v in value.items()}
    if isinstance(value, tuple | list) and isinstance(dumped, list):
        return [_canonical(v, d) for v, d in zip(value, dumped, strict=True)]
    return dumped


class LakeRef(Record):
    """An immutable address in the lake: `lake://<repository>/<commit>/<path>` (`lakefs://` on lakeFS).

    Serialised as that string. `path` may be empty (the whole commit).
    """

    scheme: Literal["lake", "lakefs"] = "lake"
    repository: str
    commit: str
    path: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = re.fullmatch(r"(lake|lakefs)://([a-z0-9][a-z0-9-]{2,62})/([0-9a-f]{8,64})(?:/(.*))?", value)
        if match is None:
            raise ValueError(f"not a lake ref: {value!r}; expected lake://<repository>/<commit>/<path>")
        return dict(zip(("scheme", "repository", "commit", "path"), (*match.groups()[:3], match[4] or ""), strict=True))

    @model_serializer
    def _as_text(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.repository}/{self.commit}/{self.path}"


# -- planning -------------------------------------------------------------------------------------------------


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

    alpha: float = Field(0.05, gt=0, lt=1, description="false-alarm rate of one window, after Bonferroni")
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


# -- data -----------------------------------------------------------------------------------------------------


class Article(Record):
    """One piece of the knowledge base: an answer with the facts it must carry.

    `facts` is a list of facts, each a list of accepted wordings; an answer is right when it holds at least one
    wording of every fact. Empty facts (a user's own data) are graded by answer group instead.
    """

    id: str
    intent: str
    title: str
    answer: str
    facts: tuple[tuple[str, ...], ...] = ()
    questions: tuple[str, ...] = Field(min_length=1, description="phrasings known to the assistant")
    held_out: tuple[str, ...] = Field((), description="paraphrases for evaluation only")
    available_from: date | None = None


class EvalItem(Record):
    """One held-out question. `article` is None where a person must take over (out of scope)."""

    id: str
    slice: str
    question: str
    article: str | None
    intent: str
    reference: str
    facts: tuple[tuple[str, ...], ...] = ()


class DataTerms(Record):
    """What holds for rows taken together; merging is associative and commutative, so it holds for datasets of datasets.

    `purposes` None: no row was seen, everything is allowed. `retain_until` None: no row expires.
    """

    purposes: tuple[str, ...] | None = None
    licences: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    lawful_bases: tuple[str, ...] = ()
    retain_until: date | None = None
    rows: int = 0

    def merge(self, other: "DataTerms") -> "DataTerms":
        """Terms of both: purposes that both allow, licences, regions and bases of either, the earlier end."""
        ends = [end for end in (self.retain_until, other.retain_until) if end is not None]
        if self.purposes is None or other.purposes is None:
            purposes = other.purposes if self.purposes is None else self.purposes
        else:
            purposes = tuple(sorted(set(self.purposes) & set(other.purposes)))
        return DataTerms(
            purposes=purposes,
            licences=tuple(sorted({*self.licences, *other.licences})),
            regions=tuple(sorted({*self.regions, *other.regions})),
            lawful_bases=tuple(sorted({*self.lawful_bases, *other.lawful_bases})),
            retain_until=min(ends, default=None),
            rows=self.rows + other.rows,
        )


class DatasetRef(Record):
    """A published dataset at a commit and tag, with its content hash and row counts."""

    name: str
    ref: LakeRef
    tag: str = ""
    digest: str
    rows: int = Field(ge=0)
    counts: dict[str, int] = {}
    inputs: dict[str, LakeRef] = {}


class TrainingSet(Record):
    """The published training dataset with its held-out rows and the reference that drift is measured against."""

    rows: DatasetRef
    held_out: DatasetRef
    reference: DatasetRef
    until: date = Field(description="last day of conversations in it")
    terms: DataTerms = Field(DataTerms(), description="what every row of it allows")


class KnowledgeBase(Record):
    """The published articles: the trusted ones and those with corrections from feedback, as served."""

    articles: DatasetRef
    trusted: DatasetRef = Field(description="without feedback: what evaluation is built from")
    corrections: int = Field(ge=0, description="articles that feedback changed or added")


# -- training -------------------------------------------------------------------------------------------------


class Recipe(Record):
    """Settings of one training. With the base model's hash and the dataset's digest it determines the adapter."""

    method: str = Field("lora", min_length=1, description="what is done: lora, full, dpo, distil, or another method")
    trainer: Literal["loop", "huggingface"] = "loop"
    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    target_modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    top_layers: int | None = Field(None, ge=1, description="adapt only the last n layers; all when unset")
    learning_rate: float = Field(1e-3, gt=0)
    warmup_share: Share = 0.05
    epochs: float = Field(3.0, gt=0)
    batch_tokens: int = Field(1024, ge=64, description="padded tokens per optimiser step")
    max_length: int = Field(384, ge=32, description="tokens per row")
    weight_decay: float = Field(0.0, ge=0)
    gradient_clip: float = Field(1.0, gt=0)
    beta: float = Field(0.1, gt=0, description="DPO only: strength of the tie to the reference")
    precision: Literal["fp32", "bf16"] = "fp32"
    seed: int = 17


class ModelRef(Growing):
    """A base model: name, and sha256 over its weights and tokenizer."""

    name: str
    digest: str
    parameters: int = 0
    license: str = ""


class BaseModelRef(Record):
    """The base model of an installation: what it is, and the name by which `Models.resolve` finds it."""

    ref: ModelRef
    source: str


class FileRef(Growing):
    """A file of the release: where it is and what it must hash to."""

    ref: LakeRef
    sha256: str
    size: int = Field(ge=0)


class TunedModel(Record):
    """What a training made of a base model and a dataset: an adapter for it, or a model of its own (a student)."""

    kind: Literal["adapter", "model"] = "adapter"
    name: str
    ref: LakeRef = Field(description="folder of the weights as peft or transformers write them")
    digest: str = Field(description="sha256 of the weights")
    engine_file: FileRef | None = Field(None, description="the same for the engine: a GGUF adapter, or a GGUF model")
    base: ModelRef
    recipe: Recipe
    dataset: DatasetRef
    terms: DataTerms = Field(DataTerms(), description="what every row allows that it or its warm start learned from")
    warm_start: str = Field("", description="digest of the adapter the training started from")
    inputs_digest: str = ""
    mlflow_run: str = ""
    model_version: str = ""
    metrics: dict[str, float] = {}


class PromptRef(Growing):
    """A version of a prompt in the registry."""

    name: str
    version: int
    template: str
    digest: str


# -- evaluation -----------------------------------------------------------------------------------------------


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
    paths: dict[str, SliceScore] = {}
    answers: LakeRef | None = Field(None, description="parquet: id, slice, question, answer, path, article")
    seconds: float = 0.0


class QualityReport(Record):
    """Candidate, incumbent and ablations on the same suite."""

    candidate: EvalReport
    incumbent: EvalReport | None
    ablations: dict[str, EvalReport] = {}
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


# -- deployment -----------------------------------------------------------------------------------------------


class RouterPolicy(Growing):
    """Thresholds on the cosine similarity (0 to 1) between a question and the nearest known one."""

    answer_above: float = Field(description="at or above: return the known answer")
    hand_over_below: float = Field(description="below: hand over to a person")
    margin: float = Field(0.0, ge=0, description="lead over the next article that a direct answer needs")
    passages: int = Field(3, ge=0, description="retrieved passages in the prompt when generating; 0 = none")
    retrieval: bool = Field(True, description="False: no index at all, the bare model answers everything")


class GenerationSettings(Growing):
    """Decoding. Greedy by default, so that the same release gives the same answer."""

    max_tokens: int = Field(64, ge=1)
    temperature: float = Field(0.0, ge=0)
    repetition_penalty: float = Field(1.05, gt=0)


class ReleaseManifest(Growing):
    """The atomic tuple that is served. Its name is the hash of everything in it, fields of newer versions included."""

    base: ModelRef
    engine_model: FileRef | None = Field(None, description="GGUF: quantized, or a student; None: the base model's own")
    adapter: FileRef | None = Field(None, description="GGUF adapter; None: no adapter")
    adapter_digest: str = ""
    prompt: PromptRef
    knowledge_index: FileRef | None = None
    router: RouterPolicy
    generation: GenerationSettings = GenerationSettings()
    handover: str
    cache_namespace: str = ""

    @property
    def content_hash(self) -> str:
        """sha256 of what is served. Where files lie in the lake is left out: the same bytes are the same release."""
        served = self.canonical()
        for part in ("engine_model", "adapter", "knowledge_index"):
            if isinstance(served.get(part), dict):
                served[part] = {key: value for key, value in served[part].items() if key != "ref"}
        return hash_json(served)

    @property
    def release_id(self) -> str:
        """`r-` and 12 hex digits of the manifest's hash."""
        return f"r-{self.content_hash[:12]}"

    def text(self) -> str:
        """The manifest as it is written: an older version reads the same name out of it."""
        return canonical_json(self.canonical())


class KnowledgeIndexRef(Record):
    """The published index with the thresholds that were calibrated on it."""

    file: FileRef
    router: RouterPolicy
    knowledge: DatasetRef
    questions: int = Field(ge=0)


class EngineModel(Record):
    """The base model's file for the engine: `file` None means the one the base model ships."""

    kind: str
    file: FileRef | None
    size: int = Field(ge=0, description="bytes")
    losses: dict[str, float] = Field(description="mean nats per held-out answer token, by quantization")


class Candidate(Record):
    """The whole tuple under judgement, put together once, with what made it."""

    manifest: ReleaseManifest
    tuned: TunedModel | None = Field(None, description="the model that enters; None: the bare base model")
    training: TrainingSet = Field(description="what questions are compared with: the reference for drift")
    knowledge: DatasetRef = Field(description="the articles in its index")
    base_engine: FileRef | None = Field(None, description="the base model's file for the engine; None: its own")

    @property
    def release_id(self) -> str:
        """Name of the release it would be."""
        return self.manifest.release_id


class Release(Record):
    """A manifest with the gate's evidence for it."""

    release_id: str
    manifest: ReleaseManifest
    manifest_ref: LakeRef
    gate: LakeRef
    incumbent: str | None
    tuned: TunedModel | None = Field(
        None, validation_alias=AliasChoices("tuned", "adapter"), description="the tuned model in the manifest"
    )
    training: TrainingSet | None = Field(None, description="what it learned from, and the reference for drift")


Stage = Literal["shadow", "canary", "live", "rolled_back"]


class Deployment(Record):
    """A release on a target, with its rollout stage and what was checked on the way."""

    release_id: str
    stage: Stage
    target: str
    address: str
    previous: str | None
    rolled_back_from: str | None = later(None, description="the release that was taken back; None: a rollout")
    checks: dict[str, float] = {}
    applied_at: datetime


# -- monitoring -----------------------------------------------------------------------------------------------


class Interaction(Record):
    """One request/response of the gateway; text is redacted before this record exists.

    `answer` is what was sent. `path` "refused": it ended before it was known how to answer.
    """

    id: str
    time: datetime
    release_id: str
    subject: str
    conversation: str
    question: str
    answer: str
    path: Literal["matched", "generated", "handover", "refused"]
    article: str | None = None
    similarity: float | None = None
    latency_seconds: float = Field(ge=0)
    input_tokens: int = Field(0, ge=0)
    output_tokens: int = Field(0, ge=0)
    status: int = Field(200, description="HTTP's: 200 whole; 499 the client left before the end; 5xx it failed")


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
    cusum_alarm_at: int | None = Field(None, description="interactions since the day began")
    interactions: int
    drifted: bool
    novel: tuple[str, ...] = Field((), description="ids of interactions, farthest from everything known first")
    report: LakeRef


class TriggerDecision(Record):
    """The pure N-of-M decision whether to retrain."""

    fire: bool
    cause: str = Field(description="stable name of the cause: the run key of the retraining")
    reasons: tuple[str, ...]
    violated: int
    of: int


class KpiValue(Record):
    """A KPI of a day beside its target; value None when nothing was measured."""

    name: str
    value: float | None
    target: float
    met: bool | None


class KpiReport(Record):
    """KPIs of one day."""

    day: date
    interactions: int
    values: tuple[KpiValue, ...]


class CostLine(Record):
    """Money and energy of one release over the ledger's period."""

    release_id: str
    answers: int
    generated: int
    engine_seconds: float
    currency: float
    energy_kwh: float
    co2_grams: float


class CostLedger(Record):
    """Costs per release, with the assumptions behind them."""

    lines: tuple[CostLine, ...]
    assumptions: dict[str, float]
