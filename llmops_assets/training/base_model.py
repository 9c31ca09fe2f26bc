"""The pretrained model everything starts from, as local files with one hash over the weights."""

import dagster as dg

from llmops_assets.handover.publishing import materialized
from llmops_assets.handover.reading import read
from llmops_assets.lib.records import BaseModelRef, HostingPlan
from resources.models import Models
from resources.workspace import Workspace


@dg.asset(deps=["hosting_plan"], kinds={"huggingface"}, owners=["team:ml-engineering"], code_version="2")
def base_model(
    context: dg.AssetExecutionContext, models: dg.ResourceParam[Models], workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult:
    """The base model, resolved to files and a content hash; GGUF weights are converted once and cached."""
    plan = read(context, "hosting_plan", HostingPlan)
    source = workspace.settings.base_model
    resolved = models.resolve(source)
    return materialized(
        context,
        BaseModelRef(ref=resolved.ref, source=source),
        digest=resolved.ref.digest,
        parameters=resolved.ref.parameters,
        license=resolved.ref.license,
        hosted_as=plan.chosen,
        served_from=resolved.gguf.name if resolved.gguf else "no GGUF file: cannot be served by the embedded engine",
    )
