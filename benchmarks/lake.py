"""The embedded lake against copying and hashing the same bytes, and what four writers and 200 kills leave of it.

Prints ratios, not times: 1.0 is as long as copy, sha256 and fsync of the same bytes in the same run. Every size is
measured in a process of its own, so that its peak memory is its own.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from resources.lake.base import ConflictError
from resources.lake.embedded import EmbeddedLake

PIECE = 1 << 20
SCRATCH = Path(".llmops")
"""On the disk an installation is on: a temporary folder may be in memory, where syncing costs nothing."""
SPAWN = multiprocessing.get_context("spawn")


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def copy_and_hash(source: Path, target: Path) -> None:
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as written:
        while piece := read.read(PIECE):
            digest.update(piece)
            written.write(piece)
        written.flush()
        os.fsync(written.fileno())


def read_and_hash(lake: EmbeddedLake, commit: str, path: str) -> None:
    digest = hashlib.sha256()
    with lake.open(commit, path) as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    assert digest.hexdigest() == lake.stat(commit, path).sha256


def one_file(size: int, folder: Path) -> dict[str, float]:
    """Commit, read and copy-and-hash of one file; ratios and this process's peak memory in MB."""
    source = folder / "source"
    with source.open("wb") as file:
        for _ in range(size // PIECE):
            file.write(os.urandom(PIECE))
    copies, commits, reads = [], [], []
    for turn in range(3):
        copies.append(timed(lambda: copy_and_hash(source, folder / "copy")))
        lake = EmbeddedLake(folder / f"lake{turn}")

        def publish(lake: EmbeddedLake = lake) -> None:
            with lake.transaction("Publish", name="bench") as draft:
                draft.put("file", source)

        commits.append(timed(publish))
        commit = lake.resolve("main")
        reads.append(timed(lambda lake=lake, commit=commit: read_and_hash(lake, commit, "file")))
        shutil.rmtree(lake.root)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    base = statistics.median(copies)
    return {
        "commit": statistics.median(commits) / base,
        "read": statistics.median(reads) / base,
        "rss_mb": peak,
    }


def small_files(count: int, folder: Path) -> dict[str, float]:
    """The same for many files of 200 bytes in one commit."""
    (folder / "source").mkdir()
    (folder / "copies").mkdir()
    for number in range(count):
        (folder / "source" / str(number)).write_bytes(os.urandom(200))

    def copy_all() -> None:
        for number in range(count):
            copy_and_hash(folder / "source" / str(number), folder / "copies" / str(number))

    lake = EmbeddedLake(folder / "lake")

    def publish() -> None:
        with lake.transaction("Publish", name="bench") as draft:
            for number in range(count):
                draft.put(f"files/{number % 100}/{number}", folder / "source" / str(number))

    base = timed(copy_all)
    return {"commit": timed(publish) / base}


def increment(arguments: tuple[str, int]) -> None:
    """Read, add one, publish; again from the new head when somebody else was first."""
    folder, turns = arguments
    lake = EmbeddedLake(Path(folder))
    for turn in range(turns):
        while True:
            head = lake.resolve("main")
            value = int(lake.get(head, "counter"))
            branch = lake.new_branch_name("increment")
            lake.branch(branch, head)
            try:
                lake.put(branch, "counter", str(value + 1).encode())
                lake.commit(branch, f"{os.getpid()} {turn}")
                lake.merge(branch, "main", expected_head=head)
            except ConflictError:
                continue
            else:
                break
            finally:
                lake.delete_branch(branch)


def lost_updates(publishes: int, writers: int, folder: Path) -> int:
    lake = EmbeddedLake(folder / "lake")
    with lake.transaction("Start", name="bench") as draft:
        draft.put("counter", b"0")
    with ProcessPoolExecutor(writers, mp_context=SPAWN) as pool:
        list(pool.map(increment, [(str(folder / "lake"), publishes // writers)] * writers))
    return publishes - int(lake.get("main", "counter"))


def publish_for_ever(folder: str) -> None:
    lake = EmbeddedLake(Path(folder))
    turn = 0
    while True:
        turn += 1
        with lake.transaction("Publish", name="bench") as draft:
            draft.put("a", f"{os.getpid()} {turn}".encode() * 1000)
            draft.put("b", f"{os.getpid()} {turn}".encode() * 1000)


def damage_by_kills(kills: int, folder: Path, seed: int) -> tuple[int, int]:
    """(lakes that fsck finds fault with or that cannot be read, lakes with half a publication) after each kill."""
    root, rng = folder / "lake", random.Random(seed)
    lake = EmbeddedLake(root)
    with lake.transaction("Start", name="bench") as draft:
        draft.put("a", b"start")
        draft.put("b", b"start")
    corrupt = half = 0
    for _ in range(kills):
        head = lake.resolve("main")
        process = SPAWN.Process(target=publish_for_ever, args=(str(root),))
        process.start()
        while lake.resolve("main") == head:
            process.join(0.005)
        process.join(rng.uniform(0.0, 0.2))
        process.kill()
        process.join()
        again = EmbeddedLake(root)
        corrupt += bool(again.fsck())
        half += again.get("main", "a") != again.get("main", "b")
    return corrupt, half


def in_child(work: Callable[..., dict[str, float]], size: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder, ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        return pool.submit(work, size, Path(folder)).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--publishes", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    SCRATCH.mkdir(exist_ok=True)
    sizes = {"1 MB": 1 << 20, "100 MB": 100 << 20, "1 GB": 1 << 30}
    found = {}
    for name, size in sizes.items():
        found[name] = in_child(one_file, size)
        print(f"{name}: " + ", ".join(f"{key} {value:.2f}" for key, value in found[name].items()), flush=True)
    small = in_child(small_files, 10_000)
    print(f"10,000 files of 200 bytes: commit {small['commit']:.2f}", flush=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        lost = lost_updates(arguments.publishes, 4, Path(folder))
    print(f"{arguments.publishes} publishes by 4 processes: {lost} lost", flush=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        corrupt, half = damage_by_kills(arguments.kills, Path(folder), arguments.seed)
    print(f"{arguments.kills} kills: {corrupt} corrupt, {half} half visible", flush=True)
    if arguments.json:
        result = {
            "commit_1gb_ratio": round(found["1 GB"]["commit"], 3),
            "read_1gb_ratio": round(found["1 GB"]["read"], 3),
            "small_files_ratio": round(small["commit"], 3),
            "peak_rss_mb": round(found["1 GB"]["rss_mb"], 1),
            "lost": lost,
            "corrupt": corrupt + half,
        }
        print(json.dumps(result))
    sys.exit(1 if lost or corrupt or half else 0)


if __name__ == "__main__":
    main()
