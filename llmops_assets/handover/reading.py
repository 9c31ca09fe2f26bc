"""Typed records out of materializations, at exactly the version that Dagster recorded.

An asset reads what it declares as a dependency and nothing else (`read`, `find`, `days`), so that the graph a person
sees is the graph that is. What it reads of its own past (`previous`, `earlier`) or of what serves (`handover.serving`)
is noted, and lineage draws it as an edge. Sensors and commands, which are no assets, ask with `recorded`. Concept:
https://docs.dagster.io/guides/build/assets/metadata-and-tags.
"""

import weakref
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, TypeVar

import dagster as dg
from dagster import AssetRecordsFilter, DagsterEventType
from pydantic import ValidationError

from llmops_assets.lib.records import DatasetRef, Record

RecordType = TypeVar("RecordType", bound=Record)
PAGE = 500
_looked_back: "weakref.WeakKeyDictionary[dg.AssetExecutionContext, dict[int, None]]" = weakref.WeakKeyDictionary()


def read(context: dg.AssetExecutionContext, asset: str, record: type[RecordType]) -> RecordType:
    """The hand-over of a declared upstream. Failure, saying what to do, when it was never materialized."""
    found = find(context, asset, record)
    if found is None:
        raise dg.Failure(f"{asset} was never materialized: materialize it first, or run the job build_release")
    return found


def find(context: dg.AssetExecutionContext, asset: str, record: type[RecordType]) -> RecordType | None:
    """The hand-over of a declared upstream's last materialization, or None."""
    _insist_declared(context, asset)
    return recorded(context.instance, asset, record)


def days(context: dg.AssetExecutionContext, asset: str, *, until: date | None = None) -> dict[date, DatasetRef]:
    """The newest hand-over of every materialized day of a declared upstream, in order, up to and including `until`."""
    _insist_declared(context, asset)
    return recorded_days(context.instance, asset, DatasetRef, until=until)


def of_day(context: dg.AssetExecutionContext, asset: str, record: type[RecordType], day: date) -> RecordType:
    """The newest hand-over of exactly one day of a declared upstream. Failure when that day was never materialized."""
    _insist_declared(context, asset)
    found = recorded_days(context.instance, asset, record, after=day - timedelta(days=1), until=day)
    if day not in found:
        raise dg.Failure(f"{asset} has no {day}: materialize it for that day first")
    return found[day]


def day_records(
    context: dg.AssetExecutionContext,
    asset: str,
    record: type[RecordType],
    *,
    after: date | None = None,
    until: date | None = None,
) -> dict[date, RecordType]:
    """`recorded_days` of a declared upstream."""
    _insist_declared(context, asset)
    return recorded_days(context.instance, asset, record, after=after, until=until)


def previous(context: dg.AssetExecutionContext, record: type[RecordType]) -> RecordType | None:
    """What the reading asset itself handed over the last time, or None; noted as an edge of the lineage."""
    stored = last(context.instance, context.asset_key)
    if stored is None:
        return None
    look_back(context, stored.storage_id)
    return parse(stored.asset_materialization, record)


def day_before(context: dg.AssetExecutionContext, record: type[RecordType], day: date) -> RecordType | None:
    """What the reading asset handed over for its last day before `day`, or None; noted as an edge of the lineage."""
    found = _newest_day(context.instance, context.asset_key, day)
    if found is None:
        return None
    look_back(context, found.storage_id)
    return parse(found.asset_materialization, record)


def looked_up(context: dg.AssetExecutionContext, asset: str, record: type[RecordType]) -> RecordType | None:
    """The hand-over of the last day of an asset that comes later in the graph, or None; noted as an edge of the
    lineage."""
    found = _newest_day(context.instance, dg.AssetKey(asset))
    if found is None:
        return None
    look_back(context, found.storage_id)
    return parse(found.asset_materialization, record)


def earlier(context: dg.AssetExecutionContext, until: date) -> dict[date, DatasetRef]:
    """The reading asset's own days up to and including `until`, to compare with: no edge of the lineage."""
    return earlier_records(context, DatasetRef, until=until)


def earlier_records(
    context: dg.AssetExecutionContext, record: type[RecordType], *, after: date | None = None, until: date
) -> dict[date, RecordType]:
    """The same of records of another kind, and of days after `after` only."""
    return recorded_days(context.instance, context.asset_key.to_user_string(), record, after=after, until=until)


def recorded(instance: dg.DagsterInstance, asset: str, record: type[RecordType]) -> RecordType | None:
    """The hand-over of an asset's last materialization, or None: for sensors and commands."""
    stored = last(instance, dg.AssetKey(asset))
    return None if stored is None else parse(stored.asset_materialization, record)


def recorded_days(
    instance: dg.DagsterInstance,
    asset: str,
    record: type[RecordType],
    *,
    after: date | None = None,
    until: date | None = None,
) -> dict[date, RecordType]:
    """The newest hand-over of every materialized day with `after` < day <= `until`, in order: for sensors and commands.

    What a day handed over before is neither fetched nor parsed.
    """
    newest = instance.event_log_storage.get_latest_storage_id_by_partition(
        dg.AssetKey(asset), DagsterEventType.ASSET_MATERIALIZATION
    )
    wanted = {
        storage_id: date.fromisoformat(partition)
        for partition, storage_id in newest.items()
        if (after is None or date.fromisoformat(partition) > after)
        and (until is None or date.fromisoformat(partition) <= until)
    }
    found = {
        wanted[stored.storage_id]: parse(stored.asset_materialization, record)
        for stored in _fetch(instance, asset, sorted(wanted))
    }
    return dict(sorted(found.items()))


def newest_day(
    instance: dg.DagsterInstance, asset: str, record: type[RecordType], *, before: date | None = None
) -> RecordType | None:
    """The hand-over of an asset's last day (before another one), whichever day was materialized last, or None: for
    sensors and commands."""
    found = _newest_day(instance, dg.AssetKey(asset), before)
    return None if found is None else parse(found.asset_materialization, record)


def last(instance: dg.DagsterInstance, key: dg.AssetKey) -> Any | None:
    """Dagster's stored event of an asset's last materialization (with storage_id), or None."""
    records = instance.fetch_materializations(key, limit=1).records
    return records[0] if records and records[0].asset_materialization is not None else None


def look_back(context: dg.AssetExecutionContext, event: int) -> None:
    """Note that this run of the asset rests on an earlier materialization that is no declared upstream."""
    _looked_back.setdefault(context, {})[event] = None


def looked_back(context: dg.AssetExecutionContext) -> list[int]:
    """The events noted by `look_back`, in order: `materialized` writes them down, lineage draws them."""
    return list(_looked_back.get(context, {}))


def parse(materialization: dg.AssetMaterialization, record: type[RecordType]) -> RecordType:
    """The record in a materialization. Failure, saying what to do, when it carries none that fits."""
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


def _insist_declared(context: dg.AssetExecutionContext, asset: str) -> None:
    spec = context.assets_def.specs_by_key[context.asset_key]
    if dg.AssetKey(asset) not in {dep.asset_key for dep in spec.deps}:
        raise dg.Failure(
            f"{spec.key.to_user_string()} reads {asset} but does not declare it: add it to `deps` of the asset",
            allow_retries=False,
        )


def _newest_day(instance: dg.DagsterInstance, key: dg.AssetKey, before: date | None = None) -> Any | None:
    """The newest event of an asset's last day (before another one), or None."""
    newest = instance.event_log_storage.get_latest_storage_id_by_partition(key, DagsterEventType.ASSET_MATERIALIZATION)
    days = [day for day in newest if before is None or date.fromisoformat(day) < before]
    return next(iter(_fetch(instance, key.to_user_string(), [newest[max(days)]])), None) if days else None


def _fetch(instance: dg.DagsterInstance, asset: str, storage_ids: list[int]) -> Iterable[Any]:
    for start in range(0, len(storage_ids), PAGE):
        wanted = AssetRecordsFilter(asset_key=dg.AssetKey(asset), storage_ids=storage_ids[start : start + PAGE])
        yield from instance.fetch_materializations(wanted, limit=PAGE).records
