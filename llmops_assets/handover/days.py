"""Rows of assets that are cut into days: one day, the days up to one, or a sample of them by hash."""

import heapq
from collections.abc import Sequence
from datetime import date

import dagster as dg

from llmops_assets.handover import reading
from llmops_assets.lib import tables
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import DatasetRef
from resources.lake.base import Lake

PARTITION_TAG = "dagster/partition"


def run_day(context: dg.AssetExecutionContext) -> date:
    """The day a run is about: its partition, or for a run by hand without one, the last day of conversations."""
    tag = context.run.tags.get(PARTITION_TAG)
    if tag:
        return date.fromisoformat(tag)
    known = context.instance.get_materialized_partitions(dg.AssetKey("redacted_conversations"))
    if not known:
        raise dg.Failure("no day of conversations was ingested: materialize redacted_conversations for a day first")
    return date.fromisoformat(max(known))


def read_day(context: dg.AssetExecutionContext, lake: Lake, asset: str, day: date) -> list[dict]:
    """Rows of exactly one day of a declared upstream. Failure when that day was never materialized."""
    refs = reading.days(context, asset, until=day)
    if day not in refs:
        raise dg.Failure(f"{asset} has no {day}: materialize it for that day first")
    return tables.from_parquet(lake.read(refs[day].ref))


def read_days(
    context: dg.AssetExecutionContext, lake: Lake, asset: str, until: date, *, since: date = date.min
) -> list[dict]:
    """Rows of a declared upstream from one day to another, both included, each day at the commit it recorded."""
    refs = [ref for day, ref in reading.days(context, asset, until=until).items() if day >= since]
    return [row for ref in refs for row in tables.from_parquet(lake.read(ref.ref))]


def sample_days(lake: Lake, days: Sequence[DatasetRef], limit: int, columns: Sequence[str] | None = None) -> list[dict]:
    """At most `limit` rows of some days, in their order: all, or a sample by hash.

    The days are streamed, so that memory grows with the limit only; a row that is in stays in while days come, unless
    `limit` rows before it in the order of hashes do.
    """
    chosen: list[tuple[int, int, dict]] = []
    number = 0
    for found in days:
        with lake.open(found.ref.commit, found.ref.path) as file:
            for row in (row for piece in tables.batches(file, columns) for row in piece):
                number += 1
                # A heap of the smallest ranks keeps its largest on top.
                entry = (-int(hash_json(row["row_id"])[:15], 16), -number, row)
                if len(chosen) < limit:
                    heapq.heappush(chosen, entry)
                elif entry[:2] > chosen[0][:2]:
                    heapq.heapreplace(chosen, entry)
    return [row for _, _, row in sorted(chosen, key=lambda entry: -entry[1])]
