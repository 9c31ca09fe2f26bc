"""A day of the gateway's interaction log in the lake: redacted requests and answers with their feedback.

The log is written by customers, not by an asset, so this asset has no upstream: the loop closes through it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import dagster as dg

from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.lib import tables
from llmops_assets.lib.records import DatasetRef
from llmops_assets.partitions import DAILY
from llmops_assets.provenance import materialized, publish, run_day
from resources.lake.base import Lake
from resources.workspace import Workspace

NAME = "interactions"


@dg.asset(
    partitions_def=DAILY,
    kinds={"sqlalchemy", "parquet"},
    owners=["team:operations"],
    code_version="1",
    check_specs=[
        dg.AssetCheckSpec(
            "no_personal_data_left",
            asset=NAME,
            blocking=True,
            description="No logged text shows an address, number or identifier that is certainly personal.",
        )
    ],
)
def interactions(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    interaction_log: dg.ResourceParam[InteractionLog],
    workspace: dg.ResourceParam[Workspace],
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """One day of interactions with rating, reason and correction; a re-run replaces the day."""
    day = run_day(context)
    start = datetime.combine(day, time(), UTC)
    rows = interaction_log.interactions(start, start + timedelta(days=1))
    redactor = workspace.redactor()
    columns = ("question", "answer", "reason", "correction")
    leaking = sum(any(redactor.leaks(row[column]) for column in columns) for row in rows)
    yield dg.AssetCheckResult(passed=leaking == 0, check_name="no_personal_data_left", metadata={"rows": leaking})
    if leaking:
        raise dg.Failure(f"{leaking} logged interactions of {day} show personal data: nothing was stored")
    path = f"monitoring/{NAME}/{day}.parquet"
    commit = publish(context, lake, {path: tables.to_parquet(rows, tables.INTERACTIONS)}, rows=len(rows))
    paths = {name: sum(row["path"] == name for row in rows) for name in ("matched", "generated", "handover")}
    record = DatasetRef(
        name=NAME,
        ref=lake.uri(commit, path),
        digest=tables.digest(rows),
        rows=len(rows),
        counts={**paths, "rated": sum(bool(row["rating"]) for row in rows)},
    )
    yield materialized(
        context, record, lake=lake, ref=record.ref, digest=record.digest, rows=len(rows), figures=record.counts
    )
