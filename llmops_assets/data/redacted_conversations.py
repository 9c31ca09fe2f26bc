"""A day's conversations from every source, without personal data: the only form in which they are ever stored."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from llmops_assets.data.overview import day_counts
from llmops_assets.lib import charts, conversations, expectations, tables
from llmops_assets.lib.hashing import hash_bytes, hash_json
from llmops_assets.lib.records import DatasetRef, UseCase
from llmops_assets.lib.redaction import Redactor
from llmops_assets.lib.volumes import unusual
from llmops_assets.partitions import DAILY
from llmops_assets.provenance import (
    Memory,
    address,
    materialized,
    read_partitions,
    read_record,
    run_day,
    run_tags,
    table,
)
from resources.lake.base import Lake
from resources.workspace import Workspace

NAME = "redacted_conversations"
COMPARED_DAYS = 14
REASONS_SHOWN = 50


class RedactionConfig(dg.Config):
    """How the work is spread."""

    processes: int = Field(1, ge=1, description="worker processes for a large day")


def path_of(day: date) -> str:
    """Where a day lies in the lake."""
    return f"data/{NAME}/{day}.parquet"


def quarantine_of(day: date) -> str:
    """Where a day's rows lie that could not be used."""
    return f"data/{NAME}/quarantine/{day}.parquet"


def page_of(day: date) -> str:
    """Where the Data Docs of a day's audit lie."""
    return f"data/{NAME}/expectations/{day}.html"


@dataclass
class Tally:
    """What a day held, counted while it passed."""

    rows: int = 0
    digests: list[bytes] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)

    @property
    def reasons(self) -> Counter[str]:
        """Rejected rows by reason, whatever their source."""
        found: Counter[str] = Counter()
        for (_, reason), count in self.rejected.items():
            found[reason] += count
        return found

    @property
    def digest(self) -> str:
        """sha256 of the rows' content, whatever their order."""
        return hash_bytes(b"".join(sorted(self.digests)))


def write_day(cleared: Iterator[conversations.Cleared], day: Path, quarantine: Path) -> Tally:
    """Write the rows of a day and its quarantine as they come; what was counted."""
    tally = Tally()
    with (
        tables.Writer(day, tables.CONVERSATIONS) as kept,
        tables.Writer(quarantine, tables.QUARANTINE) as quarantined,
    ):
        for conversation in cleared:
            tally.masked.update(conversation.masked)
            for row in conversation.kept:
                kept.write(row)
                tally.sources[row["source"]] += 1
                tally.digests.append(bytes.fromhex(hash_json(row)[:32]))
            for row in conversation.quarantined:
                quarantined.write(row)
                tally.rejected[row["source"], row["reason"]] += 1
        tally.rows = kept.rows
    return tally


@dataclass(frozen=True)
class Audit:
    """What was found in the stored day."""

    leaking: int
    doubles: int
    validation: expectations.Validation


def audit(lake: Lake, branch: str, day: date, redactor: Redactor, rules: Sequence[dict]) -> Audit:
    """Read back what was stored, piece by piece, and check it."""
    seen: set[int] = set()
    leaking = doubles = 0

    def pieces() -> Iterator[list[dict]]:
        nonlocal leaking, doubles
        for place in (path_of(day), quarantine_of(day)):
            with lake.open(branch, place) as file:
                for piece in tables.batches(file):
                    texts = [row[c] for row in piece for c in conversations.STORED_TEXTS if c in row]
                    leaking += sum(bool(redactor.leaks(text)) for text in texts)
                    if place == path_of(day):
                        for row in piece:
                            # Eight bytes an id: a day of a million rows stays small.
                            name = hash(row["row_id"])
                            doubles += name in seen
                            seen.add(name)
                        yield piece

    validation = expectations.validate(NAME, pieces(), rules)
    return Audit(leaking, doubles, validation)


@dg.asset(
    deps=["use_case"],
    partitions_def=DAILY,
    kinds={"presidio", "greatexpectations", "parquet"},
    owners=["team:data-engineering"],
    code_version="4",
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
    workspace: dg.ResourceParam[Workspace],
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """One day of conversations, redacted before storage; what cannot be used or cleared is quarantined with reason."""
    day, redactor = run_day(context), workspace.redactor()
    case = read_record(context, "use_case", UseCase)
    before = read_partitions(context, NAME, DatasetRef, until=day - timedelta(days=1))
    rules = case.expectations.get(NAME, ())
    # The state of a small day could be guessed back to what somebody wrote: it is kept as a pseudonym.
    memory = Memory(context, lake, redactor.subject(workspace.state(day)), redactor.digest, hash_json(rules))
    volumes = [r.rows for r in list(before.values())[-COMPARED_DAYS:]]
    if memory.result is not None:
        yield from _kept_checks(memory, volumes)
        yield memory.result
        return
    with workspace.scratch() as scratch:
        cleared = conversations.redacted(workspace.read(day), day, redactor, processes=config.processes)
        tally = write_day(cleared, scratch / "day.parquet", scratch / "quarantine.parquet")
        about = run_tags(context, rows=str(tally.rows))
        with lake.transaction(f"Conversations of {day}", about, name=NAME, keep_on_error=True) as draft:
            draft.put(path_of(day), scratch / "day.parquet")
            draft.put(quarantine_of(day), scratch / "quarantine.parquet")
            found = audit(lake, draft.branch, day, redactor, rules)
            draft.put(page_of(day), found.validation.page.encode())
            outcomes = [asdict(outcome) for outcome in found.validation.outcomes]
            yield from _checks(found.leaking, found.doubles, outcomes, unusual(tally.rows, volumes))
            failed = [f"{o.name} on {', '.join(o.rows[:3]) or 'the table'}" for o in found.validation.failed]
            if found.leaking or found.doubles or failed:
                raise dg.Failure(
                    f"{found.leaking} texts show personal data, {found.doubles} row ids come twice, broken rules: "
                    f"{'; '.join(failed) or 'none'}. Main is untouched, the draft is branch {draft.branch}",
                    allow_retries=False,
                )
    assert draft.merged is not None
    ref = lake.uri(draft.merged, path_of(day))
    record = DatasetRef(
        name=NAME,
        ref=ref,
        digest=tally.digest,
        rows=tally.rows,
        counts={
            "quarantined": tally.rejected.total(),
            "masked": tally.masked.total(),
            **day_counts(source=tally.sources, rejected=tally.reasons, masked=tally.masked),
        },
    )
    yield materialized(
        context,
        record,
        lake=lake,
        ref=ref,
        digest=record.digest,
        rows=tally.rows,
        quarantined=tally.rejected.total(),
        data_docs=address(lake, lake.uri(draft.merged, page_of(day))),
        figures=_shown(tally),
        memory=memory,
        expectations=dg.MetadataValue.json(outcomes),
    )


def _kept_checks(memory: Memory, volumes: Sequence[int]) -> Iterator[dg.AssetCheckResult]:
    """The checks of a day that is kept: it was only stored because they passed, and its bytes are the same."""
    yield from _checks(0, 0, memory.kept("expectations"), unusual(memory.kept("rows"), volumes))


def _checks(
    leaking: int, doubles: int, outcomes: Sequence[Mapping[str, Any]], volume: str | None
) -> Iterator[dg.AssetCheckResult]:
    yield dg.AssetCheckResult(passed=leaking == 0, check_name="no_personal_data_left", metadata={"texts": leaking})
    yield dg.AssetCheckResult(passed=doubles == 0, check_name="row_ids_unique", metadata={"doubles": doubles})
    yield dg.AssetCheckResult(
        passed=all(outcome["passed"] for outcome in outcomes),
        check_name="expectations_hold",
        metadata={"outcomes": dg.MetadataValue.json(list(outcomes))},
    )
    yield dg.AssetCheckResult(
        passed=volume is None,
        check_name="volume_is_usual",
        severity=dg.AssetCheckSeverity.WARN,
        description=volume,
    )


def _shown(tally: Tally) -> dict[str, dg.MetadataValue]:
    """Counts by source, by reason of rejection and by masked entity as tables, and a chart of what was masked."""
    rejected = [
        {"source": source, "reason": reason, "rows": count}
        for (source, reason), count in tally.rejected.most_common(REASONS_SHOWN)
    ]
    return {
        "sources": table({"source": name, "rows": count} for name, count in sorted(tally.sources.items())),
        "rejections": table(rejected),
        "masked": table({"entity": name, "values": count} for name, count in tally.masked.most_common()),
        "masked_chart": dg.MetadataValue.md(charts.bars("masked values by entity", tally.masked)),
    }
