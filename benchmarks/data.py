"""The data stage on archives of growing size: rows per CPU second, peak memory, and what a second process brings.

Every day of an archive is read, redacted, written to the lake and audited there by what the asset
`redacted_conversations` calls. Every size runs in a process of its own, so that its peak memory is its own. Larger
archives have more days, not larger ones: days are the partitions. Writing the archive is not counted.
"""

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from llmops_assets.data import redacted_conversations as stage
from llmops_assets.lib.auditing import conversations, expectations
from llmops_assets.lib.auditing.days import write_day
from llmops_assets.lib.redaction import load_subject_keys
from llmops_assets.samples import generator
from resources import open_lake
from resources.conversations import Conversations
from resources.redactor import Redactors
from resources.use_case import UseCaseFiles
from resources.workspace import Settings, Workspace

SPAWN = multiprocessing.get_context("spawn")
ROWS_PER_DAY = 10_000


@dataclass(frozen=True)
class Spent:
    """What a process needed for its days: CPU and wall seconds after loading, rows, and its peak memory in MB."""

    rows: int
    masked: int
    cpu: float
    wall: float
    peak_mb: float


def write_archive(home: Path, rows: int) -> list[date]:
    """An inbox of days with `ROWS_PER_DAY` conversations each; the days."""
    workspace = Workspace(home)
    workspace.write_settings(Settings())
    (home / "inbox").mkdir()
    days = []
    source = generator.conversations(rows)
    for number in range(max(1, rows // ROWS_PER_DAY)):
        day = generator.START + timedelta(days=number)
        days.append(day)
        with (home / "inbox" / f"conversations-{day}.jsonl").open("w", encoding="utf-8") as file:
            for _, row in zip(range(ROWS_PER_DAY), source, strict=False):
                moved = f"{day}{row['time'][10:]}"
                file.write(json.dumps({**row, "time": moved}, ensure_ascii=False) + "\n")
    return days


def ingest(home: Path, days: list[date]) -> Spent:
    """Ingest days one after the other, as one worker of a back-fill does."""
    workspace = Workspace(home)
    files = UseCaseFiles(workspace.settings)
    case = files.read()
    lake, redactor = open_lake(workspace), Redactors(workspace.subject_key, files).of(case)
    rules, source = case.expectations.get(stage.NAME, ()), Conversations(workspace)
    # Language model and Great Expectations load on first use: that is a process's start, not a day's work.
    redactor.redact(["Warm up: I am Anna Smith."])
    row = {"row_id": "a", "day": str(days[0]), "subject": "", "question": "q", "answer": "a", "rating": 0}
    expectations.validate(stage.NAME, [[row]], rules)
    rows = masked = 0
    began, began_cpu = time.perf_counter(), time.process_time()
    for day in days:
        with workspace.scratch() as scratch:
            cleared = conversations.redacted(source.read(day), day, redactor)
            tally = write_day(cleared, scratch / "day.parquet", scratch / "quarantine.parquet")
            with lake.transaction(f"Conversations of {day}", {}, name="benchmark") as draft:
                draft.put(stage.path_of(day), scratch / "day.parquet")
                draft.put(stage.quarantine_of(day), scratch / "quarantine.parquet")
                found = stage.audit(lake, draft.branch, day, redactor, rules)
                if found.leaking or found.doubles or found.validation.failed:
                    raise RuntimeError(f"the audit of {day} failed: {found}")
        rows += tally.rows
        masked += tally.masked.total()
    cpu, wall = time.process_time() - began_cpu, time.perf_counter() - began
    return Spent(rows, masked, cpu, wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measured(rows: int, processes: int) -> list[Spent]:
    """An archive of so many rows, ingested by so many processes side by side."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        home = Path(folder) / "home"
        days = write_archive(home, rows)
        open_lake(Workspace(home))
        load_subject_keys(Workspace(home).subject_key)  # made before workers ask for it
        with ProcessPoolExecutor(processes, mp_context=SPAWN) as pool:
            return list(pool.map(ingest, [home] * processes, [days[n::processes] for n in range(processes)]))


def paired(sizes: Sequence[int]) -> int:
    """The size that two processes are measured with: of two days at least, not the smallest of several; 0 for none."""
    fitting = [size for size in sorted(sizes) if size >= 2 * ROWS_PER_DAY]
    return next((size for size in fitting if size != min(sizes)), fitting[0] if fitting else 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--json", action="store_true", help="print one object last")
    arguments = parser.parse_args()
    found: dict[int, Spent] = {}
    for size in arguments.sizes:
        [found[size]] = measured(size, 1)
        spent = found[size]
        print(
            f"{size:,} conversations: {spent.rows / spent.cpu:,.0f} rows per CPU second, {spent.wall:.0f} s, "
            f"{spent.masked:,} values masked, peak memory {spent.peak_mb:.0f} MB",
            flush=True,
        )
    small, large = found[min(found)], found[max(found)]
    result = {"rows_per_cpu_second": round(large.rows / large.cpu, 1)}
    if large is not small:
        result["time_linearity"] = round((large.cpu / large.rows) / (small.cpu / small.rows), 3)
        result["memory_growth"] = round(large.peak_mb / small.peak_mb - 1, 3)
    pair_size = paired(list(found))
    if pair_size:
        # Two workers against one on the same archive, by the wall clock.
        speedup = found[pair_size].wall / max(spent.wall for spent in measured(pair_size, 2))
        print(f"{pair_size:,} conversations by two processes: {speedup:.2f} times as fast as by one")
        result["two_process_speedup"] = round(speedup, 3)
    else:
        print(f"two processes are not measured: a day is one process's, give a size from {2 * ROWS_PER_DAY:,} on")
    for name, value in result.items():
        print(f"{name}: {value}")
    if arguments.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
