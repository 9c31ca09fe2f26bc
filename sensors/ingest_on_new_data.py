"""Starts `ingest_day` for every day whose source files are new or have changed."""

import json
from datetime import date

import dagster as dg

from llmops_assets.jobs import ingest_day
from llmops_assets.lib.hashing import hash_json
from llmops_assets.partitions import DAILY
from resources.workspace import Workspace

MAX_REQUESTS = 20
"""Days asked for in one tick; the rest follows in the next ones."""


def signatures(workspace: Workspace) -> dict[date, str]:
    """Every day of the sources with a name for its state: size and time of the files it may be in."""
    files = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in workspace.source_files()]
    result = {}
    for day in workspace.source_days():
        own = [entry for entry in files if str(day) in entry[0]] or files
        result[day] = hash_json([list(entry) for entry in own])[:12]
    return result


@dg.sensor(job=ingest_day, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.STOPPED)
def ingest_on_new_data(
    context: dg.SensorEvaluationContext, workspace: dg.ResourceParam[Workspace]
) -> dg.SensorResult | dg.SkipReason:
    """Requests one run per new or changed day; the cursor remembers what was asked for."""
    known: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
    partitions = set(DAILY.get_partition_keys())
    found = {str(day): name for day, name in signatures(workspace).items() if str(day) in partitions}
    changed = [day for day in sorted(found) if known.get(day) != found[day]][:MAX_REQUESTS]
    if not changed:
        return dg.SkipReason(f"{len(found)} days in the sources, none new or changed")
    requests = [
        dg.RunRequest(run_key=f"ingest-{day}-{found[day]}", partition_key=day, tags={"cause": f"data-{day}"})
        for day in changed
    ]
    return dg.SensorResult(run_requests=requests, cursor=json.dumps({**known, **{d: found[d] for d in changed}}))
