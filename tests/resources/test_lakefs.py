"""What only a lake behind HTTP meets: lost answers, refusals of the server, a full disk, wrong credentials."""

import io

import pytest
from lakefs_server import ACCESS_KEY, SECRET_KEY, FakeLakeFS, operations

from resources.lake.base import (
    HookRefusedError,
    LakeError,
    NotFoundError,
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
@pytest.mark.parametrize("status", [0, 500, 429])
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
