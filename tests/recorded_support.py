"""What runs leave behind in a Dagster instance, without running them."""

from datetime import UTC, date, datetime

import dagster as dg
from support import dataset, ref

from llmops_assets.lib.records import (
    Deployment,
    LakeRef,
    ModelRef,
    PromptRef,
    Release,
    ReleaseManifest,
    RouterPolicy,
    TrainingSet,
)


def record(instance, asset: str, value, partition: str | None = None) -> None:
    metadata = {"record": dg.MetadataValue.json(value.model_dump(mode="json"))}
    instance.report_runless_asset_event(dg.AssetMaterialization(asset, metadata=metadata, partition=partition))


def serve(
    instance, lake, release_id: str, until: date, findings: tuple[str, ...] = (), gate: LakeRef | None = None
) -> None:
    """What a run of `deployment` leaves behind; `gate` is where the quality report lies that it was judged by."""
    training = TrainingSet(rows=dataset(), held_out=dataset(), reference=dataset(), until=until, findings=findings)
    manifest = ReleaseManifest(
        base=ModelRef(name="m", digest="d"),
        prompt=PromptRef(name="p", version=1, template="t", digest="p"),
        router=RouterPolicy(answer_above=1, hand_over_below=0),
        handover="-",
    )
    release = Release(
        release_id=release_id,
        manifest=manifest,
        manifest_ref=ref(),
        gate=gate or ref(),
        incumbent=None,
        training=training,
    )
    with lake.transaction("release", name="release") as draft:
        draft.put(f"releases/{release_id}/release.json", release.model_dump_json().encode())
    now = datetime(2026, 3, 11, tzinfo=UTC)
    deployed = Deployment(release_id=release_id, stage="live", target="t", address="-", previous=None, applied_at=now)
    record(instance, "deployment", deployed)
