"""What only a lake behind HTTP meets: lost answers, refusals of the server, a full disk, wrong credentials."""

import contextlib
import inspect
import io
import re
import socket
import time
from datetime import timedelta

import pytest
from lakefs_server import ACCESS_KEY, SECRET_KEY, SILENT, STALLED, FakeLakeFS, operations

import resources.lake.lakefs
from resources.lake.base import (
    AlreadyExistsError,
    ConflictError,
    HookRefusedError,
    LakeError,
    NotFoundError,
    ProtectedBranchError,
    UnavailableError,
)
from resources.lake.lakefs import LakeFSLake

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path):
    running = FakeLakeFS(tmp_path / "store")
    yield running
    running.close()
    assert running.violations == []


@pytest.fixture
def lake(server):
    return LakeFSLake(server.endpoint, ACCESS_KEY, SECRET_KEY, pause=0.01)


def publish(lake: LakeFSLake, text: str = "1") -> str:
    with lake.transaction("Publish", {"asset": "test"}, name="test") as draft:
        draft.put("a", text.encode(), metadata={"Kind": "äöü"})
    return draft.merged


@pytest.mark.parametrize(
    "operation", ["commit", "merge_into_branch", "create_branch", "delete_branch", "upload_object"]
)
@pytest.mark.parametrize("status", [0, 423, 500, 429])
def test_a_retry_after_a_lost_answer_does_nothing_twice(server, lake, operation, status):
    server.fail(operation, status, afterwards=True)
    publish(lake)
    # The repository's first commit, the draft's and the merge.
    assert len(list(lake.log("main"))) == 3
    assert lake.branches() == ("main",)
    assert lake.get("main", "a") == b"1"
    assert not any(fault.times for fault in server.faults)


def test_what_never_works_is_given_up_with_the_reason(server, lake):
    server.fail("commit", 503, times=100)
    with pytest.raises(UnavailableError, match=r"committing .* 6 attempts .*a fault of the test"):
        publish(lake)
    assert server.calls.count("commit") == 6
    with pytest.raises(NotFoundError):
        lake.get("main", "a")


def test_wrong_credentials_are_said_at_once(server):
    with pytest.raises(UnavailableError, match="credentials"):
        LakeFSLake(server.endpoint, ACCESS_KEY, "wrong").resolve("main")
    assert len(server.calls) == 1


def test_a_server_that_is_not_there_is_said():
    with pytest.raises(UnavailableError, match="is it running"):
        LakeFSLake("http://127.0.0.1:9", ACCESS_KEY, SECRET_KEY, attempts=2, pause=0.01).resolve("main")


@pytest.mark.parametrize("operation", ["commit", "merge"])
def test_a_hook_of_the_server_refuses_and_main_stays(server, lake, operation):
    before = publish(lake)
    server.hook = lambda at, tree: "no owner given" if at == operation else None
    with pytest.raises(HookRefusedError, match="no owner given"):
        publish(lake, "2")
    assert lake.resolve("main") == before
    assert lake.branches() == ("main",)


def test_protection_rules_of_the_server_are_honoured(server, lake):
    lake.branch("kept")
    server.protected.add("kept")
    with pytest.raises(ProtectedBranchError):
        lake.put("kept", "a", b"1")


def test_a_store_that_truncates_is_noticed(server, lake):
    server.truncate = True
    with pytest.raises(UnavailableError, match="1 of 2 bytes"), lake.transaction("x", name="test") as draft:
        draft.put("a", b"12")
    assert list(lake.list("main")) == []


def test_a_source_that_changes_between_hash_and_upload_is_refused(lake):
    class Changing(io.BytesIO):
        reads = 0

        def read(self, size=-1):
            data = super().read(size)
            self.reads += 1
            return data.upper() if self.reads > 2 else data

    lake.branch("work")
    with pytest.raises(LakeError, match="changed while"):
        lake._upload("work", "a", Changing(b"text"), "0" * 64, {}, 4)
    assert list(lake.list("work")) == []


def test_listings_longer_than_a_page_are_complete(server):
    lake = LakeFSLake(server.endpoint, ACCESS_KEY, SECRET_KEY, page=3)
    with lake.transaction("Many", name="test") as draft:
        for number in range(10):
            draft.put(f"many/{number}", b"x")
    assert len(list(lake.list("main", "many/"))) == 10
    assert len(lake.diff(next(iter(lake.log("main"))).parents[0], "main")) == 10


def test_metadata_survives_headers_whatever_its_letters(lake):
    publish(lake)
    assert lake.stat("main", "a").metadata == {"Kind": "äöü"}


def test_the_table_of_operations_is_the_sdks():
    known = {operation.name: operation for operation in operations()}
    assert known["commit"].statuses[412] == "Error"
    assert known["commit"].body == "CommitCreation"
    assert "amount" in known["list_objects"].query
    assert len(known) > 50


def test_bytes_that_changed_in_the_store_are_said_to_be_damaged(server, lake):
    commit = publish(lake)
    for file in server.folder.iterdir():
        file.write_bytes(b"2")
    with pytest.raises(LakeError, match="damaged"):
        lake.get(commit, "a")


def test_after_an_erasure_no_file_of_the_store_holds_the_bytes(server, lake):
    publish(lake, "secret of a person")
    publish(lake, "newer secret of a person")
    publish(lake, "kept")
    assert lake.erase("a") == 3
    assert list(server.folder.iterdir()) == []


def test_pre_signed_transfer_goes_to_the_store_and_survives_its_faults(tmp_path):
    server = FakeLakeFS(tmp_path / "store", pre_signed=True)
    lake = LakeFSLake(server.endpoint, ACCESS_KEY, SECRET_KEY, pause=0.01)
    server.fail("get_physical_address", 503)
    server.fail("link_physical_address", 0)
    server.fail("link_physical_address", 500, afterwards=True)
    commit = publish(lake, "sent past lakeFS")
    assert lake.get(commit, "a") == b"sent past lakeFS"
    assert lake.stat(commit, "a").metadata == {"Kind": "äöü"}
    with lake.open(commit, "a") as file:
        file.seek(5)
        assert file.read(4) == b"past"
    assert {"store_put", "store_get"} <= set(server.calls)
    assert "upload_object" not in server.calls
    server.close()
    assert server.violations == []


# -- a server that says nothing ----------------------------------------------------------------------------------------

OWN = {"get_config", "get_repository", "get_object", "upload_object"}
"""Operations that the client calls by itself, without pre-signed addresses."""
SIGNED = {"get_physical_address", "link_physical_address", "store_put", "store_get"}
"""Those it calls with them."""
ASKED = set(re.findall(r"_sdk\.\w+_api\.(\w+)", inspect.getsource(resources.lake.lakefs)))
"""Those that the lake's code names."""


def use_everything(lake: LakeFSLake, server: FakeLakeFS) -> None:
    """Every verb of the lake, so that every operation of the client is called."""
    publish(lake)
    publish(lake, "2")
    with lake.transaction("Publish", name="test") as draft:
        draft.put("b", b"1")
        draft.delete("b")
    first = list(lake.log("main"))[-1].id
    lake.get("main", "a")
    lake.diff(first, "main")
    lake.tag("v1", "main")
    with_conflict = [lake.new_branch_name("left"), lake.new_branch_name("right")]
    for branch in with_conflict:
        lake.branch(branch)
    for branch in with_conflict:
        lake.put(branch, "c", branch.encode())
        lake.commit(branch, "x")
    lake.merge(with_conflict[0], "main", expected_head=lake.resolve("main"))
    with pytest.raises(ConflictError):
        lake.merge(with_conflict[1], "main")
    assert [stat.path for stat in lake.list("main")] == ["a", "c"]
    with pytest.raises(AlreadyExistsError):
        lake.tag("v1", first)
    assert set(lake.tags()) == {"v1"}
    assert "main" in lake.branches()
    lake.branch("mine")
    lake.put("mine", "d", b"1")
    server.before["commit"] = lambda: another_writer(server, "mine")
    try:
        lake.commit("mine", "x", expected_head=lake.resolve("mine"))
    except ConflictError as error:
        if "was reverted" not in str(error):
            raise


def another_writer(server: FakeLakeFS, branch: str, path: str = "theirs") -> str:
    """Let somebody else commit on a branch, past the lake under test; the new head."""
    place = server.branches[branch]
    entry = next(entry for tree in server.trees.values() for entry in tree.values())
    place.commit = server._commit({**server.trees[place.commit], path: entry}, "theirs", {}, [place.commit])
    return place.commit


def test_the_list_of_operations_is_all_that_is_called(tmp_path):
    called = set()
    for pre_signed in (False, True):
        server = FakeLakeFS(tmp_path / str(pre_signed), pre_signed=pre_signed)
        use_everything(LakeFSLake(server.endpoint, ACCESS_KEY, SECRET_KEY), server)
        server.close()
        assert server.violations == []
        called |= set(server.calls)
    assert called == ASKED | OWN | SIGNED


@pytest.mark.parametrize("fault", [SILENT, STALLED], ids=["silent", "stalled"])
@pytest.mark.parametrize("operation", sorted(ASKED | OWN | SIGNED))
def test_a_server_that_says_nothing_is_given_up_in_time(tmp_path, operation, fault):
    for seconds in (0.25, 1.0, 4.0):
        server = FakeLakeFS(tmp_path / f"store-{seconds}", pre_signed=operation in SIGNED)
        lake = LakeFSLake(server.endpoint, ACCESS_KEY, SECRET_KEY, timeout=seconds, pause=0.01)
        server.fail(operation, fault, times=1000)
        with pytest.raises(LakeError, match=re.escape(f"gave no answer within {seconds:g} s")):
            use_everything(lake, server)
        asked = 1000 - server.faults[0].times
        server.close()
        # On a busy machine an answer before this operation may be late too: then all are given more time.
        if asked:
            break
    # Asked twice, once more when a look at what it did is the same call, and twice to clear away after it.
    assert 2 <= asked <= 6


def test_one_silence_is_survived(server, lake):
    commit = publish(lake)
    patient = LakeFSLake(server.endpoint, ACCESS_KEY, SECRET_KEY, timeout=0.5, pause=0.01)
    server.fail("get_object", SILENT)
    server.fail("stat_object", STALLED)
    assert patient.get(commit, "a") == b"1"


@pytest.mark.timeout(30)
def test_a_port_that_takes_connections_and_never_answers_is_said_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        lake = LakeFSLake(
            f"http://127.0.0.1:{silent.getsockname()[1]}", ACCESS_KEY, SECRET_KEY, timeout=0.2, pause=0.01
        )
        began = time.monotonic()
        with pytest.raises(UnavailableError, match=r"gave no answer within 0\.2 s; is it running"):
            lake.resolve("main")
        assert time.monotonic() - began >= 0.4
        silent.setblocking(False)
        asked = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                silent.accept()[0].close()
                asked += 1
        # Silence is asked again once: a lost connection is, more often.
        assert asked == 2


# -- between looking and doing -----------------------------------------------------------------------------------------


def test_a_merge_that_another_writer_overtook_is_taken_back(server, lake):
    head = publish(lake)
    lake.branch("work")
    lake.put("work", "mine", b"1")
    lake.commit("work", "x")
    server.before["merge_into_branch"] = lambda: another_writer(server, "main")
    with pytest.raises(ConflictError, match=r"moved from .* was reverted, start again"):
        lake.merge("work", "main", expected_head=head)
    assert [stat.path for stat in lake.list("main")] == ["a", "theirs"]


def test_a_commit_that_another_writer_overtook_is_taken_back(server, lake):
    publish(lake)
    lake.branch("work")
    lake.put("work", "mine", b"1")
    server.before["commit"] = lambda: another_writer(server, "work")
    server.fail("revert_branch", 500, afterwards=True)
    with pytest.raises(ConflictError, match=r"moved from .* was reverted, start again"):
        lake.commit("work", "x", expected_head=lake.resolve("work"))
    assert [stat.path for stat in lake.list("work")] == ["a", "theirs"]
    assert server.calls.count("revert_branch") == 1


def test_what_cannot_be_taken_back_is_said(server, lake):
    head = publish(lake)
    lake.branch("work")
    lake.put("work", "mine", b"1")
    lake.commit("work", "x")
    server.before["merge_into_branch"] = lambda: another_writer(server, "main")
    server.before["revert_branch"] = lambda: another_writer(server, "main", "mine")
    with pytest.raises(ConflictError, match="could not be reverted"):
        lake.merge("work", "main", expected_head=head)


def test_without_an_expected_head_a_merge_lands_on_what_another_writer_did(server, lake):
    publish(lake)
    lake.branch("work")
    lake.put("work", "mine", b"1")
    lake.commit("work", "x")
    server.before["merge_into_branch"] = lambda: another_writer(server, "main")
    assert lake.merge("work", "main") == lake.resolve("main")
    assert [stat.path for stat in lake.list("main")] == ["a", "mine", "theirs"]


# -- drafts that live --------------------------------------------------------------------------------------------------


def old_name(days: int) -> str:
    return f"adapter-{int(time.time()) - days * 86_400:08x}0badcafe"


def age(server: FakeLakeFS, branch: str, days: int) -> None:
    """Let a branch's head and what is staged on it be of some days ago."""
    place, then = server.branches[branch], int(time.time()) - days * 86_400
    server.commits[place.commit]["creation_date"] = then
    for entry in place.staged.values():
        entry.mtime = then


def test_a_draft_that_was_written_to_within_a_day_is_kept_whatever_its_age(server, lake):
    publish(lake)
    alive, abandoned = old_name(3), old_name(4)
    for branch, staged_days in ((alive, 0), (abandoned, 2)):
        lake.branch(branch)
        lake.put(branch, "b", b"1")
        age(server, branch, staged_days)
        server.commits[server.branches[branch].commit]["creation_date"] = int(time.time()) - 9 * 86_400
    assert lake.drop_abandoned(timedelta(0)) == (abandoned,)
    lake.commit(alive, "x")
    assert lake.drop_abandoned(timedelta(0)) == ()
