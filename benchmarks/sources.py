"""Looking for what is new in archives of growing size and reading all of their days: rows per CPU second, peak memory.

Usage: python benchmarks/sources.py [--sizes 10000 100000 1000000]. Every size runs in a process of its own, so that its
peak memory is its own. One file holds the whole archive, a day for every 10,000 rows; `plain` rows are conversations of
their own, of `threads` three rows each belong together and stand apart, one in a hundred beginning the day before.
Nothing is redacted or stored; writing the archive is not counted.
"""

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from llmops_assets.lib.sources import Rejected, Shape
from llmops_assets.samples import generator
from resources.sources import Files

SPAWN = multiprocessing.get_context("spawn")
ROWS_PER_DAY = 10_000
APART = 50
"""Rows between those of one conversation."""


@dataclass(frozen=True)
class Spent:
    """CPU seconds of the first look, of a look at nothing new and of reading all days; rows and peak memory in MB."""

    look: float
    again: float
    read: float
    rows: int
    peak_mb: float


def write_archive(file: Path, rows: int, kind: str) -> None:
    """An archive in one file, in the order of time."""
    with file.open("w", encoding="utf-8") as target:
        for number, row in enumerate(generator.conversations(rows)):
            day = generator.START + timedelta(days=number // ROWS_PER_DAY)
            made = {**row, "time": f"{day}{row['time'][10:]}"}
            if kind == "threads":
                begun = number // (3 * APART) * APART + number % APART
                made |= {"thread_id": f"t{begun}", "id": ""}
                if begun % 100 == 0 and number // APART % 3 == 0:
                    made["time"] = f"{day - timedelta(days=1)}{row['time'][10:]}"
            target.write(json.dumps(made, ensure_ascii=False) + "\n")


def measured(folder: Path) -> Spent:
    """The archive in a folder, looked at twice and read day by day as ingestion reads it."""

    def opened() -> Files:
        return Files("archive", str(folder), Shape(name="archive"), index=folder.parent / "index" / "archive.json")

    times = [time.process_time()]
    found = opened().changed_since("")
    times.append(time.process_time())
    if opened().changed_since(found.cursor).days:
        raise RuntimeError("a second look found something new")
    times.append(time.process_time())
    rows = 0
    for day in found.days:
        source = opened()
        rows += sum(not isinstance(item, Rejected) for item in source.conversations(day))
    times.append(time.process_time())
    look, again, read = (after - before for before, after in pairwise(times))
    return Spent(look, again, read, rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    for kind in ("plain", "threads"):
        for size in parser.parse_args().sizes:
            with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as home:
                folder = Path(home) / "inbox"
                folder.mkdir()
                write_archive(folder / "archive.jsonl", size, kind)
                with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
                    spent = pool.submit(measured, folder).result()
            print(
                f"{kind}, {size:,} rows: first look {size / spent.look:,.0f} rows per CPU second, next look "
                f"{spent.again:.2f} s, all days {spent.rows / spent.read:,.0f} rows per CPU second, "
                f"{spent.rows:,} rows, peak memory {spent.peak_mb:.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
