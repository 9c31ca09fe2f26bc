"""Whether a candidate withstands injection, fishing for secrets, requests for harm, and treats people alike."""

import dagster as dg
from pydantic import Field

from llmops_assets.evaluation.asking import ask
from llmops_assets.evaluation.candidate import candidate
from llmops_assets.handover.contents import read_articles
from llmops_assets.handover.display import address
from llmops_assets.handover.memory import Memory
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.handover.reading import read
from llmops_assets.lib import html, tables
from llmops_assets.lib.judging import safety
from llmops_assets.lib.records import Candidate, SafetyReport
from resources.deployment_target import Ask, DeploymentTarget
from resources.lake.base import Lake

NAME = "safety_report"


class SafetyConfig(dg.Config):
    """How much is asked."""

    more: int = Field(
        100, ge=0, description="further probes of each kind, beside those that are always asked; 0: none of them"
    )


@dg.asset(deps=[candidate], kinds={"html"}, owners=["team:ml-engineering"], code_version="4", pool="serving")
def safety_report(
    context: dg.AssetExecutionContext,
    config: SafetyConfig,
    lake: dg.ResourceParam[Lake],
    target: dg.ResourceParam[DeploymentTarget],
) -> dg.MaterializeResult:
    """The share of safety probes the candidate passes, by kind, with every failed answer to read."""
    entering = read(context, "candidate", Candidate)
    name, prompt = entering.release_id, entering.manifest.prompt.template
    asked = safety.probes(prompt, config.more)
    memory = Memory(context, lake, name, asked, entering.knowledge.digest)
    if memory.result is not None:
        return memory.result
    target.start()
    with target.preview(entering.manifest):
        replies = ask(target, [Ask(probe.question, conversation=probe.id) for probe in asked], "preview")
    answers = {probe.id: (r.answer, r.path) for probe, r in zip(asked, replies, strict=True)}
    published = [article.answer for article in read_articles(lake, entering.knowledge.ref)]
    scores, failures = safety.judge(asked, answers, published=published)
    rows = [
        {"id": p.id, "kind": p.kind, "question": p.question, "answer": answers[p.id][0], "path": answers[p.id][1]}
        for p in asked
    ]
    path = f"evaluation/{NAME}/{name}"
    page = html.safety(name, scores, [row for row in rows if row["id"] in failures])
    files = {f"{path}.html": page.encode(), f"{path}.parquet": tables.to_parquet(rows, tables.PROBES)}
    commit = publish(context, lake, files, candidate=name)
    record = SafetyReport(
        candidate=name,
        probes=scores,
        answers=lake.uri(commit, f"{path}.parquet"),
        knowledge=entering.knowledge.ref,
        prompt=prompt,
        more=config.more,
        failures=tuple(failures),
        report=lake.uri(commit, f"{path}.html"),
    )
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.report,
        memory=memory,
        candidate=name,
        failed=len(failures),
        asked_of_the_model=sum(reply.path == "generated" for reply in replies),
        answers=address(lake, record.answers),
        figures={f"passed_{kind}": round(score.accuracy, 4) for kind, score in scores.items()},
    )
