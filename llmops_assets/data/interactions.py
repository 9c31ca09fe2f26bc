"""A day of the gateway's interaction log in the lake: redacted requests and answers with their feedback.

The log is written by customers, not by an asset: the loop closes through it, outside the graph, which runs one way. So
it stands with the other data that come in; monitoring and feedback read it from here.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from llmops_assets.handover.claims import Claims
from llmops_assets.handover.contents import read_rows
from llmops_assets.handover.days import run_day
from llmops_assets.handover.publishing import materialized, publish
from llmops_assets.handover.reading import read
from llmops_assets.lib import tables
from llmops_assets.lib.records import DatasetRef, UseCase
from llmops_assets.partitions import DAILY
from resources.interaction_log import InstalledLog
from resources.lake.base import Lake
from resources.redactor import Redactors

if TYPE_CHECKING:
    from llmops_assets.lib.redaction import Redactor

NAME = "interactions"
TEXTS = ("question", "answer", "reason", "correction")


def leaks(redactor: "Redactor", row: Mapping[str, Any]) -> bool:
    """Whether any text of an interaction shows certain personal data."""
    return any(redactor.leaks(row[column] or "") for column in TEXTS)


@dg.asset(
    deps=["use_case"],
    partitions_def=DAILY,
    kinds={"sqlalchemy", "parquet"},
    owners=["team:operations"],
    code_version="4",
    check_specs=[
        dg.AssetCheckSpec(
            "no_personal_data_left",
            asset=NAME,
            blocking=True,
            description="No stored text shows an address, number or identifier that is certainly personal.",
        ),
        dg.AssetCheckSpec(
            "log_is_clean",
            asset=NAME,
            description="The gateway let no personal data into its log; what shows some is left out of the lake.",
        ),
    ],
)
def interactions(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    interaction_log: dg.ResourceParam[InstalledLog],
    redactor: dg.ResourceParam[Redactors],
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """One day of interactions with rating, reason and correction; a re-run replaces the day."""
    day, claims = run_day(context), Claims(context)
    cleaner = redactor.of(read(context, "use_case", UseCase))
    logged = logged_on(interaction_log, day)
    rows = [row for row in logged if not leaks(cleaner, row)]
    left_out = len(logged) - len(rows)
    path = f"monitoring/{NAME}/{day}.parquet"
    commit = publish(context, lake, {path: tables.to_parquet(rows, tables.INTERACTIONS)}, rows=len(rows))
    ref = lake.uri(commit, path)
    stored = sum(leaks(cleaner, row) for row in read_rows(lake, ref))
    claims.hold("no_personal_data_left", not stored, f"{stored} stored interactions show it", rows=stored)
    claims.hold("log_is_clean", not left_out, f"{left_out} logged interactions show personal data", rows=left_out)
    yield from claims.results()
    claims.insist(f"The interactions of {day} must not be used")
    paths = {
        name: sum(row["path"] == name for row in rows)
        for name in ("matched", "generated", "handover", "small_talk", "refused")
    }
    odd = interaction_log.odd_feedback(*_hours(day))
    counts = {**paths, "rated": sum(bool(row["rating"]) for row in rows), "leaking": left_out, **odd}
    record = DatasetRef(name=NAME, ref=ref, digest=tables.digest(rows), rows=len(rows), counts=counts)
    yield materialized(
        context,
        record,
        lake=lake,
        ref=record.ref,
        digest=record.digest,
        claims=claims,
        rows=len(rows),
        figures=record.counts,
    )


def logged_on(log: InstalledLog, day: date) -> list[dict[str, Any]]:
    """The log's interactions of a day (UTC)."""
    return log.interactions(*_hours(day))


def _hours(day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time(), UTC)
    return start, start + timedelta(days=1)
