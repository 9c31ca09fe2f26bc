"""What a collection must leave alone: the drafts and bytes of writers that live, however short the age asked for."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from lakefs_server import ACCESS_KEY, SECRET_KEY, FakeLakeFS

from resources.lake.base import Lake, UnavailableError
from resources.lake.embedded import EmbeddedLake
from resources.lake.lakefs import CLOCKS_DIFFER, DRAFT_LIFE, LakeFSLake

NOW = timedelta(0)
SPAWN = multiprocessing.get_context("spawn")


class SlowSource:
    """A stream that stands still in its middle until it is told to go on."""

    def __init__(self, said: Connection) -> None:
        self._said = said
        self._parts = [b"first ", b"second", b""]

    def read(self, size: int) -> bytes:
        if len(self._parts) == 2:
            self._said.send("half read")
            assert self._said.recv() == "go on"
        return self._parts.pop(0)


def write_slowly(folder: str, said: Connection) -> None:
    """Publish in a process of its own: stands still in a `put`, then with staged bytes, then ends."""
    with EmbeddedLake(Path(folder)).transaction("Publish", name="slow") as draft:
        draft.put("staged", b"staged before")
        draft.put("streamed", SlowSource(said))  # ty: ignore[invalid-argument-type]
        said.send("staged")
        assert said.recv() == "go on"


@pytest.fixture
def writer(tmp_path) -> Iterator[Callable[[], tuple[multiprocessing.process.BaseProcess, Connection]]]:
    started = []

    def start() -> tuple[multiprocessing.process.BaseProcess, Connection]:
        here, there = SPAWN.Pipe()
        process = SPAWN.Process(target=write_slowly, args=(str(tmp_path / "lake"), there))
        started.append(process)
        process.start()
        assert here.poll(60)
        assert here.recv() == "half read"
        return process, here

    yield start
    for process in started:
        process.kill()
        process.join()


@pytest.mark.parametrize("collect", [lambda lake: lake.gc(NOW), lambda lake: lake.drop_abandoned(NOW)])
def test_a_collection_takes_nothing_of_a_writer_that_lives(tmp_path, writer, collect):
    lake = EmbeddedLake(tmp_path / "lake")
    process, said = writer()
    collect(lake)
    said.send("go on")
    assert said.poll(60)
    assert said.recv() == "staged"
    collect(lake)
    said.send("go on")
    process.join(60)
    assert process.exitcode == 0
    assert lake.get("main", "staged") == b"staged before"
    assert lake.get("main", "streamed") == b"first second"
    assert lake.branches() == ("main",)
    assert lake.fsck() == []


def test_what_a_killed_writer_left_is_collected_whole(tmp_path, writer):
    lake = EmbeddedLake(tmp_path / "lake")
    process, _ = writer()
    process.kill()
    process.join()
    collected = lake.gc(NOW)
    assert len(collected.branches) == 1
    assert (collected.objects, collected.bytes, collected.temporary) == (1, len(b"staged before"), 1)
    assert [file for name in ("temporary", "claims", "staging") for file in (tmp_path / "lake" / name).iterdir()] == []
    assert lake.branches() == ("main",)


def test_what_was_used_lately_stays_for_its_age(tmp_path, writer):
    lake = EmbeddedLake(tmp_path / "lake")
    process, _ = writer()
    process.kill()
    process.join()
    collected = lake.gc(timedelta(days=1))
    assert (collected.branches, collected.objects, collected.temporary) == ((), 0, 0)
    assert len(lake.branches()) == 2


def test_erasing_takes_what_a_killed_writer_left_of_the_bytes(tmp_path, writer):
    lake = EmbeddedLake(tmp_path / "lake")
    with lake.transaction("Publish", name="test") as draft:
        draft.put("secret", b"first second")
    process, _ = writer()
    process.kill()
    process.join()
    assert len(list((tmp_path / "lake" / "temporary").iterdir())) == 1
    lake.erase("secret")
    assert list((tmp_path / "lake" / "temporary").iterdir()) == []


def test_a_draft_kept_after_its_error_is_collected_by_age(lake):
    with pytest.raises(RuntimeError), lake.transaction("Fail", name="kept", keep_on_error=True) as draft:
        draft.put("a", b"1")
        raise RuntimeError
    assert lake.gc(timedelta(days=1)).branches == ()
    assert lake.gc(NOW).branches == (draft.branch,)


def test_collections_beside_many_writers_lose_nothing(lake):
    stop = threading.Event()

    def collect() -> None:
        while not stop.is_set():
            lake.gc(NOW)
            lake.drop_abandoned(NOW)

    collector = threading.Thread(target=collect)
    collector.start()

    def write(number: int) -> None:
        for turn in range(10):
            with lake.transaction("Publish", name="test") as draft:
                draft.put(f"{number}/{turn}", os.urandom(200))

    writers = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    collector.join()
    assert len(list(lake.list("main"))) == 30
    assert lake.fsck() == []


@pytest.fixture
def remote(tmp_path) -> Iterator[LakeFSLake]:
    server = FakeLakeFS(tmp_path / "store")
    yield LakeFSLake(server.endpoint, ACCESS_KEY, SECRET_KEY, pause=0.01)
    server.close()
    assert server.violations == []


def test_on_lakefs_a_draft_lives_as_long_as_its_transaction_may_take(remote):
    with remote.transaction("Publish", name="test") as draft:
        draft.put("a", b"1")
        assert remote.drop_abandoned(NOW) == ()
    assert remote.get("main", "a") == b"1"


def made_ago(remote: Lake, age: timedelta) -> str:
    name = f"test-{int(time.time() - age.total_seconds()):08x}0badcafe"
    remote.branch(name)
    return name


def test_on_lakefs_a_draft_older_than_any_transaction_is_dropped(remote):
    made_ago(remote, DRAFT_LIFE)
    over = made_ago(remote, DRAFT_LIFE + CLOCKS_DIFFER + timedelta(minutes=1))
    assert remote.drop_abandoned(NOW) == (over,)
    assert len(remote.branches()) == 2


def test_on_lakefs_a_transaction_that_took_longer_publishes_nothing(remote):
    remote.draft_life = timedelta(seconds=-1)
    with pytest.raises(UnavailableError, match="took longer"), remote.transaction("Late", name="test") as draft:
        draft.put("a", b"1")
    assert draft.merged is None
    assert list(remote.list("main")) == []
    assert remote.branches() == ("main",)


def test_on_lakefs_the_answer_to_a_dropped_draft_is_what_went_wrong(remote):
    with pytest.raises(RuntimeError, match="the reason"), remote.transaction("Late", name="test") as draft:
        remote.delete_branch(draft.branch)
        raise RuntimeError("the reason")
