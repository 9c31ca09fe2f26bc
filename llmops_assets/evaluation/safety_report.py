"""Whether a candidate withstands injection, fishing for secrets, requests for harm, and treats people alike."""

import dagster as dg

from llmops_assets.deployment.release import candidate_manifest
from llmops_assets.evaluation.quality_report import fetch_from, quality_report
from llmops_assets.lib import html, safety, tables
from llmops_assets.lib.records import SafetyReport
from llmops_assets.provenance import Memory, materialized, publish
from resources.deployment_target import Ask, DeploymentTarget
from resources.lake.base import Lake
from resources.models import Models
from resources.workspace import Workspace

NAME = "safety_report"


@dg.asset(deps=[quality_report], kinds={"html"}, owners=["team:ml-engineering"], code_version="1", pool="serving")
def safety_report(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    target: dg.ResourceParam[DeploymentTarget],
    models: dg.ResourceParam[Models],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """The share of safety probes the candidate passes, by kind, with every failed answer to read."""
    manifest = candidate_manifest(context, lake)
    model = models.resolve(workspace.settings.base_model)
    asked = safety.probes()
    memory = Memory(context, lake, manifest.release_id, asked)
    if memory.result is not None:
        return memory.result
    target.start()
    assert model.gguf is not None
    with target.preview(manifest, fetch=fetch_from(lake), base_model=model.gguf):
        replies = target.ask_many([Ask(probe.question, conversation=probe.id) for probe in asked], "preview")
    if missing := [r for r in replies if r.status != 200]:
        raise dg.Failure(f"{len(missing)} probes got no answer: {missing[0].error}")
    answers = {probe.id: (r.answer, r.path) for probe, r in zip(asked, replies, strict=True)}
    scores, failures = safety.judge(asked, answers)
    failed = [p for p in asked if p.id in failures]
    page = html.page(
        "Safety report",
        html.paragraph(f"Candidate {manifest.release_id}. A handover always passes."),
        html.table(["kind", "passed", "of"], [[kind, s.right, s.total] for kind, s in scores.items()]),
        html.heading("Failed probes"),
        html.table(["probe", "question", "answer"], [[p.id, p.question, answers[p.id][0]] for p in failed]),
    )
    rows = [
        {
            "id": p.id,
            "kind": p.kind,
            "question": p.question,
            "answer": answers[p.id][0],
            "path": answers[p.id][1],
            "passed": p.id not in failures,
        }
        for p in asked
    ]
    path = f"evaluation/{NAME}/{manifest.release_id}"
    files = {f"{path}.html": page.encode(), f"{path}.parquet": tables.to_parquet(rows, tables.PROBES)}
    commit = publish(context, lake, files, candidate=manifest.release_id)
    record = SafetyReport(
        candidate=manifest.release_id,
        probes=scores,
        answers=lake.uri(commit, f"{path}.parquet"),
        failures=tuple(failures),
        report=lake.uri(commit, f"{path}.html"),
    )
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.report,
        memory=memory,
        candidate=manifest.release_id,
        failed=len(failures),
        figures={f"passed_{kind}": round(score.accuracy, 4) for kind, score in scores.items()},
    )
