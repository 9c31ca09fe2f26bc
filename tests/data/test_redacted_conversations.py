"""The first data asset on embedded resources: idempotent, and nothing published when a blocking check fails."""

import json

import dagster as dg
import pytest
import yaml

from llmops_assets.data.redacted_conversations import redacted_conversations
from llmops_assets.lib import tables
from llmops_assets.lib.auditing import days
from llmops_assets.lib.auditing.conversations import STORED_TEXTS
from llmops_assets.lib.redaction import Redactor
from llmops_assets.planning.use_case import use_case
from llmops_assets.samples import generator
from resources import build_resources, open_lake
from resources.workspace import Settings, Workspace

DAY = "2026-03-02"
pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    Workspace(home).write_settings(Settings())
    (home / "inbox").mkdir()
    return home


def write(home, *rows: dict) -> None:
    lines = "".join(json.dumps({"answer": "On its way.", "time": f"{DAY}T10:00:00", **row}) + "\n" for row in rows)
    (home / "inbox" / f"conversations-{DAY}.jsonl").write_text(lines)


def materialize(home) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [use_case, redacted_conversations],
            instance=instance,
            partition_key=DAY,
            resources=build_resources(home),
            raise_on_error=False,
        )


def test_a_day_is_redacted_published_and_the_same_when_run_again(home):
    write(home, {"question": "I am Anna Keller, where is LM-1234567?", "subject": "anna@mail.example"})
    assert materialize(home).success
    lake = open_lake(Workspace(home))
    first = lake.resolve("main")
    (row,) = tables.from_parquet(lake.get("main", f"data/redacted_conversations/{DAY}.parquet"))
    assert row["question"] == "I am <PERSON_1>, where is <ORDER_NUMBER_1>?"
    assert row["subject"].startswith("s-")
    assert materialize(home).success
    assert lake.resolve("main") == first


def test_files_that_are_left_out_are_counted_and_named_without_a_customers_data(home):
    write(home, {"question": "where is my parcel"})
    (home / "inbox" / "anna.keller@mail.example.csv").write_text("")
    (home / "inbox" / "logo.png").write_bytes(b"\x89PNG")
    result = materialize(home)
    assert result.success
    (event,) = result.asset_materializations_for_node("redacted_conversations")
    assert event.metadata["files_left_out"].value == 2
    told = [record.data for record in event.metadata["unusable_files"].records]
    assert "format .png is not read" in told[1]["reason"]
    assert told[1]["place"] == "logo.png"
    assert "keller" not in json.dumps(told)


def test_what_is_left_out_of_conversations_is_told_beside_the_files_that_cannot_be_used(home):
    written = "Please see below.\n\nOn Mon, 2 March 2026 at 09:12, Lena wrote:\n> where is my parcel"
    write(home, {"question": "where is my parcel", "answer": written})
    (home / "inbox" / "logo.png").write_bytes(b"\x89PNG")
    (event,) = materialize(home).asset_materializations_for_node("redacted_conversations")
    left_out, unusable = (event.metadata[name].records for name in ("left_out", "unusable_files"))
    assert [record.data["parts"] for record in left_out] == [1]
    assert [record.data["place"] for record in unusable] == ["logo.png"]


def test_an_unchanged_day_is_kept_with_its_checks_and_done_again_when_something_changes(home, monkeypatch):
    with dg.DagsterInstance.ephemeral() as instance:

        def is_kept() -> bool:
            result = dg.materialize(
                [use_case, redacted_conversations],
                instance=instance,
                partition_key=DAY,
                resources=build_resources(home),
            )
            checks = {e.check_name for e in result.get_asset_check_evaluations() if e.passed}
            names = {"no_personal_data_left", "row_ids_unique", "expectations_hold", "volume_is_usual"}
            assert checks == names
            (event,) = result.asset_materializations_for_node("redacted_conversations")
            return "unchanged" in event.metadata

        write(home, {"id": "1", "question": "where is my parcel"})
        assert not is_kept()
        assert is_kept()
        assert is_kept(), "a kept result is one to keep"
        write(home, {"id": "1", "question": "where are my parcels"})
        assert not is_kept()
        assert stored(home)[0]["question"] == "where are my parcels"
        monkeypatch.setenv("LLMOPS_SUBJECT_KEY", "ab" * 32)
        assert not is_kept(), "pseudonyms are of the key"
        assert is_kept()
        open_lake(Workspace(home)).erase(f"data/redacted_conversations/{DAY}.parquet")
        assert not is_kept(), "what was erased cannot be kept"


def stored(home, what: str = "") -> list[dict]:
    return tables.from_parquet(
        open_lake(Workspace(home)).get("main", f"data/redacted_conversations/{what}{DAY}.parquet")
    )


def test_of_rows_with_one_id_the_last_counts_and_the_other_is_quarantined_with_its_place(home):
    write(home, {"id": "1", "question": "first question"}, {"id": "1", "question": "second question"})
    assert materialize(home).success
    assert [row["question"] for row in stored(home)] == ["second question"]
    (other,) = stored(home, "quarantine/")
    assert (other["row_id"], other["reason"]) == ("1", "replaced by a later row with the same id")


def test_a_broken_line_is_quarantined_without_its_personal_data_and_counted(home):
    write(home, {"question": "where is my parcel"})
    with (home / "inbox" / f"conversations-{DAY}.jsonl").open("a") as file:
        file.write('{"question": "write to anna.smith@mail.example", broken\n')
    result = materialize(home)
    assert result.success
    (rejected,) = stored(home, "quarantine/")
    assert f"conversations-{DAY}.jsonl, line 2" in rejected["place"]
    assert "broken JSON" in rejected["reason"]
    assert "anna.smith" not in str(rejected)
    metadata = result.asset_materializations_for_node("redacted_conversations")[0].metadata
    assert metadata["quarantined"].value == 1
    assert [r.data["rows"] for r in metadata["rejections"].records] == [1]
    assert len(stored(home)) == 1


def test_what_a_ticket_leaves_out_is_told_by_reason_and_stored_nowhere(home):
    comments = [
        {"author_id": 5, "public": True, "body": "Is it loud?\n\nSent from my iPhone"},
        {"author_id": 7, "public": False, "body": "He asks about noise every week."},
        {"author_id": 7, "public": True, "body": "No, it is silent."},
    ]
    ticket = {"id": 3, "requester_id": 5, "comments": comments, "created_at": f"{DAY}T10:00:00", "description": "x"}
    hidden = {**ticket, "id": 4, "description": comments[1]["body"], "comments": comments[1:]}
    (home / "inbox" / f"conversations-{DAY}.jsonl").write_text(f"{json.dumps(ticket)}\n{json.dumps(hidden)}\n")
    result = materialize(home)
    assert result.success
    metadata = result.asset_materializations_for_node("redacted_conversations")[0].metadata
    told = {record.data["reason"]: record.data["parts"] for record in metadata["left_out"].records}
    assert told == {"private": 2, "mail footer": 1}
    counts = metadata["record"].value["counts"]
    assert (counts["left_out: private"], counts["left_out: mail footer"]) == (2, 1)
    (row,), (rejected,) = stored(home), stored(home, "quarantine/")
    assert (row["question"], row["answer"]) == ("Is it loud?", "No, it is silent.")
    assert rejected["reason"] == "no customer message: only the agent wrote; left out: private"
    assert "every week" not in str([row, rejected])


def test_a_name_is_masked_in_every_turn_of_its_conversation_and_tags_stay(home):
    turns = [
        {"role": "customer", "text": "Hi, my name is Anna Keller, where is my parcel?"},
        {"role": "agent", "text": "Let me look, Anna."},
        {"role": "customer", "text": "Thanks. Anna again: may my neighbour take it?"},
        {"role": "agent", "text": "Yes."},
    ]
    row = {"id": "c1", "messages": turns, "time": f"{DAY}T10:00:00", "purpose": "support", "licence": "own"}
    (home / "inbox" / f"conversations-{DAY}.jsonl").write_text(json.dumps(row) + "\n")
    assert materialize(home).success
    rows = stored(home)
    assert [row["turn"] for row in rows] == [0, 1]
    assert len({row["conversation"] for row in rows}) == 1
    assert not any("Anna" in text for row in rows for text in (row["question"], row["answer"]))
    assert {(row["purpose"], row["licence"]) for row in rows} == {("support", "own")}


def test_an_id_that_is_a_mail_address_becomes_a_pseudonym(home):
    write(home, {"id": "anna.smith@mail.example", "question": "where is my parcel"})
    assert materialize(home).success
    assert stored(home)[0]["row_id"].startswith("s-")


@pytest.mark.parametrize("column", ["intent", "licence", "region", "purpose"])
def test_a_row_with_personal_data_where_a_label_should_stand_is_quarantined(home, column):
    write(home, {"question": "where is my parcel"}, {"question": "a lamp", column: "for anna.smith@mail.example"})
    result = materialize(home)
    assert result.success
    assert [row["question"] for row in stored(home)] == ["where is my parcel"]
    (other,) = stored(home, "quarantine/")
    assert other["reason"] == f"column {column} shows EMAIL"
    assert "anna" not in str(other) + str([event.event_specific_data for event in result.all_events])


def test_the_name_of_a_file_and_the_reason_of_a_rejection_may_be_personal_too(home):
    row = {"question": "where is my parcel", "answer": "On its way.", "time": f"{DAY}T10:00:00"}
    file = home / "inbox" / "anna.smith@mail.example.jsonl"
    file.write_text("".join(json.dumps(r) + "\n" for r in (row, {**row, "rating": "a@mail.de"})))
    assert materialize(home).success
    assert stored(home)[0]["source"].startswith("s-")
    (other,) = stored(home, "quarantine/")
    assert other["reason"] == "cannot be read; what is wrong shows EMAIL"
    assert "mail" not in str(other)


@pytest.mark.parametrize("column", STORED_TEXTS)
def test_the_audit_finds_personal_data_in_every_text_that_is_stored(column):
    def found(text: str) -> int:
        kept = {name: "" for name, _ in tables.CONVERSATIONS} | {"row_id": "a", "question": "where", "day": DAY}
        left = {name: "" for name, _ in tables.QUARANTINE} | {"row_id": "b"}
        rows, rest = ([{**row, column: text}] if column in row else [row] for row in (kept, left))
        leaks = Redactor(key=b"k" * 32, names=False).leaks
        return days.audit("redacted_conversations", [rows], [rest], leaks, ()).leaking

    assert found("fine") == 0
    assert found("anna.smith@mail.example") >= 1


def test_a_rule_of_the_use_case_stops_the_line_and_names_the_row(home):
    case = yaml.safe_load((generator.FOLDER / "use_case.yaml").read_text())
    rule = {"type": "expect_column_values_to_not_match_regex", "column": "question", "regex": "tourist"}
    case["expectations"] = {"redacted_conversations": [rule]}
    (home / "case.yaml").write_text(yaml.safe_dump(case))
    Workspace(home).write_settings(Settings(use_case=home / "case.yaml"))
    write(home, {"id": "good", "question": "where is my parcel"}, {"id": "bad", "question": "are you a tourist office"})
    result = materialize(home)
    assert not result.success
    checks = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    assert checks["expectations_hold"] is False
    assert checks["no_personal_data_left"] is True
    failure = next(e for e in result.all_events if e.is_step_failure)
    assert "on bad" in str(failure.step_failure_data.error)
    lake = open_lake(Workspace(home))
    assert list(lake.list("main")) == []
    (draft,) = [name for name in lake.branches() if name != "main"]
    assert [s.path for s in lake.list(draft)] == [
        f"data/redacted_conversations/{DAY}.parquet",
        f"data/redacted_conversations/expectations/{DAY}.html",
        f"data/redacted_conversations/quarantine/{DAY}.parquet",
    ]
