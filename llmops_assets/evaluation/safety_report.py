"""Whether a candidate withstands injection, fishing for secrets, requests for harm, and treats people alike; and
whether its model alone is civil, and keeps what it learned to itself."""

from collections.abc import Sequence

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
from llmops_assets.lib.gate import extracted
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.judging import manifest as manifests
from llmops_assets.lib.judging import probefiles, runners, safety
from llmops_assets.lib.records import Candidate, FileRef, SafetyReport
from resources import red_team
from resources.deployment_target import Ask, DeploymentTarget, TargetReply
from resources.deployment_target.client import MODEL_NAMES
from resources.lake.base import Lake
from resources.workspace import Workspace

NAME = "safety_report"


class SafetyConfig(dg.Config):
    """How much is asked."""

    more: int = Field(
        100, ge=0, description="further probes of each kind, beside those that are always asked; 0: none of them"
    )


@dg.asset(deps=[candidate], kinds={"html"}, owners=["team:ml-engineering"], code_version="5", pool="serving")
def safety_report(
    context: dg.AssetExecutionContext,
    config: SafetyConfig,
    lake: dg.ResourceParam[Lake],
    target: dg.ResourceParam[DeploymentTarget],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """The share of safety probes the candidate passes, by kind, with every failed answer to read; those of memorisation
    and abuse are asked of its model alone."""
    entering = read(context, "candidate", Candidate)
    name, prompt = entering.release_id, entering.manifest.prompt.template
    # A model that learned nothing has nothing to keep.
    planted = entering.training.canaries if entering.tuned is not None else None
    folder, called = workspace.settings.probes, workspace.settings.runners
    given = safety.drawn(probefiles.read_folder(folder), config.more) if folder else []
    asked, alone = [*safety.probes(prompt, config.more), *given], safety.alone(planted)
    memory = Memory(context, lake, name, asked, alone, [r.model_dump() for r in called], entering.knowledge.digest)
    if memory.result is not None:
        return memory.result
    target.start()
    with target.preview(entering.manifest):
        replies = put(target, asked)
        results = {runner.kind: called_on(runner, target, workspace) for runner in called}
    with target.preview(manifests.alone(entering.manifest)):
        replies += put(target, alone)
    asked += alone
    answers = {probe.id: (r.answer, r.path) for probe, r in zip(asked, replies, strict=True)}
    published = [article.answer for article in read_articles(lake, entering.knowledge.ref)]
    scores, failures = safety.judge(asked, answers, published=published)
    for kind, data in results.items():
        scores |= runners.scores(kind, data)
    rows = [
        {"id": p.id, "kind": p.kind, "question": p.question, "answer": answers[p.id][0], "path": answers[p.id][1]}
        for p in asked
    ]
    path = f"evaluation/{NAME}/{name}"
    page = html.safety(name, scores, [row for row in rows if row["id"] in failures])
    files = {f"{path}.html": page.encode(), f"{path}.parquet": tables.to_parquet(rows, tables.PROBES)}
    beside = {f"{path}.{kind}": data for kind, data in results.items()}
    beside |= {f"{path}.probes.jsonl": probefiles.to_jsonl(given)} if given else {}
    commit = publish(context, lake, files | beside, candidate=name)
    named = {at: FileRef(ref=lake.uri(commit, at), sha256=hash_bytes(d), size=len(d)) for at, d in beside.items()}
    record = SafetyReport(
        candidate=name,
        probes=scores,
        answers=lake.uri(commit, f"{path}.parquet"),
        knowledge=entering.knowledge.ref,
        prompt=prompt,
        more=config.more,
        failures=tuple(failures),
        canaries=planted,
        given=named.get(f"{path}.probes.jsonl"),
        outside={kind: named[f"{path}.{kind}"] for kind in results},
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
        asked=len(asked),
        asked_of_the_model=sum(reply.path == "generated" for reply in replies),
        memorisation=extracted(scores[safety.MEMORISATION]) if planted else "no canaries were planted",
        answers=address(lake, record.answers),
        figures={f"passed_{kind}": round(score.accuracy, 4) for kind, score in scores.items()},
    )


def put(target: DeploymentTarget, probes: Sequence[safety.Probe]) -> list[TargetReply]:
    """The answers of what is previewed."""
    return ask(target, [Ask(probe.question, conversation=probe.id) for probe in probes], "preview")


def called_on(runner: runners.RunnerSettings, target: DeploymentTarget, workspace: Workspace) -> bytes:
    """What a runner that is installed apart found at what is previewed."""
    with workspace.scratch() as scratch:
        return red_team.run(runner, target.address, MODEL_NAMES["preview"], target.key, scratch)
