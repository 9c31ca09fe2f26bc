"""How assets hand over: typed records in materialization metadata, read back at exactly the recorded version.

Nothing here decides or computes; it only reads what Dagster recorded and writes what an asset reports. An asset never
reads "the latest" of the lake: it reads the commit its upstream recorded. Concept:
https://docs.dagster.io/guides/build/assets/metadata-and-tags.
"""

import functools
import subprocess
from collections.abc import Iterable, Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
from dagster import AssetRecordsFilter
from pydantic import ValidationError

from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import DatasetRef, LakeRef, Record
from resources.lake.base import GoneError, Lake, NotFoundError

RecordType = TypeVar("RecordType", bound=Record)
Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.SensorEvaluationContext
PARTITION_TAG = "dagster/partition"
PACKAGES = ("dagster", "mlflow", "torch", "transformers", "peft", "evidently")


def read_record(context: Context, asset: str, record: type[RecordType]) -> RecordType:
    """The hand-over of an asset's last materialization. Failure, saying what to do, when there is none."""
    found = find_record(context, asset, record)
    if found is None:
        raise dg.Failure(f"{asset} was never materialized: materialize it first, or run the job build_release")
    return found


def find_record(context: Context, asset: str, record: type[RecordType]) -> RecordType | None:
    """The hand-over of an asset's last materialization, or None."""
    event = context.instance.get_latest_materialization_event(dg.AssetKey(asset))
    if event is None or event.asset_materialization is None:
        return None
    return _parse(event.asset_materialization, record)


def read_partitions(
    context: Context, asset: str, record: type[RecordType], *, until: date | None = None
) -> dict[date, RecordType]:
    """The newest hand-over of every materialized day, in order of days, up to and including `until`."""
    found: dict[date, RecordType] = {}
    cursor: str | None = None
    while True:
        page = context.instance.fetch_materializations(
            AssetRecordsFilter(asset_key=dg.AssetKey(asset)), limit=500, cursor=cursor
        )
        for stored in page.records:
            day = date.fromisoformat(stored.partition_key) if stored.partition_key else None
            # Newest first: what is there already replaces what comes later in the pages.
            if day is None or day in found or (until is not None and day > until):
                continue
            if stored.asset_materialization is not None:
                found[day] = _parse(stored.asset_materialization, record)
        if not page.has_more:
            return dict(sorted(found.items()))
        cursor = page.cursor


def run_day(context: dg.AssetExecutionContext) -> date:
    """The day a run is about: its partition, or for a run by hand without one, the last day of conversations."""
    tag = context.run.tags.get(PARTITION_TAG)
    if tag:
        return date.fromisoformat(tag)
    days = read_partitions(context, "redacted_conversations", DatasetRef)
    if not days:
        raise dg.Failure("no day of conversations was ingested: materialize redacted_conversations for a day first")
    return max(days)


def run_tags(context: dg.AssetExecutionContext, **more: str) -> dict[str, str]:
    """What ties a lake commit or an MLflow run to this materialization: run, asset, partition, code, versions."""
    tags = {
        "dagster_run": context.run.run_id,
        "asset": context.asset_key.to_user_string(),
        "partition": context.run.tags.get(PARTITION_TAG, ""),
        "git_sha": git_sha(),
        "package": f"llmops-assets {version('llmops-assets')}" if _installed() else "llmops-assets (source tree)",
    }
    return {key: value for key, value in {**tags, **more}.items() if value}


class Memory:
    """What an asset, or this partition of it, made of the same inputs before: unchanged work is not done again.

    `digest` names everything that determines the result: code version, config, and the parts given. `result` is the
    last materialization once more when it was made of them and its bytes are still in the lake, else None.
    """

    def __init__(self, context: dg.AssetExecutionContext, lake: Lake, *parts: object) -> None:
        key = context.asset_key
        self.digest = hash_json([context.assets_def.code_versions_by_key[key], *map(str, parts)])
        self.result: dg.MaterializeResult | None = None
        self._metadata: Mapping[str, dg.MetadataValue] = {}
        # A job for a day has assets in it that have no days.
        daily = context.assets_def.specs_by_key[key].partitions_def is not None
        partitions = [context.partition_key] if daily and context.has_partition_key else None
        wanted = AssetRecordsFilter(asset_key=key, asset_partitions=partitions)
        records = context.instance.fetch_materializations(wanted, limit=1).records
        if not records or records[0].asset_materialization is None:
            return
        metadata = records[0].asset_materialization.metadata
        if _value(metadata, "inputs_digest") != self.digest or not _still_there(lake, _value(metadata, "lake_ref")):
            return
        context.log.info("code, config and inputs are unchanged: the last result is kept")
        version = dg.DataVersion(str(_value(metadata, "content_hash"))[:32])
        self.result = dg.MaterializeResult(metadata={**metadata, "unchanged": True}, data_version=version)
        self._metadata = metadata

    def kept(self, name: str) -> Any:
        """A value of the kept result's metadata."""
        return _value(self._metadata, name)


def materialized(
    context: dg.AssetExecutionContext,
    record: Record,
    *,
    lake: Lake | None = None,
    ref: LakeRef | None = None,
    digest: str | None = None,
    inputs: Mapping[str, object] | None = None,
    figures: Mapping[str, Any] | None = None,
    memory: Memory | None = None,
    **more: Any,
) -> dg.MaterializeResult:
    """The result of an asset: its hand-over, where its bytes lie, its content hash, what it read, and its figures.

    `digest` is the content hash and the data version; without it, the record's own hash. `inputs` names the
    versions that were read, `memory` lets the next run with the same inputs keep this result. Figures, as a mapping or
    by name, may be plain values or Dagster metadata values.
    """
    digest = digest or record.content_hash
    metadata: dict[str, Any] = {
        "record": dg.MetadataValue.json(record.model_dump(mode="json")),
        "content_hash": digest,
        **(figures or {}),
        **more,
        "inputs": dg.MetadataValue.json({name: str(value) for name, value in (inputs or {}).items()}),
        "code": dg.MetadataValue.json({"git_sha": git_sha(), "versions": package_versions()}),
    }
    if memory is not None:
        metadata["inputs_digest"] = memory.digest
    if ref is not None:
        metadata["lake_ref"] = str(ref)
        if lake is not None and (link := lake.link(ref)) is not None:
            metadata["lake"] = dg.MetadataValue.url(link)
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(digest[:32]))


def table(rows: Iterable[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """Rows as a table of the Dagster UI; an empty one when there are none."""
    records = [dg.TableRecord(dict(row)) for row in rows]
    columns = [dg.TableColumn(name) for name in (records[0].data if records else ("none",))]
    return dg.MetadataValue.table(records, dg.TableSchema(columns))


def address(lake: Lake, ref: LakeRef) -> dg.MetadataValue:
    """Where a person can look at something in the lake: a link, or the ref where the lake has no pages."""
    link = lake.link(ref)
    return dg.MetadataValue.text(str(ref)) if link is None else dg.MetadataValue.url(link)


def publish(
    context: dg.AssetExecutionContext, lake: Lake, files: Mapping[str, bytes | Path], **metadata: object
) -> str:
    """Put files into the lake in one transaction of this asset and return the commit of main that holds them.

    Files that stand there already with equal bytes change nothing. `metadata` (row counts and the like) goes into
    the commit beside the run's tags.
    """
    name = context.asset_key.to_user_string()
    about = run_tags(context, **{key: str(value) for key, value in metadata.items()})
    with lake.transaction(f"Materialize {name}", about, name=name) as transaction:
        for path, source in sorted(files.items()):
            transaction.put(path, source)
    assert transaction.merged is not None
    return transaction.merged


@functools.cache
def git_sha() -> str:
    """Commit of the code this process runs, with `+changes` when the tree differs; empty outside a clone."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return ""
    sha = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, timeout=10, check=False
    )
    state = subprocess.run(
        ["git", "status", "--porcelain", "-uno"], cwd=root, capture_output=True, text=True, timeout=30, check=False
    )
    if sha.returncode != 0:
        return ""
    return sha.stdout.strip() + ("+changes" if state.stdout.strip() else "")


@functools.cache
def package_versions() -> dict[str, str]:
    """Versions of the libraries that shape results, read inside the run."""
    return {name: version(name) for name in PACKAGES}


@functools.cache
def _installed() -> bool:
    try:
        version("llmops-assets")
    except ImportError:
        return False
    return True


def _value(metadata: Mapping[str, dg.MetadataValue], name: str) -> object:
    return metadata[name].value if name in metadata else None


def _still_there(lake: Lake, ref: object) -> bool:
    """Whether the bytes of a result can still be read; True for a result without any."""
    if not isinstance(ref, str):
        return True
    where = LakeRef.model_validate(ref)
    try:
        lake.open(where.commit, where.path).close()
    except (GoneError, NotFoundError):
        return False
    return True


def _parse(materialization: dg.AssetMaterialization, record: type[RecordType]) -> RecordType:
    name = materialization.asset_key.to_user_string()
    stored = materialization.metadata.get("record")
    if stored is None:
        raise dg.Failure(f"the last materialization of {name} carries no record: materialize it with this version")
    try:
        return record.model_validate(stored.value)
    except ValidationError as error:
        raise dg.Failure(
            f"the last materialization of {name} was written by another version ({error.error_count()} fields do not "
            f"fit {record.__name__}): materialize it again"
        ) from error
