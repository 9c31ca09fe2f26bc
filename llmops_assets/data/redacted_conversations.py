"""A day's conversations from every source, without personal data: the only form in which they are ever stored."""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from llmops_assets.lib import tables
from llmops_assets.lib.records import DatasetRef
from llmops_assets.lib.redaction import Redactor
from llmops_assets.lib.sources import RawRow
from llmops_assets.partitions import DAILY
from llmops_assets.provenance import materialized, run_day, run_tags
from resources.lake.base import Lake
from resources.workspace import Workspace

NAME = "redacted_conversations"


def path_of(day: date) -> str:
    """Where a day lies in the lake."""
    return f"data/{NAME}/{day}.parquet"


def redact_rows(rows: Iterator[RawRow], day: date, redactor: Redactor) -> tuple[list[dict], list[dict]]:
    """(redacted rows, quarantined rows): a row that still shows personal data afterwards is kept out, without text."""
    kept, quarantined = [], []
    for row in rows:
        question, answer, correction = redactor.redact([row.question, row.answer, row.correction])
        if found := [entity for text in (question, answer, correction) for entity in redactor.leaks(text)]:
            quarantined.append({"row_id": row.id, "source": row.source, "reason": f"still shows {', '.join(found)}"})
            continue
        kept.append(
            {
                "row_id": row.id,
                "conversation": redactor.subject(row.id),
                "source": row.source,
                "day": str(day),
                "time": row.time.isoformat() if row.time else "",
                "subject": redactor.subject(row.subject) if row.subject else "",
                "question": question,
                "answer": answer,
                "intent": row.intent,
                "rating": row.rating,
                "correction": correction,
            }
        )
    return kept, quarantined


@dg.asset(
    deps=["use_case"],
    partitions_def=DAILY,
    kinds={"presidio", "parquet"},
    owners=["team:data-engineering"],
    code_version="1",
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
    ],
)
def redacted_conversations(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], workspace: dg.ResourceParam[Workspace]
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """One day of conversations, redacted before storage; rows that cannot be cleared are quarantined by id."""
    day, redactor = run_day(context), workspace.redactor()
    rows, quarantined = redact_rows(workspace.conversations(day), day, redactor)
    with lake.transaction(
        f"Conversations of {day}", run_tags(context, rows=str(len(rows))), name=NAME, keep_on_error=True
    ) as draft:
        draft.put(path_of(day), tables.to_parquet(rows, tables.CONVERSATIONS))
        draft.put(f"data/{NAME}/quarantine/{day}.parquet", tables.to_parquet(quarantined, tables.QUARANTINE))
        stored = tables.from_parquet(lake.get(draft.branch, path_of(day)))
        texts = [row[column] for row in stored for column in ("question", "answer", "correction")]
        leaking = sum(bool(redactor.leaks(text)) for text in texts)
        doubles = len(stored) - len({row["row_id"] for row in stored})
        yield dg.AssetCheckResult(passed=leaking == 0, check_name="no_personal_data_left", metadata={"texts": leaking})
        yield dg.AssetCheckResult(passed=doubles == 0, check_name="row_ids_unique", metadata={"doubles": doubles})
        if leaking or doubles:
            raise dg.Failure(
                f"{leaking} texts show personal data, {doubles} row ids come twice: main is untouched, the draft is "
                f"branch {draft.branch}",
                allow_retries=False,
            )
    assert draft.merged is not None
    columns = ["row_id", "question", "answer", "intent", "correction"]
    ref = lake.uri(draft.merged, path_of(day))
    record = DatasetRef(
        name=NAME,
        ref=ref,
        digest=tables.digest(rows, columns),
        rows=len(rows),
        counts={"quarantined": len(quarantined)},
    )
    yield materialized(
        context, record, lake=lake, ref=ref, digest=record.digest, rows=len(rows), quarantined=len(quarantined)
    )
