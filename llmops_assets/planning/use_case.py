"""Goals, KPIs and policies of the assistant, validated. Everything else in the graph follows from here."""

import dagster as dg

from llmops_assets.lib.records import UseCase
from llmops_assets.provenance import materialized
from resources.workspace import Workspace


@dg.asset(kinds={"yaml"}, owners=["team:product"], code_version="1")
def use_case(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    """The use case: goal, KPIs with targets, hosting needs, gate and drift policies of one assistant."""
    record: UseCase = workspace.use_case()
    kpis = "\n".join(f"- **{k.name}** {k.direction.replace('_', ' ')} {k.target:g} {k.unit}" for k in record.kpis)
    return materialized(context, record, goal=record.goal, kpis=dg.MetadataValue.md(kpis))
