"""`llmops lake`: what its commands print, and how they end on what is wrong."""

import pytest
from commands_support import llmops

from llmops_assets.lib import tables
from resources.lake.embedded import EmbeddedLake

PATH = "data/training_dataset/rows.parquet"


def published(lake, *rows):
    with lake.transaction("rows", name="test") as draft:
        draft.put(PATH, tables.to_parquet(rows, tables.TRAINING))
    return draft.merged


def test_lake_check_names_the_damaged_object_and_fails(home):
    lake = EmbeddedLake(home / "lake")
    commit = published(lake, {"row_id": "a", "question": "how?"})
    sound = llmops("lake", "check")
    assert (sound.exit_code, sound.output.strip()) == (0, "0 problems")
    sha256 = lake.stat(commit, PATH).sha256
    stored = home / "lake" / "objects" / sha256[:2] / sha256[2:]
    stored.chmod(0o600)
    stored.write_bytes(b"other bytes")
    damaged = llmops("lake", "check")
    assert damaged.exit_code == 1
    assert f"{PATH} at {commit[:12]} have size 11" in damaged.output
    assert "1 problems" in damaged.output


def test_lake_collect_removes_what_no_commit_names_and_keeps_the_rest(home):
    lake = EmbeddedLake(home / "lake")
    commit = published(lake, {"row_id": "a", "question": "how?"})
    lake.branch("draft")
    lake.put("draft", "big.bin", b"0" * 5000)
    lake.delete_branch("draft")
    before = sum(file.stat().st_size for file in (home / "lake" / "objects").rglob("*") if file.is_file())
    assert llmops("lake", "collect", "--days", "0").exit_code == 0
    after = sum(file.stat().st_size for file in (home / "lake" / "objects").rglob("*") if file.is_file())
    assert before - after >= 5000
    assert tables.from_parquet(lake.get(commit, PATH))[0]["question"] == "how?"


def test_lake_diff_shows_what_came_and_went_between_a_ref_and_a_tag(home):
    lake = EmbeddedLake(home / "lake")
    first = published(lake, {"row_id": "a", "provenance": "chat/d1/a", "question": "how?"})
    second = published(lake, {"row_id": "b", "provenance": "chat/d1/b", "question": "why?"})
    lake.tag("second", second)
    shown = llmops("lake", "diff", str(lake.uri(first, PATH)), "second")
    assert shown.exit_code == 0, shown.output
    changes = {
        name: line.split() for line in shown.output.splitlines() for name in ("chat/d1/a", "chat/d1/b") if name in line
    }
    assert "went" in changes["chat/d1/a"]
    assert "came" in changes["chat/d1/b"]
    assert "1 came, 1 went, 0 changed" in shown.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lake", "diff", "no-such-tag", "main"), "no-such-tag"),
        (("lake", "diff", "lake://x", "main"), "not a lake ref"),
        (("lineage", "nothing-of-that-name"), "nothing-of-that-name"),
    ],
)
def test_a_wrong_name_is_said_in_one_line_and_fails(home, arguments, said):
    published(EmbeddedLake(home / "lake"), {"row_id": "a"})
    result = llmops(*arguments)
    assert result.exit_code == 1
    assert said in result.output
    assert "Traceback" not in result.output


def test_lakefs_without_its_credentials_says_which_are_missing(home, monkeypatch):
    monkeypatch.setenv("LAKE", "lakefs")
    monkeypatch.setenv("LAKEFS_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.delenv("LAKEFS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("LAKEFS_SECRET_ACCESS_KEY", raising=False)
    result = llmops("lake", "check")
    assert result.exit_code == 1
    assert "LAKEFS_ACCESS_KEY_ID, LAKEFS_SECRET_ACCESS_KEY" in result.output
