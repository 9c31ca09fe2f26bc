"""How vLLM is started, as an installation configures it: data, read from settings.yaml and handed on as JSON."""

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from llmops_assets.gateway.engine import CONTEXT

OURS = (
    *("--host", "--port", "--api-key", "--model", "--served-model-name", "--lora-modules", "--enable-lora"),
    *("--no-enable-lora", "--max-loras", "--max-cpu-loras", "--max-lora-rank", "--max-model-len", "--max-num-seqs"),
    *("--dtype", "--generation-config", "--enable-log-requests"),
)
"""Arguments of `vllm serve` that the gateway gives itself, or that would write customers' questions into a log."""
TAKEN = re.compile(r"PYTHON\w*|VIRTUAL_ENV|VLLM_(API_KEY|PLUGINS|LORA_RESOLVER_\w+|ALLOW_RUNTIME_LORA_UPDATING)")
"""Variables of its environment that are the gateway's to say."""
Rank = Literal[1, 8, 16, 32, 64, 128, 256, 320, 512]


class VLLMSettings(BaseModel):
    """`vllm` in settings.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    command: Path = Field(description="the program `vllm`, in an environment of its own: /srv/vllm/bin/vllm")
    context: int = Field(CONTEXT, ge=256, description="tokens of prompt and answer together")
    slots: int = Field(8, ge=1, le=4096, description="answers that are written at the same time")
    adapters: int = Field(4, ge=1, le=256, description="releases that are written for at the same time")
    rank: Rank = Field(16, description="the highest rank that an adapter may have")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field("auto", description="of weights and arithmetic")
    arguments: tuple[str, ...] = Field((), description="further arguments of `vllm serve`, such as --enforce-eager")
    environment: dict[str, str] = Field({}, description="variables, such as VLLM_CPU_KVCACHE_SPACE: '1'")
    start_seconds: float = Field(600.0, gt=0, le=7200, description="to its first answer; GPUs compile at a first start")

    @field_validator("command")
    @classmethod
    def _is_absolute(cls, command: Path) -> Path:
        if not command.is_absolute():
            raise ValueError("give the whole path of the program, such as /srv/vllm/bin/vllm")
        return command

    @field_validator("arguments")
    @classmethod
    def _are_none_of_ours(cls, arguments: tuple[str, ...]) -> tuple[str, ...]:
        names = {argument.partition("=")[0].replace("_", "-") for argument in arguments if argument.startswith("-")}
        if taken := sorted(names & set(OURS)):
            raise ValueError(f"{taken[0]} is the gateway's to say: leave it out")
        return arguments

    @field_validator("environment")
    @classmethod
    def _is_no_variable_of_ours(cls, environment: dict[str, str]) -> dict[str, str]:
        if taken := sorted(name for name in environment if TAKEN.fullmatch(name)):
            raise ValueError(f"{taken[0]} is the gateway's to say: leave it out")
        return environment
