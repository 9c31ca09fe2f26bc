"""CPU time of a message with the guards and without: what `--cost` of benchmarks/guards.py prints.

The sample's questions pass the gateway's whole chain in this process: with redaction by patterns, the log on a disk, an
engine that answers at once, and in place of the embedder one that costs next to nothing. HTTP, embedder and model are
left out: a real message costs more, and the guards' share of it is smaller.
"""

import asyncio
import contextlib
import statistics
import tempfile
import time
import zlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.callers import Caller
from llmops_assets.gateway.chain import Chain
from llmops_assets.gateway.engine import Engine, Usage
from llmops_assets.gateway.exchange import Ask
from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.gateway.serving import Serving
from llmops_assets.gateway.wishes import NONE, Wishes
from llmops_assets.lib.answering.knowledge import KnowledgeIndex
from llmops_assets.lib.guarding import UNGUARDED, Guards
from llmops_assets.lib.records import (
    GenerationSettings,
    GuardPolicy,
    ModelRef,
    PromptRef,
    ReleaseManifest,
    RouterPolicy,
)
from llmops_assets.lib.redaction import Redactor
from llmops_assets.samples import generator

QUESTIONS = 30
ROUNDS = 5


class Ready(Engine):
    """Answers at once, with the article that it is shown first."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def tokens(self, text: str) -> list[bytes]:
        return [part.encode() for part in text.split()]

    async def count(self, messages: Sequence[Mapping[str, str]]) -> int:
        return sum(len(message["content"].split()) for message in messages)

    async def stream(
        self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings, wishes: Wishes = NONE
    ) -> AsyncGenerator[str | Usage]:
        yield messages[-1]["content"].split("\n")[1].removeprefix("- ")
        yield Usage(100, 20)


class Hashed:
    """Vectors of hashed words."""

    digest = "hashed"
    most_tokens = 256

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        made = np.zeros((len(texts), 64), np.float32)
        for row, text in zip(made, texts, strict=True):
            for word in text.lower().split():
                row[zlib.crc32(word.encode()) % 64] += 1
        return made / np.maximum(1e-9, np.linalg.norm(made, axis=1, keepdims=True))

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


class One:
    """The one release that is served."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving

    @contextlib.asynccontextmanager
    async def use(self, which: str, conversation: str) -> AsyncGenerator[Serving]:
        yield self.serving


def costs() -> str:
    """CPU microseconds of a message, guards off and on, by path; and of the guards' own work."""
    embedder, articles = Hashed(), generator.load_articles()
    questions = [article.questions[0] for article in articles][:QUESTIONS]
    index = KnowledgeIndex.build(articles, embedder)
    router = RouterPolicy(answer_above=0.6, hand_over_below=0.0)
    guards = Guards(GuardPolicy(), generator.load_use_case().system_prompt)
    lines = [
        f"{'path':12}{'guards off':>12}{'guards on':>12}{'ratio':>8}   CPU µs a message, median of {ROUNDS} rounds"
    ]
    for path, policy in (
        ("matched", router),
        ("generated", router.model_copy(update={"answer_above": 2.0, "hand_over_below": 0.0})),
    ):
        off, on = asyncio.run(_measured(embedder, index, policy, guards, questions))
        lines.append(f"{path:12}{off:12.0f}{on:12.0f}{on / off:8.2f}")
    guards = Guards(GuardPolicy(), generator.load_use_case().system_prompt)
    said = [article.answer for article in articles][:QUESTIONS]
    lines.append(f"the guards' own work: question {_own(guards.question, questions):.0f}, answer "
                 f"{_own(guards.answer, said):.0f}, article the first time {_own(guards.article, said):.0f}, "
                 f"later {_own(guards.article, said):.1f}")  # fmt: skip
    return "\n".join(lines)


async def _measured(
    embedder: Hashed, index: KnowledgeIndex, policy: RouterPolicy, guards: Guards, asked: Sequence[str]
) -> tuple[float, float]:
    """Medians of rounds that alternate, so that what else the machine does hits both alike."""
    manifest = ReleaseManifest(
        base=ModelRef(name="none", digest="none"),
        prompt=PromptRef(name="p", version=1, template=generator.load_use_case().system_prompt, digest="p"),
        router=policy,
        handover="A person will answer.",
        language="en",
    )
    times: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as folder:
        served = One(Serving(Bundle(Path(folder), manifest, Path(folder), None, None), Ready(), index))
        log = InteractionLog(f"sqlite:///{folder}/log.db")
        chain = Chain(Redactor(key=b"k" * 32, names=False), embedder, log, served)  # ty: ignore[invalid-argument-type]
        for turn in range(2 * ROUNDS + 2):
            guarded = turn % 2 == 1
            served.serving.guards = guards if guarded else UNGUARDED
            started = time.process_time()
            for number, question in enumerate(asked):
                # No text twice: what is remembered of it would cost nothing.
                ask = Ask("live", f"{question} {'please ' * (turn % 3)}now {turn} {number}")
                async with chain.exchange(Caller("bench"), ask) as exchange:
                    await chain.answer(exchange)
            if turn > 1:
                times[guarded].append((time.process_time() - started) / len(asked) * 1e6)
        log.close()
    return statistics.median(times[False]), statistics.median(times[True])


def _own(work: Callable[[str], object], texts: Sequence[str]) -> float:
    started = time.process_time()
    for text in texts:
        work(text)
    return (time.process_time() - started) / len(texts) * 1e6
