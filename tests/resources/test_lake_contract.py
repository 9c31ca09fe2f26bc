"""What every lake must do, whatever stores the bytes. A new implementation is one more entry of LAKES.

lakeFS is asked over real HTTP: a server of these tests that answers as lakeFS does (lakefs_server.py), and a real one
when LAKEFS_ENDPOINT, LAKEFS_ACCESS_KEY_ID, LAKEFS_SECRET_ACCESS_KEY and LAKEFS_NAMESPACE are set.
"""

import io
import multiprocessing
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from lakefs_server import ACCESS_KEY, SECRET_KEY, FakeLakeFS

from resources.lake.base import (
    AlreadyExistsError,
    ConflictError,
    GoneError,
    InvalidNameError,
    Lake,
    LakeError,
    NotFoundError,
    NothingToCommitError,
    ProtectedBranchError,
)
from resources.lake.embedded import EmbeddedLake
from resources.lake.lakefs import LakeFSLake


@contextmanager
def embedded(folder: Path) -> Iterator[Lake]:
    yield EmbeddedLake(folder / "lake")


@contextmanager
def lakefs(folder: Path) -> Iterator[Lake]:
    server = FakeLakeFS(folder / "store")
    yield LakeFSLake(server.endpoint, ACCESS_KEY, SECRET_KEY, pause=0.01)
    server.close()
    assert server.violations == []


@contextmanager
def lakefs_pre_signed(folder: Path) -> Iterator[Lake]:
    """Bytes go to and come from the store itself, at addresses that lakeFS signs."""
    server = FakeLakeFS(folder / "store", pre_signed=True)
    yield LakeFSLake(server.endpoint, ACCESS_KEY, SECRET_KEY, pause=0.01)
    server.close()
    assert "upload_object" not in server.calls
    assert server.violations == []


@contextmanager
def lakefs_with_faults(folder: Path) -> Iterator[Lake]:
    """Every kind of call goes wrong once: before it is done, after it is done, or for being too many."""
    server = FakeLakeFS(folder / "store")
    for operation in ("upload_object", "create_branch", "commit", "merge_into_branch", "delete_branch", "create_tag"):
        server.fail(operation, 423)
        server.fail(operation, 429)
        server.fail(operation, 0)
        server.fail(operation, 500, afterwards=True)
    for operation in ("stat_object", "get_object", "list_objects", "log_commits", "get_branch", "diff_refs"):
        server.fail(operation, 503)
        server.fail(operation, 0)
    yield LakeFSLake(server.endpoint, ACCESS_KEY, SECRET_KEY, pause=0.01)
    server.close()
    assert server.violations == []


@contextmanager
def real_lakefs(folder: Path) -> Iterator[Lake]:
    from lakefs import Client, Repository

    about = {
        key: os.environ[f"LAKEFS_{key}"] for key in ("ENDPOINT", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "NAMESPACE")
    }
    client = Client(host=about["ENDPOINT"], username=about["ACCESS_KEY_ID"], password=about["SECRET_ACCESS_KEY"])
    name = f"llmops-tests-{uuid.uuid4().hex[:12]}"
    repository = Repository(name, client).create(f"{about['NAMESPACE'].rstrip('/')}/{name}")
    yield LakeFSLake(about["ENDPOINT"], about["ACCESS_KEY_ID"], about["SECRET_ACCESS_KEY"], name)
    repository.delete()


LAKES: dict[str, Callable[[Path], AbstractContextManager[Lake]]] = {
    "embedded": embedded,
    "lakefs": lakefs,
    "lakefs_pre_signed": lakefs_pre_signed,
    "lakefs_with_faults": lakefs_with_faults,
    **({"real_lakefs": real_lakefs} if "LAKEFS_ENDPOINT" in os.environ else {}),
}


@pytest.fixture(params=sorted(LAKES))
def lake(request, tmp_path) -> Iterator[Lake]:
    with LAKES[request.param](tmp_path) as opened:
        yield opened


def publish(lake: Lake, **files: str) -> str:
    with lake.transaction("Publish", {"asset": "test"}, name="test") as draft:
        for path, text in files.items():
            draft.put(path, text.encode())
    assert draft.merged is not None
    return draft.merged


def test_a_transaction_publishes_all_or_nothing(lake):
    before = lake.resolve("main")
    commit = publish(lake, a="1", b="2")
    assert commit == lake.resolve("main") != before
    assert lake.get(commit, "a") == b"1"
    assert list(lake.list(before)) == []
    with pytest.raises(RuntimeError), lake.transaction("Fail", name="test") as draft:
        draft.put("a", b"changed")
        raise RuntimeError
    assert lake.resolve("main") == commit
    assert lake.branches() == ("main",)


def test_a_failed_draft_stays_for_a_look_when_asked_for(lake):
    with pytest.raises(RuntimeError), lake.transaction("Fail", name="audit", keep_on_error=True) as draft:
        draft.put("a", b"bad")
        raise RuntimeError
    assert draft.branch in lake.branches()
    assert lake.get(draft.branch, "a") == b"bad"
    with pytest.raises(NotFoundError):
        lake.get("main", "a")


def test_a_transaction_inside_another_is_refused_and_the_outer_one_goes_on(lake):
    with lake.transaction("Outer", name="outer") as outer:
        outer.put("a", b"1")
        with pytest.raises(LakeError, match="open here"), lake.transaction("Inner", name="inner"):
            pass
    assert [stat.path for stat in lake.list("main")] == ["a"]
    publish(lake, b="2")


@pytest.mark.slow
def test_many_files_go_up_and_down_side_by_side(lake, tmp_path):
    files = {f"many/{n}/file": str(n).encode() * 1000 for n in range(12)}
    told = []
    with lake.transaction("Upload", name="test") as draft:
        stats = lake.upload(draft.branch, files, workers=4, progress=lambda path, size: told.append((path, size)))
    assert [stat.path for stat in stats] == list(files)
    assert sorted(told) == sorted((path, len(data)) for path, data in files.items())
    found = lake.download("main", "many/", tmp_path / "down")
    assert len(found) == 12
    assert all((tmp_path / "down" / str(n) / "file").read_bytes() == files[f"many/{n}/file"] for n in range(12))
    assert len([path for path in (tmp_path / "down").rglob("*") if path.is_file()]) == 12
    lake.branch("work")
    with pytest.raises(LakeError):
        lake.upload("work", {"x": b"1", "y": tmp_path / "missing"})


def test_only_drafts_that_began_long_ago_are_dropped(lake):
    old = f"adapter-{int(time.time()) - 3 * 86_400:08x}0badcafe"
    for name in (old, lake.new_branch_name("adapter"), "kept"):
        lake.branch(name)
    assert lake.drop_abandoned(timedelta(days=4)) == ()
    assert lake.drop_abandoned(timedelta(days=2)) == (old,)
    assert len(lake.branches()) == 3


def test_the_draft_of_an_open_transaction_is_never_dropped(lake):
    with lake.transaction("Publish", name="live") as draft:
        draft.put("a", b"staged")
        assert lake.drop_abandoned(timedelta(0)) == ()
    assert lake.get("main", "a") == b"staged"


def test_a_draft_is_not_seen_on_main_before_the_merge(lake):
    with lake.transaction("Look", name="test") as draft:
        draft.put("a", b"1")
        assert lake.get(draft.branch, "a") == b"1"
        with pytest.raises(NotFoundError):
            lake.get("main", "a")
    assert lake.get("main", "a") == b"1"


def test_publishing_equal_bytes_changes_nothing(lake):
    first = publish(lake, a="1")
    assert publish(lake, a="1") == first


def test_sources_are_bytes_files_and_streams(lake, tmp_path):
    (tmp_path / "file").write_bytes(b"from a file")
    with lake.transaction("Put", name="test") as draft:
        stats = [
            draft.put("1", b"bytes", metadata={"kind": "bytes"}),
            draft.put("2", tmp_path / "file"),
            draft.put("3", io.BytesIO(b"stream")),
            draft.put("4", b""),
        ]
    assert [s.size for s in stats] == [5, 11, 6, 0]
    assert lake.get("main", "2") == b"from a file"
    assert lake.stat("main", "1").metadata == {"kind": "bytes"}
    with lake.open("main", "3") as file:
        file.seek(2)
        assert file.read() == b"ream"
    with pytest.raises(LakeError), lake.transaction("Put", name="test") as draft:
        draft.put("5", tmp_path / "missing")


def test_commits_carry_metadata_and_are_found_by_path(lake):
    publish(lake, a="1")
    publish(lake, **{"folder/b": "2"})
    newest = next(iter(lake.log("main", limit=1)))
    assert newest.metadata["asset"] == "test"
    assert len(list(lake.log("main", path="folder/"))) == 1
    assert len(list(lake.log("main", path="a"))) == 1


def test_diff_names_what_was_added_changed_and_removed(lake):
    old = publish(lake, a="1", b="1", c="1")
    with lake.transaction("Change", name="test") as draft:
        draft.put("a", b"2")
        draft.delete("b")
        draft.put("d", b"new")
    assert draft.merged is not None
    assert [(c.path, c.kind) for c in lake.diff(old, draft.merged)] == [
        ("a", "changed"),
        ("b", "removed"),
        ("d", "added"),
    ]
    assert lake.diff(old, old) == ()


def test_clear_replaces_instead_of_appending(lake):
    publish(lake, **{"day/1": "x", "day/2": "x", "other": "x"})
    with lake.transaction("Replace", name="test") as draft:
        draft.clear("day/")
        draft.put("day/1", b"y")
    assert [s.path for s in lake.list("main")] == ["day/1", "other"]


def test_main_takes_merges_only(lake):
    for change in (
        lambda: lake.put("main", "a", b"x"),
        lambda: lake.delete("main", "a"),
        lambda: lake.commit("main", "x"),
        lambda: lake.delete_branch("main"),
    ):
        with pytest.raises(ProtectedBranchError):
            change()


def test_two_different_changes_of_one_path_conflict_and_name_it(lake):
    publish(lake, a="1", b="1")
    lake.branch("left")
    lake.branch("right")
    for branch, text in (("left", b"L"), ("right", b"R")):
        lake.put(branch, "a", text)
        lake.commit(branch, "x")
    lake.put("right", "c", b"new")
    lake.commit("right", "x")
    lake.merge("left", "main")
    with pytest.raises(ConflictError) as raised:
        lake.merge("right", "main")
    assert raised.value.paths == ("a",)
    assert lake.get("main", "a") == b"L"
    with pytest.raises(NotFoundError):
        lake.get("main", "c")


def test_a_head_that_moved_is_a_conflict_for_who_expected_another(lake):
    publish(lake, a="1")
    lake.branch("work")
    head = lake.resolve("work")
    lake.put("work", "a", b"2")
    lake.commit("work", "x", expected_head=head)
    lake.put("work", "a", b"3")
    with pytest.raises(ConflictError):
        lake.commit("work", "x", expected_head=head)


def test_a_merge_onto_another_head_than_the_expected_one_is_refused(lake):
    old = publish(lake, a="1")
    new = publish(lake, a="2")
    lake.branch("work")
    lake.put("work", "b", b"1")
    lake.commit("work", "x")
    with pytest.raises(ConflictError):
        lake.merge("work", "main", expected_head=old)
    assert lake.resolve("main") == new
    merged = lake.merge("work", "main", expected_head=new)
    assert merged == lake.resolve("main") != new
    assert lake.get(merged, "b") == b"1"


def test_equal_changes_on_both_sides_merge_into_what_stood_there(lake):
    for branch in ("left", "right"):
        lake.branch(branch)
        lake.put(branch, "a", b"same")
        lake.commit(branch, "x")
    lake.merge("left", "main")
    merged = lake.merge("right", "main")
    assert merged == lake.resolve("main")
    assert lake.get(merged, "a") == b"same"


@pytest.mark.slow
def test_nothing_staged_is_nothing_to_commit(lake):
    lake.branch("work")
    with pytest.raises(NothingToCommitError):
        lake.commit("work", "x")


def test_tags_name_a_commit_for_ever(lake):
    first = publish(lake, a="1")
    lake.tag("v1.0", first)
    lake.tag("v1.0", first)
    second = publish(lake, a="2")
    with pytest.raises(AlreadyExistsError):
        lake.tag("v1.0", second)
    assert lake.tags() == {"v1.0": first}
    assert lake.get("v1.0", "a") == b"1"


def test_erased_bytes_are_gone_from_every_commit_and_other_paths_stay(lake):
    first = publish(lake, secret="personal", other="kept")
    second = publish(lake, secret="personal too")
    assert lake.erase("secret") == 2
    for commit in (first, second, "main"):
        with pytest.raises(GoneError):
            lake.get(commit, "secret")
        assert lake.get(commit, "other") == b"kept"
    assert lake.erase("secret") == 0
    with pytest.raises(NotFoundError):
        lake.erase("never/there")
    again = publish(lake, secret="personal")
    assert lake.get(again, "secret") == b"personal"
    with pytest.raises(GoneError):
        lake.get(first, "secret")


@pytest.mark.parametrize("path", ["", "/abs", "a/../b", "..", "a//b", "a\x00b", "a\nb", "x" * 1001, "a/"])
def test_paths_that_some_store_would_refuse_are_refused_everywhere(lake, path):
    lake.branch("work")
    with pytest.raises(InvalidNameError):
        lake.put("work", path, b"x")


@pytest.mark.parametrize("name", ["", "-x", "a/b", "a.b", "ü", "x" * 300])
def test_branch_names_are_those_of_lakefs(lake, name):
    with pytest.raises(InvalidNameError):
        lake.branch(name)


def test_refs_lead_back_and_only_into_the_own_lake(lake):
    commit = publish(lake, a="1")
    ref = lake.uri(commit, "a")
    assert lake.read(ref) == b"1"
    with pytest.raises(NotFoundError, match="another lake"):
        lake.read(ref.model_copy(update={"repository": "elsewhere"}))
    for unknown in ("nowhere", "0" * 40):
        with pytest.raises(NotFoundError):
            lake.resolve(unknown)


@pytest.mark.slow
def test_writers_in_threads_lose_nothing(lake):
    def write(number: int) -> None:
        for turn in range(5):
            publish(lake, **{f"writer{number}/{turn}": "x"})

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(lake.list("main"))) == 20


def _publish_forever(folder: str) -> None:
    lake = EmbeddedLake(Path(folder) / "lake")
    for turn in range(100_000):
        publish(lake, **{"a": str(turn), "b": str(turn)})


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.05, 0.2, 0.35, 0.6])
def test_a_kill_at_any_instant_leaves_a_readable_lake_without_half_commits(tmp_path, after):
    lake = EmbeddedLake(tmp_path / "lake")
    publish(lake, a="start", b="start")
    process = multiprocessing.get_context("spawn").Process(target=_publish_forever, args=(str(tmp_path),))
    process.start()
    head = lake.resolve("main")
    while lake.resolve("main") == head:
        process.join(0.01)
    process.join(after)
    process.kill()
    process.join()
    again = EmbeddedLake(tmp_path / "lake")
    assert again.get("main", "a") == again.get("main", "b") != b"start"
    assert again.fsck() == []
    publish(again, a="after", b="after")
    assert again.get("main", "a") == b"after"


def test_a_lake_of_another_format_is_refused(tmp_path):
    lake = EmbeddedLake(tmp_path / "lake")
    commit = publish(lake, a="1")
    note = tmp_path / "lake" / "format.json"
    good = note.read_text()
    note.write_text(good.replace('"version":1', '"version":99'))
    with pytest.raises(LakeError, match="format 99"):
        EmbeddedLake(tmp_path / "lake")
    note.write_text(good)
    assert EmbeddedLake(tmp_path / "lake").get(commit, "a") == b"1"
