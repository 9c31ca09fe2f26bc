"""The releases a gateway process holds: loaded before they are switched to, unloaded when their last request left."""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

from llmops_assets.gateway.bundle import Bundle, bundle_folder, load_bundle
from llmops_assets.gateway.engine import Engine
from llmops_assets.gateway.serving import Serving
from llmops_assets.gateway.state import ServingState, read_state
from llmops_assets.lib.answering.knowledge import KnowledgeIndex
from llmops_assets.lib.guarding import Guards
from llmops_assets.lib.signing import RefusedError, read_trusted

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
DRAIN_SECONDS = 150.0


Refused = Callable[[RefusedError], None]
"""Told of a release that was refused because of one of its files."""


class NoReleaseError(Exception):
    """Nothing is served under that name."""


class Releases:
    """Watches the state file in `root` and keeps exactly the releases it names ready.

    What customers are served must be signed by a key in the file `trusted`, which is read anew for every release.
    `closing` ends what engines share, after all of them. `weightless`: engines elsewhere have the models. The file is
    looked at every `poll_seconds`.
    """

    def __init__(
        self,
        root: Path,
        make_engine: Callable[[Bundle], Engine],
        embedder_digest: str,
        trusted: Path,
        refused: Refused = lambda _: None,
        *,
        closing: Callable[[], Awaitable[None]] | None = None,
        weightless: bool = False,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.root = root
        self.state = ServingState()
        self.error = ""
        self.failed_generation = -1
        self._make_engine = make_engine
        self._embedder_digest = embedder_digest
        self._trusted, self._refused = trusted, refused
        self._closing = closing
        self._weightless = weightless
        self._poll_seconds = poll_seconds
        self._loaded: dict[str, Serving] = {}
        self._drains: set[asyncio.Task[None]] = set()

    async def watch(self) -> None:
        """Apply every change of the state until cancelled. A release that cannot be loaded leaves all as it was."""
        while True:
            wanted = await asyncio.to_thread(read_state, self.root)
            if wanted.generation not in (self.state.generation, self.failed_generation):
                await self._apply(wanted)
            await asyncio.sleep(self._poll_seconds)

    async def close(self) -> None:
        """Stop every engine."""
        for task in self._drains:
            task.cancel()
        await asyncio.gather(*(serving.engine.stop() for serving in self._loaded.values()))
        if self._closing is not None:
            await self._closing()

    @contextlib.asynccontextmanager
    async def use(self, which: str, conversation: str) -> AsyncGenerator[Serving]:
        """The release for a request: `live` (with the canary's share of conversations), or one asked for by name.

        A conversation stays with one release as long as the state is the same, with the canary also when its share
        grows.
        """
        state = self.state
        name = getattr(state, which)
        if which == "live" and state.canary and share_of(conversation, state.canary) < state.canary_share:
            name = state.canary
        serving = self._loaded.get(name or "")
        if serving is None:
            raise NoReleaseError(f"no {which} release is served")
        serving.active += 1
        try:
            yield serving
        finally:
            serving.active -= 1

    def serving(self, which: str) -> Serving | None:
        """The release of a stage, None where none is served there."""
        return self._loaded.get(getattr(self.state, which) or "")

    @property
    def loaded(self) -> tuple[Serving, ...]:
        """Every release that is ready."""
        return tuple(self._loaded.values())

    async def _apply(self, wanted: ServingState) -> None:
        made: dict[str, Serving] = {}
        try:
            for release_id in wanted.releases():
                signed = release_id in wanted.released()
                if release_id not in self._loaded:
                    made[release_id] = await self._load(release_id, signed=signed)
                elif signed and not self._loaded[release_id].bundle.signed_by:
                    # Loaded as a candidate, by name only: now it needs a signature, over what was loaded.
                    self._loaded[release_id].bundle = await asyncio.to_thread(self._read, release_id, signed=True)
        except Exception as error:
            # Whatever is wrong with the new release, the old one must go on serving.
            await asyncio.gather(*(serving.engine.stop() for serving in made.values()))
            if isinstance(error, RefusedError):
                await self._tell(error)
            self.error = f"{type(error).__name__}: {error}"
            self.failed_generation = wanted.generation
            return
        self._loaded.update(made)
        self.state, self.error = wanted, ""
        for release_id in [name for name in self._loaded if name not in wanted.releases()]:
            task = asyncio.create_task(self._drain(self._loaded.pop(release_id)))
            self._drains.add(task)
            task.add_done_callback(self._drains.discard)

    async def _tell(self, error: RefusedError) -> None:
        log.error("%s was refused because of %s", error.release, error.file)
        try:
            await asyncio.to_thread(self._refused, error)
        except Exception:
            # The log may be away for a while; the states that come after this one must be seen all the same.
            log.exception("the refusal of %s could not be audited", error.release)

    def _read(self, release_id: str, *, signed: bool) -> Bundle:
        trusted = read_trusted(self._trusted) if signed else None
        return load_bundle(bundle_folder(self.root, release_id), trusted=trusted, weightless=self._weightless)

    async def _load(self, release_id: str, *, signed: bool) -> Serving:
        bundle = await asyncio.to_thread(self._read, release_id, signed=signed)
        index = await asyncio.to_thread(KnowledgeIndex.load, bundle.index) if bundle.index else None
        if index is not None and index.embedder_digest != self._embedder_digest:
            raise ValueError(f"the index of {release_id} was made by another embedder: build it again")
        if index is not None:
            await asyncio.to_thread(index.warm_up)
        guards = await asyncio.to_thread(Guards.of, bundle.manifest)
        engine = self._make_engine(bundle)
        try:
            await engine.start()
        except BaseException:
            await engine.stop()
            raise
        return Serving(bundle, engine, index, guards=guards)

    @staticmethod
    async def _drain(serving: Serving) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while serving.active:
                    await asyncio.sleep(0.02)
        await serving.engine.stop()


def share_of(conversation: str, release: str) -> float:
    """Where a conversation lies between 0 and 1 for a release: below a canary's share, the canary answers it.

    Each release draws anew, so that not the same few try all of them.
    """
    return int(hashlib.sha256(f"{conversation} {release}".encode()).hexdigest()[:8], 16) / 16**8
