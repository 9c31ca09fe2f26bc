"""The rollout: verify the gate's evidence again, canary, check what is served, then live for everybody, at once or by
the use case's steps (staged.py); and the way back. Each of them is a materialization, so that everything after it
follows what serves."""

import contextlib
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import dagster as dg
from pydantic import Field

from llmops_assets.deployment import staged
from llmops_assets.deployment.release import release
from llmops_assets.evaluation import evidence
from llmops_assets.evaluation.asking import ask_items
from llmops_assets.handover import serving
from llmops_assets.handover.contents import read_suite
from llmops_assets.handover.memory import Memory
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.handover.reading import read
from llmops_assets.lib import evalsuite, signing
from llmops_assets.lib.judging import approvals
from llmops_assets.lib.records import (
    Deployment,
    GateDecision,
    QualityReport,
    Release,
    Rollout,
    RolloutDecision,
    UseCase,
)
from llmops_assets.lib.statistics import mcnemar_exact
from resources.deployment_target import DeploymentTarget, ReleaseRefusedError, TargetStatus
from resources.interaction_log import InstalledLog
from resources.lake.base import Lake, NotFoundError
from resources.registry import Registry

ALPHA = 0.05


class RolloutConfig(dg.Config):
    """How careful the rollout is, that it is a way back, or what is to be done about the one under way."""

    canary_share: float = Field(
        0.1, gt=0, le=1, description="share of conversations that the canary answers while it is checked"
    )
    canary_items_per_slice: int = Field(6, ge=1, description="held-out questions asked to the served canary, per slice")
    roll_back: bool = Field(False, description="serve an earlier release again instead of rolling one out")
    roll_back_to: str = Field("", description="which release; none: the one before")
    roll_back_from: str = Field("", description="only while this release serves; none: whichever does")
    again: bool = Field(False, description="roll out a release although it was withdrawn from its rollout before")
    action: str = Field("", description="of the rollout under way: advance, withdraw, hold, resume; none: begin one")
    generation: int = Field(-1, ge=-1, description="of what is served when that was decided; -1: whichever is")
    reason: str = Field("", description="why; it stands in the audit log")
    name: str = Field("", description="the person who says so; none: it follows from the decision")
    decision: str = Field("", description="JSON of the decision: what was measured")

    def word(self) -> staged.Word:
        """What is to be done about the rollout under way."""
        decided = RolloutDecision.model_validate_json(self.decision) if self.decision else None
        return staged.Word(self.action, self.generation, self.reason, self.name, decided)


@dg.asset(
    deps=["use_case", release],
    kinds={"llamacpp", "http"},
    owners=["team:operations"],
    code_version="4",
    pool="serving",
)
def deployment(
    context: dg.AssetExecutionContext,
    config: RolloutConfig,
    lake: dg.ResourceParam[Lake],
    registry: dg.ResourceParam[Registry],
    target: dg.ResourceParam[DeploymentTarget],
    interaction_log: dg.ResourceParam[InstalledLog],
) -> dg.MaterializeResult:
    """The release on its target. A canary that answers worse than it was judged is withdrawn; the incumbent stays.

    Where the use case has steps, it begins with the first one beside the incumbent, which still is what serves.
    """
    live = serving.find(context, lake)
    if config.roll_back:
        with refusals_told(interaction_log):
            return rolled_back(context, config, lake, registry, target, live)
    if config.action:
        with refusals_told(interaction_log):
            return gone_on(context, config, lake, registry, target, interaction_log, live)
    record, status, case = read(context, "release", Release), target.start(), read(context, "use_case", UseCase)
    insist_agreement(status, live)
    staged.insist_free(live, record.release_id)
    incumbent = live.release.release_id if live else None
    # What is live already was judged against the release that it replaced.
    serves = incumbent == record.release_id
    judged_against = record.incumbent if serves else incumbent

    def allowed(decision: GateDecision) -> None:
        insist_allowed(decision, record, interaction_log, None if serves else datetime.now(UTC))

    report = evidence.verified(lake, record, case, judged_against, allowed)
    memory = Memory(context, lake, record.manifest.content_hash)
    if memory.result is not None and status.live == record.release_id:
        return memory.result
    running = staged.under_way(live)
    if live is not None and running is not None and status.canary == record.release_id:
        checks = live.deployment.checks
        return deployed(context, lake, registry, target, live.release, status, before=live, checks=checks, way=running)
    # The first release has nobody beside it, and what serves already needs no steps.
    by_steps = case.rollout.staged and live is not None and not serves
    if by_steps and not config.again:
        staged.insist_not_withdrawn(lake, record.release_id)
    share = case.rollout.steps[0] if by_steps else config.canary_share
    try:
        with refusals_told(interaction_log):
            now = target.apply(record.manifest, "canary", share=share)
            checks = served_accuracy(lake, target, report, record, config.canary_items_per_slice)
            insist_as_judged(record.release_id, checks)
            if live is not None and by_steps:
                way = staged.begun(record, live.release.release_id, case.rollout, target)
                return deployed(context, lake, registry, target, live.release, now, before=live, checks=checks, way=way)
            now = target.apply(record.manifest, "live")
    except BaseException:
        # A rollout that was interrupted or not promoted leaves no canary behind, either.
        target.abort_canary()
        raise
    return deployed(context, lake, registry, target, record, now, before=live, checks=checks, memory=memory)


@contextlib.contextmanager
def refusals_told(log: InstalledLog) -> Generator[None]:
    """A release that is not what was signed fails the run, with the file's name, and stands in the audit log."""
    try:
        yield
    except ReleaseRefusedError as error:
        log.audit(signing.REFUSED, signing.refusal(error.refusal))
        raise dg.Failure(
            f"{error}; what served before serves on",
            metadata={"release": error.refusal.release, "file": error.refusal.file},
            allow_retries=False,
        ) from error


def insist_allowed(decision: GateDecision, record: Release, log: InstalledLog, now: datetime | None) -> None:
    """GateError unless the gate, or a person whose word is in the audit log and still good, let the release pass."""
    approvals.insist(decision, record.approval, now)
    if record.approval is not None:
        found = log.audit_entry(record.approval.entry)
        approvals.insist_recorded(record.approval, found, log.broken_audit_entry())


def insist_agreement(status: TargetStatus, live: serving.Serving | None) -> None:
    """Failure when the target serves something else than the last deployment recorded; an empty target is none."""
    recorded = live.release.release_id if live else None
    if status.live not in (None, recorded):
        raise dg.Failure(
            f"the target serves {status.live}, but {recorded or 'nothing'} was deployed last: run the job roll_back "
            f"with roll_back_to: {recorded or '<a release>'}, or empty the target",
            allow_retries=False,
        )


def insist_as_judged(release_id: str, checks: dict[str, float]) -> None:
    """Failure when the canary answers significantly worse than the release was judged."""
    if checks["p_value"] < ALPHA and checks["lost"] > checks["won"]:
        raise dg.Failure(
            f"{release_id} answers {checks['served_accuracy']:.2f} as canary, but {checks['judged_accuracy']:.2f} when "
            "it was judged: withdrawn, the incumbent serves on",
            allow_retries=False,
        )


def gone_on(
    context: dg.AssetExecutionContext,
    config: RolloutConfig,
    lake: Lake,
    registry: Registry,
    target: DeploymentTarget,
    log: InstalledLog,
    live: serving.Serving | None,
) -> dg.MaterializeResult:
    """The rollout under way after what a decision or a person says: a step further, taken back, held, resumed."""
    running, status = staged.under_way(live), target.start()
    if live is None or running is None:
        raise dg.Failure("no rollout is under way", allow_retries=False)
    candidate = serving.published(lake, running.release_id)
    try:
        way = staged.carried_out(running, config.word(), target, log, candidate)
    except staged.RolloutError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    now, serves = target.status(), candidate if way.state == "live" else live.release
    context.log.info(f"{running.release_id}: {way.state}, {way.share:.0%} of conversations ({status.address})")
    checks = live.deployment.checks
    return deployed(context, lake, registry, target, serves, now, before=live, checks=checks, way=way)


def rolled_back(
    context: dg.AssetExecutionContext,
    config: RolloutConfig,
    lake: Lake,
    registry: Registry,
    target: DeploymentTarget,
    live: serving.Serving | None,
) -> dg.MaterializeResult:
    """Serve any earlier release again: it was judged and released before, so that nothing but its signature, with the
    hashes of its files, is asked of it anew."""
    serves = live.release.release_id if live else None
    if config.roll_back_from and config.roll_back_from != serves:
        raise dg.Failure(f"{config.roll_back_from} was to be taken back, but {serves} serves now", allow_retries=False)
    wanted = config.roll_back_to or target.routed().previous
    if wanted is None:
        raise dg.Failure(
            "there is no previous release to roll back to: `llmops releases list` shows what was released",
            allow_retries=False,
        )
    try:
        record = serving.published(lake, wanted)
    except NotFoundError:
        # The target may hold its files nevertheless: it was previewed, and never released.
        raise dg.Failure(f"{wanted} was never released: name a release that was", allow_retries=False) from None
    now = target.rollback(wanted)
    if now.canary is not None:
        # It served already, and a rollout beside it ends with this all the same.
        now = target.abort_canary()
    withdrawn = serves if serves != wanted else None
    why = {"rolled_back_because": config.reason} if config.reason else {}
    return deployed(context, lake, registry, target, record, now, before=live, withdrawn=withdrawn, told=why)


def deployed(
    context: dg.AssetExecutionContext,
    lake: Lake,
    registry: Registry,
    target: DeploymentTarget,
    release: Release,
    now: TargetStatus,
    *,
    before: serving.Serving | None,
    checks: dict[str, float] | None = None,
    withdrawn: str | None = None,
    memory: Memory | None = None,
    way: Rollout | None = None,
    told: Mapping[str, str] = MappingProxyType({}),
) -> dg.MaterializeResult:
    """Record what serves now, and point the registry's `champion` at its model and prompt; `way` is how the rollout
    beside it stands, or the one by which it came."""
    crown(registry, before.release if before else None, release)
    record = Deployment(
        release_id=release.release_id,
        stage="live",
        target=target.name,
        address=now.address,
        previous=now.previous,
        rolled_back_from=withdrawn,
        rollout=way,
        checks=checks or {},
        applied_at=datetime.now(UTC),
    )
    path = f"deployments/{record.applied_at:%Y%m%dT%H%M%S}-{record.release_id}.json"
    files = {path: record.model_dump_json().encode()}
    if way is not None:
        files[f"{serving.folder_of(way.release_id)}/{staged.FILE}"] = way.model_dump_json().encode()
    commit = publish(context, lake, files, release=record.release_id)
    return materialized(
        context,
        record,
        lake=lake,
        ref=lake.uri(commit, path),
        digest=release.manifest.content_hash,
        memory=memory,
        release_id=record.release_id,
        address=dg.MetadataValue.url(now.address),
        previous=now.previous or "",
        findings=list(release.training.findings) if release.training else [],
        rolled_back_from=withdrawn or "",
        figures={**record.checks, **staged.shown(way), **told},
        inputs={"release": release.manifest_ref, "gate": release.gate},
    )


def crown(registry: Registry, before: Release | None, now: Release) -> None:
    """Point the alias `champion` at the model and prompt of the release that serves, and at no other model."""
    if now.tuned is not None:
        registry.set_alias(now.tuned.name, "champion", now.tuned.model_version)
    if before is not None and before.tuned is not None and (now.tuned is None or now.tuned.name != before.tuned.name):
        registry.drop_alias(before.tuned.name, "champion")
    registry.set_prompt_alias(now.manifest.prompt, "champion")


def served_accuracy(
    lake: Lake, target: DeploymentTarget, report: QualityReport, record: Release, per_slice: int
) -> dict[str, float]:
    """The canary's answers against the judged ones on the same questions, with the paired test's p."""
    items = evalsuite.sample(read_suite(lake, report.candidate.suite.ref), per_slice)
    judged = evidence.outcomes(lake, report.candidate)
    graded = ask_items(target, items, "canary")
    if wrong := {g.item.id for g in graded} - judged.keys():
        raise dg.Failure(f"{len(wrong)} questions were not judged before {record.release_id} was released")
    pairs = [(g.outcome, judged[g.item.id][1]) for g in graded]
    won, lost = pairs.count((True, False)), pairs.count((False, True))
    return {
        "served_accuracy": round(sum(g.right for g in graded) / len(graded), 4),
        "judged_accuracy": round(sum(before is True for _, before in pairs) / len(graded), 4),
        "won": float(won),
        "lost": float(lost),
        "p_value": round(mcnemar_exact(won, lost), 6),
        "questions": float(len(graded)),
    }
