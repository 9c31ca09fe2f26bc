"""The base model's file for the engine: a quantization that costs (almost) nothing on held-out answers."""

import dagster as dg
from pydantic import Field

from llmops_assets.lib import tables
from llmops_assets.lib.hashing import hash_file
from llmops_assets.lib.records import EngineModel, FileRef, PromptRef, TrainingSet
from llmops_assets.provenance import Memory, materialized, publish, read_record
from resources.lake.base import Lake
from resources.models import Models
from resources.workspace import Workspace

NAME = "quantized_model"
AS_SHIPPED = "as_shipped"


class QuantizationConfig(dg.Config):
    """Which quantizations are tried, and what they may cost."""

    kinds: list[str] = Field(
        ["Q8_0"],
        description="quantizations by preference: the first within the tolerance is taken, else the file as shipped",
    )
    tolerance: float = Field(1.01, ge=1, description="held-out loss allowed, times that of the file as shipped")
    rows: int = Field(16, ge=1, description="held-out rows measured")


@dg.asset(
    deps=["base_model", "training_dataset", "system_prompt"],
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
    from llmops_assets.lib.training import loop
    from llmops_assets.lib.training import rows as row_tools
    from llmops_assets.lib.training.gguf_weights import convert, requantize

    dataset = read_record(context, "training_dataset", TrainingSet)
    prompt = read_record(context, "system_prompt", PromptRef)
    model = models.resolve(workspace.settings.base_model)
    if model.gguf is None:
        raise dg.Failure(f"{model.ref.name} has no GGUF file to quantize: give a folder that holds one")
    memory = Memory(context, lake, config, model.ref.digest, dataset.held_out.digest, prompt.digest)
    if memory.result is not None:
        return memory.result
    tokenizer = row_tools.load_tokenizer(model.folder)
    rows = tables.from_parquet(lake.read(dataset.held_out.ref))[: config.rows]
    examples, _ = row_tools.encode_rows(tokenizer, prompt.template, rows, 512)
    with workspace.scratch() as scratch:
        files = {AS_SHIPPED: model.gguf}
        losses = {AS_SHIPPED: loop.mean_loss(loop.load_model(model.folder), examples, 1024)}
        for kind in config.kinds:
            files[kind] = scratch / f"{kind}.gguf"
            requantize(model.gguf, files[kind], kind)
            folder = scratch / kind
            folder.mkdir()
            convert(files[kind], folder)
            losses[kind] = loop.mean_loss(loop.load_model(folder), examples, 1024)
            context.log.info("%s: %d bytes, loss %.4f", kind, files[kind].stat().st_size, losses[kind])
        limit = losses[AS_SHIPPED] * config.tolerance
        chosen = next((kind for kind in config.kinds if losses[kind] <= limit), AS_SHIPPED)
        size = files[chosen].stat().st_size
        file = None
        if chosen != AS_SHIPPED:
            sha256 = hash_file(files[chosen])
            path = f"engine_models/{sha256[:16]}.gguf"
            commit = publish(context, lake, {path: files[chosen]}, quantization=chosen)
            file = FileRef(ref=lake.uri(commit, path), sha256=sha256, size=size)
        sizes = {kind: files[kind].stat().st_size for kind in files}
    record = EngineModel(kind=chosen, file=file, size=size, losses={k: round(v, 6) for k, v in losses.items()})
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
