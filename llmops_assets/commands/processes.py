"""Several programs side by side in one terminal: started together, ended together."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterable, Mapping, Sequence

END_SECONDS = 20.0
GROUP_END_SECONDS = 5.0


def run_together(programs: Mapping[str, Sequence[str]]) -> int:
    """Run programs (title to command) until one ends or Ctrl-C; then end all. Returns the exit status to give.

    A program that ends by itself ends the others, and its status is returned: half a system is worse than none.
    """
    running: dict[str, subprocess.Popen[bytes]] = {}
    stopped: list[int] = []

    def stop(number: int, _: object) -> None:
        stopped.append(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for title, command in programs.items():
            # A group of its own: Ctrl-C reaches this process only, which ends the others in order.
            running[title] = subprocess.Popen(command, start_new_session=True)
            print(title, flush=True)
        while not stopped:
            for title, process in running.items():
                if process.poll() is not None:
                    print(f"{title.split()[0]} ended with status {process.returncode}", flush=True)
                    return process.returncode or 1
            time.sleep(0.2)
        return 0
    finally:
        for process in running.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + END_SECONDS
        for process in running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        # What a program started and left behind is still in its group.
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not _signal_groups(running.values(), number):
                break
            _wait_for_groups(running.values(), GROUP_END_SECONDS)
        for number, handler in before.items():
            signal.signal(number, handler)


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
