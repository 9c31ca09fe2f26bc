"""Programs that are kept running: several side by side in one terminal, or the gateway of a deployment target.

What ends is started again, each time later; what ends again and again is given up with a message. Why:
docs/decisions/deployment.md.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from llmops_assets.lib import ports
from llmops_assets.lib.errors import LlmopsError
from resources.deployment_target import DeploymentError, DeploymentTarget, TargetStatus

END_SECONDS = 20.0
GROUP_END_SECONDS = 5.0
POLL_SECONDS = 0.2
Tell = Callable[[str], object]


class ProcessError(LlmopsError):
    """A program cannot be started, or not be kept running; the message says which, and why."""


@dataclass(frozen=True)
class Patience:
    """When a program that ended is started again, in seconds: at first soon, then twice as late each time."""

    attempts: int = 5
    """So many ends in a row are the last."""
    steady: float = 30.0
    """A program that ran for so long ends for the first time."""
    shortest: float = 0.5
    longest: float = 30.0

    def ends(self, before: int, lasted: float) -> int:
        """How many ends in a row one more makes, of a program that ran for `lasted` seconds."""
        return 1 if lasted >= self.steady else before + 1

    def delay(self, ends: int) -> float | None:
        """Seconds to wait after so many ends in a row; None: it is given up."""
        return None if ends >= self.attempts else min(self.longest, self.shortest * 2 ** (ends - 1))


PATIENCE = Patience()


# -- several programs ---------------------------------------------------------------------------------------------


class _Program:
    """One of several programs, in whatever number of lives."""

    def __init__(self, title: str, command: Sequence[str]) -> None:
        self.title = title
        self.name = title.split()[0]
        self.ends = 0
        self.due: float | None = None
        """When it is started again; None while it runs."""
        self._command = command
        self.start()

    def start(self) -> None:
        """Start it. ProcessError when there is no such program."""
        try:
            # A group of its own: Ctrl-C reaches this process only, which ends the others in order.
            self.process = subprocess.Popen(self._command, start_new_session=True)
        except OSError as error:
            raise ProcessError(f"{self.name} cannot be started: {error}") from error
        self.started, self.due = time.monotonic(), None

    def look(self, patience: Patience, tell: Tell) -> int | None:
        """Start it again when it ended and its time has come; its exit status when it is given up."""
        now = time.monotonic()
        if self.due is not None:
            if now >= self.due:
                self.start()
            return None
        ended = self.process.poll()
        if ended is None:
            return None
        status = ended if ended >= 0 else 128 - ended
        # What it started and left behind would hold the ports that its next life needs.
        _end_groups([self.process])
        self.ends = patience.ends(self.ends, now - self.started)
        delay = patience.delay(self.ends)
        if delay is None:
            tell(f"{self.name} ended with status {status}, {self.ends} times in a row: all is ended, see what it said")
            return status or 1
        tell(f"{self.name} ended with status {status}: it is started again in {delay:g} s")
        self.due = now + delay
        return None


def run_together(programs: Mapping[str, Sequence[str]], *, patience: Patience = PATIENCE, tell: Tell = print) -> int:
    """Run programs (title to command) until Ctrl-C; then end all. Returns the exit status to give.

    One that ends is started again; one that keeps ending ends all with its status: half a system is worse than none.
    ProcessError when one cannot be started.
    """
    running: list[_Program] = []
    stopped: list[int] = []

    def stop(number: int, _: object) -> None:
        stopped.append(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for title, command in programs.items():
            running.append(_Program(title, command))
            tell(title)
        while not stopped:
            for program in running:
                if (status := program.look(patience, tell)) is not None:
                    return status
            time.sleep(POLL_SECONDS)
        return 0
    finally:
        _end([program.process for program in running])
        for number, handler in before.items():
            signal.signal(number, handler)


def insist_free(wanted: Mapping[str, int]) -> None:
    """ProcessError when another program listens at a port; `wanted` maps the setting that names it to the port."""
    taken = [f"{port} ({setting})" for setting, port in wanted.items() if not ports.is_free(port)]
    if taken:
        raise ProcessError(
            f"taken by another program: port {', '.join(taken)}. End it (is `llmops dev` running already?), or set "
            "another port in settings.yaml"
        )


def _end(processes: Collection[subprocess.Popen[bytes]]) -> None:
    """End programs in order and with all that they started."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
    deadline = time.monotonic() + END_SECONDS
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _end_groups(processes)


def _end_groups(leaders: Collection[subprocess.Popen[bytes]]) -> None:
    """End what programs that have ended left behind: it is still in their groups."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not _signal_groups(leaders, number):
            break
        _wait_for_groups(leaders, GROUP_END_SECONDS)


def _signal_groups(leaders: Iterable[subprocess.Popen[bytes]], number: int) -> int:
    """Signal the process groups of the leaders; returns how many groups still have members."""
    alive = 0
    for leader in leaders:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader.pid, number)
            alive += 1
    return alive


def _wait_for_groups(leaders: Collection[subprocess.Popen[bytes]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _signal_groups(leaders, 0) and time.monotonic() < deadline:
        time.sleep(0.1)


# -- the gateway of a target --------------------------------------------------------------------------------------


def serve(target: DeploymentTarget, port: int, tell: Tell, *, patience: Patience = PATIENCE) -> None:
    """Start a target and keep it running until SIGINT or SIGTERM, then stop it.

    `port` is the one that it should have. DeploymentError when it does not start, ProcessError when it does not keep
    running.
    """
    with contextlib.suppress(KeyboardInterrupt), interruptible():
        try:
            status = target.start()
            if not status.address.endswith(f":{port}") and not ports.is_free(port):
                tell(f"port {port} is taken by another program: the gateway answers at {status.address} instead")
            tell(_serving(status))
            keep_running(target, tell, patience=patience)
        finally:
            target.stop()


def keep_running(target: DeploymentTarget, tell: Tell, *, patience: Patience = PATIENCE) -> None:
    """Start a target again whenever it has ended; what it served it serves again. Ends by ProcessError only.

    Each time one line says what happened.
    """
    ends, started = 0, time.monotonic()
    while True:
        time.sleep(POLL_SECONDS)
        if target.is_running():
            continue
        ends, why = patience.ends(ends, time.monotonic() - started), target.last_words()
        while True:
            delay = patience.delay(ends)
            if delay is None:
                raise ProcessError(
                    f"the gateway ended {ends} times in a row and is given up: {why or 'it said nothing'}"
                )
            time.sleep(delay)
            try:
                status = target.start()
                break
            except DeploymentError as error:
                ends, why = ends + 1, str(error)
        started = time.monotonic()
        tell(f"the gateway ended, and was started again after {delay:g} s: {_serving(status)}")


def _serving(status: TargetStatus) -> str:
    return f"gateway {status.address}, release {status.live or 'none yet'}"


@contextlib.contextmanager
def interruptible() -> Generator[None]:
    """SIGTERM interrupts as Ctrl-C does, and both do where a shell started us with them ignored."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
