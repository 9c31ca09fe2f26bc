"""A gateway process on this machine, supervised through its pid file; it outlives the run that started it."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from llmops_assets.gateway.bundle import write_bundle
from llmops_assets.gateway.identity.own import own_key
from llmops_assets.gateway.identity.providers import IdentityProviders
from llmops_assets.gateway.state import ServingState, read_state, write_state
from llmops_assets.gateway.upstreams.settings import UpstreamSettings
from llmops_assets.gateway.vllm.settings import VLLMSettings
from llmops_assets.lib import ports
from llmops_assets.lib.records import FileRef, HostingOption, ReleaseManifest, SubjectPattern
from resources.deployment_target.base import DeploymentError, DeploymentTarget, Seal, TargetStatus
from resources.lake.base import Lake
from resources.models import Models

START_SECONDS = 120.0
APPLY_SECONDS = 120.0
BUSY_SECONDS = 30.0
"""How long a running gateway may leave its health unanswered before it counts as hung and is started anew."""
MODULE = "llmops_assets.gateway"
LAST_WORDS = 1500
"""Characters of the log that an error quotes."""


class LocalTarget(DeploymentTarget):
    """One gateway process whose files lie in `root`; `port` is taken when it is free, another one otherwise.

    `base_model` is the name by which `models` finds the base model; none: the name in the manifest. `upstreams` are
    asked for answers in place of the embedded engine, where there are any; `vllm` says how that is started where it is
    vLLM and not llama.cpp; `identity` says whose tokens let callers in. `options` are further ones of the gateway's
    command line, `hosting` has the prices that it counts answers at.
    """

    name = "local"

    def __init__(
        self,
        root: Path,
        *,
        lake: Lake,
        models: Models,
        trusted: Path,
        log_url: str,
        subject_key: Path,
        base_model: str = "",
        port: int = 8730,
        identifiers: Sequence[SubjectPattern] = (),
        allow: Sequence[str] = (),
        cache: Path | None = None,
        replay: bool = False,
        key: Path | None = None,
        upstreams: UpstreamSettings | None = None,
        vllm: VLLMSettings | None = None,
        identity: IdentityProviders | None = None,
        options: Sequence[str] = (),
        hosting: HostingOption | None = None,
    ) -> None:
        super().__init__(lake, models, trusted)
        self.root = root
        self._base_model = base_model
        self._log_url = log_url
        self._subject_key = subject_key
        self._port = port
        self._identifiers = tuple(identifiers)
        self._allow = tuple(allow)
        self._cache = cache
        self._replay = replay
        self._key = key
        self._upstreams = upstreams or UpstreamSettings()
        self._vllm = vllm
        # Its first start is a part of what the gateway's own and a release's may take.
        self._more_seconds = vllm.start_seconds if vllm is not None else 0.0
        self._identity = identity or IdentityProviders()
        self._options = tuple(options)
        self._hosting = hosting

    @property
    def key(self) -> str:
        """The installation's own key."""
        return "" if self._key is None else own_key(self._key)

    # -- the process ----------------------------------------------------------------------------------------------

    def start(self) -> TargetStatus:
        """Start the gateway unless it runs; returns when it answers. DeploymentError with the end of its log."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if not self._answers_in_time():
                self._end()
                self._begin()
        return self.status()

    def stop(self) -> None:
        """End the gateway and its engines."""
        if self.root.exists():
            with self._locked():
                self._end()

    def _answers_in_time(self) -> bool:
        """Whether the gateway runs and answers; a busy one, beside a training say, is given its time."""
        deadline = time.monotonic() + BUSY_SECONDS
        while self._process() is not None and time.monotonic() < deadline:
            if self._health() is not None:
                return True
            time.sleep(0.2)
        return False

    def _begin(self) -> None:
        redaction = self.root / "redaction.json"
        identifiers = [pattern.model_dump(mode="json") for pattern in self._identifiers]
        redaction.write_text(json.dumps({"identifiers": identifiers, "allow": list(self._allow)}))
        port = self._port if ports.is_free(self._port) else ports.find_free()
        command = [sys.executable, "-m", MODULE, "--root", str(self.root), "--port", str(port)]
        command += ["--trusted-keys", str(self.trusted)]
        command += ["--log-url", self._log_url, "--subject-key", str(self._subject_key), "--redaction", str(redaction)]
        if self._cache is not None:
            command += ["--cache", str(self._cache)]
        if self._upstreams.upstreams:
            upstreams = self.root / "upstreams.json"
            upstreams.write_text(self._upstreams.model_dump_json())
            command += ["--upstreams", str(upstreams)]
        if self._vllm is not None:
            vllm = self.root / "vllm.json"
            vllm.write_text(self._vllm.model_dump_json())
            command += ["--vllm", str(vllm), "--models", str(self.models.cache)]
        if self._identity.providers:
            identity = self.root / "identity.json"
            identity.write_text(self._identity.model_dump_json())
            command += ["--identity", str(identity)]
        if self._replay:
            command += ["--replay"]
        if self._hosting is not None:
            hosting = self.root / "hosting.json"
            hosting.write_text(self._hosting.model_dump_json())
            command += ["--hosting", str(hosting)]
        command += self._options
        if self._key is not None:
            own_key(self._key)
            command += ["--own-key", str(self._key)]
        said_before = self._log.stat().st_size if self._log.exists() else 0
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
                (os.POSIX_SPAWN_OPEN, 1, str(self._log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        about = {"pid": pid, "address": f"http://127.0.0.1:{port}"}
        self._pid_file.write_text(json.dumps(about))
        wanted = read_state(self.root).generation
        seconds = START_SECONDS + self._more_seconds
        deadline = time.monotonic() + seconds
        while True:
            # First whether it lives: another program may have taken the port meanwhile, and would answer for it.
            if not _alive(pid):
                self._pid_file.unlink(missing_ok=True)
                raise DeploymentError(f"the gateway ended at its start: {self.last_words(said_before)}")
            health = self._health()
            if health is not None and wanted in (health["generation"], health["failed_generation"]):
                return
            if time.monotonic() > deadline:
                self._end()
                raise DeploymentError(f"the gateway did not answer within {seconds:.0f} s: see {self._log}")
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

    def is_running(self) -> bool:
        """Whether the gateway's process is there; a busy one that answers late is."""
        return self._process() is not None

    def last_words(self, start: int = 0) -> str:
        """The end of what the gateway logged, from byte `start` on."""
        try:
            with self._log.open("rb") as file:
                file.seek(start)
                return file.read().decode(errors="replace")[-LAST_WORDS:].strip()
        except OSError:
            return ""

    @property
    def _log(self) -> Path:
        return self.root / "gateway.log"

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
            address=self.address,
            error=health["error"],
        )

    @property
    def address(self) -> str:
        """Where the gateway answers; where none was started, an address that nobody listens at."""
        return self._about().get("address", "http://127.0.0.1:9")

    def _bring(self, manifest: ReleaseManifest, seal: Seal) -> None:
        write_bundle(self.root, manifest, self._fetch, self._base_file(manifest), seal)

    def _fetch(self, file: FileRef, target: Path) -> None:
        with self.lake.open(file.ref.commit, file.ref.path) as source, target.open("wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)

    def _base_file(self, manifest: ReleaseManifest) -> Path | None:
        """The base model's own GGUF file; None where the release brings an engine model. DeploymentError."""
        if manifest.engine_model is not None:
            return None
        found = self.models.resolve(self._base_model or manifest.base.name)
        if found.ref.digest != manifest.base.digest:
            raise DeploymentError(
                f"{manifest.release_id} is of another base model than {found.ref.name}, which settings.yaml names: "
                "set base_model to the one it was made of"
            )
        if found.gguf is None:
            raise DeploymentError(
                f"{found.ref.name} has no GGUF file, which the embedded engine needs: give a folder that holds one, or "
                "serve on a target that takes safetensors"
            )
        return found.gguf

    def _state(self) -> ServingState:
        return read_state(self.root)

    def _serve(self, before: ServingState, wanted: ServingState) -> TargetStatus:
        write_state(self.root, wanted)
        seconds = APPLY_SECONDS + self._more_seconds
        deadline = time.monotonic() + seconds
        deaths = 0
        while True:
            health = self._health()
            if health is not None and health["generation"] == wanted.generation:
                return self.status()
            reason = ""
            if health is not None and health["failed_generation"] == wanted.generation:
                reason = health["error"]
            elif self._process() is None:
                # Begun anew here: whoever keeps it running waits for the lock that a move holds.
                deaths += 1
                reason = self._begun_anew() if deaths == 1 else f"the gateway ended: {self.last_words()}"
            elif time.monotonic() > deadline:
                reason = f"not served within {seconds:.0f} s"
            if reason:
                write_state(self.root, before.model_copy(update={"generation": wanted.generation + 1}))
                raise DeploymentError(f"the gateway did not take the release: {reason}")
            time.sleep(0.05)

    def _begun_anew(self) -> str:
        """Start the gateway that died; why it cannot be, or "" when it runs."""
        try:
            self._begin()
        except DeploymentError as error:
            return str(error)
        return ""


def _alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
