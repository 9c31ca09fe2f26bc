"""Commands that serve until Ctrl-C: they answer, an interrupt ends them with status 0, and nothing stays behind."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from recorded_support import record, serve

from llmops_assets.lib.scaling import Slot
from resources.lake.embedded import EmbeddedLake

pytestmark = pytest.mark.slow

PORTS = ("dagster_port", "gateway_port", "mlflow_port", "lake_port", "evidently_port")
START_SECONDS = 180.0
END_SECONDS = 60.0


@pytest.fixture
def ports(home: Path) -> dict[str, int]:
    """Free ports, written into the settings."""
    with contextlib.ExitStack() as stack:
        probes = {name: stack.enter_context(socket.socket()) for name in PORTS}
        for probe in probes.values():
            probe.bind(("127.0.0.1", 0))
        found = {name: probe.getsockname()[1] for name, probe in probes.items()}
    (home / "settings.yaml").write_text("".join(f"{name}: {port}\n" for name, port in found.items()))
    return found


def answers(port: int) -> bool:
    """Whether something speaks HTTP there; any status is an answer."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True


def left_behind(home: Path) -> list[str]:
    """Command lines of the processes that were started for this home, and run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            ours = f"LLMOPS_HOME={home}".encode() in (folder / "environ").read_bytes().split(b"\0")
            # A zombie has no command line.
            if ours and (command := (folder / "cmdline").read_bytes()) and folder.name != str(os.getpid()):
                found.append(command.replace(b"\0", b" ").decode())
    return found


@contextlib.contextmanager
def running(root: Path, home: Path, *command: str) -> Generator[subprocess.Popen[str]]:
    """The command in a process of its own; whatever happens, nothing of it runs on."""
    process = subprocess.Popen(
        [sys.executable, "-m", "llmops_assets.cli", *command],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        assert process.stdout is not None
        process.stdout.close()
        process.wait()


def wait_for(process: subprocess.Popen[str], *ports: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not all(answers(port) for port in ports):
        assert process.poll() is None, f"ended with {process.returncode}"
        assert time.monotonic() < deadline, "did not answer in time"
        time.sleep(0.2)


def interrupted(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Status and output after an interrupt that reaches the command alone."""
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=END_SECONDS)
    return process.returncode, output


@pytest.mark.parametrize(
    ("command", "port"),
    [("serve", "gateway_port"), ("mlflow", "mlflow_port"), ("evidently", "evidently_port"), ("lake page", "lake_port")],
)
def test_an_interrupt_ends_it_without_a_trace(root, home, ports, command, port):
    with running(root, home, *command.split()) as process:
        wait_for(process, ports[port])
        assert left_behind(home), "what runs is found"
        status, output = interrupted(process)
    assert status == 0, output
    assert "Traceback" not in output
    assert left_behind(home) == []
    assert not answers(ports[port])


def test_figures_are_served_as_they_are_whenever_they_are_asked_for(root, home, ports):
    def told() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            return answer.read().decode()

    port = ports["lake_port"]
    with running(root, home, "observability", "serve", "--port", str(port)) as process:
        wait_for(process, port)
        before = told()
        with dg.DagsterInstance.get() as instance:
            serve(instance, EmbeddedLake(home / "lake"), "r-1", date(2026, 3, 11))
            after = told()
            # What cannot be read is no figure of zero: whoever scrapes sees that it failed.
            record(instance, "drift_report", Slot(start=datetime.now(UTC), replicas=1), "2026-03-11")
            with pytest.raises(urllib.error.HTTPError, match="500") as refused:
                told()
            refused.value.close()
        # As Kubernetes ends a pod.
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=END_SECONDS)
    assert (before, process.returncode) == ("", 0), output
    assert 'llmops_release_deployed_info{release="r-1"} 1.0' in after
    assert output.startswith(f"figures http://127.0.0.1:{port}/metrics")


def test_dev_starts_all_and_leaves_nothing_behind(root, home, ports):
    with running(root, home, "dev") as process:
        wait_for(process, *ports.values())
        status, output = interrupted(process)
    assert status == 0, output
    for title in ("Dagster", "MLflow", "Lake", "Gateway"):
        assert title in output
    assert "does not match the virtual environment" not in output
    assert left_behind(home) == []
    assert not any(answers(port) for port in ports.values())
