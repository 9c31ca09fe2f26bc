"""A release on vLLM as an `Engine`: its prompt is sent as in training, its adapter is a name that only it has.

Requests are those of an upstream (upstreams/remote.py); tokens are counted here with the tokenizer that vLLM loads.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmops_assets.gateway.bundle import Bundle
from llmops_assets.gateway.engine import ANSWER_SECONDS, Engine, Usage
from llmops_assets.gateway.errors import EngineError, EngineLostError
from llmops_assets.gateway.upstreams.remote import RemoteEngine, UnavailableError
from llmops_assets.gateway.upstreams.settings import Upstream
from llmops_assets.gateway.vllm.folders import Folders, model_digest
from llmops_assets.gateway.vllm.server import BASE, VLLMServer
from llmops_assets.gateway.vllm.settings import VLLMSettings
from llmops_assets.gateway.wishes import NONE, Wishes
from llmops_assets.lib.answering.prompting import render_chat
from llmops_assets.lib.records import GenerationSettings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NAME = "vllm"
VISIBLE = (*range(33, 127), *range(161, 173), *range(174, 256))
BYTES = {chr(byte): byte for byte in VISIBLE} | {
    chr(256 + place): byte for place, byte in enumerate(byte for byte in range(256) if byte not in VISIBLE)
}
"""Letters of a byte-level vocabulary (GPT-2's) to the bytes they stand for."""
LINGER_SECONDS = 300.0
"""How long a server without a release is kept: releases come one after the other, and a start takes a minute."""


class VLLM:
    """Makes the engines of a gateway, and has their servers: one per base model.

    `root` is a folder of its own; `models` keeps converted base models, and may be shared.
    """

    def __init__(
        self, settings: VLLMSettings, root: Path, models: Path, *, threads: int, linger: float = LINGER_SECONDS
    ) -> None:
        self.settings = settings
        self.folders = Folders(root / "adapters", models)
        self._root, self._threads, self._linger = root, threads, linger
        self._servers: dict[str, VLLMServer] = {}
        self._users: dict[str, int] = {}
        self._changing = asyncio.Lock()
        self._lingering: set[asyncio.Task[None]] = set()

    def __call__(self, bundle: Bundle) -> "VLLMEngine":
        """The engine of a release, not started."""
        return VLLMEngine(bundle, self)

    async def server(self, bundle: Bundle) -> VLLMServer:
        """The server of a release's model, started if need be; `leave` gives it back. EngineError."""
        digest = model_digest(bundle)
        model = await asyncio.to_thread(self.folders.model, bundle)
        async with self._changing:
            if digest not in self._servers:
                log = self._root / f"{digest[:12]}.log"
                server = VLLMServer(self.settings, model, self.folders.adapters, log, threads=self._threads)
                await server.start()
                self._servers[digest] = server
            self._users[digest] = self._users.get(digest, 0) + 1
            return self._servers[digest]

    async def leave(self, bundle: Bundle) -> None:
        """A release needs its server no more."""
        digest = model_digest(bundle)
        self._users[digest] -= 1
        if self._users[digest]:
            return
        if not self._linger:
            await self._end(digest)
        else:
            task = asyncio.create_task(self._end_later(digest))
            self._lingering.add(task)
            task.add_done_callback(self._lingering.discard)

    async def close(self) -> None:
        """End every server."""
        for task in self._lingering:
            task.cancel()
        async with self._changing:
            servers, self._servers = list(self._servers.values()), {}
        await asyncio.gather(*(server.stop() for server in servers))

    async def _end_later(self, digest: str) -> None:
        await asyncio.sleep(self._linger)
        # An end that has begun is waited for by `close`, and not broken off by it.
        await asyncio.shield(self._end(digest))

    async def _end(self, digest: str) -> None:
        async with self._changing:
            if not self._users[digest] and (server := self._servers.pop(digest, None)):
                await server.stop()


class VLLMEngine(Engine):
    """Answers with one release's adapter, or with the model alone where it has none."""

    def __init__(self, bundle: Bundle, vllm: VLLM) -> None:
        self.context, self.slots = vllm.settings.context, vllm.settings.slots
        self._bundle = bundle
        self._vllm = vllm
        self._server: VLLMServer | None = None
        self._remote: RemoteEngine | None = None
        self._tokenizer: Tokenizer | None = None

    async def start(self) -> None:
        """Have the server, the adapter's folder, and one token as a sign that vLLM took it. EngineError."""
        from tokenizers import Tokenizer

        folders, settings = self._vllm.folders, self._vllm.settings
        server = self._server = await self._vllm.server(self._bundle)
        self._tokenizer = Tokenizer.from_file(str(server.model / "tokenizer.json"))
        model = BASE
        if self._bundle.adapter is not None:
            model = await asyncio.to_thread(folders.adapter, self._bundle, server.model, settings.rank)
        upstream = Upstream(
            name=NAME,
            url=f"{server.address}/v1",
            models={"*": model},
            api="completions",
            body={"repetition_penalty": self._bundle.manifest.generation.repetition_penalty},
            context=self.context,
            read_seconds=ANSWER_SECONDS,
            answer_seconds=ANSWER_SECONDS,
        )
        self._remote = RemoteEngine(upstream, model, key=server.key, own_network=True)
        await self._remote.start()

    async def stop(self) -> None:
        """Leave the server, and take the adapter away."""
        remote, self._remote = self._remote, None
        server, self._server = self._server, None
        if remote is not None:
            await remote.stop()
        if server is not None:
            release_id = self._bundle.release_id
            await asyncio.to_thread(self._vllm.folders.drop, release_id)
            if self._bundle.adapter is not None:
                await server.forget(release_id)
            await self._vllm.leave(self._bundle)

    async def tokens(self, text: str) -> list[bytes]:
        """The pieces as vLLM's tokenizer cuts them."""
        found = self._open().encode(text, add_special_tokens=False).tokens
        return [bytes(BYTES[letter] for letter in token) for token in found]

    async def count(self, messages: Sequence[Mapping[str, str]]) -> int:
        """As vLLM counts them, with the marks that a prompt begins with."""
        return len(self._open().encode(render_chat([dict(m) for m in messages])).ids)

    async def stream(
        self, messages: Sequence[Mapping[str, str]], settings: GenerationSettings, wishes: Wishes = NONE
    ) -> AsyncGenerator[str | Usage]:
        """Answer a chat in pieces. Where vLLM died on the way, the error comes at once, and the next request waits."""
        read = await self.count(messages)
        assert self._server is not None
        await self._server.ready()
        remote = self._remote
        if remote is None:
            raise EngineError(f"the engine of {self._bundle.release_id} is stopped")
        try:
            async with contextlib.aclosing(remote.stream(messages, settings, wishes)) as pieces:
                async for piece in pieces:
                    own = isinstance(piece, Usage)
                    yield dataclasses.replace(piece, input_tokens=read, by="") if own else piece
        except (UnavailableError, EngineLostError) as error:
            await self._server.look()
            raise EngineLostError(str(error)) from error

    def _open(self) -> "Tokenizer":
        if self._remote is None or self._tokenizer is None:
            raise EngineError(f"the engine of {self._bundle.release_id} is stopped")
        return self._tokenizer
