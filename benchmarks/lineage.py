"""How long `llmops lineage` takes to answer, from a history of days, releases and conversations made for it.

Prints seconds of the whole command, as a user waits for it, and of the query alone (the process already running).
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from llmops_assets import lineage
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.lib import tables
from llmops_assets.lib.records import Interaction
from resources import open_lake
from resources.lake.base import Lake
from resources.workspace import Workspace

FIRST = datetime(2026, 3, 2, tzinfo=UTC)
CHAIN = ("knowledge_base", "training_dataset", "adapter", "quality_report", "gate", "release", "deployment")


def publish(lake: Lake, asset: str, path: str, data: bytes) -> str:
    with lake.transaction(f"Materialize {asset}", {"asset": asset}, name=asset) as draft:
        draft.put(path, data)
    assert draft.merged is not None
    return str(lake.uri(draft.merged, path))


def materialize(
    instance: dg.DagsterInstance, asset: str, ref: str, read: dict[str, int], *, day: str | None = None, **more: str
) -> int:
    """Report a materialization that read the events `read`; its storage id."""
    pointers = {f"{lineage.POINTER}{upstream}": str(event) for upstream, event in read.items()}
    event = dg.AssetMaterialization(asset, partition=day, metadata={"lake_ref": ref, **more}, tags=pointers)
    instance.report_runless_asset_event(event)
    stored = instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert stored is not None
    records = instance.fetch_materializations(dg.AssetKey(asset), limit=1).records
    return records[0].storage_id


def history(home: Path, instance: dg.DagsterInstance, days: int, releases: int, conversations: int) -> tuple[str, str]:
    """Days of conversations, and releases made of them that answer as often. (id of an answer, a pseudonym)."""
    workspace, rng = Workspace(home), random.Random(7)
    lake, log = open_lake(workspace), InteractionLog(workspace.log_url)
    subjects = [f"s-{number:016x}" for number in range(conversations // 5)]
    answer = subject = ""
    for number in range(days):
        day = str((FIRST + timedelta(days=number)).date())
        rows = [
            {"row_id": f"{day} {n}", "day": day, "subject": rng.choice(subjects), "question": "how?", "answer": "so."}
            for n in range(conversations // days)
        ]
        subject = rows[0]["subject"]
        data = tables.to_parquet(rows, tables.CONVERSATIONS)
        ref = publish(lake, "redacted_conversations", f"data/redacted_conversations/{day}.parquet", data)
        read = {"redacted_conversations": materialize(instance, "redacted_conversations", ref, {}, day=day)}
        newest = materialize(instance, "labelled_conversations", ref, read, day=day)
        if (number + 1) * releases // days == number * releases // days:
            continue
        release = f"r-{number:012x}"
        read = {"labelled_conversations": newest}
        for asset in CHAIN:
            ref = publish(lake, asset, f"made/{asset}/{release}", f"{asset} {release}".encode())
            read = {asset: materialize(instance, asset, ref, read, release_id=release)}
        for n in range(conversations // releases):
            answer = f"{release}-{n}"
            log.append(
                Interaction(
                    id=answer,
                    time=FIRST + timedelta(days=number, seconds=n),
                    release_id=release,
                    subject=rng.choice(subjects),
                    conversation=answer,
                    question="how?",
                    answer="so.",
                    path="matched",
                    latency_seconds=0.01,
                )
            )
    log.close()
    return answer, subject


def timed(work: Callable[[], object], times: int) -> float:
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--days", type=int, default=80, help="a lake commit each")
    parser.add_argument("--releases", type=int, default=20)
    parser.add_argument("--conversations", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        environment = {**os.environ, "LLMOPS_HOME": str(home), "DAGSTER_HOME": folder}
        with dg.DagsterInstance.local_temp(folder) as instance:
            answer, subject = history(home, instance, arguments.days, arguments.releases, arguments.conversations)
            lake, log = open_lake(Workspace(home)), InteractionLog(Workspace(home).log_url)
            commits = len(list(lake.log("main")))
            found = {}
            for name, wanted in (("answer", answer), ("subject", subject)):

                def query(wanted: str = wanted) -> None:
                    graph = lineage.collect(instance, lake, log)
                    if not graph.knows(wanted):
                        lineage.add_named(graph, wanted, instance, lake, log)
                    assert graph.find(wanted)

                found[f"{name}_query_seconds"] = timed(query, 5)

                command = [sys.executable, "-m", "llmops_assets.cli", "lineage", wanted, "--json"]

                def whole(command: list[str] = command) -> None:
                    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)

                found[f"{name}_command_seconds"] = timed(whole, 3)
            log.close()
    print(f"{arguments.conversations} conversations, {commits} commits of main, {arguments.releases} releases")
    for name, seconds in found.items():
        print(f"{name}: {seconds:.2f}")
    if arguments.json:
        print(json.dumps({name: round(seconds, 3) for name, seconds in found.items()}))


if __name__ == "__main__":
    main()
