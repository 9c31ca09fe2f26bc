"""A gateway process on this machine, supervised through its pid file; it outlives the run that started it."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from llmops_assets.gateway.bundle import write_bundle
from llmops_assets.gateway.state import ServingState, read_state, write_state
from llmops_assets.lib.records import ReleaseManifest, SubjectPattern
from resources.deployment_target.base import (
    Ask,
    DeploymentError,
    DeploymentTarget,
    Fetch,
    TargetReply,
    TargetStatus,
    Which,
)

START_SECONDS = 120.0
APPLY_SECONDS = 120.0
ASK_SECONDS = 180.0
MODEL_NAMES = {"live": "assistant", "canary": "assistant-canary", "preview": "assistant-preview"}
MODULE = "llmops_assets.gateway"


class LocalTarget(DeploymentTarget):
    """One gateway process whose files lie in `root`; `port` is taken when it is free, another one otherwise."""

    name = "local"

    def __init__(
        self,
        root: Path,
        *,
        log_url: str,
        subject_key: Path,
        port: int = 8730,
        identifiers: Sequence[SubjectPattern] = (),
        allow: Sequence[str] = (),
        cache: Path | None = None,
        replay: bool = False,
    ) -> None:
        self.root = root
        self._log_url = log_url
        self._subject_key = subject_key
        self._port = port
        self._identifiers = tuple(identifiers)
        self._allow = tuple(allow)
        self._cache = cache
        self._replay = replay

    # -- the process ----------------------------------------------------------------------------------------------

    def start(self) -> TargetStatus:
        """Start the gateway unless it runs; returns when it answers. DeploymentError with the end of its log."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if self._process() is None or self._health() is None:
                self._end()
                self._begin()
        return self.status()

    def stop(self) -> None:
        """End the gateway and its engines."""
        if self.root.exists():
            with self._locked():
                self._end()

    def _begin(self) -> None:
        redaction = self.root / "redaction.json"
        identifiers = [pattern.model_dump(mode="json") for pattern in self._identifiers]
        redaction.write_text(json.dumps({"identifiers": identifiers, "allow": list(self._allow)}))
        port = self._port if _is_free(self._port) else _free_port()
        command = [sys.executable, "-m", MODULE, "--root", str(self.root), "--port", str(port)]
        command += ["--log-url", self._log_url, "--subject-key", str(self._subject_key), "--redaction", str(redaction)]
        if self._cache is not None:
            command += ["--cache", str(self._cache)]
        if self._replay:
            command += ["--replay"]
        log = self.root / "gateway.log"
        # One BLAS thread: the engine needs the cores, and a forking BLAS pool can hang.
        path = os.pathsep.join(p for p in sys.path if p)
        environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        # Spawned, not a child object of ours: it shall outlive the run that starts it.
        pid = os.posix_spawn(
            sys.executable,
            command,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        about = {"pid": pid, "address": f"http://127.0.0.1:{port}"}
        self._pid_file.write_text(json.dumps(about))
        wanted = read_state(self.root).generation
        deadline = time.monotonic() + START_SECONDS
        while True:
            health = self._health()
            if health is not None and wanted in (health["generation"], health["failed_generation"]):
                return
            if not _alive(pid):
                tail = log.read_text(errors="replace")[-1500:]
                raise DeploymentError(f"the gateway ended at its start: {tail}")
            if time.monotonic() > deadline:
                self._end()
                raise DeploymentError(f"the gateway did not answer within {START_SECONDS:.0f} s: see {log}")
            time.sleep(0.1)

    def _end(self) -> None:
        pid = self._process()
        if pid is not None:
            for sign in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sign)
                deadline = time.monotonic() + 10
                while _alive(pid) and time.monotonic() < deadline:
                    time.sleep(0.05)
                if not _alive(pid):
                    break
        self._pid_file.unlink(missing_ok=True)

    @property
    def _pid_file(self) -> Path:
        return self.root / "gateway.json"

    def _about(self) -> dict[str, Any]:
        try:
            return json.loads(self._pid_file.read_text())
        except (OSError, ValueError):
            return {}

    def _process(self) -> int | None:
        """Pid of our gateway: of the pid file, when that process is one of this folder."""
        pid = self._about().get("pid")
        if not isinstance(pid, int) or not _alive(pid):
            return None
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return None
        return pid if MODULE.encode() in command and str(self.root).encode() in command else None

    def _health(self) -> dict[str, Any] | None:
        address = self._about().get("address")
        if address is None:
            return None
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=5) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)
        except (OSError, ValueError):
            return None

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        with (self.root / "lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    # -- releases ---------------------------------------------------------------------------------------------------

    def status(self) -> TargetStatus:
        """What is served now."""
        health = self._health()
        if health is None:
            raise DeploymentError(f"no gateway answers for {self.root.name}: start it (`llmops serve`)")
        return TargetStatus(
            live=health["live"],
            previous=health["previous"],
            canary=health["canary"],
            address=self._about()["address"],
            error=health["error"],
        )

    def apply(
        self,
        manifest: ReleaseManifest,
        stage: Literal["canary", "live"],
        *,
        fetch: Fetch,
        base_model: Path,
        share: float = 0.1,
    ) -> TargetStatus:
        """Serve a release as canary or live; returns when it is served."""
        write_bundle(self.root, manifest, fetch, base_model)
        release_id = manifest.release_id

        def change(state: ServingState) -> ServingState:
            if stage == "canary":
                return state.model_copy(update={"canary": release_id, "canary_share": share})
            previous = state.previous if state.live == release_id else state.live
            return state.model_copy(
                update={"live": release_id, "previous": previous, "canary": None, "canary_share": 0.0}
            )

        return self._change(change)

    def abort_canary(self) -> TargetStatus:
        """End a canary."""
        return self._change(lambda state: state.model_copy(update={"canary": None, "canary_share": 0.0}))

    def rollback(self) -> TargetStatus:
        """Serve the previous release again."""
        state = read_state(self.root)
        if state.previous is None:
            raise DeploymentError("there is no previous release to roll back to")
        return self._change(
            lambda state: state.model_copy(
                update={"live": state.previous, "previous": state.live, "canary": None, "canary_share": 0.0}
            )
        )

    @contextlib.contextmanager
    def preview(self, manifest: ReleaseManifest, *, fetch: Fetch, base_model: Path) -> Generator[None]:
        """Serve a release beside the live one, for those who ask for it by name."""
        write_bundle(self.root, manifest, fetch, base_model)
        self._change(lambda state: state.model_copy(update={"preview": manifest.release_id}))
        try:
            yield
        finally:
            self._change(lambda state: state.model_copy(update={"preview": None}))

    def _change(self, change: Any) -> TargetStatus:
        self.start()
        with self._locked():
            before = read_state(self.root)
            wanted: ServingState = change(before)
            if wanted == before and (self._health() or {}).get("generation") == before.generation:
                return self.status()
            wanted = wanted.model_copy(update={"generation": before.generation + 1})
            write_state(self.root, wanted)
            deadline = time.monotonic() + APPLY_SECONDS
            while True:
                health = self._health()
                if health is not None and health["generation"] == wanted.generation:
                    return self.status()
                refused = health is not None and health["failed_generation"] == wanted.generation
                if refused or time.monotonic() > deadline:
                    write_state(self.root, before.model_copy(update={"generation": wanted.generation + 1}))
                    reason = health["error"] if health and refused else f"not served within {APPLY_SECONDS:.0f} s"
                    raise DeploymentError(f"the gateway did not take the release: {reason}")
                time.sleep(0.05)

    # -- requests ---------------------------------------------------------------------------------------------------

    def ask_many(self, asks: Sequence[Ask], which: Which = "live", *, concurrency: int = 4) -> list[TargetReply]:
        """Answers in the order of the questions."""
        address = self._about().get("address", "http://127.0.0.1:9")
        return asyncio.run(_ask_many(address, asks, MODEL_NAMES[which], concurrency))

    def give_feedback(
        self, feedback: Sequence[tuple[str, int, str, str, datetime | None]], *, concurrency: int = 4
    ) -> int:
        """Send feedback and return how many were stored."""
        address = self._about().get("address", "http://127.0.0.1:9")
        return asyncio.run(_give_feedback(address, feedback, concurrency))


async def _ask_many(address: str, asks: Sequence[Ask], model: str, concurrency: int) -> list[TargetReply]:
    import aiohttp

    slots = asyncio.Semaphore(concurrency)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_SECONDS)) as session:

        async def one(ask: Ask) -> TargetReply:
            body = {
                "model": model,
                "messages": [{"role": "user", "content": ask.question}],
                "user": ask.user,
                "metadata": {"conversation": ask.conversation},
            }
            headers = {"x-llmops-time": ask.time.isoformat()} if ask.time else {}
            async with slots:
                try:
                    async with session.post(f"{address}/v1/chat/completions", json=body, headers=headers) as response:
                        answer = await response.json()
                        if response.status != 200:
                            return TargetReply(response.status, error=str(answer.get("error", {}).get("message", "")))
                except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                    return TargetReply(0, error=f"{type(error).__name__}: {error}")
            about = answer["llmops"]
            return TargetReply(
                status=200,
                answer=answer["choices"][0]["message"]["content"],
                path=about["path"],
                article=about["article"],
                similarity=about["similarity"],
                release_id=answer["model"],
                interaction=about["interaction"],
                latency_seconds=about["latency_seconds"],
            )

        return list(await asyncio.gather(*(one(ask) for ask in asks)))


async def _give_feedback(
    address: str, feedback: Sequence[tuple[str, int, str, str, datetime | None]], concurrency: int
) -> int:
    import aiohttp

    slots = asyncio.Semaphore(concurrency)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_SECONDS)) as session:

        async def one(interaction: str, rating: int, reason: str, correction: str, moment: datetime | None) -> bool:
            body = {"interaction": interaction, "rating": rating, "reason": reason, "correction": correction}
            headers = {"x-llmops-time": moment.isoformat()} if moment else {}
            async with slots, session.post(f"{address}/v1/feedback", json=body, headers=headers) as response:
                return response.status == 200

        return sum(await asyncio.gather(*(one(*entry) for entry in feedback)))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
