"""The base model's file for the engine: a quantization that costs (almost) nothing on held-out answers."""

from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from llmops_assets.handover.contents import read_rows
from llmops_assets.handover.memory import Memory
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.handover.reading import read
from llmops_assets.lib.hashing import hash_file
from llmops_assets.lib.records import BaseModelRef, EngineModel, FileRef, PromptRef, TrainingSet
from llmops_assets.training.base_model import base_model
from llmops_assets.training.tuning import resolved
from resources.lake.base import Lake
from resources.models import Models, ResolvedModel
from resources.workspace import Workspace

if TYPE_CHECKING:
    from llmops_assets.lib.training.rows import Example

AS_SHIPPED = "as_shipped"
BATCH_TOKENS = 1024
MAX_LENGTH = 512


class QuantizationConfig(dg.Config):
    """Which quantizations are tried, and what they may cost."""

    kinds: list[str] = Field(
        ["Q8_0"],
        description="quantizations by preference: the first within the tolerance is taken, else the file as shipped",
    )
    tolerance: float = Field(1.01, ge=1, description="held-out loss allowed, times that of the file as shipped")
    rows: int = Field(16, ge=1, description="held-out rows measured")


def measured(
    model: ResolvedModel, gguf: Path, kinds: list[str], examples: "list[Example]", scratch: Path
) -> tuple[dict[str, Path], dict[str, float]]:
    """File and held-out loss (mean nats per answer token) of the GGUF as shipped and of every quantization of it."""
    from llmops_assets.lib.training import loop
    from llmops_assets.lib.training.gguf_weights import convert, requantize

    files = {AS_SHIPPED: gguf}
    losses = {AS_SHIPPED: loop.mean_loss(loop.load_model(model.folder), examples, BATCH_TOKENS)}
    for kind in kinds:
        files[kind] = scratch / f"{kind}.gguf"
        requantize(gguf, files[kind], kind)
        folder = scratch / kind
        folder.mkdir()
        convert(files[kind], folder)
        losses[kind] = loop.mean_loss(loop.load_model(folder), examples, BATCH_TOKENS)
    return files, losses


@dg.asset(
    deps=[base_model, "training_dataset", "system_prompt"],
    kinds={"gguf"},
    owners=["team:ml-engineering"],
    code_version="1",
    pool="training",
)
def quantized_model(
    context: dg.AssetExecutionContext,
    config: QuantizationConfig,
    lake: dg.ResourceParam[Lake],
    models: dg.ResourceParam[Models],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """The preferred GGUF of the base model whose loss on held-out rows stays within the tolerance.

    llama.cpp has fast CPU kernels for some quantizations only (Q8_0, Q4_0), so the file as shipped may answer slowly.
    """
    dataset = read(context, "training_dataset", TrainingSet)
    prompt = read(context, "system_prompt", PromptRef)
    base = read(context, "base_model", BaseModelRef)
    memory = Memory(context, lake, config, base.ref.digest, dataset.held_out.digest, prompt.digest)
    if memory.result is not None:
        return memory.result
    model = resolved(models, base)
    if model.gguf is None:
        raise dg.Failure(f"{model.ref.name} has no GGUF file to quantize: give a folder that holds one")
    from llmops_assets.lib.training import rows as row_tools

    rows = read_rows(lake, dataset.held_out.ref)[: config.rows]
    examples, _ = row_tools.encode_rows(row_tools.load_tokenizer(model.folder), prompt.template, rows, MAX_LENGTH)
    with workspace.scratch() as scratch:
        files, losses = measured(model, model.gguf, config.kinds, examples, scratch)
        limit = losses[AS_SHIPPED] * config.tolerance
        chosen = next((kind for kind in config.kinds if losses[kind] <= limit), AS_SHIPPED)
        sizes = {kind: path.stat().st_size for kind, path in files.items()}
        file = None
        if chosen != AS_SHIPPED:
            sha256 = hash_file(files[chosen])
            path = f"engine_models/{sha256[:16]}.gguf"
            commit = publish(context, lake, {path: files[chosen]}, quantization=chosen)
            file = FileRef(ref=lake.uri(commit, path), sha256=sha256, size=sizes[chosen])
    record = EngineModel(kind=chosen, file=file, size=sizes[chosen], losses={k: round(v, 6) for k, v in losses.items()})
    return materialized(
        context,
        record,
        lake=lake,
        ref=file.ref if file else None,
        memory=memory,
        chosen=chosen,
        bytes=dg.MetadataValue.json(sizes),
        losses=dg.MetadataValue.json(record.losses),
    )
