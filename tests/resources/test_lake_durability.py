"""The embedded lake on the disk: what becomes durable when, what an erasure or a kill leaves behind, and what fsck
says of every kind of damage.
"""

import json
import os
from pathlib import Path

import pygit2
import pytest

from resources.lake.base import GoneError, LakeError, NotFoundError
from resources.lake.embedded import EmbeddedLake

SECRET = b"Erika Mustermann, IBAN DE89370400440532013000"


def publish(lake: EmbeddedLake, path: str, data: bytes) -> str:
    with lake.transaction("Publish", name="test") as draft:
        draft.put(path, data)
    assert draft.merged is not None
    return draft.merged


def stored(lake: EmbeddedLake, path: str = "a") -> Path:
    sha256 = lake.stat("main", path).sha256
    return lake.root / "objects" / sha256[:2] / sha256[2:]


def files_with(folder: Path, wanted: bytes) -> list[Path]:
    """Files that hold some bytes, as they are or inside what Git has compressed."""
    found = [path for path in folder.rglob("*") if path.is_file() and wanted in path.read_bytes()]
    repository = pygit2.Repository(str(folder / "lake" / "repository.git"))
    return found + [Path(str(oid)) for oid in repository if wanted in repository[oid].read_raw()]


# -- erasing -----------------------------------------------------------------------------------------------------------


def test_after_an_erasure_no_file_holds_the_bytes(lake, tmp_path):
    publish(lake, "a", SECRET)
    publish(lake, "a", b"newer " + SECRET)
    lake.branch("work")
    lake.put("work", "a", b"staged " + SECRET)
    assert len(files_with(tmp_path, SECRET)) == 3
    assert lake.erase("a") == 3
    assert files_with(tmp_path, SECRET) == []


def test_an_erasure_takes_the_unfinished_copy_of_a_killed_writer_with_it(lake, tmp_path):
    publish(lake, "a", SECRET)
    (lake.root / "temporary" / "left").write_bytes(SECRET[:40])
    lake.erase("a")
    assert files_with(tmp_path, SECRET[:40]) == []


def test_an_erasure_that_was_killed_half_way_is_finished_by_the_next(lake, tmp_path):
    commit = publish(lake, "a", SECRET)
    file = stored(lake)
    lake.erase("a")
    file.write_bytes(SECRET)
    with pytest.raises(GoneError):
        lake.get(commit, "a")
    assert lake.fsck() == [f"erased bytes {file.parent.name + file.name} are still stored: run erase or gc again"]
    assert lake.erase("a") == 0
    assert files_with(tmp_path, SECRET) == []


# -- the order in which things reach the disk --------------------------------------------------------------------------


@pytest.fixture
def synced(lake, monkeypatch) -> list[tuple[Path, int, str]]:
    """Every call of `os.fsync`: which file, its size, and what main was at that moment."""
    calls: list[tuple[Path, int, str]] = []
    real = os.fsync

    def record(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        calls.append((path, os.fstat(descriptor).st_size, lake.resolve("main")))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    return calls


def test_bytes_and_their_folder_are_durable_before_any_reference_names_them(lake, synced):
    before = lake.resolve("main")
    publish(lake, "a", SECRET)
    (copy, size, at_copy), (folder, _, at_folder) = synced
    # The copy with all its bytes first, then the folder that it was moved into.
    assert copy.parent == lake.root / "temporary"
    assert size == len(SECRET)
    assert folder == stored(lake).parent
    assert at_copy == at_folder == before


def test_the_ledger_of_an_erasure_is_durable_before_the_bytes_go(lake, monkeypatch):
    publish(lake, "a", SECRET)
    file = stored(lake)
    at_ledger = []
    real = os.fsync

    def record(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.parent.name == "temporary":
            at_ledger.append((file.exists(), json.loads(path.read_text())))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    lake.erase("a")
    assert at_ledger == [(True, {file.parent.name + file.name: 1})]


def test_git_is_told_to_sync_objects_and_references(lake):
    # libgit2 does it in C, where nothing here can look: its setting is what this code decides.
    assert pygit2.Repository(str(lake.root / "repository.git")).config.get_bool("core.fsyncObjectFiles") is True


# -- after a kill ------------------------------------------------------------------------------------------------------


def test_a_lock_file_that_a_killed_git_left_stops_nobody(lake):
    (lake.root / "repository.git" / "refs" / "heads" / "main.lock").write_bytes(b"")
    commit = publish(lake, "a", b"1")
    assert lake.resolve("main") == commit


def test_lock_files_left_at_a_branch_or_tag_stop_neither(lake):
    commit = publish(lake, "a", b"1")
    lake.branch("work")
    git = lake.root / "repository.git"
    for left in ("refs/heads/work.lock", "refs/tags/v1.lock"):
        (git / left).write_bytes(b"")
    lake.tag("v1", commit)
    lake.delete_branch("work")
    assert lake.tags() == {"v1": commit}
    assert lake.branches() == ("main",)


def test_a_lock_file_left_at_packed_references_does_not_keep_a_branch(lake):
    lake.branch("work")
    git = lake.root / "repository.git"
    pygit2.Repository(str(git)).references.compress()
    assert not (git / "refs" / "heads" / "work").exists()
    (git / "packed-refs.lock").write_bytes(b"")
    lake.delete_branch("work")
    assert lake.branches() == ("main",)


def test_a_torn_last_line_of_a_journal_is_neither_read_nor_kept(lake):
    lake.branch("work")
    lake.put("work", "a", b"1")
    (journal,) = (lake.root / "staging" / "work").iterdir()
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole.splitlines(keepends=True)[-1].replace(b'"a"', b'"b"')[:-20])
    again = EmbeddedLake(lake.root)
    assert [stat.path for stat in again.list("work")] == ["a"]
    again.put("work", "c", b"3")
    assert [stat.path for stat in EmbeddedLake(lake.root).list("work")] == ["a", "c"]


# -- damage: one test a sentence ---------------------------------------------------------------------------------------


def test_changed_bytes_are_found(lake):
    publish(lake, "a", b"precious")
    stored(lake).write_bytes(b"Precious")
    (problem,) = lake.fsck()
    assert problem.startswith("the bytes of a at ")
    assert problem.endswith(" are damaged")
    with pytest.raises(LakeError, match="damaged"):
        lake.get("main", "a")


def test_cut_bytes_are_found(lake):
    publish(lake, "a", b"precious")
    stored(lake).write_bytes(b"prec")
    (problem,) = lake.fsck()
    assert problem.endswith("have size 4, not 8")
    for read in (lake.get, lake.open):
        with pytest.raises(LakeError, match="have size 4, not 8"):
            read("main", "a")


def test_missing_bytes_are_found(lake):
    publish(lake, "a", b"precious")
    stored(lake).unlink()
    (problem,) = lake.fsck()
    assert problem.endswith("are missing")
    with pytest.raises(NotFoundError, match="not stored any more"):
        lake.open("main", "a")


def test_a_commit_that_git_has_lost_is_found(lake):
    commit = publish(lake, "a", b"precious")
    (lake.root / "repository.git" / "objects" / commit[:2] / commit[2:]).unlink()
    (problem,) = EmbeddedLake(lake.root).fsck()
    assert problem.startswith("the history cannot be read: ")


def test_a_pointer_that_is_none_is_found(lake):
    publish(lake, "a", b"precious")
    repository = pygit2.Repository(str(lake.root / "repository.git"))
    tree = repository.TreeBuilder()
    tree.insert("=a", repository.create_blob(b"{}"), pygit2.enums.FileMode.BLOB)
    who = pygit2.Signature("x", "x@localhost", 0, 0)
    repository.create_commit("refs/heads/work", who, who, "x", tree.write(), [])
    (problem,) = lake.fsck()
    assert "not a pointer of this lake" in problem


def test_a_whole_lake_has_no_problem(lake):
    publish(lake, "a", b"1")
    publish(lake, "a", b"2")
    lake.erase("a")
    publish(lake, "a", b"2")
    assert lake.fsck() == []
