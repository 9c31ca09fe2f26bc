"""`vllm serve` as a supervised process: one per base model, as long as a release needs it, started again when it dies.

vLLM has several processes; they are a group of their own, which is ended as a whole. After a restart vLLM has no
adapters, and finds each again in its folder at the first request (lora_filesystem_resolver).
https://docs.vllm.ai/en/latest/features/lora.html
"""

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import time
from pathlib import Path

import aiohttp

from llmops_assets.gateway.errors import EngineError
from llmops_assets.gateway.vllm import child
from llmops_assets.gateway.vllm.settings import TAKEN, VLLMSettings
from llmops_assets.lib import ports

BASE = "base"
"""What vLLM calls the base model, for releases without an adapter."""
HEALTH_SECONDS = 5.0
END_SECONDS = 5.0
"""How long vLLM may take to end its own processes."""
POLL_SECONDS = 0.1
WAIT_SECONDS = 150.0
"""How long a question waits for a server that is being started again."""
STEADY_SECONDS = 60.0
"""A process that ran for so long ends for the first time."""
LONGEST_PAUSE = 30.0
LAST_WORDS = 600
"""Characters of its log that an error quotes."""


class VLLMServer:
    """One `vllm serve` on a model's folder, which answers at `address` to `key`. `threads` are of a CPU."""

    def __init__(self, settings: VLLMSettings, model: Path, adapters: Path, log: Path, *, threads: int) -> None:
        self.settings, self.model = settings, model
        self.key = secrets.token_hex(16)
        self._port = ports.find_free()
        self.address = f"http://127.0.0.1:{self._port}"
        self.adapters, self._log, self._threads = adapters, log, threads
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._looking = asyncio.Lock()

    @property
    def command(self) -> list[str]:
        """Its command line."""
        settings = self.settings
        return [
            *(str(settings.command), "serve", str(self.model), "--host", "127.0.0.1", "--port", str(self._port)),
            # Sampling is the release's, and a prompt comes whole: nothing of the model's folder adds to either.
            *("--served-model-name", BASE, "--generation-config", "vllm", "--dtype", settings.dtype),
            *("--max-model-len", str(settings.context), "--max-num-seqs", str(settings.slots)),
            *("--enable-lora", "--max-loras", str(settings.adapters), "--max-lora-rank", str(settings.rank)),
            *settings.arguments,
        ]

    @property
    def environment(self) -> dict[str, str]:
        """Its environment: nothing of the gateway's Python, and adapters out of their folder."""
        return {
            **{name: value for name, value in os.environ.items() if not TAKEN.fullmatch(name)},
            "OMP_NUM_THREADS": str(self._threads),
            "HF_HUB_OFFLINE": "1",
            "DO_NOT_TRACK": "1",
            "VLLM_NO_USAGE_STATS": "1",
            **self.settings.environment,
            "VLLM_API_KEY": self.key,
            "VLLM_PLUGINS": "lora_filesystem_resolver",
            "VLLM_LORA_RESOLVER_CACHE_DIR": str(self.adapters),
            # Without it vLLM 0.32 asks no resolver. It opens two paths for loading as well, behind the key.
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
        }

    async def start(self) -> None:
        """Start it and wait until it answers. EngineError when it ends, or takes too long."""
        try:
            await self._begin()
        except BaseException:
            await self._end()
            raise
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End all its processes."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        await self._end()

    async def ready(self) -> None:
        """Return when it answers. EngineError when it was stopped, or does not come back in time."""
        if self._keeper is None:
            raise EngineError("vLLM is stopped")
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._ready.wait()
        except TimeoutError:
            raise EngineError(f"vLLM did not come back within {WAIT_SECONDS:.0f} s: see {self._log.name}") from None

    async def look(self) -> None:
        """It did not answer as it should: where it does not say that it is well, it is ended and begins anew."""
        async with self._looking:
            if self._keeper is not None and self._ready.is_set() and not await self._is_well():
                self._ready.clear()
                self._signal(signal.SIGKILL)

    async def forget(self, adapter: str) -> None:
        """Let it forget an adapter whose folder is gone; fine where it never loaded it."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            body, url = {"lora_name": adapter}, f"{self.address}/v1/unload_lora_adapter"
            async with self._session() as session, session.post(url, json=body):
                pass

    async def _begin(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as output:
            said = output.tell()
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", child.__file__, *self.command),
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + self.settings.start_seconds
        while not await self._is_well():
            if self._process.returncode is not None:
                raise EngineError(f"vLLM ended at its start ({self._process.returncode}): {self._last_words(said)}")
            if time.monotonic() > deadline:
                raise EngineError(
                    f"vLLM did not answer within {self.settings.start_seconds:.0f} s: {self._last_words(said)}"
                )
            await asyncio.sleep(POLL_SECONDS)
        self._ready.set()

    async def _keep(self) -> None:
        """Start it again whenever it ends, each time later where that happens again and again."""
        ends = 0
        while True:
            assert self._process is not None
            began = time.monotonic()
            await self._process.wait()
            self._ready.clear()
            ends = 1 if time.monotonic() - began > STEADY_SECONDS else ends + 1
            # What it started and left behind would hold the memory that its next life needs.
            await self._end()
            await asyncio.sleep(min(LONGEST_PAUSE, 0.1 * 2**ends))
            with contextlib.suppress(EngineError):
                await self._begin()

    async def _end(self) -> None:
        self._ready.clear()
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), END_SECONDS)
        self._signal(signal.SIGKILL)
        await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        """To its whole group, whose number stays taken as long as one process of it lives."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    async def _is_well(self) -> bool:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self._session() as session, session.get(f"{self.address}/health") as response:
                return response.status == 200
        return False

    def _session(self) -> aiohttp.ClientSession:
        timeout = aiohttp.ClientTimeout(total=HEALTH_SECONDS)
        return aiohttp.ClientSession(timeout=timeout, headers={"authorization": f"Bearer {self.key}"})

    def _last_words(self, start: int) -> str:
        with self._log.open("rb") as file:
            file.seek(start)
            return file.read().decode(errors="replace").strip()[-LAST_WORDS:] or "it said nothing"
