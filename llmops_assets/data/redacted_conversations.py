"""A day's conversations from every source, without personal data: the only form in which they are ever stored."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg
from pydantic import Field

from llmops_assets.data.overview import day_counts
from llmops_assets.handover import reading
from llmops_assets.handover.claims import Claims
from llmops_assets.handover.days import run_day
from llmops_assets.handover.display import address, bars, counted, table
from llmops_assets.handover.memory import Memory
from llmops_assets.handover.publishing import materialized, run_tags
from llmops_assets.lib import tables
from llmops_assets.lib.auditing import days
from llmops_assets.lib.auditing.volumes import unusual
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import DatasetRef, UseCase
from llmops_assets.partitions import DAILY
from resources.conversations import Conversations
from resources.lake.base import Lake
from resources.redactor import Redactors
from resources.workspace import Workspace

if TYPE_CHECKING:
    from llmops_assets.lib.redaction import Redactor
    from llmops_assets.lib.sources import Fault

NAME = "redacted_conversations"
COMPARED_DAYS = 14
REASONS_SHOWN = 50
MAIN_UNTOUCHED = "Main is untouched, the draft is branch"


class RedactionConfig(dg.Config):
    """How the work is spread."""

    processes: int = Field(1, ge=1, description="worker processes for a large day")
    unread: Literal["quarantine", "keep"] = Field(
        "quarantine",
        description="conversations in a script or language in which no model or rule here finds names: put them aside, "
        "or keep them, masked as far as numbers, addresses and cues tell",
    )


def path_of(day: date) -> str:
    """Where a day lies in the lake."""
    return f"data/{NAME}/{day}.parquet"


def quarantine_of(day: date) -> str:
    """Where a day's rows lie that could not be used."""
    return f"data/{NAME}/quarantine/{day}.parquet"


def page_of(day: date) -> str:
    """Where the Data Docs of a day's audit lie."""
    return f"data/{NAME}/expectations/{day}.html"


def audit(lake: Lake, branch: str, day: date, redactor: "Redactor", rules: tuple[dict, ...]) -> days.Audit:
    """Read back what was stored, piece by piece, and check it."""

    def pieces(place: str) -> Iterator[list[dict]]:
        with lake.open(branch, place) as file:
            yield from tables.batches(file)

    return days.audit(NAME, pieces(path_of(day)), pieces(quarantine_of(day)), redactor.leaks, rules)


def claim(claims: Claims, found: days.Audit, volume: str | None) -> None:
    """State what a day's audit found."""
    failed = [f"{o.name} on {', '.join(o.rows[:3]) or 'the table'}" for o in found.validation.failed]
    outcomes = [asdict(outcome) for outcome in found.validation.outcomes]
    claims.hold("no_personal_data_left", not found.leaking, f"{found.leaking} texts show it", texts=found.leaking)
    claims.hold("row_ids_unique", not found.doubles, f"{found.doubles} come twice", doubles=found.doubles)
    claims.hold("expectations_hold", not failed, "; ".join(failed), outcomes=outcomes)
    claims.hold("volume_is_usual", volume is None, volume or "")


@dg.asset(
    deps=["use_case"],
    partitions_def=DAILY,
    kinds={"presidio", "greatexpectations", "parquet"},
    owners=["team:data-engineering"],
    code_version="9",
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=48), warn_window=timedelta(hours=30)),
    check_specs=[
        dg.AssetCheckSpec(
            "no_personal_data_left",
            asset=NAME,
            blocking=True,
            description="No stored text shows an address, number or identifier that is certainly personal.",
        ),
        dg.AssetCheckSpec(
            "row_ids_unique", asset=NAME, blocking=True, description="Every row of the day has an id of its own."
        ),
        dg.AssetCheckSpec(
            "expectations_hold", asset=NAME, blocking=True, description="Every Great Expectations rule holds."
        ),
        dg.AssetCheckSpec(
            "volume_is_usual",
            asset=NAME,
            description="The day brought about as many rows as the two weeks before it did.",
        ),
    ],
)
def redacted_conversations(
    context: dg.AssetExecutionContext,
    config: RedactionConfig,
    lake: dg.ResourceParam[Lake],
    conversations: dg.ResourceParam[Conversations],
    redactor: dg.ResourceParam[Redactors],
    workspace: dg.ResourceParam[Workspace],
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """One day of conversations, redacted before storage; what cannot be used or cleared is quarantined with reason."""
    from llmops_assets.lib.auditing.conversations import redacted
    from llmops_assets.lib.sources import told

    day, case, claims = run_day(context), reading.read(context, "use_case", UseCase), Claims(context)
    if faults := conversations.faults():
        context.log.warning(told(faults))
    rules, cleaner = case.expectations.get(NAME, ()), redactor.of(case)
    # The state of a small day could be guessed back to what somebody wrote: it is kept as a pseudonym.
    memory = Memory(
        context, lake, cleaner.subject(conversations.state(day)), cleaner.digest, hash_json(rules), config.unread
    )
    if memory.result is not None:
        yield from memory.repeat()
        return
    before = [ref.rows for ref in reading.earlier(context, day - timedelta(days=1)).values()]
    with workspace.scratch() as scratch:
        cleared = redacted(conversations.read(day), day, cleaner, processes=config.processes, unread=config.unread)
        tally = days.write_day(cleared, scratch / "day.parquet", scratch / "quarantine.parquet")
        about = run_tags(context, rows=str(tally.rows))
        with lake.transaction(f"Conversations of {day}", about, name=NAME, keep_on_error=True) as draft:
            draft.put(path_of(day), scratch / "day.parquet")
            draft.put(quarantine_of(day), scratch / "quarantine.parquet")
            found = audit(lake, draft.branch, day, cleaner, rules)
            draft.put(page_of(day), found.validation.page.encode())
            claim(claims, found, unusual(tally.rows, before[-COMPARED_DAYS:]))
            yield from claims.results()
            claims.insist(f"{MAIN_UNTOUCHED} {draft.branch}")
    assert draft.merged is not None
    ref = lake.uri(draft.merged, path_of(day))
    counts = day_counts(
        source=tally.sources,
        rejected=tally.reasons,
        left_out=tally.left_out_reasons,
        masked=tally.masked,
        written=tally.written,
    )
    totals = {"quarantined": tally.rejected.total(), "masked": tally.masked.total()}
    record = DatasetRef(name=NAME, ref=ref, digest=tally.digest, rows=tally.rows, counts={**totals, **counts})
    yield materialized(
        context,
        record,
        lake=lake,
        ref=ref,
        digest=record.digest,
        memory=memory,
        claims=claims,
        rows=tally.rows,
        quarantined=tally.rejected.total(),
        data_docs=address(lake, lake.uri(draft.merged, page_of(day))),
        files_left_out=len(faults),
        figures={**shown(tally), **left_out(faults, cleaner)},
    )


def left_out(faults: "Sequence[Fault]", redactor: "Redactor") -> dict[str, Any]:
    """Files that could not be used, of any day, as a table. A file's name may be a customer's."""
    rows = [
        {name: redactor.subject(text) if redactor.leaks(text) else text for name, text in asdict(fault).items()}
        for fault in faults[:REASONS_SHOWN]
    ]
    return {"unusable_files": table(rows)} if rows else {}


def shown(tally: days.Tally) -> dict[str, Any]:
    """Counts by source, by reason of rejection, of what was left out of the conversations and by masked entity as
    tables, and a chart of what was masked."""
    rejected = [
        {"source": source, "reason": reason, "rows": count}
        for (source, reason), count in tally.rejected.most_common(REASONS_SHOWN)
    ]
    return {
        "masked_chart": bars("masked values by entity", tally.masked),
        "sources": counted("source", tally.sources),
        "rejections": table(rejected),
        "left_out": table(
            {"source": source, "reason": reason, "parts": count}
            for (source, reason), count in tally.left_out.most_common(REASONS_SHOWN)
        ),
        "masked": counted("entity", tally.masked, "values"),
        "written": counted("script, language and reader", tally.written),
    }
