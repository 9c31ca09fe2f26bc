"""Promotions and rollbacks of a gateway's process under load: seconds of each, requests that failed, answers that mix.

Usage: python benchmarks/rollback.py [--moves N] [--clients N] [--kill EVERY]

The target is the local one with a process of its own and the real engine; three releases of the sample's articles
differ in the words of their handover, so that an answer tells which of them made it. Moves go through the target as the
job roll_back has them done: the release is fetched, its signature and hashes are verified, the process is told. After
every so many moves the gateway is killed in the middle of the next one, and started again: what it serves must be the
release before or after. Requests that find no process then are counted apart.
"""

import argparse
import json
import os
import signal
import statistics
import tempfile
import threading
import time
from pathlib import Path

from sealing import seal, trusted

from llmops_assets.lib.answering.embedding import Embedder, find_embedder_folder
from llmops_assets.lib.answering.knowledge import KnowledgeIndex
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import FileRef, PromptRef, ReleaseManifest, RouterPolicy
from llmops_assets.samples import generator
from resources.deployment_target import Ask, DeploymentError, LocalTarget
from resources.deployment_target.base import RELEASES
from resources.lake.embedded import EmbeddedLake
from resources.models import Models

NAMES = ("one", "two", "three")
STRANGE = "Which stocks should I buy on the moon?"


def main() -> None:
    """Print what happened."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=100)
    parser.add_argument("--clients", type=int, default=2, help="asking at a time")
    parser.add_argument("--kill", type=int, default=10, help="kill the gateway in every so many moves; 0: never")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lake, models = EmbeddedLake(root / "lake"), Models(root / "models")
        target = LocalTarget(
            root / "gateway",
            lake=lake,
            models=models,
            trusted=trusted(root),
            log_url=f"sqlite:///{root / 'log.db'}",
            subject_key=root / "subject.key",
            port=8799,
        )
        try:
            measure(target, releases(lake, models), arguments.moves, arguments.clients, arguments.kill)
        finally:
            target.stop()


def releases(lake: EmbeddedLake, models: Models) -> list[ReleaseManifest]:
    """Three releases, published and signed."""
    index = KnowledgeIndex.build(generator.load_articles(), Embedder(find_embedder_folder())).to_bytes()
    with lake.transaction("index", {}, name="index") as transaction:
        transaction.put("index.zip", index)
    place = lake.uri(transaction.merged or "", "index.zip")
    made = []
    for name in NAMES:
        manifest = ReleaseManifest(
            base=models.resolve("smollm2-135m-instruct").ref,
            prompt=PromptRef(name="p", version=1, template="Be brief.", digest="p"),
            knowledge_index=FileRef(ref=place, sha256=hash_bytes(index), size=len(index)),
            router=RouterPolicy(answer_above=0.6, hand_over_below=0.5),
            handover=f"A colleague of {name} will help.",
        )
        with lake.transaction(name, {}, name=name) as transaction:
            for file, data in seal(manifest).items():
                transaction.put(f"{RELEASES}/{manifest.release_id}/{file}", data)
        made.append(manifest)
    return made


def measure(target: LocalTarget, made: list[ReleaseManifest], moves: int, clients: int, kill: int) -> None:
    """Move under load and print."""
    names = {manifest.release_id: name for manifest, name in zip(made, NAMES, strict=True)}
    for manifest in made:
        target.apply(manifest, "live")
    done, down = threading.Event(), threading.Event()
    counts = {"answered": 0, "failed": 0, "while it was killed": 0, "mixed": 0}

    def customer(number: int) -> None:
        turn = 0
        while not done.is_set():
            was_down = down.is_set()
            (reply,) = target.ask_many([Ask(STRANGE, conversation=f"{number}-{turn}")])
            turn += 1
            if reply.status == 200:
                counts["answered"] += 1
                counts["mixed"] += f"A colleague of {names[reply.release_id]} will" not in reply.answer
            else:
                counts["while it was killed" if was_down or down.is_set() else "failed"] += 1

    threads = [threading.Thread(target=customer, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    seconds: list[float] = []
    kills, wrong, refused = 0, 0, 0
    for move in range(moves):
        before, wanted = target.status().live, made[move % 3].release_id
        if kill and move % kill == kill - 1:
            down.set()
            pid = json.loads((target.root / "gateway.json").read_text())["pid"]
            timer = threading.Timer(0.05 * (kills % 10), os.kill, (pid, signal.SIGKILL))
            timer.start()
            try:
                target.rollback(wanted)
            except DeploymentError as error:
                print(f"killed in move {move + 1}: {str(error)[:100]}")
            timer.join()
            wrong += target.start().live not in (before, wanted)
            kills += 1
            time.sleep(0.2)
            down.clear()
        began = time.monotonic()
        before = target.status().live
        try:
            # Forward as the last stage of a rollout, back as the job roll_back.
            now = target.apply(made[move % 3], "live") if move % 2 else target.rollback(wanted)
        except DeploymentError as error:
            print(f"move {move + 1} was refused: {str(error)[:100]}")
            refused += 1
            wrong += target.start().live != before
            continue
        seconds.append(time.monotonic() - began)
        wrong += now.live != wanted
    done.set()
    for thread in threads:
        thread.join()
    middle, most = (statistics.median(seconds), max(seconds)) if seconds else (0.0, 0.0)
    print(f"{moves} moves, {refused} refused: {middle:.2f} s in the middle, {most:.2f} s at most")
    print(f"{kills} kills of the gateway in the middle of a move; served something else afterwards: {wrong}")
    print(", ".join(f"{count} {what}" for what, count in counts.items()))


if __name__ == "__main__":
    main()
