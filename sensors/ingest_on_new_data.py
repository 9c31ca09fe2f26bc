"""Starts `ingest_day` for every day that is new or has changed in any source."""

import json
from collections.abc import Sequence
from datetime import date

import dagster as dg

from llmops_assets.jobs import ingest_day
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.sources import Fault, told
from llmops_assets.partitions import DAILY, outside
from resources.conversations import Conversations

MAX_REQUESTS = 20
"""Days asked for in one tick; the rest follows in the next ones."""


@dg.sensor(
    job=ingest_day,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Starts `ingest_day` for every day of which a source has new or changed conversations.",
)
def ingest_on_new_data(
    context: dg.SensorEvaluationContext, conversations: dg.ResourceParam[Conversations]
) -> dg.SensorResult | dg.SkipReason:
    """Requests one run per new or changed day; the cursor holds each source's own, and the days not yet asked for.

    Files that cannot be used are told in the log, and in the reason of a tick that requests nothing.
    """
    known = json.loads(context.cursor) if context.cursor else {}
    cursors: dict[str, str] = known.get("sources", {})
    waiting: dict[str, str] = known.get("waiting", {})
    partitions = set(DAILY.get_partition_keys())
    sources = conversations.sources()
    faults: list[Fault] = []
    for source in sources:
        changes = source.changed_since(cursors.get(source.name, ""))
        cursors[source.name] = changes.cursor
        faults += source.faults()
        for day, state in changes.days.items():
            waiting[str(day)] = hash_json([waiting.get(str(day), ""), source.name, state])[:12]
    # Days that are no partitions, or none yet, wait on.
    if left_out := outside(date.fromisoformat(day) for day in waiting if day not in partitions):
        context.log.warning(left_out)
    if unusable := told(nameless(faults)):
        context.log.warning(unusable)
    chosen = sorted(partitions.intersection(waiting))[:MAX_REQUESTS]
    cursor = json.dumps({"sources": cursors, "waiting": {d: waiting[d] for d in sorted(waiting) if d not in chosen}})
    if not chosen:
        context.update_cursor(cursor)
        looked = f"{len(sources)} sources, no day of theirs is new or changed"
        return dg.SkipReason("; ".join(part for part in (looked, left_out, unusable) if part))
    requests = [
        dg.RunRequest(run_key=f"ingest-{day}-{waiting[day]}", partition_key=day, tags={"cause": f"data-{day}"})
        for day in chosen
    ]
    return dg.SensorResult(run_requests=requests, cursor=cursor)


def nameless(faults: Sequence[Fault]) -> list[Fault]:
    """The faults without names of files that are somebody's address or number: ticks are kept where nothing erases."""
    if not faults:
        return []
    from llmops_assets.lib.redaction import Redactor

    redactor = Redactor(names=False)
    return [Fault("a file", "cannot be used; its name is personal data") if redactor.leaks(str(fault)) else fault
            for fault in faults]  # fmt: skip
