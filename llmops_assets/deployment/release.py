"""The atomic tuple that is served, named by the hash of its manifest; made only of what the gate has judged."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from llmops_assets.data.knowledge_base import read_articles
from llmops_assets.deployment.knowledge_index import knowledge_index
from llmops_assets.deployment.quantized_model import quantized_model
from llmops_assets.lib import manifest as manifests
from llmops_assets.lib import purposes
from llmops_assets.lib.hashing import canonical_json
from llmops_assets.lib.records import (
    AdapterRef,
    EngineModel,
    FileRef,
    GateDecision,
    KnowledgeIndexRef,
    PromptRef,
    Release,
    ReleaseManifest,
    TrainingSet,
    UseCase,
)
from llmops_assets.provenance import Context, find_record, materialized, publish, read_record
from resources.lake.base import Lake

NAME = "release"
PURPOSE = "support"


def candidate_manifest(context: Context, lake: Lake) -> ReleaseManifest:
    """The manifest of what is materialized now: adapter, prompt, index, engine model, thresholds and settings."""
    tuned = read_record(context, "adapter", AdapterRef)
    index = read_record(context, "knowledge_index", KnowledgeIndexRef)
    path = f"{tuned.ref.path}/adapter.gguf"
    stat = lake.stat(tuned.ref.commit, path)
    return manifests.assemble(
        read_record(context, "use_case", UseCase),
        tuned,
        FileRef(ref=lake.uri(tuned.ref.commit, path), sha256=stat.sha256, size=stat.size),
        read_record(context, "system_prompt", PromptRef),
        index,
        find_record(context, "quantized_model", EngineModel),
        manifests.generation_settings(read_articles(lake, index.knowledge.ref)),
    )


def read_release(lake: Lake, release_id: str) -> Release:
    """A published release. NotFoundError when there is none of that name."""
    return Release.model_validate_json(lake.get("main", f"releases/{release_id}/release.json"))


@dg.asset(
    deps=["gate", "adapter", knowledge_index, quantized_model, "system_prompt"],
    kinds={"json"},
    owners=["team:operations"],
    code_version="2",
    check_specs=[
        dg.AssetCheckSpec(
            "every_row_allows_serving",
            asset=NAME,
            blocking=True,
            description="No row that the adapter learned from speaks against using it for support today.",
        ),
    ],
)
def release(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """The release: its manifest in the lake, with the gate's evidence. Refused when the gate judged something else."""
    decision = read_record(context, "gate", GateDecision)
    manifest = candidate_manifest(context, lake)
    if not decision.passed:
        raise dg.Failure(f"the gate stopped {decision.candidate}: {'; '.join(decision.reasons)}", allow_retries=False)
    if decision.candidate != manifest.release_id:
        raise dg.Failure(
            f"the gate judged {decision.candidate}, but what is materialized now is {manifest.release_id}: "
            "materialize quality_report and gate again",
            allow_retries=False,
        )
    tuned = read_record(context, "adapter", AdapterRef)
    refused = purposes.refuses(tuned.terms, PURPOSE, datetime.now(UTC).date())
    yield dg.AssetCheckResult(
        passed=not refused,
        check_name="every_row_allows_serving",
        description="; ".join(refused) or None,
        metadata={"terms": dg.MetadataValue.json(tuned.terms.model_dump(mode="json"))},
    )
    if refused:
        raise dg.Failure(
            f"{manifest.release_id} may not be served: {'; '.join(refused)}. Train without those rows",
            allow_retries=False,
        )
    folder = f"releases/{manifest.release_id}"
    evidence = decision.evidence[0]
    text = canonical_json(manifest.model_dump(mode="json")).encode()
    commit = publish(context, lake, {f"{folder}/manifest.json": text}, release_id=manifest.release_id)
    record = Release(
        release_id=manifest.release_id,
        manifest=manifest,
        manifest_ref=lake.uri(commit, f"{folder}/manifest.json"),
        gate=evidence,
        incumbent=decision.incumbent,
        adapter=tuned,
        training=read_record(context, "training_dataset", TrainingSet),
    )
    publish(context, lake, {f"{folder}/release.json": record.model_dump_json().encode()}, release_id=record.release_id)
    yield materialized(
        context,
        record,
        lake=lake,
        ref=record.manifest_ref,
        digest=manifest.content_hash,
        release_id=record.release_id,
        inputs={"gate": evidence, "adapter": manifest.adapter_digest, "index": index_name(manifest)},
    )


def index_name(manifest: ReleaseManifest) -> str:
    """Content hash of the release's index."""
    return manifest.knowledge_index.sha256 if manifest.knowledge_index else ""
