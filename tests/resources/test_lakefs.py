"""What only a lake behind HTTP meets: lost answers, refusals of the server, a full disk, wrong credentials."""

import inspect
import io
import re
import time

import pytest
from lakefs_server import ACCESS_KEY, BROKEN, SECRET_KEY, FakeLakeFS, Silence, operations

from resources.lake import lakefs
from resources.lake.base import (
    AlreadyExistsError,
    ConflictError,
    HookRefusedError,
    LakeError,
    NotFoundError,
    NothingToCommitError,
    ProtectedBranchError,
    UnavailableError,
)
from resources.lake.lakefs import LakeFSLake


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
@pytest.mark.parametrize("status", [BROKEN, 500, 429, 423])
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


@pytest.mark.parametrize("status", [423, 429, 503])
def test_what_may_pass_later_is_waited_for(server, lake, status):
    server.fail("commit", status, times=3)
    commit = publish(lake)
    assert server.calls.count("commit") == 4
    assert lake.resolve("main") == commit


def tour(lake: LakeFSLake, server: FakeLakeFS) -> None:
    """Everything that a lake can do, so that every operation of the client is asked for."""
    root = lake.resolve("main")
    first = publish(lake)
    lake.get(first, "a")
    lake.tag("v1", first)
    with pytest.raises(AlreadyExistsError):
        lake.tag("v1", root)
    lake.branch("work")
    lake.put("work", "b", b"2")
    lake.delete("work", "a")
    lake.commit("work", "x")
    lake.diff("main", "work")
    list(lake.list("work"))
    server.before["merge_into_branch"] = lambda: another_merge(server)
    with pytest.raises(ConflictError) as raised:
        lake.merge("work", "main", expected_head=first)
    if "the merge was reverted" not in str(raised.value):
        raise raised.value
    lake.branch("other", first)
    lake.put("other", "other", b"conflicting")
    lake.commit("other", "x")
    with pytest.raises(ConflictError):
        lake.merge("other", "main")
    lake.erase("a")


def another_merge(server: FakeLakeFS) -> str:
    """Another writer publishes, with a client of its own."""
    with LakeFSLake(server.endpoint, ACCESS_KEY, SECRET_KEY).transaction("Another", name="another") as draft:
        draft.put("other", b"another's")
    assert draft.merged is not None
    return draft.merged


ASKED = set(re.findall(r"_sdk\.\w+_api\.(\w+)", inspect.getsource(lakefs)))
"""Operations of the SDK that the lake names itself."""
TRANSFERS = {"get_config", "get_repository", "get_object", "upload_object"}
SIGNED = {"get_physical_address", "link_physical_address", "store_put", "store_get"}
"""What the client's readers and writers ask, without and with pre-signed addresses."""


@pytest.mark.parametrize("pre_signed", [False, True])
def test_the_operations_that_silence_is_tried_on_are_all_that_the_lake_uses(tmp_path, pre_signed):
    server = FakeLakeFS(tmp_path / "store", pre_signed=pre_signed)
    tour(LakeFSLake(server.endpoint, ACCESS_KEY, SECRET_KEY, pause=0.01), server)
    server.close()
    assert server.violations == []
    assert set(server.calls) == ASKED | (TRANSFERS - {"upload_object"} | SIGNED if pre_signed else TRANSFERS)


@pytest.mark.parametrize("silence", list(Silence), ids=lambda silence: silence.name)
@pytest.mark.parametrize("operation", sorted(ASKED | TRANSFERS | SIGNED))
def test_a_server_that_falls_silent_is_said_within_the_timeout(tmp_path, operation, silence):
    server = FakeLakeFS(tmp_path / "store", pre_signed=operation in SIGNED)
    patient, lake = (
        LakeFSLake(server.endpoint, ACCESS_KEY, SECRET_KEY, timeout=seconds, pause=0.01) for seconds in (30, 0.5)
    )
    publish(patient, "0")
    server.fail(operation, silence, times=1000)
    # What happened before the silence takes its own time: it is told apart by who began to wait.
    began: list[float] = []
    server.waiting = began.append
    with pytest.raises(LakeError, match=r"did not answer within 0\.5 s"):
        tour(lake, server)
    assert 0.4 <= time.monotonic() - began[0] < 5
    server.close()


def test_a_server_that_is_slow_but_answers_is_waited_for(server, lake):
    lake.timeout = 5.0
    server.before["get_object"] = lambda: time.sleep(0.3)
    commit = publish(lake)
    assert lake.get(commit, "a") == b"1"


def test_a_merge_that_met_another_head_is_taken_back_and_the_others_commit_stays(server, lake):
    expected = publish(lake)
    lake.branch("work")
    lake.put("work", "a", b"mine")
    lake.put("work", "b", b"mine")
    lake.commit("work", "x")
    others: list[str] = []
    server.before["merge_into_branch"] = lambda: others.append(another_merge(server))
    with pytest.raises(ConflictError, match="the merge was reverted") as raised:
        lake.merge("work", "main", expected_head=expected)
    assert others[0] in str(raised.value)
    assert {stat.path: lake.get("main", stat.path) for stat in lake.list("main")} == {"a": b"1", "other": b"another's"}
    assert others[0] in {commit.id for commit in lake.log("main")}


@pytest.mark.parametrize("status", [BROKEN, 500])
def test_a_revert_whose_answer_was_lost_is_not_done_twice(server, lake, status):
    expected = publish(lake)
    lake.branch("work")
    lake.put("work", "b", b"mine")
    lake.commit("work", "x")
    server.before["merge_into_branch"] = lambda: another_merge(server)
    server.fail("revert_branch", status, afterwards=True)
    with pytest.raises(ConflictError, match="the merge was reverted"):
        lake.merge("work", "main", expected_head=expected)
    assert server.calls.count("revert_branch") == 1
    assert [stat.path for stat in lake.list("main")] == ["a", "other"]


def test_a_merge_that_cannot_be_taken_back_is_said_to_stand(server, lake):
    expected = publish(lake)
    lake.branch("work")
    lake.put("work", "b", b"mine")
    lake.commit("work", "x")
    server.before["merge_into_branch"] = lambda: another_merge(server)
    server.fail("revert_branch", 409)
    with pytest.raises(ConflictError, match="it stands"):
        lake.merge("work", "main", expected_head=expected)
    assert lake.get("main", "b") == b"mine"
    assert lake.get("main", "other") == b"another's"


def test_a_commit_that_met_another_head_is_told(server, lake):
    lake.branch("work")
    head = lake.resolve("work")
    lake.put("work", "a", b"1")

    def another() -> None:
        server.branches["work"].commit = server._commit({}, "another's", {}, [head])

    server.before["commit"] = another
    with pytest.raises(ConflictError, match="two writers share it"):
        lake.commit("work", "x", expected_head=head)
    assert [commit.message for commit in lake.log("work")][:2] == ["x", "another's"]


def test_what_another_writer_has_committed_meanwhile_is_nothing_to_commit(server, lake):
    lake.branch("work")
    lake.put("work", "a", b"1")
    other = LakeFSLake(server.endpoint, ACCESS_KEY, SECRET_KEY)
    server.before["commit"] = lambda: other.commit("work", "theirs")
    with pytest.raises(NothingToCommitError):
        lake.commit("work", "mine")
    assert next(lake.log("work")).message == "theirs"


def test_an_upload_whose_answer_was_lost_is_not_sent_again(server, lake):
    server.fail("upload_object", 500, afterwards=True)
    publish(lake)
    assert server.calls.count("upload_object") == 1
    assert len(list(server.folder.iterdir())) == 1


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
