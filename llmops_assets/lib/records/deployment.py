"""Hand-overs of candidate, release and deployment: the manifest and what surrounds it."""

from datetime import datetime
from typing import Literal

from pydantic import AliasChoices, Field

from llmops_assets.lib.hashing import canonical_json, hash_json
from llmops_assets.lib.records.base import Growing, LakeRef, Record, later
from llmops_assets.lib.records.data import DatasetRef, TrainingSet
from llmops_assets.lib.records.evaluation import Approval
from llmops_assets.lib.records.guards import GuardPolicy
from llmops_assets.lib.records.rollouts import Rollout
from llmops_assets.lib.records.training import FileRef, ModelRef, PromptRef, TunedModel

AiNotice = Literal["first_answer", "client"]
"""Who tells people that they talk to a machine (EU AI Act, Article 50): the first answer of a conversation, or the
client, which finds the text in `llmops.notice`."""


class RouterPolicy(Growing):
    """Thresholds on the cosine similarity (0 to 1) between a question and the nearest known one."""

    answer_above: float = Field(description="at or above: return the known answer")
    hand_over_below: float = Field(description="below: hand over to a person")
    margin: float = Field(0.0, ge=0, description="lead over the next article that a direct answer needs")
    passages: int = Field(3, ge=0, description="retrieved passages in the prompt when generating; 0 = none")
    retrieval: bool = Field(True, description="False: no index at all, the bare model answers everything")
    grounded_above: float = later(
        0.0, ge=0, le=1, description="share of a generated answer's words that the articles must hold; 0: any answer"
    )


class GenerationSettings(Growing):
    """Decoding. Greedy by default, so that the same release gives the same answer."""

    max_tokens: int = Field(64, ge=1)
    temperature: float = Field(0.0, ge=0)
    repetition_penalty: float = Field(1.05, gt=0)
    history_tokens: int = later(256, ge=0, description="of the turns before a follow-up, the newest; 0: none are read")


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
    language: str = later("", description="the language of its answers, ISO 639-1; none: nobody said, any is read")
    replies: dict[str, dict[str, str]] = later(
        {}, description="language to what is said (greeting, thanks, own_case …) to its text, before the built-in one"
    )
    ai_notice: AiNotice = later("client")
    guards: GuardPolicy | None = later(None, description="none: made before there were guards, or without them")
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
    approval: Approval | None = later(None, description="whose word let it pass; none: the gate did by itself")


Stage = Literal["shadow", "canary", "live", "rolled_back"]


class Deployment(Record):
    """A release on a target, with its rollout stage and what was checked on the way."""

    release_id: str
    stage: Stage
    target: str
    address: str
    previous: str | None
    rolled_back_from: str | None = later(None, description="the release that was taken back; None: a rollout")
    rollout: Rollout | None = later(None, description="the candidate beside it, or the way that it came; none: at once")
    checks: dict[str, float] = Field({})
    applied_at: datetime
