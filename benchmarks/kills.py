"""kill -9 of gateways, upstreams and engines under load, beside a healthy one: what fails, and what is lost.

Usage: python benchmarks/kills.py [--kills N] [--clients N] [--log-url URL]

Real processes on the loopback address: two gateways on one database, two upstreams, and for the engine a gateway with
llama.cpp on the base model of the wheel, behind which an upstream stands. Every few seconds one is killed, and started
again. A client is what a load balancer is: what breaks off at one gateway, or finds one that serves nothing yet (503),
it asks the other, once. Beside the questions a batch is answered, and the audit log is written. In the end there must
be no failed request, a row for each answer that was acknowledged, one answer for each line of the batch, and a whole
audit chain with every entry that was acknowledged: else the status is 1. SQLite, or the PostgreSQL of `--log-url`.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import psutil
from gateway import start, wait
from sealing import seal, trusted

from llmops_assets.gateway.bundle import write_bundle
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.gateway.state import ServingState, write_state
from llmops_assets.lib import ports
from llmops_assets.lib.records import GenerationSettings, PromptRef, ReleaseManifest, RouterPolicy
from resources.models import Models

SCENES = ("gateway", "upstream", "engine")
QUESTION = "What do you think of the lamp in my hall?"
LINES = 60
"""Of the batch."""
POLICY = {"rest_seconds": 1.0}
"""An upstream is tried again so soon after it came back: before the next one is killed."""
PAUSE = 3.0
"""Seconds under load between what is killed and what is killed next."""


@dataclass
class Counts:
    """What came of the requests; `answered` are the ids of interactions."""

    answered: list[str] = field(default_factory=list)
    again: int = 0
    failed: list[str] = field(default_factory=list)


class Gateway:
    """A gateway's process that can be killed and started again on its port."""

    def __init__(self, root: Path, own: Path, log_url: str, upstreams: Sequence[dict]) -> None:
        self.port = ports.find_free()
        own.mkdir(exist_ok=True)
        (own / "upstreams.json").write_text(json.dumps({"upstreams": list(upstreams), "policy": POLICY}))
        self._command = [sys.executable, "-m", "llmops_assets.gateway", "--root", str(root), "--port", str(self.port)]
        self._command += ["--log-url", log_url, "--subject-key", str(own / "subject.key"), "--threads", "1"]
        self._command += ["--trusted-keys", str(root / "trusted.pem"), "--upstreams", str(own / "upstreams.json")]
        self.process: subprocess.Popen | None = None

    async def start(self) -> None:
        """Start it and wait until it serves."""
        self.process = await asyncio.to_thread(subprocess.Popen, self._command)
        await wait(self.port)

    def kill(self) -> None:
        """SIGKILL, and what it had started too: nobody ends an engine whose gateway is gone but itself."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def main() -> None:
    """Print a line per scene; status 1 where something failed or was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=6, help="of each kind")
    parser.add_argument("--clients", type=int, default=4, help="asking at a time")
    parser.add_argument("--only", choices=SCENES, nargs="+", default=SCENES, help="what is killed")
    parser.add_argument("--log-url", default="", help="SQLAlchemy URL of an empty PostgreSQL database; none: SQLite")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        base = Models(root / "models").resolve()
        manifest = ReleaseManifest(
            base=base.ref,
            prompt=PromptRef(name="p", version=1, template="Be brief.", digest="p"),
            generation=GenerationSettings(max_tokens=24),
            router=RouterPolicy(answer_above=1, hand_over_below=0, retrieval=False),
            handover="A colleague will help.",
            language="en",
        )
        for name, weightless in (("light", True), ("heavy", False)):
            (root / name).mkdir()
            trusted(root / name)
            bundle = write_bundle(
                root / name, manifest, lambda *_: None, base.gguf, seal(manifest), weightless=weightless
            )
            write_state(root / name, ServingState(generation=1, live=bundle.release_id))
        url = arguments.log_url or f"sqlite:///{root / 'log.db'}"
        held = asyncio.run(scenes(root, url, arguments))
    sys.exit(0 if held else 1)


async def scenes(root: Path, url: str, arguments: argparse.Namespace) -> bool:
    """One after the other; whether everything held."""
    kills, clients = arguments.kills, arguments.clients
    upstreams = [ports.find_free(), ports.find_free()]
    servers = {port: start("upstream", port, 0, root) for port in upstreams}
    entries = [{"name": f"u{n}", "url": f"http://127.0.0.1:{port}/v1", "models": {"*": "any"}}
               for n, port in enumerate(upstreams)]  # fmt: skip
    two = [Gateway(root / "light", root / f"own{n}", url, entries) for n in range(2)]
    embedded = [{"name": "here", "url": "embedded"}, {**entries[0], "order": 1}]
    third = Gateway(root / "heavy", root / "own2", url, embedded)
    held = True
    try:
        await asyncio.gather(*(wait(port) for port in upstreams))
        if set(arguments.only) & {"gateway", "upstream"}:
            await two[0].start()
            await two[1].start()

        async def kill_gateway(number: int) -> None:
            gateway = two[number % 2]
            gateway.kill()
            await asyncio.sleep(PAUSE / 2)
            await gateway.start()

        async def kill_upstream(number: int) -> None:
            port = upstreams[number % 2]
            servers[port].kill()
            servers[port].wait()
            await asyncio.sleep(PAUSE)
            servers[port] = start("upstream", port, 0, root)
            await wait(port)

        async def kill_engine(_: int) -> None:
            for child in psutil.Process(third.process.pid).children() if third.process else ():
                os.kill(child.pid, signal.SIGKILL)

        if "gateway" in arguments.only:
            held &= await scene("gateway", two, url, kill_gateway, kills, clients, batch=True)
        if "upstream" in arguments.only:
            held &= await scene("upstream", two, url, kill_upstream, kills, clients)
        for gateway in two:
            gateway.kill()
        if "engine" in arguments.only:
            await third.start()
            held &= await scene("engine", [third], url, kill_engine, kills, clients)
    finally:
        for gateway in (*two, third):
            for child in psutil.Process(gateway.process.pid).children() if alive(gateway) else ():
                child.kill()
            gateway.kill()
        for server in servers.values():
            server.kill()
            server.wait()
    return held


def alive(gateway: Gateway) -> bool:
    """Whether its process runs."""
    return gateway.process is not None and gateway.process.poll() is None


async def scene(name, gateways, url, kill, kills: int, clients: int, *, batch: bool = False) -> bool:
    """Kill under load, and look at what is there afterwards."""
    counts, done = Counts(), asyncio.Event()
    log = InteractionLog(url)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:
        made = await begin_batch(session, gateways[0].port) if batch else ""
        working = [asyncio.create_task(customer(session, gateways, n, counts, done)) for n in range(clients)]
        audited = asyncio.create_task(writer(log, done))
        for number in range(kills):
            await asyncio.sleep(PAUSE)
            before = len(counts.answered)
            await kill(number)
            # Until it is answered on: what waited for the one that was killed, and after that.
            while len(counts.answered) < before + 2 * clients and not counts.failed:
                await asyncio.sleep(0.1)
        await asyncio.sleep(PAUSE)
        done.set()
        await asyncio.gather(*working)
        said = await audited
        told = await end_batch(session, gateways[0].port, made) if batch else ""
    rows = {row["id"] for row in log.interactions(datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
            if row["status"] == 200}  # fmt: skip
    lost = len(set(counts.answered) - rows)
    kept = {entry["hash"] for entry in log.audit_entries(sealed=True)}
    missing, broken = len(set(said) - kept), log.broken_audit_entry()
    log.close()
    print(
        f"{name:<9} {kills} kills, {len(counts.answered)} answered ({counts.again} asked again by the client), "
        f"{len(counts.failed)} failed, {lost} rows lost; {len(said)} audit entries, {missing} lost, chain "
        f"{'whole' if broken is None else f'broken at {broken}'}{told}",
        flush=True,
    )
    for failure in counts.failed[:3]:
        print("  ", failure)
    return not (counts.failed or lost or missing or broken or "lines wrong" in told)


async def customer(session: aiohttp.ClientSession, gateways: Sequence[Gateway], number: int, counts, done) -> None:
    """Ask on and on, each question of one gateway and, where that breaks off, of the next."""
    turn = number
    while not done.is_set():
        turn += 1
        body = {"messages": [{"role": "user", "content": f"{QUESTION} {number} {turn}"}], "user": f"u{number}"}
        problem = ""
        for attempt in range(2):
            gateway = gateways[(turn + attempt) % len(gateways)]
            address = f"http://127.0.0.1:{gateway.port}/v1/chat/completions"
            try:
                async with session.post(address, json=body) as response:
                    content = await response.read()
                    if response.status == 200:
                        counts.answered.append(response.headers["x-interaction-id"])
                        problem = ""
                        break
                    problem = f"{response.status} {content[:200]!r}"
                    if response.status != 503:
                        break
                    # A gateway that has just started serves nothing yet.
                    counts.again += attempt == 0 and len(gateways) > 1
            except (aiohttp.ClientError, ConnectionError) as error:
                problem = type(error).__name__
                counts.again += attempt == 0 and len(gateways) > 1
        if problem:
            counts.failed.append(problem)
        await asyncio.sleep(0.02)


async def writer(log: InteractionLog, done: asyncio.Event) -> list[str]:
    """Entries of the audit log that were acknowledged, by their hashes."""
    said = []
    while not done.is_set():
        entry = await asyncio.to_thread(log.audit, "act", f"{time.time()}", subject=f"person {len(said) % 5}")
        said.append(entry["hash"])
        await asyncio.sleep(0.05)
    return said


async def begin_batch(session: aiohttp.ClientSession, port: int) -> str:
    """A batch at a gateway; its id."""
    lines = [
        {"custom_id": str(n), "method": "POST", "url": "/v1/completions", "body": {"prompt": f"{QUESTION} {n}"}}
        for n in range(LINES)
    ]
    form = aiohttp.FormData({"purpose": "batch"})
    form.add_field("file", "\n".join(map(json.dumps, lines)), filename="lines.jsonl")
    async with session.post(f"http://127.0.0.1:{port}/v1/files", data=form) as response:
        file = (await response.json())["id"]
    body = {"input_file_id": file, "endpoint": "/v1/completions", "completion_window": "24h"}
    async with session.post(f"http://127.0.0.1:{port}/v1/batches", json=body) as response:
        return (await response.json())["id"]


async def end_batch(session: aiohttp.ClientSession, port: int, name: str) -> str:
    """What became of a batch, once it is over."""
    address = f"http://127.0.0.1:{port}/v1"
    while True:
        async with session.get(f"{address}/batches/{name}") as response:
            batch = await response.json()
        if batch["status"] not in ("validating", "in_progress"):
            break
        await asyncio.sleep(0.5)
    async with session.get(f"{address}/files/{batch['output_file_id']}/content") as response:
        answers = [json.loads(line)["custom_id"] for line in (await response.text()).splitlines()]
    right = sorted(map(int, answers)) == list(range(LINES))
    return f"; a batch of {LINES} is {batch['status']}, {'each line once' if right else 'lines wrong'}"


if __name__ == "__main__":
    main()
