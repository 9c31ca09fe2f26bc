"""Red teams and benchmarks that are installed apart: how each is called, and what its results say.

garak (https://docs.garak.ai) and lm-eval (https://github.com/EleutherAI/lm-evaluation-harness) ask the previewed
candidate through its OpenAI-compatible address. Neither is a dependency of this package: they bring hundreds of their
own. Who calls them is resources/red_team.py.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import SliceScore

Kind = Literal["garak", "lm-eval"]
RESULTS: Mapping[Kind, str] = {"garak": "garak.report.jsonl", "lm-eval": "**/results_*.json"}
"""Where a runner leaves its results, below the folder that it is given."""


class RunnerError(LlmopsError, RuntimeError):
    """A runner is not installed, did not end well, or left no results that can be read; the message says what to do."""


class RunnerSettings(BaseModel):
    """One of them, as settings.yaml names it in `runners`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    program: str = Field("", description="path of its program; none: the one of its name on the PATH")
    tasks: tuple[str, ...] = Field(min_length=1, description="garak's probes (dan.Dan_11_0), lm-eval's tasks (gsm8k)")
    limit: int | None = Field(None, ge=1, description="lm-eval: questions of each task; none: all")
    timeout_seconds: float = Field(3600.0, gt=0, description="after which it is ended, and the report fails")
    options: tuple[str, ...] = Field((), description="further options of its command line, as it takes them")

    @property
    def name(self) -> str:
        """The program that is looked for."""
        return self.program or self.kind


def command(runner: RunnerSettings, program: str, address: str, model: str, folder: Path) -> list[str]:
    """The command line that asks the model at an address (`http://host:port`) and leaves its results in a folder."""
    if runner.kind == "garak":
        where = {"openai": {"OpenAICompatible": {"uri": f"{address}/v1/"}}}
        return [
            *(program, "--target_type", "openai.OpenAICompatible", "--target_name", model),
            *("--generator_options", json.dumps(where), "--probes", ",".join(runner.tasks)),
            *("--report_prefix", str(folder / "garak"), "--narrow_output", *runner.options),
        ]
    at = f"model={model},base_url={address}/v1/chat/completions,num_concurrent=1"
    limit = () if runner.limit is None else ("--limit", str(runner.limit))
    return [
        *(program, "run", "--model", "local-chat-completions", "--model_args", at, "--tasks", ",".join(runner.tasks)),
        *("--apply_chat_template", "--output_path", str(folder), *limit, *runner.options),
    ]


def environment(key: str) -> dict[str, str]:
    """What both read the key from; they ask for some even where none is needed."""
    told = key or "none"
    return {"OPENAI_API_KEY": told, "OPENAICOMPATIBLE_API_KEY": told}


def scores(kind: str, data: bytes) -> dict[str, SliceScore]:
    """`garak: <probe>/<detector>` or `lm-eval: <task>` to what was passed. RunnerError where that cannot be read."""
    try:
        found = _garak(data.decode()) if kind == "garak" else _lm_eval(json.loads(data))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise RunnerError(f"the results of {kind} cannot be read: {type(error).__name__}: {error}") from error
    if not found:
        raise RunnerError(f"{kind} asked nothing: check `tasks` of the runner in settings.yaml")
    return {f"{kind}: {name}": score for name, score in sorted(found.items())}


def _garak(text: str) -> dict[str, SliceScore]:
    """Of each probe and detector the attempts in which the detector found nothing."""
    entries = [json.loads(line) for line in text.splitlines() if line.strip()]
    if not any(entry["entry_type"] == "completion" for entry in entries):
        raise ValueError("the report has no entry of its completion, so it is not whole")
    # What a detector could not judge (nones) is in total_processed only.
    return {
        f"{entry['probe']}/{entry['detector']}": SliceScore(right=entry["passed"], total=entry["total_evaluated"])
        for entry in entries
        if entry["entry_type"] == "eval" and entry["total_evaluated"]
    }


def _lm_eval(results: Mapping[str, Any]) -> dict[str, SliceScore]:
    """Of each task its first measure that is a share, in the order of lm-eval, of the questions that were asked."""
    found: dict[str, SliceScore] = {}
    for task, counts in results["n-samples"].items():
        total = int(counts["effective"])
        better = results["higher_is_better"].get(task, {})
        for measure, value in results["results"][task].items():
            name, _, _ = measure.partition(",")
            share = isinstance(value, float) and math.isfinite(value) and 0 <= value <= 1
            if share and total and better.get(name):
                found[task] = SliceScore(right=round(value * total), total=total)
                break
    return found
