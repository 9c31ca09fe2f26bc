"""Collecting beside writers that are at it: what a living transaction holds stays, what a dead one left goes."""

import multiprocessing
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from resources.lake.embedded import EmbeddedLake

NOW = timedelta(0)
SECONDS = 30


def open_a_draft(folder: str, written, leave) -> None:
    """Another process: stage a file and wait with it in an open transaction."""
    lake = EmbeddedLake(Path(folder))
    with lake.transaction("Publish", name="other") as draft:
        draft.put("a", b"staged")
        written.set()
        leave.wait(SECONDS)


@pytest.fixture
def other(tmp_path) -> Iterator[tuple]:
    """(process in an open transaction, event that lets it go on)."""
    context = multiprocessing.get_context("spawn")
    written, leave = context.Event(), context.Event()
    process = context.Process(target=open_a_draft, args=(str(tmp_path / "lake"), written, leave))
    process.start()
    assert written.wait(SECONDS)
    yield process, leave
    # Setting an event waits for those that wait for it, a killed process too.
    if process.is_alive():
        leave.set()
    process.join(SECONDS)


@pytest.mark.slow
def test_the_draft_of_a_living_process_survives_every_collection(other, lake):
    process, leave = other
    (branch,) = set(lake.branches()) - {"main"}
    assert lake.gc(NOW).branches == ()
    assert lake.gc(NOW).objects == 0
    assert lake.drop_abandoned(NOW) == ()
    assert lake.get(branch, "a") == b"staged"
    leave.set()
    process.join(SECONDS)
    assert process.exitcode == 0
    assert lake.get("main", "a") == b"staged"


@pytest.mark.slow
def test_the_draft_of_a_killed_process_is_collected_with_its_bytes(other, lake):
    process, _ = other
    (branch,) = set(lake.branches()) - {"main"}
    process.kill()
    process.join(SECONDS)
    collected = lake.gc(NOW)
    assert collected.branches == (branch,)
    assert (collected.objects, collected.bytes) == (1, len(b"staged"))
    assert lake.branches() == ("main",)
    assert list((lake.root / "writers").iterdir()) == []


def test_a_draft_kept_for_a_look_is_collected_since_nobody_writes_it(lake):
    with pytest.raises(RuntimeError), lake.transaction("Fail", name="look", keep_on_error=True) as draft:
        draft.put("a", b"bad")
        raise RuntimeError
    assert lake.gc(timedelta(days=1)).branches == ()
    assert lake.gc(NOW).branches == (draft.branch,)


class Slow:
    """A source that waits in the middle until it is let go on."""

    def __init__(self) -> None:
        self.pieces = [b"first ", b"second"]
        self.reached, self.go_on = threading.Event(), threading.Event()

    def read(self, size: int = -1) -> bytes:
        if len(self.pieces) == 1:
            self.reached.set()
            assert self.go_on.wait(SECONDS)
        return self.pieces.pop(0) if self.pieces else b""


def test_a_copy_that_is_being_made_survives_collection_and_erasure(lake):
    lake.branch("work")
    lake.put("work", "gone", b"gone")
    source = Slow()
    writer = threading.Thread(target=lake.put, args=("work", "a", source))
    writer.start()
    assert source.reached.wait(SECONDS)
    try:
        assert lake.gc(NOW).temporary == 0
        assert lake.erase("gone") == 1
    finally:
        source.go_on.set()
        writer.join(SECONDS)
    assert lake.get("work", "a") == b"first second"
    assert list((lake.root / "temporary").iterdir()) == []


def test_what_is_staged_on_a_branch_with_a_name_of_its_own_survives_collection(lake):
    lake.branch("work")
    lake.put("work", "a", b"staged")
    assert lake.gc(NOW).objects == 0
    lake.commit("work", "x")
    lake.merge("work", "main")
    assert lake.get("main", "a") == b"staged"


def test_bytes_that_no_branch_names_are_collected_when_they_are_old_enough(lake):
    lake.branch("work")
    lake.put("work", "a", b"left")
    lake.delete_branch("work")
    assert lake.gc(timedelta(days=1)).objects == 0
    assert lake.gc(NOW).objects == 1
