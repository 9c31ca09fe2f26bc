"""Goals, KPIs and policies of the assistant, validated. Everything else in the graph follows from here."""

import dagster as dg

from llmops_assets.handover.publishing import materialized
from resources.use_case import UseCaseFiles


@dg.asset(kinds={"yaml"}, owners=["team:product"], code_version="1")
def use_case(context: dg.AssetExecutionContext, use_case: dg.ResourceParam[UseCaseFiles]) -> dg.MaterializeResult:
    """The use case: goal, KPIs with targets, hosting needs, gate and drift policies of one assistant."""
    record = use_case.read()
    kpis = "\n".join(f"- **{k.name}** {k.direction.replace('_', ' ')} {k.target:g} {k.unit}" for k in record.kpis)
    return materialized(context, record, goal=record.goal, kpis=dg.MetadataValue.md(kpis))
