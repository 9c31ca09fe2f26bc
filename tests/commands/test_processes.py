import os
import signal
import threading
import time
from pathlib import Path

import pytest

from llmops_assets.commands.processes import run_together

# A background job of a shell ignores SIGINT: it outlives its parent unless its group is ended.
PARENT = "sleep 300 & echo $! > {}; wait"


def is_running(pid: int) -> bool:
    try:
        # A killed process that nobody has waited for yet is still listed, as a zombie.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def written(file: Path) -> int:
    while not file.exists() or not file.read_text().strip():
        time.sleep(0.02)
    return int(file.read_text())


def test_one_that_ends_ends_the_others_with_all_they_started(tmp_path):
    child = tmp_path / "pid"
    status = run_together(
        {
            "Parent": ["sh", "-c", PARENT.format(child)],
            "Short": ["sh", "-c", f"while [ ! -s {child} ]; do sleep 0.05; done; exit 3"],
        }
    )
    assert status == 3
    assert not is_running(written(child))


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
