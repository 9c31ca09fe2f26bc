"""An archive of many days from its one file to a training dataset, and whether every row is there exactly once.

Usage: python benchmarks/archive.py [--conversations 1000000] [--days 365] [--by processes] [--kills 0] [--home FOLDER]
[--json]. By `processes`, two processes run the days as `make build` does; by `daemon`, Dagster's daemon runs a
back-fill of the job `ingest_day` that is launched as the UI does. Every one of `--kills` ends all of it with SIGKILL at
a random moment and starts it again. A given home is kept, and taken up where it stopped; without one everything
happens in a temporary folder. Then comes what a release needs of the archive: knowledge, suite, curation, dataset.
"""

import argparse
import json
import os
import random
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import psutil
import yaml

from llmops_assets.data import labelled_conversations, redacted_conversations
from llmops_assets.lib import tables
from llmops_assets.samples import generator
from resources import open_lake
from resources.workspace import Settings, Workspace

REPOSITORY = Path(__file__).parent.parent
FIRST = date(2025, 1, 1)
DATASET = ("use_case", "knowledge_base", "eval_suite", "augmented_conversations", "training_dataset")
PROCESSES = 2
KILL_AFTER = (20.0, 300.0)
"""Seconds between which a kill comes, drawn evenly."""
LAUNCH = """mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""


@dataclass(frozen=True)
class Archive:
    """A folder with dagster.yaml, a home with the archive in its inbox, and the days of it."""

    folder: Path
    conversations: int
    days: int

    @property
    def home(self) -> Path:
        """LLMOPS_HOME."""
        return self.folder / "home"

    @property
    def file(self) -> Path:
        """The one file with all conversations."""
        return self.home / "inbox" / "archive.jsonl"

    @property
    def environment(self) -> dict[str, str]:
        """For processes that work on it, one BLAS thread each."""
        own = {"DAGSTER_HOME": str(self.folder), "LLMOPS_HOME": str(self.home), "LLMOPS_FIRST_DAY": str(FIRST)}
        return {**os.environ, **own, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}

    def day(self, number: int) -> date:
        """A day of it, counted from 0."""
        return FIRST + timedelta(days=number)

    def write(self) -> None:
        """Lay it out, unless it lies there; its rows are spread over its days in order."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        instance = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())
        instance["concurrency"]["runs"]["max_concurrent_runs"] = PROCESSES
        (self.folder / "dagster.yaml").write_text(yaml.safe_dump(instance))
        if self.file.exists():
            return
        Workspace(self.home).write_settings(Settings())
        part = self.file.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            for number, row in enumerate(generator.conversations(self.conversations)):
                day = self.day(number * self.days // self.conversations)
                file.write(json.dumps({**row, "time": f"{day}{row['time'][10:]}"}, ensure_ascii=False) + "\n")
        part.rename(self.file)


def start(archive: Archive, *arguments: str) -> subprocess.Popen[bytes]:
    """A process that works on an archive, with its output in a log beside it."""
    with (archive.folder / "processes.log").open("ab") as log:
        return subprocess.Popen(arguments, cwd=archive.folder, env=archive.environment, stdout=log, stderr=log)


def kill(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End processes and all they started, without a chance to clean up."""
    found = [psutil.Process(p.pid) for p in processes if p.poll() is None]
    for process in [*found, *(child for parent in found for child in parent.children(recursive=True))]:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    for process in processes:
        process.wait()


def kill_moments(kills: int) -> Iterator[float]:
    """Seconds after a start at which all is to be killed; then never."""
    rng = random.Random(kills)
    for _ in range(kills):
        yield rng.uniform(*KILL_AFTER)
    while True:
        yield float("inf")


def by_processes(archive: Archive, kills: int) -> int:
    """Run the days in two processes; how many kills there were."""
    edges = [archive.days * n // PROCESSES for n in range(PROCESSES + 1)]
    for done, moment in enumerate(kill_moments(kills)):
        began = time.monotonic()
        workers = [
            start(archive, sys.executable, __file__, "--step", "ingest", *map(str, edges[n : n + 2]))
            for n in range(PROCESSES)
        ]
        while any(worker.poll() is None for worker in workers) and time.monotonic() < began + moment:
            time.sleep(0.5)
        if all(worker.poll() == 0 for worker in workers):
            return done
        if any(worker.poll() for worker in workers):
            kill(workers)
            raise RuntimeError(f"a process failed: see {archive.folder / 'processes.log'}")
        kill(workers)
    raise AssertionError("the last round has no kill")


def by_daemon(archive: Archive, kills: int) -> int:
    """Launch a back-fill of all days and let the daemon run it; how many kills there were."""
    (archive.folder / "workspace.yaml").write_text("load_from:\n  - python_module: llmops_assets.definitions\n")
    tools = Path(sys.executable).parent
    with dg.DagsterInstance.from_config(str(archive.folder)) as instance:
        if not instance.get_backfills():
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            server = start(archive, str(tools / "dagster-webserver"), "-w", "workspace.yaml", "-p", str(port))
            try:
                launch(f"http://127.0.0.1:{port}/graphql", [str(archive.day(n)) for n in range(archive.days)])
            finally:
                kill([server])
        for done, moment in enumerate(kill_moments(kills)):
            began = time.monotonic()
            daemon = start(archive, str(tools / "dagster-daemon"), "run", "-w", "workspace.yaml")
            try:
                while time.monotonic() < began + moment:
                    time.sleep(2)
                    [backfill] = instance.get_backfills()
                    if backfill.status.value.startswith("COMPLETED"):
                        return done
                    if daemon.poll() is not None:
                        raise RuntimeError(f"the daemon ended: see {archive.folder / 'processes.log'}")
            finally:
                kill([daemon])
    raise AssertionError("the last round has no kill")


def launch(address: str, days: Sequence[str]) -> None:
    """Ask for a back-fill as the UI does, as soon as the UI answers."""
    location = {"repositoryName": "__repository__", "repositoryLocationName": "llmops_assets.definitions"}
    selector = {"partitionSetName": "ingest_day_partition_set", "repositorySelector": location}
    variables = {"p": {"selector": selector, "partitionNames": list(days)}}
    body = json.dumps({"query": LAUNCH, "variables": variables}).encode()
    asked = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(asked, timeout=120) as answer:
                told = json.load(answer)["data"]["launchPartitionBackfill"]
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
    if "backfillId" not in told:
        raise RuntimeError(f"the back-fill was not launched: {told}")


def ingest(archive: Archive, first: int, last: int) -> None:
    """Run the days from `first` to before `last` that have no labels yet, and tell the peak of memory."""
    from rich.console import Console

    from llmops_assets.commands.runs import Runner
    from llmops_assets.definitions import defs

    with dg.DagsterInstance.get() as instance:
        runner = Runner(defs(), instance, Console())
        known = instance.get_materialized_partitions(dg.AssetKey(labelled_conversations.NAME))
        for day in (archive.day(number) for number in range(first, last)):
            if str(day) not in known:
                runner.must_run("ingest_day", day, brief=True)
    print(f"peak memory {peak_mb():.0f} MB", flush=True)


def dataset(archive: Archive) -> None:
    """Materialize what leads from the labelled days to a training dataset; prints seconds by asset and the peak."""
    from llmops_assets.definitions import defs

    job, day = defs().resolve_job_def("build_release"), str(archive.day(archive.days - 1))
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance,
            partition_key=day,
            asset_selection=[dg.AssetKey(name) for name in DATASET],
            run_config={**job.get_run_config_for_partition_key(day), **quiet},
        )
        stats = instance.get_run_step_stats(result.run_id)
    seconds = {s.step_key: round(s.end_time - s.start_time, 1) for s in stats if s.end_time and s.start_time}
    print(json.dumps({"seconds": seconds, "dataset_peak_mb": round(peak_mb())}))


def peak_mb() -> float:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def verified(archive: Archive) -> dict[str, int]:
    """How many conversations of the file the lake has once, more than once and not at all, and what is quarantined."""
    lake = open_lake(Workspace(archive.home))
    expected: dict[str, set[str]] = defaultdict(set)
    with archive.file.open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            expected[row["time"][:10]].add(row["id"])
    found = Counter(once=0, more_than_once=0, missing=0, quarantined=0, not_labelled=0, unexpected=0)
    for number in range(archive.days):
        day = archive.day(number)
        stored = Counter(ids(lake.get("main", redacted_conversations.path_of(day))))
        aside = ids(lake.get("main", redacted_conversations.quarantine_of(day)))
        labelled = Counter(ids(lake.get("main", f"data/{labelled_conversations.NAME}/{day}.parquet")))
        there = set(stored) | set(aside)
        found["once"] += sum(count == 1 for count in stored.values())
        found["more_than_once"] += sum(count > 1 for count in stored.values())
        found["quarantined"] += len(aside)
        found["missing"] += len(expected[str(day)] - there)
        found["unexpected"] += len(there - expected[str(day)])
        found["not_labelled"] += (stored - labelled).total() + (labelled - stored).total()
    return dict(found)


def ids(data: bytes) -> list[str]:
    """The conversations' own ids in a table of the lake: a row id is `<source>/<id>`."""
    return [row["row_id"].split("/", 1)[-1] for row in tables.from_parquet(data)]


def measured(archive: Archive, by: str, kills: int) -> dict[str, object]:
    """Everything from the file to the figures."""
    archive.write()
    # dagster.yaml names folders relative to where a process runs.
    os.chdir(archive.folder)
    began = time.perf_counter()
    survived = (by_daemon if by == "daemon" else by_processes)(archive, kills)
    spent = round(time.perf_counter() - began)
    print(f"{archive.conversations:,} conversations of {archive.days} days in {spent} s, {survived} kills", flush=True)
    told = subprocess.run(
        [sys.executable, __file__, "--step", "dataset", "--days", str(archive.days), "--home", str(archive.folder)],
        cwd=archive.folder,
        env=archive.environment,
        check=True,
        capture_output=True,
        text=True,
    )
    # Only processes that this started itself tell their peak.
    peaks = re.findall(r"peak memory (\d+) MB", (archive.folder / "processes.log").read_text(errors="replace"))
    found = {"ingest_seconds": spent, "kills": survived, "ingest_peak_mb": max(map(int, peaks), default=None)}
    return {**found, **json.loads(told.stdout.splitlines()[-1]), **verified(archive)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--by", choices=("processes", "daemon"), default="processes")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--home", type=Path, help="folder that is kept")
    parser.add_argument("--json", action="store_true", help="print one object last")
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        archive = Archive(Path.cwd(), arguments.conversations, arguments.days)
        if arguments.step[0] == "ingest":
            ingest(archive, *map(int, arguments.step[1:]))
        else:
            dataset(archive)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.home or Path(temporary)).resolve()
        found = measured(Archive(folder, arguments.conversations, arguments.days), arguments.by, arguments.kills)
    for name, value in found.items():
        print(f"{name}: {value}")
    if arguments.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
