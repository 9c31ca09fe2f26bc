"""API, own GPU or embedded: compared in money, latency and privacy, with the choice and its reasons."""

import dagster as dg

from llmops_assets.handover.display import bullets
from llmops_assets.handover.publishing import materialized
from llmops_assets.handover.reading import read
from llmops_assets.lib import hosting
from llmops_assets.lib.records import UseCase
from llmops_assets.planning.use_case import use_case


@dg.asset(deps=[use_case], kinds={"python"}, owners=["team:product"], code_version="1")
def hosting_plan(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """The hosting options priced for the expected traffic, the chosen one, and what excludes the others."""
    case = read(context, "use_case", UseCase)
    plan = hosting.plan(case)
    rows = "\n".join(
        f"| {q.option} | {q.currency_per_month:.2f} | {q.replicas} | {q.latency_p95_seconds:g} | "
        f"{'yes' if q.admissible else '; '.join(q.reasons)} |"
        for q in plan.quotes
    )
    head = f"| option | {case.currency} a month | replicas | p95 s | admissible |\n|---|---|---|---|---|\n"
    return materialized(
        context,
        plan,
        chosen=plan.chosen,
        reasons=bullets(plan.reasons),
        quotes=dg.MetadataValue.md(head + rows),
        inputs={"use_case": case.content_hash},
    )
