"""Held-back feedback goes out and comes back as it was; a file with one thing wrong keeps nothing."""

import csv
import io
from datetime import UTC, datetime

import pytest

from llmops_assets.lib.feedback.decisions import (
    Decision,
    DecisionError,
    HeldItem,
    keep_decisions,
    kept_decisions,
    read_decisions,
    write_items,
)

NOW = datetime(2026, 3, 12, tzinfo=UTC)
ITEMS = [
    HeldItem(
        row_id=f"i{n}",
        day="2026-03-11",
        question='=HYPERLINK("x"),\nwhere?',
        served="Here.",
        correction="There; é",
        rating=-1,
        article="returns",
        release="r-1",
        serves="no",
        reasons="2 others say otherwise, 0 the same",
    )
    for n in range(3)
]
HELD = {"i0", "i1", "i2"}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_goes_out_comes_back_with_decisions(tmp_path, form):
    text = write_items(ITEMS, form)
    file = tmp_path / f"held.{form}"
    if form == "csv":
        assert next(iter(csv.DictReader(io.StringIO(text))))["question"].startswith("'="), "no formula runs"
        rows = list(csv.reader(io.StringIO(text)))
        for line, said in zip(rows[1:], ("release", "", "Reject "), strict=True):
            line[rows[0].index("decision")] = said
        buffer = io.StringIO()
        csv.writer(buffer).writerows(rows)
        file.write_text(buffer.getvalue(), newline="")
    else:
        lines = text.splitlines()
        lines[0] = lines[0].replace('"decision": ""', '"decision": "release"')
        lines[2] = lines[2].replace('"decision": ""', '"decision": "reject"')
        file.write_text("\n".join(lines))
    found = read_decisions(file, HELD)
    assert [(one.row_id, one.decision) for one in found] == [("i0", "release"), ("i2", "reject")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("row_id,decision\ni0,maybe\n", "line 2: decision 'maybe'; write release or reject"),
        ("row_id,decision\ni9,release\n", "not held back: 1 row (line 2: 'i9'); decide rows of"),
        ("row_id,decision\ni0,release\ni0,reject\n", "'i0' is released and rejected in one file"),
        ("row_id,decision\ni0,\n", "holds no decision"),
        ("row_id,verdict\ni0,release\n", "no 'decision'; there are row_id, verdict"),
        ("row_id,decision\ni0\n", "another number of values than columns"),
        ("", "holds no decision"),
        ('{"row_id": "i0", "decision"\n', "line 1, column 28: broken JSON"),
        ("{}\n[1]\n", "no 'row_id'"),
    ],
)
def test_a_file_with_one_thing_wrong_is_refused_with_its_place(tmp_path, text, told):
    file = tmp_path / "held.csv"
    file.write_text(text)
    with pytest.raises(DecisionError) as refused:
        read_decisions(file, HELD)
    assert told in str(refused.value)
    assert str(file) in str(refused.value)


def test_a_file_that_is_not_there_or_is_no_text_is_told(tmp_path):
    with pytest.raises(DecisionError, match="No such file"):
        read_decisions(tmp_path / "none.csv", HELD)
    (tmp_path / "latin.csv").write_bytes(b"row_id,decision\ni0,r\xe9\n")
    with pytest.raises(DecisionError, match="line 2: not UTF-8"):
        read_decisions(tmp_path / "latin.csv", HELD)
    with pytest.raises(DecisionError, match="'xlsx' is not written"):
        write_items(ITEMS, "xlsx")


def test_the_same_decisions_are_kept_once_and_the_last_word_counts(tmp_path):
    release = [Decision(row_id="i0", decision="release"), Decision(row_id="i1", decision="release")]
    file, new = keep_decisions(tmp_path / "kept", release, NOW)
    assert new
    assert keep_decisions(tmp_path / "kept", release[::-1], NOW) == (file, False)
    keep_decisions(tmp_path / "kept", [Decision(row_id="i1", decision="reject")], NOW.replace(hour=1))
    assert {name: one.decision for name, one in kept_decisions(tmp_path / "kept").items()} == {
        "i0": "release",
        "i1": "reject",
    }
    assert kept_decisions(tmp_path / "none") == {}
