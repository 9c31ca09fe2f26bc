import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops_assets.lib.sources import SourceError, check, read_rows
from llmops_assets.lib.sources.rows import NULLS

ROWS = [
    {"question": "Where is it?", "answer": "On its way.", "intent": "delivery", "time": "2026-03-02T10:00:00+01:00"},
    {"question": "And\nnow, again?", "answer": 'He said "soon".', "intent": "delivery", "time": "2026-03-03"},
]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def jsonl(*rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_all_formats_give_the_same_rows(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    write(tmp_path, "a.jsonl", jsonl(*ROWS))
    write(
        tmp_path,
        "a.csv",
        "question,answer,intent,time\nWhere is it?,On its way.,delivery,2026-03-02T10:00:00+01:00\n"
        '"And\nnow, again?","He said ""soon"".",delivery,2026-03-03\n',
    )
    read = [
        [(r.number, r.question, r.answer, r.intent, r.time) for r in read_rows(tmp_path / f"a.{kind}")]
        for kind in ("parquet", "jsonl", "csv")
    ]
    assert read[0] == read[1] == read[2]
    assert read[0][0][4] == datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_columns_are_recognised_by_common_names_and_by_mapping(tmp_path):
    file = write(tmp_path, "a.csv", "Instruction;Response;Category\nhi;hello;greeting\n")
    assert [(r.question, r.answer, r.intent) for r in read_rows(file)] == [("hi", "hello", "greeting")]
    file = write(tmp_path, "b.csv", "frage,antwort\nwo?,hier\n")
    assert [r.answer for r in read_rows(file, {"question": "frage", "answer": "antwort"})] == ["hier"]


def test_a_format_given_by_name_goes_before_the_ending(tmp_path):
    file = write(tmp_path, "export.txt", jsonl(ROWS[0]))
    with pytest.raises(SourceError, match=r"format \.txt"):
        check(file)
    assert check(file, form="jsonl") == 1
    with pytest.raises(SourceError, match="'xml'"):
        check(file, form="xml")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "question,reply to\nx,y\n", r"row 1 \(line 2\): no column for the answer"),
        ("a.jsonl", jsonl(ROWS[0], {"question": " ", "answer": "x"}), "line 2, column question: is empty"),
        ("a.jsonl", '{"question": "x", "answer": "y"}\n{"question": \n', "line 2, character 14: broken JSON"),
        ("a.jsonl", '["x"]\n', "line 1: a list; every line must be a JSON object"),
        (
            "a.csv",
            "question,answer\nx,y\nJos\xe9,z\n".encode("latin1"),
            r"line 3\), byte 4 of the line: not UTF-8",
        ),
        ("a.csv", "question,answer\nx\n", r"row 1 \(line 2\), column answer: the row is cut off"),
        ("a.csv", "question,answer\nx,y,z\n", "more values than columns"),
        ("a.csv", 'question,answer\n"x,y\n', "row 1 .*broken CSV"),
        ("a.csv", "question,answer\n", "holds no rows"),
        ("a.jsonl", "", "holds no rows"),
        ("a.jsonl", jsonl({**ROWS[0], "time": "yesterday"}), "column time: 'yesterday' is no time"),
        ("a.jsonl", jsonl({**ROWS[0], "rating": 5}), "column rating: '5' is no rating"),
        ("a.jsonl", jsonl({"question": {"a": 1}, "answer": "x"}), "column question: a dict is no text"),
        ("a.jsonl", jsonl({"question": "x" * 30_000, "answer": "x"}), "30000 characters"),
        ("a.parquet", b"PAR1 broken", "broken Parquet"),
        ("a.jsonl", jsonl(ROWS[0]) + '{"question": "x"}\n', "line 2: no column for the answer"),
    ],
)
def test_what_is_wrong_is_said_with_file_row_and_column(tmp_path, name, content, message):
    file = write(tmp_path, name, content)
    with pytest.raises(SourceError, match=message) as raised:
        check(file)
    assert str(file) in str(raised.value)


def test_a_missing_file_and_a_wrong_mapping_are_named(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        check(tmp_path / "nowhere.csv")
    file = write(tmp_path, "a.jsonl", jsonl(ROWS[0]))
    with pytest.raises(SourceError, match="no column 'ask'; there are question"):
        check(file, {"question": "ask"})
    with pytest.raises(SourceError, match="'frage' in the mapping is none of"):
        check(file, {"frage": "question"})


def test_a_byte_order_mark_does_not_hide_the_first_column(tmp_path):
    file = write(tmp_path, "a.csv", b"\xef\xbb\xbfquestion,answer\nx,y\n")
    assert check(file) == 1


texts = st.text(min_size=1, max_size=80).filter(
    lambda t: t.strip() and "\0" not in t and t.strip().lower() not in NULLS
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
def test_any_text_survives_jsonl(tmp_path_factory, pairs):
    file = tmp_path_factory.mktemp("any") / "a.jsonl"
    file.write_text(jsonl(*({"question": q, "answer": a} for q, a in pairs)))
    assert [(r.question, r.answer) for r in read_rows(file)] == [(q.strip(), a.strip()) for q, a in pairs]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_bytes_are_read_or_refused_never_a_crash(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("bytes")
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        (folder / name).write_bytes(data)
        with contextlib.suppress(SourceError):
            assert check(folder / name) > 0
