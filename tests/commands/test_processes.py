"""Programs that are kept running, with real processes: small ones side by side, and the real gateway."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from scripted_target import ScriptedTarget
from signing_support import publish_seal, trusted_file

from llmops_assets.commands.processes import (
    PATIENCE,
    Patience,
    ProcessError,
    insist_free,
    keep_running,
    run_together,
    serve,
)
from resources.deployment_target import DeploymentError
from resources.models import Models
from resources.workspace import Settings, Workspace

# A background job of a shell ignores SIGINT: it outlives its parent unless its group is ended.
PARENT = "sleep 300 & echo $! > {}; wait"
SOON = Patience(attempts=3, shortest=0.05, longest=0.1)


def is_running(pid: int) -> bool:
    try:
        # A killed process that nobody has waited for yet is still listed, as a zombie.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def written(file: Path) -> int:
    wait_for(lambda: file.exists() and file.read_text().strip())
    return int(file.read_text())


# -- patience -----------------------------------------------------------------------------------------------------


def test_each_time_it_is_waited_twice_as_long_until_it_is_given_up():
    patience = Patience(attempts=8, shortest=0.5, longest=10.0)
    assert [patience.delay(ends) for ends in range(1, 9)] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, None]


def test_what_ran_for_long_ends_for_the_first_time():
    patience = Patience(steady=30.0)
    assert patience.ends(3, 29.9) == 4
    assert patience.ends(3, 30.0) == 1
    assert patience.ends(0, 0.0) == 1


def test_a_crash_is_given_up_within_half_a_minute_of_waiting():
    delays = [PATIENCE.delay(ends) for ends in range(1, PATIENCE.attempts)]
    assert sum(delay for delay in delays if delay is not None) < 30


# -- several programs ---------------------------------------------------------------------------------------------


def test_one_that_ends_is_started_again_beside_the_others(tmp_path):
    lives, other, told = tmp_path / "lives", tmp_path / "other", []

    def end_when_three() -> None:
        wait_for(lambda: lives.exists() and lives.read_text().count("x") == 3)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end_when_three, daemon=True).start()
    program = f"printf x >> {lives}; [ $(wc -c < {lives}) -lt 3 ] && exit 3; exec sleep 300"
    status = run_together(
        {"Short  here": ["sh", "-c", program], "Long  there": ["sh", "-c", f"printf y >> {other}; exec sleep 300"]},
        patience=SOON,
        tell=told.append,
    )
    assert status == 0
    assert told == [
        "Short  here",
        "Long  there",
        "Short ended with status 3: it is started again in 0.05 s",
        "Short ended with status 3: it is started again in 0.1 s",
    ]
    assert other.read_text() == "y"


@pytest.mark.parametrize(("ends", "status"), [("exit 3", 3), ("exit 0", 1), ("kill -9 $$", 137)])
def test_one_that_keeps_ending_ends_all_with_its_status_and_says_so(tmp_path, ends, status):
    child, lives, told = tmp_path / "pid", tmp_path / "lives", []
    shown = 0 if status == 1 else status
    assert status == run_together(
        {
            "Parent": ["sh", "-c", PARENT.format(child)],
            "Short": ["sh", "-c", f"printf x >> {lives}; while [ ! -s {child} ]; do sleep 0.05; done; {ends}"],
        },
        patience=SOON,
        tell=told.append,
    )
    assert told[-1] == f"Short ended with status {shown}, 3 times in a row: all is ended, see what it said"
    assert lives.read_text() == "xxx"
    assert not is_running(written(child))


def test_what_a_program_left_behind_is_ended_before_it_is_started_again(tmp_path):
    children = tmp_path / "pids"
    run_together({"Short": ["sh", "-c", f"sleep 300 & echo $! >> {children}; exit 1"]}, patience=SOON, tell=[].append)
    started = [int(line) for line in children.read_text().split()]
    assert len(started) == 3
    assert not any(is_running(pid) for pid in started)


def test_a_program_that_does_not_exist_is_told_and_ends_the_others(tmp_path):
    child = tmp_path / "pid"
    programs = {"Parent": ["sh", "-c", PARENT.format(child)], "Gone": [str(tmp_path / "no-such-program")]}
    with pytest.raises(ProcessError, match=r"Gone cannot be started: .*no-such-program"):
        run_together(programs, tell=[].append)
    assert not child.exists() or not is_running(written(child))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_all_and_is_no_failure(tmp_path, number):
    child, before = tmp_path / "pid", signal.getsignal(signal.SIGTERM)

    def interrupt() -> None:
        written(child)
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt, daemon=True).start()
    assert run_together({"Parent": ["sh", "-c", PARENT.format(child)]}) == 0
    assert not is_running(written(child))
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_of_another_program_is_told(taken):
    with pytest.raises(ProcessError, match=rf"taken by another program: port {taken} \(lake_port\)\. End it"):
        insist_free({"lake_port": taken})
    insist_free({})


# -- the gateway --------------------------------------------------------------------------------------------------


class Serve:
    """`llmops serve` of an installation of its own, as a person starts it."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        command = [sys.executable, "-m", "llmops_assets.cli", "serve"]
        surroundings = {**os.environ, "LLMOPS_HOME": str(home), "PYTHONUNBUFFERED": "1", **environment}
        self._said = (home / "said").open("wb")
        self.process = subprocess.Popen(command, env=surroundings, stdout=self._said, stderr=subprocess.STDOUT)

    @property
    def said(self) -> str:
        return (self.home / "said").read_text()

    def wait_until_said(self, words: str) -> None:
        wait_for(lambda: words in self.said or self.process.poll() is not None, 90)
        assert words in self.said, self.said

    @property
    def gateway(self) -> dict:
        return json.loads((self.home / "gateway/gateway.json").read_text())

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self._said.close()


@pytest.fixture
def home(tmp_path, taken) -> Path:
    # The port is of another program: so it is told, and several tests can run side by side.
    Workspace(tmp_path).write_settings(Settings(gateway_port=taken))
    return tmp_path


@pytest.mark.slow
def test_a_killed_gateway_is_started_again_with_the_same_release(home, taken, tiny_gguf):
    served = Serve(home)
    try:
        served.wait_until_said("release none yet")
        assert (
            f"port {taken} is taken by another program: the gateway answers at {served.gateway['address']}"
            in served.said
        )
        live = _release(home, tiny_gguf)
        before = served.gateway
        assert _ask(before["address"]) == live
        os.kill(before["pid"], signal.SIGKILL)
        served.wait_until_said("the gateway ended, and was started again after 0.5 s")
        after = served.gateway
        assert after["pid"] != before["pid"]
        assert f"gateway {after['address']}, release {live}" in served.said
        assert _ask(after["address"]) == live
        assert _rows(home) == 2
    finally:
        status = served.end()
    assert status == 0
    assert not is_running(after["pid"])


def _release(home: Path, base: Path) -> str:
    """Serve a release without an index beside the supervised process, as a rollout does."""
    from llmops_assets.lib.hashing import hash_file
    from llmops_assets.lib.records import GenerationSettings, ModelRef, PromptRef, ReleaseManifest, RouterPolicy
    from resources import open_target

    workspace = Workspace(home)
    workspace.write_settings(workspace.settings.model_copy(update={"base_model": str(base)}))
    manifest = ReleaseManifest(
        base=ModelRef(name="tiny", digest=hash_file(base / "tiny.gguf")),
        prompt=PromptRef(name="p", version=1, template="Be brief.", digest="p"),
        router=RouterPolicy(answer_above=1.0, hand_over_below=0.0, passages=0, retrieval=False),
        generation=GenerationSettings(max_tokens=4),
        handover="A colleague will help.",
    )
    workspace = Workspace(home)
    target = open_target(workspace)
    trusted_file(target.trusted)
    publish_seal(target.lake, manifest)
    return target.apply(manifest, "live").live or ""


def _ask(address: str) -> str:
    body = {"messages": [{"role": "user", "content": "How long does delivery take?"}]}
    answer = requests.post(f"{address}/v1/chat/completions", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()["model"]


def _rows(home: Path) -> int:
    from datetime import UTC, datetime

    from resources.interaction_log import InstalledLog

    log = InstalledLog(Workspace(home).log_url)
    return len(log.interactions(datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)))


@pytest.mark.slow
def test_a_gateway_that_cannot_start_ends_serve_with_the_end_of_its_log(home):
    Path(Workspace(home).log_url.removeprefix("sqlite:///")).mkdir(parents=True)
    served = Serve(home)
    assert served.process.wait(90) == 1
    assert "the gateway ended at its start: " in served.said
    assert "unable to open database file" in served.said
    served.end()


class Failing(ScriptedTarget):
    """A target that ends: `starts` says what becomes of each start, True where it comes up (and ends at once)."""

    def __init__(self, lake, starts: list[bool]) -> None:
        super().__init__(lake, Models(Path()), Path("trusted.pem"))
        self.starts = starts

    def start(self):
        if not self.starts.pop(0):
            raise DeploymentError(f"ended at its start, {len(self.starts)} to come")
        return super().start()

    def is_running(self) -> bool:
        return False

    def last_words(self) -> str:
        return "out of memory"


@pytest.mark.parametrize(
    ("starts", "told", "why"),
    [
        ([False, False], 0, "ended at its start, 0 to come"),
        ([True, True], 2, "out of memory"),
        ([True, False], 1, "ended at its start, 0 to come"),
    ],
)
def test_a_gateway_that_keeps_ending_is_given_up_with_its_last_words(lake, starts, told, why):
    said: list[str] = []
    target = Failing(lake, starts)
    with pytest.raises(ProcessError, match=f"ended 3 times in a row and is given up: {why}"):
        keep_running(target, said.append, patience=SOON)
    assert len(said) == told
    assert not target.starts


def test_serving_stops_the_target_whatever_ends_it(lake, taken):
    stopped: list[bool] = []

    class Stopped(Failing):
        def stop(self) -> None:
            stopped.append(True)

    # In the background of a shell Ctrl-C is ignored, and stays so.
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(DeploymentError):
        serve(Stopped(lake, [False]), taken, [].append, patience=SOON)
    assert stopped
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
