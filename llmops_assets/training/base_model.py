"""The pretrained model everything starts from, as local files with one hash over the weights."""

import dagster as dg

from llmops_assets.provenance import materialized
from resources.models import Models
from resources.workspace import Workspace


@dg.asset(deps=["hosting_plan"], kinds={"huggingface"}, owners=["team:ml-engineering"], code_version="1")
def base_model(
    context: dg.AssetExecutionContext, models: dg.ResourceParam[Models], workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult:
    """The base model, resolved to files and a content hash; GGUF weights are converted once and cached."""
    resolved = models.resolve(workspace.settings.base_model)
    return materialized(
        context,
        resolved.ref,
        digest=resolved.ref.digest,
        parameters=resolved.ref.parameters,
        license=resolved.ref.license,
        served_from=resolved.gguf.name if resolved.gguf else "no GGUF file: cannot be served by the embedded engine",
    )
