"""The staged rollout: verify the gate's evidence again, canary, check what is served, then live for everybody."""

from datetime import UTC, datetime

import dagster as dg
from pydantic import Field

from llmops_assets.data.eval_suite import read_suite
from llmops_assets.deployment.release import read_release, release
from llmops_assets.evaluation.gate import decide
from llmops_assets.evaluation.quality_report import ask_items, fetch_from
from llmops_assets.lib import evalsuite
from llmops_assets.lib import gate as gates
from llmops_assets.lib.records import Deployment, GateDecision, LakeRef, QualityReport, Release, SafetyReport, UseCase
from llmops_assets.lib.statistics import mcnemar_exact
from llmops_assets.provenance import find_record, materialized, publish, read_record
from resources.deployment_target import DeploymentTarget
from resources.lake.base import Lake
from resources.models import Models
from resources.registry import Registry
from resources.workspace import Workspace

NAME = "deployment"
ALPHA = 0.05


class RolloutConfig(dg.Config):
    """How careful the rollout is."""

    canary_share: float = Field(0.1, gt=0, le=1, description="share of conversations that the canary answers")
    canary_items_per_slice: int = Field(6, ge=1, description="held-out questions asked to the served canary, per slice")


def verified(lake: Lake, record: Release, case: UseCase, incumbent: str | None) -> QualityReport:
    """The quality report behind a release, after the gate's decision was computed from its answers once more.

    GateError when the decision is missing, was changed, or is about another candidate or incumbent.
    """
    report = QualityReport.model_validate_json(lake.read(record.gate))
    folder = record.gate.path.removesuffix("report.json")
    decision = GateDecision.model_validate_json(lake.get(record.gate.commit, f"{folder}decision.json"))
    probes = SafetyReport.model_validate_json(lake.get(record.gate.commit, f"{folder}safety.json"))
    gates.verify(decision, decide(lake, report, probes, case), record.release_id, incumbent)
    return report


@dg.asset(
    deps=[release],
    kinds={"llamacpp", "http"},
    owners=["team:operations"],
    code_version="1",
    pool="serving",
)
def deployment(
    context: dg.AssetExecutionContext,
    config: RolloutConfig,
    lake: dg.ResourceParam[Lake],
    registry: dg.ResourceParam[Registry],
    target: dg.ResourceParam[DeploymentTarget],
    models: dg.ResourceParam[Models],
    workspace: dg.ResourceParam[Workspace],
) -> dg.MaterializeResult:
    """The release on its target. A canary that answers worse than it was judged is withdrawn; the incumbent stays."""
    record = read_record(context, "release", Release)
    case = read_record(context, "use_case", UseCase)
    status = target.start()
    incumbent = status.live if status.live != record.release_id else read_release(lake, record.release_id).incumbent
    report = verified(lake, record, case, incumbent)
    last = find_record(context, NAME, Deployment)
    if last is not None and last.release_id == status.live == record.release_id:
        context.log.info("%s is live already: nothing is rolled out", record.release_id)
        address = dg.MetadataValue.url(status.address)
        digest = record.manifest.content_hash
        return materialized(context, last, digest=digest, release_id=record.release_id, address=address, unchanged=True)
    model = models.resolve(workspace.settings.base_model)
    assert model.gguf is not None
    target.apply(record.manifest, "canary", fetch=fetch_from(lake), base_model=model.gguf, share=config.canary_share)
    try:
        checks = served_accuracy(lake, target, report, record, config.canary_items_per_slice)
    except BaseException:
        target.abort_canary()
        raise
    if checks["p_value"] < ALPHA and checks["lost"] > checks["won"]:
        target.abort_canary()
        raise dg.Failure(
            f"{record.release_id} answers {checks['served_accuracy']:.2f} as canary, but "
            f"{checks['judged_accuracy']:.2f} when it was judged: withdrawn, the incumbent serves on",
            allow_retries=False,
        )
    now = target.apply(record.manifest, "live", fetch=fetch_from(lake), base_model=model.gguf)
    adapter = record.adapter
    if adapter is not None:
        registry.set_alias(adapter.name, "champion", adapter.model_version)
        registry.set_prompt_alias(record.manifest.prompt, "champion")
    deployed = Deployment(
        release_id=record.release_id,
        stage="live",
        target=target.name,
        address=now.address,
        previous=now.previous,
        checks=checks,
        applied_at=datetime.now(UTC),
    )
    path = f"deployments/{deployed.applied_at:%Y%m%dT%H%M%S}-{record.release_id}.json"
    commit = publish(context, lake, {path: deployed.model_dump_json().encode()}, release_id=record.release_id)
    ref: LakeRef = lake.uri(commit, path)
    return materialized(
        context,
        deployed,
        lake=lake,
        ref=ref,
        digest=record.manifest.content_hash,
        release_id=record.release_id,
        address=dg.MetadataValue.url(now.address),
        previous=now.previous or "",
        figures=checks,
        inputs={"release": record.manifest_ref, "gate": record.gate},
    )


def served_accuracy(
    lake: Lake, target: DeploymentTarget, report: QualityReport, record: Release, per_slice: int
) -> dict[str, float]:
    """The canary's answers against the judged ones on the same questions, with the paired test's p."""
    from llmops_assets.evaluation.gate import outcomes

    items = evalsuite.sample(read_suite(lake, report.candidate.suite.ref), per_slice)
    judged = outcomes(lake, report.candidate)
    graded = ask_items(target, items, "canary")
    if wrong := {g.item.id for g in graded} - judged.keys():
        raise dg.Failure(f"{len(wrong)} questions were not judged before {record.release_id} was released")
    won = sum(g.right and not judged[g.item.id][1] for g in graded)
    lost = sum(judged[g.item.id][1] and not g.right for g in graded)
    return {
        "served_accuracy": round(sum(g.right for g in graded) / len(graded), 4),
        "judged_accuracy": round(sum(judged[g.item.id][1] for g in graded) / len(graded), 4),
        "won": float(won),
        "lost": float(lost),
        "p_value": round(mcnemar_exact(won, lost), 6),
        "questions": float(len(graded)),
    }
