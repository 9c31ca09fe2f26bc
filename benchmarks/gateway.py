"""What a request costs the gateway's process, beside a program that only passes requests on.

Usage: python benchmarks/gateway.py [--requests N] [--clients N …] [--start] [--soak MINUTES]

Every server is a process of its own on the loopback address, asked by this one. CPU is user and system time of the
server's process, its threads included, per request; the engine answers at once and is not counted, and neither is what
stands behind the pass-through. `of bare` is the CPU of a row over that of the pass-through of the same run: compare
ratios, as milliseconds are a machine's. The questions are the sample's; those of the cache are asked a first time
before. At the end (with `--start`, only) the gateway's own process is started without a release, with one and an
upstream as its engine, and asked every question of the sample: CPU and time until it answers, its memory (Linux).
With `--soak`, only, that process is asked at 70 % of what it managed in a first half minute, in an even stream, each
question with words of its own: errors, times and memory by tenths of the time. Exit status 1 when a request failed, or
when memory grew by more than a tenth between the third tenth and the last.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import uvicorn
from sealing import seal, trusted

from llmops_assets.gateway.app import create_app
from llmops_assets.gateway.bundle import Bundle, write_bundle
from llmops_assets.gateway.cache import AnswerCache
from llmops_assets.gateway.callers import Callers
from llmops_assets.gateway.chain import Chain
from llmops_assets.gateway.engine import Engine, Usage
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.gateway.releases import Releases
from llmops_assets.gateway.server import server_config
from llmops_assets.gateway.state import ServingState, read_state, write_state
from llmops_assets.gateway.wishes import NONE, Wishes
from llmops_assets.lib import ports
from llmops_assets.lib.answering.acts import Acts
from llmops_assets.lib.answering.embedding import Embedder, find_embedder_folder
from llmops_assets.lib.answering.knowledge import KnowledgeIndex
from llmops_assets.lib.hashing import hash_bytes
from llmops_assets.lib.records import (
    FileRef,
    GenerationSettings,
    LakeRef,
    ModelRef,
    PromptRef,
    ReleaseManifest,
    RouterPolicy,
)
from llmops_assets.lib.redaction import Redactor
from llmops_assets.samples import generator

READY_SECONDS = 120.0
CAPACITY_SECONDS, CAPACITY_CLIENTS = 30.0, 8
SOAK_SHARE = 0.7
"""Of the capacity that is asked for."""
TENTHS = 10
GROWTH = 1.1
"""Memory of the last tenth over that of the third, from which it is no longer flat: caches are full by then or not."""
LONG = "Our lamps are made of glass and steel. " * 62
"""An answer of a hundred pieces of a stream."""


@dataclass(frozen=True)
class Row:
    """One server as it is asked: the mode of its process, the questions, and how each is asked."""

    name: str
    mode: str
    questions: Sequence[str]
    asked_before: bool = False
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """Per request: CPU, the time of the median and of the slowest hundredth, in ms; `pieces` of a stream."""

    cpu: float
    p50: float
    p99: float
    pieces: float


def main() -> None:
    """Print one table per number of clients."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200, help="of each row")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4], help="asking at a time")
    parser.add_argument("--start", action="store_true", help="only how the process starts and what it holds")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="only a steady stream for so long")
    parser.add_argument("--serve", nargs=4, metavar=("MODE", "PORT", "UPSTREAM", "ROOT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        mode, port, upstream, root = arguments.serve
        serve(mode, int(port), int(upstream), Path(root))
        return
    questions = [question for article in generator.load_articles() for question in article.questions]
    asked = [questions[number % len(questions)] for number in range(arguments.requests)]
    few = [questions[number % 20] for number in range(arguments.requests)]
    rows = [
        Row("bare pass-through", "bare", asked),
        Row("whole chain, nothing redacted", "plain", asked),
        Row("whole chain", "whole", asked),
        Row("whole chain, streamed", "long", asked[:50], body={"stream": True}),
        Row("the same, not streamed", "long", asked[:50]),
        Row("out of the cache, nothing redacted", "plain-cache", few, asked_before=True),
        Row("out of the cache", "whole-cache", few, asked_before=True),
    ]
    with tempfile.TemporaryDirectory() as folder:
        write_releases(Path(folder))
        if arguments.soak:
            raise SystemExit(0 if soak(Path(folder), 60 * arguments.soak, questions) else 1)
        for clients in () if arguments.start else arguments.clients:
            costs = {row.name: measure(row, clients, Path(folder)) for row in rows}
            show(costs, clients)
        show_start(Path(folder))


def show(costs: Mapping[str, Cost], clients: int) -> None:
    """Print a table."""
    bare = costs["bare pass-through"].cpu
    print(f"\n{clients} at a time\n{'':<36}{'CPU ms':>8}{'of bare':>9}{'p50 ms':>8}{'p99 ms':>8}")
    for name, cost in costs.items():
        print(f"{name:<36}{cost.cpu:>8.2f}{cost.cpu / bare:>9.1f}{cost.p50:>8.1f}{cost.p99:>8.1f}")
    whole, plain = costs["whole chain"].cpu, costs["whole chain, nothing redacted"].cpu
    streamed, together = costs["whole chain, streamed"], costs["the same, not streamed"]
    print(f"redaction: {whole - plain:.2f} ms of CPU a question")
    print(f"a piece of a stream: {1000 * (streamed.cpu - together.cpu) / streamed.pieces:.0f} µs of CPU")


def show_start(root: Path) -> None:
    """Start the gateway's own process, without a release and with one, which is asked all questions of the sample."""
    print(f"\n{'the process':<28}{'ready s':>9}{'CPU s':>8}{'RSS MB':>9}{'anonymous MB':>14}{'its own MB':>12}")
    questions = [question for article in generator.load_articles() for question in article.questions]
    upstream = ports.find_free()
    there = start("upstream", upstream, 0, root)
    try:
        asyncio.run(wait(upstream))
        with tempfile.TemporaryDirectory() as empty:
            show_memory("without a release", *run_gateway(Path(empty), upstream, ()))
        show_memory("with a release", *run_gateway(root / "served", upstream, ()))
        show_memory(f"after {len(questions)} questions", *run_gateway(root / "served", upstream, questions))
    finally:
        there.terminate()
        there.wait(timeout=30)


def show_memory(name: str, seconds: float, server: Mapping[str, float]) -> None:
    """Print a line."""
    print(
        f"{name:<28}{seconds:>9.1f}{server['cpu']:>8.1f}{server['rss']:>9.0f}{server['anonymous']:>14.0f}"
        f"{server['own']:>12.0f}"
    )


def run_gateway(root: Path, upstream: int, questions: Sequence[str]) -> tuple[float, dict[str, float]]:
    """Seconds until the gateway's process is ready, and what it holds (MB) after some questions."""
    began = time.monotonic()
    with gateway(root, upstream) as (port, process):
        ready = time.monotonic() - began
        asyncio.run(ask(port, questions, 1, {}))
        return ready, held(process)


@contextmanager
def gateway(root: Path, upstream: int) -> Generator[tuple[int, psutil.Process]]:
    """The gateway's own process once it answers, and its port."""
    port = ports.find_free()
    there = {"upstreams": [{"name": "there", "url": f"http://127.0.0.1:{upstream}/v1", "models": {"*": "any"}}]}
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        (own / "upstreams.json").write_text(json.dumps(there))
        command = [sys.executable, "-m", "llmops_assets.gateway", "--root", str(root), "--port", str(port)]
        command += ["--log-url", f"sqlite:///{own / 'log.db'}", "--subject-key", str(own / "subject.key")]
        command += ["--trusted-keys", str(trusted(own)), "--upstreams", str(own / "upstreams.json")]
        process = subprocess.Popen(command)
        try:
            asyncio.run(wait(port, (200,) if read_state(root).live else (503,)))
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(timeout=30)


def held(process: psutil.Process) -> dict[str, float]:
    """CPU seconds of a process and its memory in MB."""
    used, times = process.memory_full_info(), process.cpu_times()
    kept = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    anonymous = next(int(line.split()[1]) for line in kept.splitlines() if line.startswith("Anonymous:"))
    return {
        "cpu": times.user + times.system,
        "rss": used.rss / 1e6,
        "anonymous": anonymous * 1024 / 1e6,
        "own": used.uss / 1e6,
    }


def soak(root: Path, seconds: float, questions: Sequence[str]) -> bool:
    """Ask the gateway's own process evenly below its capacity; whether nothing failed and its memory stayed flat."""
    upstream = ports.find_free()
    there = start("upstream", upstream, 0, root)
    try:
        asyncio.run(wait(upstream))
        with gateway(root / "served", upstream) as (port, process):
            return asyncio.run(stream(port, process, seconds, questions))
    finally:
        there.terminate()
        there.wait(timeout=30)


async def stream(port: int, process: psutil.Process, seconds: float, questions: Sequence[str]) -> bool:
    """Find out what the process manages, then ask it SOAK_SHARE of that and print a line for each tenth of the time."""
    numbers = itertools.count()
    memory: list[float] = []
    errors = 0
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:

        async def asked(times: list[float]) -> None:
            nonlocal errors
            number = next(numbers)
            # Words of its own, so that nothing that is remembered answers it.
            content = f"{questions[number % len(questions)]} It is about number {number}."
            began = time.perf_counter()
            try:
                body = {"messages": [{"role": "user", "content": content}], "user": f"person {number % 1000}"}
                async with session.post("/v1/chat/completions", json=body) as response:
                    await response.read()
                    errors += response.status != 200
            except aiohttp.ClientError:
                errors += 1
            times.append(time.perf_counter() - began)

        async def busy(times: list[float], until: float) -> None:
            while time.monotonic() < until:
                await asked(times)

        found: list[float] = []
        until = time.monotonic() + CAPACITY_SECONDS
        await asyncio.gather(*(busy(found, until) for _ in range(CAPACITY_CLIENTS)))
        rate = SOAK_SHARE * len(found) / CAPACITY_SECONDS
        print(f"\n{len(found) / CAPACITY_SECONDS:.1f} requests a second by {CAPACITY_CLIENTS} clients; "
              f"now {rate:.1f} a second for {seconds / 60:.0f} minutes")  # fmt: skip
        print(f"{'minute':>6}{'requests':>10}{'errors':>8}{'p50 ms':>8}{'p99 ms':>9}{'RSS MB':>8}{'anonymous MB':>14}")
        for tenth in range(TENTHS):
            times: list[float] = []
            began = time.monotonic()
            async with asyncio.TaskGroup() as group:
                for number in range(round(rate * seconds / TENTHS)):
                    await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                    group.create_task(asked(times))
            now = held(process)
            memory.append(now["anonymous"])
            print(f"{(tenth + 1) * seconds / TENTHS / 60:>6.1f}{len(times):>10}{errors:>8}"
                  f"{1000 * statistics.median(times):>8.1f}{1000 * statistics.quantiles(times, n=100)[98]:>9.1f}"
                  f"{now['rss']:>8.0f}{now['anonymous']:>14.0f}", flush=True)  # fmt: skip
    return not errors and memory[-1] <= GROWTH * memory[2]


def measure(row: Row, clients: int, root: Path) -> Cost:
    """Ask one server all questions of a row."""
    started: list[subprocess.Popen] = []
    upstream = 0
    try:
        if row.mode == "bare":
            upstream = ports.find_free()
            started.append(start("upstream", upstream, 0, root))
            asyncio.run(wait(upstream))
        port = ports.find_free()
        started.append(start(row.mode, port, upstream, root))
        asyncio.run(wait(port))
        asyncio.run(
            ask(port, list(dict.fromkeys(row.questions)) if row.asked_before else row.questions[:5], 1, row.body)
        )
        server = psutil.Process(started[-1].pid)
        before = server.cpu_times()
        times, pieces = asyncio.run(ask(port, row.questions, clients, row.body))
        after = server.cpu_times()
        spent = after.user - before.user + after.system - before.system
        return Cost(
            cpu=1000 * spent / len(row.questions),
            p50=1000 * statistics.median(times),
            p99=1000 * statistics.quantiles(times, n=100)[98],
            pieces=pieces / len(row.questions),
        )
    finally:
        for process in started:
            process.terminate()
            process.wait(timeout=30)


def start(mode: str, port: int, upstream: int, root: Path) -> subprocess.Popen:
    """A server of this file."""
    return subprocess.Popen([sys.executable, __file__, "--serve", mode, str(port), str(upstream), str(root)])


async def wait(port: int, statuses: Sequence[int] = (200,)) -> None:
    """Until a server answers; one that serves nothing answers 503."""
    deadline = time.monotonic() + READY_SECONDS
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/healthz") as response:
                    if response.status in statuses:
                        return
            except aiohttp.ClientError:
                pass
            assert time.monotonic() < deadline, "the server does not start"
            await asyncio.sleep(0.02)


async def ask(port: int, questions: Sequence[str], clients: int, more: Mapping[str, Any]) -> tuple[list[float], int]:
    """Ask by so many clients at a time; the seconds of each request, and how many events came."""
    waiting, times, events = list(reversed(questions)), [], 0
    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as session:

        async def client() -> None:
            nonlocal events
            while waiting:
                body = {"messages": [{"role": "user", "content": waiting.pop()}], **more}
                began = time.perf_counter()
                async with session.post("/v1/chat/completions", json=body) as response:
                    content = await response.read()
                times.append(time.perf_counter() - began)
                assert response.status == 200, content
                events += content.count(b"data: ")

        await asyncio.gather(*(client() for _ in range(clients)))
    return times, events


# -- servers ------------------------------------------------------------------------------------------------------


def serve(mode: str, port: int, upstream: int, root: Path) -> None:
    """Run one server until it is ended."""
    options = {"host": "127.0.0.1", "port": port, "log_level": "error"}
    if mode in ("upstream", "bare"):
        app = passing(upstream) if mode == "bare" else answering()
        uvicorn.Server(uvicorn.Config(app, access_log=False, lifespan="off", ws="none", **options)).run()
        return
    uvicorn.Server(server_config(create_app(chain(mode, root), Callers()), **options)).run()


def answering() -> Callable:
    """An upstream: one answer, whatever is asked, whole or as a stream."""
    said = "Delivery takes 3 to 5 days."
    choice = {"index": 0, "message": {"role": "assistant", "content": said}}
    answer = json.dumps({"object": "chat.completion", "choices": [choice]}).encode()
    piece = {"choices": [{"index": 0, "delta": {"content": said}, "finish_reason": "stop"}]}
    used = {"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28}}
    events = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in (piece, used))

    async def app(scope, receive, send) -> None:
        if json.loads(await body_of(receive) or b"{}").get("stream"):
            await reply(send, events + b"data: [DONE]\n\n", b"text/event-stream")
        else:
            await reply(send, answer)

    return app


def passing(upstream: int) -> Callable:
    """ASGI alone, with the client that the gateway has too: what it costs to pass a request on."""
    sessions: list[aiohttp.ClientSession] = []

    async def app(scope, receive, send) -> None:
        if not sessions:
            sessions.append(aiohttp.ClientSession())
        body = await body_of(receive)
        async with sessions[0].post(f"http://127.0.0.1:{upstream}{scope['path']}", data=body) as response:
            await reply(send, await response.read())

    return app


async def body_of(receive: Callable) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def reply(send: Callable, body: bytes, kind: bytes = b"application/json") -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": body})


class Untouched:
    """A redactor that costs nothing, to see what the one that is used costs."""

    def redact(self, texts: Sequence[str]) -> list[str]:
        return list(texts)

    def leaks(self, text: str) -> list[str]:
        return []

    def subject(self, raw: str) -> str:
        return hash_bytes(raw.encode())[:16]


class Instant(Engine):
    """An engine that takes no time."""

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def tokens(self, text: str) -> list[bytes]:
        return [word.encode() for word in text.split(" ")]

    async def count(self, messages: Sequence[Mapping[str, str]]) -> int:
        return sum(len(message["content"].split()) for message in messages)

    async def stream(
        self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings, wishes: Wishes = NONE
    ) -> AsyncGenerator[str | Usage]:
        yield LONG
        yield Usage(100, 20)


def write_releases(root: Path) -> None:
    """Releases over the sample's articles: `looking` looks every answer up, `writing` has the engine write it, `served`
    is the first one without weights."""
    embedder = Embedder(find_embedder_folder())
    articles = generator.load_articles()
    acts = Acts.fit(embedder, [question for article in articles for question in article.questions])
    index = KnowledgeIndex.build(articles, embedder, acts).to_bytes()
    (root / "base.gguf").write_bytes(b"base")
    trusted(root)

    def fetch(_: FileRef, target: Path) -> None:
        target.write_bytes(index)

    routers = {
        "looking": RouterPolicy(answer_above=0.6, hand_over_below=0.2),
        "writing": RouterPolicy(answer_above=1, hand_over_below=0, retrieval=False),
        "served": RouterPolicy(answer_above=0.6, hand_over_below=0.2),
    }
    for name, router in routers.items():
        manifest = ReleaseManifest(
            base=ModelRef(name="base", digest=hash_bytes(b"base")),
            prompt=PromptRef(name="p", version=1, template="Be brief.", digest="p"),
            generation=GenerationSettings(max_tokens=96),
            knowledge_index=FileRef(
                ref=LakeRef(repository="lake", commit="c" * 40, path="i"), sha256=hash_bytes(index), size=len(index)
            ),
            router=router,
            handover="A colleague will help.",
            language="en",
        )
        weightless = name == "served"
        bundle = write_bundle(root / name, manifest, fetch, root / "base.gguf", seal(manifest), weightless=weightless)
        release = bundle.release_id
        write_state(root / name, ServingState(generation=1, live=release))


def chain(mode: str, root: Path) -> Chain:
    """The gateway's chain: `long` has every answer written, the others look it up; `plain` redacts nothing."""
    kind, _, cached = mode.partition("-")
    embedder = Embedder(find_embedder_folder())
    redactor = Untouched() if kind in ("plain", "long") else Redactor([], b"k" * 32)
    redactor.redact(["Loads the language model before the first customer comes."])

    def engine(_: Bundle) -> Engine:
        return Instant()

    folder = root / ("writing" if kind == "long" else "looking")
    log = InteractionLog(f"sqlite:///{root / f'{mode}.db'}")
    cache = AnswerCache(1000, 3600.0) if cached else None
    return Chain(redactor, embedder, log, Releases(folder, engine, embedder.digest, root / "trusted.pem"), cache=cache)


if __name__ == "__main__":
    main()
