"""The checkpoint of a training is one object of a branch, in whichever lake; nothing of it reaches main."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lakefs_server import ACCESS_KEY, SECRET_KEY, FakeLakeFS

from llmops_assets.training.checkpoints import LakeCheckpoints
from resources.lake.base import Lake
from resources.lake.embedded import EmbeddedLake
from resources.lake.lakefs import LakeFSLake


@pytest.fixture(params=["embedded", pytest.param("lakefs", marks=pytest.mark.slow)])
def either_lake(request, tmp_path: Path) -> Iterator[Lake]:
    if request.param == "embedded":
        yield EmbeddedLake(tmp_path / "lake")
        return
    server = FakeLakeFS(tmp_path / "lakefs")
    try:
        yield LakeFSLake(server.endpoint, ACCESS_KEY, SECRET_KEY, "llmops")
    finally:
        server.close()


def test_the_newest_state_is_found_by_another_process_until_the_training_has_ended(either_lake):
    head = either_lake.resolve("main")
    first = LakeCheckpoints(either_lake, "adapter", "a" * 64)
    assert first.load() is None
    first.save(b"one")
    first.save(b"two")
    assert LakeCheckpoints(either_lake, "adapter", "a" * 64).load() == b"two"
    # Another asset's is its own; another training of this one ends it.
    other = LakeCheckpoints(either_lake, "preference_adapter", "a" * 64)
    assert other.load() is None
    other.save(b"three")
    assert LakeCheckpoints(either_lake, "adapter", "b" * 64).load() is None
    assert first.load() is None
    assert other.load() == b"three"
    other.drop()
    other.drop()
    assert either_lake.branches() == ("main",)
    assert either_lake.resolve("main") == head
