"""The engine: llama.cpp (through xllamacpp) as a supervised child process per release, asked over HTTP.

The prompt is rendered here with the template of training and sent as text, so no server-side chat template can differ
from it. Server API: https://github.com/ggml-org/llama.cpp/tree/master/tools/server.
"""

import argparse
import asyncio
import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.lib.prompting import render_chat
from llmops_assets.lib.records import GenerationSettings

START_SECONDS = 60.0
ANSWER_SECONDS = 120.0
STOP = ["<|im_end|>"]


class EngineError(Exception):
    """The engine does not start or does not answer."""


@dataclass(frozen=True)
class Generated:
    """A generated answer with its token counts."""

    text: str
    input_tokens: int
    output_tokens: int


class Engine(ABC):
    """Generates answers for one release."""

    @abstractmethod
    async def start(self) -> None:
        """Load the release and be ready to answer; EngineError when that fails."""

    @abstractmethod
    async def stop(self) -> None:
        """Free everything."""

    @abstractmethod
    async def generate(self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings) -> Generated:
        """Answer a chat."""

    @abstractmethod
    def stream(self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings) -> AsyncIterator[str]:
        """Answer a chat in pieces."""


class LlamaCppEngine(Engine):
    """llama.cpp's server in a child process that dies with this one and is started again when it dies."""

    def __init__(self, bundle: Bundle, *, threads: int, slots: int) -> None:
        self._bundle = bundle
        self._threads = threads
        self._slots = slots
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self._address = ""
        self._restarting = asyncio.Lock()
        self._free = asyncio.Semaphore(slots)

    async def start(self) -> None:
        """Start the child and wait until it answers."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS, connect=10)
            self._session = aiohttp.ClientSession(timeout=timeout, auto_decompress=False)
        port = _free_port()
        self._address = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "llmops_assets.gateway.engine", "--model", str(self._bundle.model)]
        command += ["--port", str(port), "--threads", str(self._threads), "--slots", str(self._slots)]
        if self._bundle.adapter is not None:
            command += ["--adapter", str(self._bundle.adapter)]
        log = self._bundle.folder / "engine.log"
        with log.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output)
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            if self._process.returncode is not None:
                raise EngineError(f"the engine of {self._bundle.release_id} ended at its start: see {log.name}")
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
        await self._kill()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def generate(self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings) -> Generated:
        """Answer a chat; when the child died, once more on a fresh one."""
        async with self._free:
            try:
                return await self._ask(messages, settings)
            except aiohttp.ClientConnectionError:
                await self._restart()
                return await self._ask(messages, settings)

    async def stream(self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings) -> AsyncIterator[str]:
        """Answer a chat in pieces; EngineError when the child dies on the way."""
        assert self._session is not None
        async with self._free:
            body = self._body(messages, settings, stream=True)
            try:
                async with self._session.post(f"{self._address}/completion", json=body) as response:
                    await self._check(response)
                    async for line in response.content:
                        if line.startswith(b"data: "):
                            piece = json.loads(line[6:])
                            if piece.get("content"):
                                yield piece["content"]
            except aiohttp.ClientConnectionError as error:
                await self._restart()
                raise EngineError("the engine ended in the middle of an answer") from error

    async def _ask(self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings) -> Generated:
        assert self._session is not None
        body = self._body(messages, settings, stream=False)
        async with self._session.post(f"{self._address}/completion", json=body) as response:
            await self._check(response)
            answer = await response.json()
        return Generated(answer["content"].strip(), answer["tokens_evaluated"], answer["tokens_predicted"])

    @staticmethod
    def _body(messages: Sequence[Mapping[str, str]], settings: GenerationSettings, *, stream: bool) -> dict:
        return {
            "prompt": render_chat([dict(m) for m in messages]),
            "n_predict": settings.max_tokens,
            "temperature": settings.temperature,
            "top_k": 1 if settings.temperature == 0 else 40,
            "repeat_penalty": settings.repetition_penalty,
            "stop": STOP,
            "cache_prompt": True,
            "seed": 0,
            "stream": stream,
        }

    @staticmethod
    async def _check(response: aiohttp.ClientResponse) -> None:
        if response.status != 200:
            raise EngineError(f"the engine answered {response.status}: {(await response.text())[:300]}")

    async def _restart(self) -> None:
        async with self._restarting:
            if self._process is not None and self._process.returncode is None:
                with contextlib.suppress(aiohttp.ClientError):
                    assert self._session is not None
                    async with self._session.get(f"{self._address}/health") as response:
                        if response.status == 200:
                            return
            await self._kill()
            await self.start()

    async def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main() -> None:
    """Run llama.cpp's server until killed; ends when its parent ends."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--context", type=int, default=1536, help="tokens per slot")
    arguments = parser.parse_args()
    # PR_SET_PDEATHSIG: a gateway that is killed must not leave an engine behind.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() == 1:
        return
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(arguments.model)
    parameters.n_ctx = arguments.context * arguments.slots
    parameters.n_parallel = arguments.slots
    parameters.cpuparams.n_threads = arguments.threads
    parameters.cpuparams_batch.n_threads = arguments.threads
    parameters.port = arguments.port
    parameters.endpoint_metrics = True
    if arguments.adapter:
        adapter = xllamacpp.CommonAdapterLoraInfo()
        adapter.path = str(arguments.adapter)
        adapter.scale = 1.0
        parameters.lora_adapters = [adapter]
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
