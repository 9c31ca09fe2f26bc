"""How good a candidate is, asked through a real gateway: per scenario slice, beside the incumbent and its own parts."""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from llmops_assets.data.eval_suite import read_suite
from llmops_assets.deployment.release import candidate_manifest, read_release
from llmops_assets.lib import evalsuite, grading, html, tables
from llmops_assets.lib import manifest as manifests
from llmops_assets.lib.grading import Graded
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import DatasetRef, EvalItem, EvalReport, FileRef, QualityReport, ReleaseManifest
from llmops_assets.provenance import Memory, materialized, publish, read_record, run_tags
from resources.deployment_target import Ask, DeploymentTarget, Which
from resources.lake.base import Lake, NotFoundError
from resources.models import Models, ResolvedModel
from resources.registry import Registry
from resources.workspace import Workspace

NAME = "quality_report"
MAX_UNANSWERED = 0


class EvaluationConfig(dg.Config):
    """How much is asked."""

    ablations: bool = Field(True, description="also evaluate the base model and the parts of the candidate")
    ablation_items_per_slice: int = Field(6, ge=1, description="questions per slice of variants that always generate")


def fetch_from(lake: Lake):
    """A function that writes the bytes of a FileRef to a path."""

    def fetch(file: FileRef, target) -> None:
        import shutil

        with lake.open(file.ref.commit, file.ref.path) as source, target.open("wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)

    return fetch


def ask_items(target: DeploymentTarget, items: Sequence[EvalItem], which: Which) -> list[Graded]:
    """The graded answers of a release; Failure when a question stays unanswered (no score is made up for it)."""
    asks = [Ask(item.question, conversation=item.id) for item in items]
    replies = list(target.ask_many(asks, which))
    # A busy machine may let a request time out that passes when it is asked alone.
    for number, reply in enumerate(replies):
        if reply.status != 200:
            replies[number] = target.ask_many([asks[number]], which)[0]
    missing = [r for r in replies if r.status != 200]
    if missing:
        raise dg.Failure(f"{len(missing)} of {len(items)} questions got no answer: {missing[0].error}")
    return [
        Graded(item, r.answer, r.path, r.article, grading.grade(item, r.answer, r.path, r.article), r.latency_seconds)
        for item, r in zip(items, replies, strict=True)
    ]


def evaluate(
    context: dg.AssetExecutionContext,
    lake: Lake,
    target: DeploymentTarget,
    model: ResolvedModel,
    manifest: ReleaseManifest,
    suite: DatasetRef,
    items: Sequence[EvalItem],
    subject: str,
) -> tuple[EvalReport, list[Graded]]:
    """Ask a manifest the items through a preview beside the live release; answers already in the lake are read back.

    The answers' path names manifest and questions by their hashes, so equal ones are asked only once.
    """
    asked = hash_json([item.id for item in items] + [suite.digest])
    path = f"evaluation/answers/{manifest.release_id}/{asked[:16]}.parquet"
    by_id = {item.id: item for item in items}
    try:
        commit = lake.resolve("main")
        rows = tables.from_parquet(lake.get(commit, path))
        graded = [
            Graded(by_id[r["id"]], r["answer"], r["path"], r["article"] or None, r["right"], r["seconds"]) for r in rows
        ]
        context.log.info("%s: %d answers known", subject, len(graded))
    except NotFoundError:
        assert model.gguf is not None
        with target.preview(manifest, fetch=fetch_from(lake), base_model=model.gguf):
            graded = ask_items(target, items, "preview")
        commit = publish(context, lake, {path: tables.to_parquet(answer_rows(graded), tables.ANSWERS)})
        right = sum(g.right for g in graded)
        context.log.info("%s: %d of %d right", subject, right, len(graded))
    return grading.report(subject, suite, graded, lake.uri(commit, path)), graded


def answer_rows(graded: Sequence[Graded]) -> list[dict]:
    """Graded answers as rows of the ANSWERS table."""
    return [
        {
            "id": g.item.id,
            "slice": g.item.slice,
            "question": g.item.question,
            "reference": g.item.reference,
            "answer": g.answer,
            "path": g.path,
            "article": g.article or "",
            "right": g.right,
            "seconds": g.seconds,
        }
        for g in graded
    ]


@dg.asset(
    deps=["eval_suite", "adapter", "knowledge_index", "quantized_model"],
    kinds={"mlflow", "html"},
    owners=["team:ml-engineering"],
    code_version="1",
    pool="serving",
)
def quality_report(
    context: dg.AssetExecutionContext,
    config: EvaluationConfig,
    lake: dg.ResourceParam[Lake],
    registry: dg.ResourceParam[Registry],
    target: dg.ResourceParam[DeploymentTarget],
    models: dg.ResourceParam[Models],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """Candidate and incumbent on the same held-out questions, and what the base model and each part contribute."""
    suite = read_record(context, "eval_suite", DatasetRef)
    items = read_suite(lake, suite.ref)
    model = models.resolve(workspace.settings.base_model)
    manifest = candidate_manifest(context, lake)
    live = target.start().live
    memory = Memory(context, lake, config, manifest.release_id, suite.digest, live)
    if memory.result is not None:
        return memory.result
    reports: dict[str, EvalReport] = {}
    candidate, graded = evaluate(context, lake, target, model, manifest, suite, items, manifest.release_id)
    reports["candidate"] = candidate
    incumbent = None
    if live is not None:
        serving = read_release(lake, live)
        incumbent, _ = evaluate(context, lake, target, model, serving.manifest, suite, items, live)
        reports["incumbent"] = incumbent
    few = evalsuite.sample(items, config.ablation_items_per_slice)
    variants = manifests.ablations(manifest) if config.ablations else {}
    for name, variant in variants.items():
        # Where every answer is generated a sample says enough.
        asked = items if variant.router == manifest.router else few
        reports[name], _ = evaluate(context, lake, target, model, variant, suite, asked, name)
    page = html.quality(reports, [g for g in graded if not g.right][:60])
    path = f"evaluation/{NAME}/{manifest.release_id}.html"
    commit = publish(context, lake, {path: page.encode()}, candidate=manifest.release_id)
    record = QualityReport(
        candidate=candidate,
        incumbent=incumbent,
        ablations={name: reports[name] for name in variants},
        report=lake.uri(commit, path),
    )
    with registry.run(NAME, run_tags(context, release=manifest.release_id)) as run:
        run.log_dataset(suite, "evaluation")
        run.log(
            params={"candidate": manifest.release_id, "incumbent": live or ""},
            metrics={f"{name}_accuracy": report.overall.accuracy for name, report in reports.items()}
            | {f"slice_{name}": score.accuracy for name, score in candidate.slices.items()},
        )
    return materialized(
        context,
        record,
        lake=lake,
        ref=record.report,
        memory=memory,
        mlflow_run=dg.MetadataValue.url(run.url),
        candidate=manifest.release_id,
        incumbent=live or "",
        figures={f"{name}_accuracy": round(report.overall.accuracy, 4) for name, report in reports.items()},
        inputs={"eval_suite": suite.ref, "manifest": manifest.content_hash},
    )
