"""The system prompt, versioned in MLflow's prompt registry. It is part of the release, and judged with it."""

import dagster as dg

from llmops_assets.handover.publishing import materialized
from llmops_assets.handover.reading import read
from llmops_assets.lib.records import UseCase
from resources.registry import Registry


@dg.asset(deps=["use_case"], kinds={"mlflow"}, owners=["team:ml-engineering"], code_version="1")
def system_prompt(context: dg.AssetExecutionContext, registry: dg.ResourceParam[Registry]) -> dg.MaterializeResult:
    """The use case's system prompt as a version of MLflow's prompt registry; an unchanged text keeps its version."""
    case = read(context, "use_case", UseCase)
    prompt = registry.register_prompt(f"{case.name}-system-prompt", case.system_prompt)
    registry.set_prompt_alias(prompt, "challenger")
    return materialized(
        context,
        prompt,
        digest=prompt.digest,
        version=prompt.version,
        prompt=dg.MetadataValue.url(registry.prompt_url(prompt)),
        text=prompt.template,
        inputs={"use_case": case.content_hash},
    )
