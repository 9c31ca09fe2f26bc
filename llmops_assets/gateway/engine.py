"""The engine: llama.cpp (through xllamacpp) as a supervised child process per release, asked over HTTP.

The prompt is rendered here with the template of training and sent as text, so no server-side chat template can differ
from it. Server API: https://github.com/ggml-org/llama.cpp/tree/master/tools/server.
"""

import asyncio
import contextlib
import json
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.errors import EngineError, EngineLostError
from llmops_assets.gateway.wishes import NONE, Wishes
from llmops_assets.lib.answering.prompting import render_chat
from llmops_assets.lib.records import GenerationSettings

START_SECONDS = 60.0
ANSWER_SECONDS = 120.0
HEALTH_SECONDS = 5.0
COUNT_SECONDS = 5.0
STOP = ["<|im_end|>"]
CONTEXT = 1536
"""Tokens of a slot: of prompt and answer together."""
MOST_KNOWN = 1000
"""Texts whose tokens are remembered: articles and handovers are sent again and again."""
ANY_SEED = 2**32 - 1
"""The seed that llama.cpp takes for "a random one"."""


@dataclass(frozen=True)
class Usage:
    """Tokens that the engine read and wrote for one answer.

    `cut`: it ended because it might write no more; `stopped`: at a text before which the caller wants it to end. `by`
    names the upstream that answered, "": the embedded engine.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cut: bool = False
    stopped: bool = False
    by: str = ""


def _unheard(_: Usage) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True)
class Generated:
    """A whole generated answer, without white space around it, what it took, and the seconds until its first piece."""

    text: str
    usage: Usage
    first_seconds: float | None = field(default=None, compare=False)


class Engine(ABC):
    """Generates answers for one release. Its only errors are EngineErrors. `context`: tokens of prompt and answer;
    `slots`: answers that it writes at a time, None where that is not known here.
    """

    context: int = CONTEXT
    slots: int | None = None

    @abstractmethod
    async def start(self) -> None:
        """Load the release and be ready to answer; EngineError when that fails."""

    @abstractmethod
    async def stop(self) -> None:
        """Free everything; what is being answered fails, and so does what is asked later."""

    @abstractmethod
    async def tokens(self, text: str) -> list[bytes]:
        """The tokens of a text, which joined are the text."""

    @abstractmethod
    async def count(self, messages: Sequence[Mapping[str, str]]) -> int:
        """How many tokens a chat has as a prompt: what `stream` will say that it read, or more where nobody can be
        asked. Never more than its bytes."""

    @abstractmethod
    def stream(
        self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings, wishes: Wishes = NONE
    ) -> AsyncGenerator[str | Usage]:
        """Answer a chat in pieces of text, and at the end say what it took.

        A Usage before a piece says what the answer has taken so far; the last item is the one of the whole.
        EngineLostError when the engine ends in the middle; closing the stream early stops the engine's work on it.
        """

    async def generate(
        self,
        messages: Sequence[Mapping[str, str]],
        settings: GenerationSettings,
        wishes: Wishes = NONE,
        told: Callable[[Usage], None] = _unheard,
    ) -> Generated:
        """The collected stream. It is asked for once more when the engine is lost: nothing has been sent of it yet.

        `told` hears what each time has taken so far, whenever that is known: one that breaks off has cost it too.
        """
        try:
            return await collected(self.stream(messages, settings, wishes), told)
        except EngineLostError:
            return await collected(self.stream(messages, settings, wishes), told)


async def collected(stream: AsyncGenerator[str | Usage], told: Callable[[Usage], None] = _unheard) -> Generated:
    """A whole answer out of an engine's stream, which is closed whatever happens."""
    pieces: list[str] = []
    usage = None
    started, first = time.monotonic(), None
    async with contextlib.aclosing(stream):
        async for piece in stream:
            if isinstance(piece, Usage):
                usage = piece
                told(usage)
            else:
                first = time.monotonic() - started if first is None else first
                usage = None
                pieces.append(piece)
    if usage is None:
        raise EngineLostError("the stream ended without its token counts")
    return Generated("".join(pieces).strip(), usage, first)


class LlamaCppEngine(Engine):
    """llama.cpp's server in a child process that dies with this one and is started again when it dies."""

    def __init__(self, bundle: Bundle, *, threads: int, slots: int, context: int = CONTEXT) -> None:
        self.context = context
        self._bundle = bundle
        self._threads = threads
        self.slots = slots
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self._address = ""
        self._known: dict[str, list[bytes]] = {}
        self._stopped = False
        self._restarting = asyncio.Lock()
        self._free = asyncio.Semaphore(slots)

    async def start(self) -> None:
        """Start the child and wait until it answers."""
        self._stopped = False
        await self._begin()

    async def _begin(self) -> None:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS, connect=10)
            # llama.cpp hangs up after an answer without having said so: a connection that is used again is lost.
            self._session = aiohttp.ClientSession(
                timeout=timeout, auto_decompress=False, connector=aiohttp.TCPConnector(force_close=True)
            )
        port = _free_port()
        self._address = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "llmops_assets.gateway.llamacpp", "--model", str(self._bundle.model)]
        command += ["--port", str(port), "--threads", str(self._threads), "--slots", str(self.slots)]
        command += ["--context", str(self.context)]
        if self._bundle.adapter is not None:
            command += ["--adapter", str(self._bundle.adapter)]
        # Beside the bundles: in its folder it would be a file that nobody signed.
        log = self._bundle.folder.parent.parent / "engines" / f"{self._bundle.folder.name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output)
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            if self._stopped:
                await self._kill()
                raise EngineError(f"the engine of {self._bundle.release_id} was stopped at its start")
            if self._process.returncode is not None:
                raise EngineError(f"the engine of {self._bundle.release_id} ended at its start: see engines/{log.name}")
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self._session.get(f"{self._address}/health") as response:
                    if response.status == 200:
                        return
            if asyncio.get_running_loop().time() > deadline:
                await self._kill()
                raise EngineError(f"the engine of {self._bundle.release_id} was not ready in {START_SECONDS:.0f} s")
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """End the child."""
        self._stopped = True
        await self._kill()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def tokens(self, text: str) -> list[bytes]:
        """The pieces as llama.cpp cuts them; one that is no UTF-8 on its own comes as numbers."""
        found = self._known.get(text)
        if found is None:
            found = await self._pieces(text)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[text] = found
        return found

    async def _pieces(self, text: str) -> list[bytes]:
        pieces = [found["piece"] for found in await self._tokenize(text, prompt=False)]
        parts = [piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces]
        # Some vocabularies begin a text with a space of their own.
        if parts and not text.startswith(" "):
            parts[0] = parts[0].removeprefix(b" ")
        return parts

    async def count(self, messages: Sequence[Mapping[str, str]]) -> int:
        """Counted by the engine itself, with the marks that a prompt begins with."""
        return len(await self._tokenize(render_chat([dict(m) for m in messages]), prompt=True))

    async def _tokenize(self, text: str, *, prompt: bool) -> list[dict[str, Any]]:
        if self._stopped or self._session is None:
            raise EngineError(f"the engine of {self._bundle.release_id} is stopped")
        body = {"content": text, "add_special": prompt, "parse_special": prompt, "with_pieces": True}
        soon = aiohttp.ClientTimeout(total=COUNT_SECONDS)
        try:
            async with self._session.post(f"{self._address}/tokenize", json=body, timeout=soon) as response:
                if response.status != 200:
                    raise EngineError(f"the engine counted no tokens: it answered {response.status}")
                return (await response.json())["tokens"]
        except TimeoutError as error:
            raise EngineError(f"no count of tokens within {COUNT_SECONDS:.0f} s") from error
        except (ValueError, LookupError) as error:
            raise EngineError("the engine's count of tokens cannot be read") from error
        except aiohttp.ClientError as error:
            await self._restart()
            raise EngineLostError("the engine ended while it counted tokens") from error

    async def stream(
        self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings, wishes: Wishes = NONE
    ) -> AsyncGenerator[str | Usage]:
        """Answer a chat in pieces; when the child died on the way, a fresh one is there before the error comes."""
        async with self._free:
            if self._stopped or self._session is None:
                raise EngineError(f"the engine of {self._bundle.release_id} is stopped")
            usage, url = None, f"{self._address}/completion"
            try:
                async with self._session.post(url, json=_body(messages, settings, wishes)) as response:
                    if response.status != 200:
                        raise EngineError(f"the engine answered {response.status}: {(await response.text())[:300]}")
                    async for line in response.content:
                        if not line.startswith(b"data: "):
                            continue
                        event = json.loads(line[6:])
                        if "error" in event:
                            raise EngineError(f"the engine failed in the middle of an answer: {str(event)[:300]}")
                        if event.get("content"):
                            yield Usage(event["tokens_evaluated"], event["tokens_predicted"])
                            yield event["content"]
                        if event.get("stop"):
                            cut, stopped = event["stop_type"] == "limit", event["stopping_word"] in wishes.stop
                            usage = Usage(event["tokens_evaluated"], event["tokens_predicted"], cut, stopped)
            except TimeoutError as error:
                raise EngineError(f"no answer within {ANSWER_SECONDS:.0f} s") from error
            except ValueError as error:
                raise EngineError("the engine's answer cannot be read") from error
            except aiohttp.ClientError as error:
                await self._restart()
                raise EngineLostError("the engine ended in the middle of an answer") from error
            if usage is None:
                await self._restart()
                raise EngineLostError("the engine's stream ended before its answer")
            yield usage

    async def _restart(self) -> None:
        async with self._restarting:
            if self._stopped:
                raise EngineError(f"the engine of {self._bundle.release_id} was stopped in the middle of an answer")
            if self._process is not None and self._process.returncode is None:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    assert self._session is not None
                    soon = aiohttp.ClientTimeout(total=HEALTH_SECONDS)
                    async with self._session.get(f"{self._address}/health", timeout=soon) as response:
                        if response.status == 200:
                            return
            await self._kill()
            try:
                await self._begin()
            except EngineError as error:
                if self._stopped:
                    raise
                # Killed again at its start: what it was to answer is lost all the same, and another may answer it.
                raise EngineLostError(str(error)) from error

    async def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


def _body(messages: Sequence[Mapping[str, str]], settings: GenerationSettings, wishes: Wishes) -> dict[str, Any]:
    """The request to llama.cpp's `/completion`. The release's own decoding is repeatable; a caller's is if it says so,
    by a seed."""
    temperature = settings.temperature if wishes.temperature is None else wishes.temperature
    seed = (0 if wishes.temperature is None else ANY_SEED) if wishes.seed is None else wishes.seed % ANY_SEED
    asked = {name: getattr(wishes, name) for name in wishes.sampling}
    if wishes.grammar:
        asked["grammar"] = wishes.grammar
    return {
        "prompt": render_chat([dict(m) for m in messages]),
        **asked,
        "n_predict": min(settings.max_tokens, wishes.max_tokens or settings.max_tokens),
        "temperature": temperature,
        "top_k": 1 if temperature == 0 else 40,
        "repeat_penalty": settings.repetition_penalty,
        "stop": [*STOP, *wishes.stop],
        "cache_prompt": True,
        "seed": seed,
        "stream": True,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
