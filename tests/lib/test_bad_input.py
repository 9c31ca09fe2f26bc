"""Files as people really send them: what can be read is read, the rest is said with its place, nothing gets lost."""

import contextlib
import csv
import gzip
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops_assets.lib.sources import MAX_TEXT, RawRow, Rejected, Shape, SourceError, resolved, scan
from llmops_assets.lib.sources.rows import NULLS

GOOD = {"question": "Where?", "answer": "Here."}


def read(content: str | bytes, form: str = "jsonl", **shape) -> list[RawRow | Rejected]:
    encoding = shape.pop("encoding", "")
    data = content if isinstance(content, bytes) else content.encode()
    return list(scan(io.BytesIO(data), f"a.{form}", Shape(**shape), encoding=encoding))


def jsonl(*rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def texts(items: list[RawRow | Rejected]) -> list[tuple[str, str]]:
    return [(item.question, item.answer) for item in items if isinstance(item, RawRow)]


def rejected(items: list[RawRow | Rejected]) -> list[tuple[str, str]]:
    return [(item.place, item.reason) for item in items if isinstance(item, Rejected)]


@pytest.mark.parametrize(
    ("line", "place", "reason"),
    [
        ('{"question": ', "a.jsonl, line 2, character 14", "broken JSON"),
        ('["x"]', "a.jsonl, line 2", "a list; every line must be a JSON object"),
        ('{"question": null, "answer": "x"}', "a.jsonl, line 2, column question", "is empty"),
        ('{"question": NaN, "answer": "x"}', "a.jsonl, line 2, column question", "is empty"),
        ('{"question": ["x"], "answer": "x"}', "a.jsonl, line 2, column question", "a list is no text"),
        ('{"question": "x", "answer": "x", "time": "soon"}', "a.jsonl, line 2, column time", "'soon' is no time"),
        ('{"question": "x", "answer": "x", "time": true}', "a.jsonl, line 2, column time", "'True' is no time"),
        ('{"question": "x", "answer": "x", "time": 5e99}', "a.jsonl, line 2, column time", "'5e+99' is no time"),
        (
            '{"question": "x", "answer": "x", "time": "1970-01-01"}',
            "a.jsonl, line 2, column time",
            "1970-01-01 is before",
        ),
        ('{"question": "x", "answer": "x", "rating": 0.5}', "a.jsonl, line 2, column rating", "'0.5' is no rating"),
        ('{"question": "\\ud83d", "answer": "x"}', "a.jsonl, line 2", "half of a character"),
        ("[" * 100_000, "a.jsonl, line 2", "nested too deeply"),
        ('{"question": "x", "answer": ' + "9" * 5000 + "}", "a.jsonl, line 2", "a number with too many digits"),
        ('{"reply": "x"}', "a.jsonl, line 2", "no column for the question"),
        ('{"messages": []}', "a.jsonl, line 2", "no customer message"),
        (json.dumps({**GOOD, "answer": "x" * 100_000}), "a.jsonl, line 2, column answer", "100000 characters"),
    ],
)
def test_a_broken_line_is_rejected_and_the_others_are_read(line, place, reason):
    found = read(jsonl(GOOD) + line + "\n" + jsonl(GOOD))
    assert [type(item) for item in found] == [RawRow, Rejected, RawRow]
    assert found[1].place == place
    assert found[1].reason.startswith(reason)
    assert len(found[1].text) <= MAX_TEXT
    assert found[1].text.encode()


def test_a_reason_shows_too_little_to_know_a_person():
    (found,) = read(jsonl({**GOOD, "time": "anna.keller@mail.example", "rating": "anna.keller@mail.example"}))
    assert "keller@" not in found.reason
    assert "anna.keller@mail.example" in found.text


def test_one_line_in_another_encoding_is_rejected_a_file_of_them_is_refused():
    latin = "Jos\xe9".encode("latin1")
    lines = [b"question,answer", b"x,y", latin + b",z", "caf\xe9,z".encode()]
    assert rejected(read(b"\n".join(lines), "csv"))[0][0] == "a.csv, row 2 (line 3), byte 4 of the line"
    lines = [b"question,answer", b"x,y", latin + b",z", latin + b",z"]
    with pytest.raises(
        SourceError, match=r"a.csv, line 3: not UTF-8, nor are 1 more .*iconv.*encoding in the settings"
    ):
        read(b"\n".join(lines), "csv")
    assert texts(read(b"\n".join(lines), "csv", encoding="cp1252"))[1] == ("José", "z")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
def test_marked_and_named_encodings_are_decoded(encoding, form):
    rows = [{"question": "Größe 👟 מה?", "answer": "שלום ✓"}, GOOD]
    content = {"csv": "question,answer\n" + "".join(f"{r['question']},{r['answer']}\n" for r in rows)}
    content |= {"jsonl": jsonl(*rows), "json": json.dumps(rows, ensure_ascii=False)}
    named = encoding if encoding == "utf-16-le" else ""
    assert texts(read(content[form].encode(encoding), form, encoding=named)) == [tuple(row.values()) for row in rows]


def test_utf_16_without_a_mark_is_refused():
    with pytest.raises(SourceError, match="looks like UTF-16 without a byte order mark"):
        read(jsonl(GOOD).encode("utf-16-le"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter):
    lines = [["question", "answer", "a, b; c"], ["x, or; y", "z|\t", ""]]
    target = io.StringIO()
    csv.writer(target, delimiter=delimiter).writerows(lines)
    assert texts(read(target.getvalue(), "csv")) == [("x, or; y", "z|")]
    assert texts(read(f"sep={delimiter}\n{target.getvalue()}", "csv")) == [("x, or; y", "z|")]


def test_a_broken_quote_costs_its_own_line_only():
    lines = ["question,answer", "one,1", '"two,2', "three,3", '"four\nlines",4', '"fi"ve,5', "six,6", "seven", "a,b,c"]
    found = read("\n".join(lines) + "\n", "csv")
    assert texts(found) == [("one", "1"), ("three", "3"), ("four\nlines", "4"), ("six", "6")]
    assert [(place, reason[:10]) for place, reason in rejected(found)] == [
        ("a.csv, row 2 (line 3)", "broken CSV"),
        ("a.csv, row 5 (line 7)", "broken CSV"),
        ("a.csv, row 7 (line 9), column answer", "the row is"),
        ("a.csv, row 8 (line 10)", "more value"),
    ]
    assert [item.text for item in found if isinstance(item, Rejected)][:2] == ['"two,2\n', '"fi"ve,5\n']


def test_csv_files_put_one_after_the_other_are_one():
    found = read("question,answer\nx,y\nquestion,answer\nz,w\nanswer,question\nhere,where\n", "csv")
    assert texts(found) == [("x", "y"), ("z", "w"), ("where", "here")]


def test_other_keys_further_down_are_recognised_anew():
    rows = [GOOD, {"instruction": "How?", "response": "So."}, {"id": 1, **GOOD}]
    assert texts(read(jsonl(*rows))) == [("Where?", "Here."), ("How?", "So."), ("Where?", "Here.")]


@pytest.mark.parametrize("mapping", [None, {"question": "text"}])
def test_a_csv_without_a_line_of_names_does_not_tell_a_customers_words(mapping):
    with pytest.raises(SourceError, match="is the line with names missing") as raised:
        read("Where is the parcel of Anna Keller?,anna@mail.example\nWhere?,here\n", "csv", mapping=mapping)
    assert "Keller" not in str(raised.value)
    assert "anna" not in str(raised.value)


def test_a_mapping_that_fits_no_row_is_the_files_fault():
    with pytest.raises(SourceError, match=r"a.jsonl, line 1: no column 'ask'; there are question, answer"):
        read(jsonl(GOOD, GOOD), mapping={"question": "ask"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cut", "message"), [(40, "truncated or damaged gzip after 0"), (-12, r"gzip after [1-9]\d+ readable rows")]
)
def test_a_truncated_gzip_says_how_far_it_was_readable(cut, message):
    whole = gzip.compress(jsonl(*({**GOOD, "id": n} for n in range(5000))).encode())
    assert len(read(whole)) == 5000
    with pytest.raises(SourceError, match=message):
        read(whole[:cut])
    with pytest.raises(SourceError, match="damaged gzip"):
        read(whole[:2000] + b"damage" + whole[2006:])


def test_compressed_parquet_and_times_of_any_unit():
    target = io.BytesIO()
    times = pa.array([1_772_445_600_000_000_000], pa.timestamp("ns", "UTC"))
    pq.write_table(pa.table({"question": ["q"], "answer": ["a"], "time": times}), target)
    (row,) = read(gzip.compress(target.getvalue()), "parquet")
    assert row.time == datetime(2026, 3, 2, 10, tzinfo=UTC)
    for value in (1_772_445_600, 1_772_445_600_000, "1772445600", "2026-03-02 10:00:00 UTC", "2026-03-02T11:00+01:00"):
        assert read(jsonl({**GOOD, "time": value}))[0].time == row.time


def test_html_stays_in_plain_text_and_leaves_the_bodies_of_tickets():
    (row,) = read(jsonl({"question": "is 3 < 4 & <b>?", "answer": "yes"}))
    assert row.question == "is 3 < 4 & <b>?"
    comments = [
        {"author_id": 1, "html_body": "<p>is 3 &lt; 4?</p><script>x()</script><br>really"},
        {"author_id": 2, "html_body": "<div>yes</div>"},
    ]
    (row,) = read(jsonl({"id": 1, "requester_id": 1, "comments": comments}))
    assert (row.question, row.answer) == ("is 3 < 4?\nreally", "yes")


def said(role: str, text: str, **more) -> dict:
    return {"role": role, "content": text, **more}


def test_each_exchange_is_a_row_of_the_day_the_conversation_began():
    messages = [
        said("assistant", "Hello!"),
        said("user", "Hi.", time="2026-03-02T23:58:00"),
        said("user", "Where is it?"),
        said("tool", "lookup"),
        said("assistant", "On its way."),
        said("assistant", "Anything else?"),
        said("user", "When?", time="2026-03-03T00:02:00"),
        said("assistant", "x" * 30_000),
        said("user", "Again?"),
        said("assistant", "Tomorrow."),
        said("user", "Thanks!"),
    ]
    found = read(
        jsonl({"conversation_id": "c", "messages": messages, "purpose": "support"}), name="chat", tags={"region": "EU"}
    )
    assert [(i.id, i.turn, i.question, i.answer) for i in found if isinstance(i, RawRow)] == [
        ("chat/c#0", 0, "Hi.\nWhere is it?", "On its way.\nAnything else?"),
        ("chat/c#2", 2, "Again?", "Tomorrow."),
    ]
    assert {(i.conversation, str(i.day), i.purpose, i.region) for i in found if isinstance(i, RawRow)} == {
        ("chat/c", "2026-03-02", "support", "EU")
    }
    assert rejected(found)[0][0] == "a.jsonl, line 1, turn 1"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"messages": [said("assistant", "hello")]}, "no customer message"),
        ({"messages": [said("user", "hello"), said("user", " ")]}, "no answer"),
        ({"messages": [said("Anna Keller", "hello")]}, "the role is none that is known"),
        ({"messages": "hello"}, "messages is a str, not a list"),
        ({"messages": ["hello"]}, "a str; every message is an object"),
        ({"turns": [{"role": "user", "text": 5}]}, "a int is no text"),
        ({"comments": [{"body": "x"}]}, "nobody knows who wrote it"),
        ({"requester_id": 1, "comments": [{"author_id": 2, "body": "x", "public": False}]}, "no customer message"),
        ({"requester_id": 1, "comments": [{"author_id": 1, "body": "x"}]}, "no answer"),
        ({"conversation_parts": 5}, "conversation_parts is a int"),
    ],
)
def test_a_conversation_that_has_no_exchange_is_rejected_as_one(record, reason):
    (found,) = read(jsonl({"id": "c1", **record}))
    assert isinstance(found, Rejected)
    assert found.reason.startswith(reason)
    assert found.id == "c1"
    assert "Keller" not in found.reason


def test_ratings_of_ticket_systems_belong_to_the_last_answer():
    by = [{"author_role": role, "body": role} for role in ("end-user", "agent", "end-user", "agent")]
    good = {"id": 1, "comments": by, "satisfaction_rating": {"score": "good"}, "via": {"channel": "email"}}
    assert [(row.rating, row.source) for row in read(jsonl(good))] == [(0, "email"), (1, "email")]


def test_rows_of_one_conversation_are_its_turns():
    rows = [
        {"conversation_id": c, **GOOD, "time": t}
        for c, t in [("a", "2026-03-02T23:59"), ("a", "2026-03-03T00:01"), ("b", "2026-03-03")]
    ]
    assert [(r.id, r.turn, str(r.day)) for r in read(jsonl(*rows))] == [
        ("a#0", 0, "2026-03-02"),
        ("a#1", 1, "2026-03-02"),
        ("b#0", 0, "2026-03-03"),
    ]


def test_the_last_of_equal_ids_counts_and_a_conversation_is_replaced_as_a_whole():
    def chat(name: str, *answers: str) -> dict:
        return {"id": name, "messages": [m for a in answers for m in (said("user", f"{a}?"), said("assistant", a))]}

    items = read(
        jsonl(
            {"id": 1, **GOOD},
            chat("c", "one", "two", "three"),
            {"id": 1, "question": "new", "answer": "x"},
            chat("c", "only"),
        )
    )
    found = list(resolved(lambda: iter(items)))
    assert texts(found) == [("new", "x"), ("only?", "only")]
    assert [(i.id, i.reason) for i in found if isinstance(i, Rejected)] == [
        (name, "replaced by a later row with the same id") for name in ("1", "c#0", "c#1", "c#2")
    ]


def test_equal_rows_without_an_id_are_one_and_the_others_are_told():
    later = {**GOOD, "time": "2026-03-02T10:00:00"}
    items = read(jsonl(GOOD, {"question": "x", "answer": "y"}, GOOD, later, GOOD, later))
    for order in (items, items[::-1]):
        found = list(resolved(lambda given=order: iter(given)))
        assert len(found) == len(items)
        assert sorted((i.question, str(i.time)) for i in found if isinstance(i, RawRow)) == [
            ("Where?", "2026-03-02 10:00:00+00:00"),
            ("Where?", "None"),
            ("x", "None"),
        ]
        assert [i.reason for i in found if isinstance(i, Rejected)] == ["the same row was read before"] * 3


def test_a_json_document_is_streamed_element_by_element():
    rows = [{"id": n, "question": f"q{n} " + "x" * 2000, "answer": "]},{["} for n in range(1500)]
    for content in (json.dumps(rows), json.dumps({"tickets": rows, "count": 2}, indent=1)):
        assert [row.id for row in read(content, "json")] == [str(n) for n in range(1500)]
        with pytest.raises(SourceError, match=r"a.json, element \d+: (broken JSON|the list does not end)"):
            read(content[: len(content) // 2], "json")
    assert texts(read(json.dumps(GOOD), "json")) == [("Where?", "Here.")]
    assert [type(item) for item in read(json.dumps([GOOD, 5]), "json")] == [RawRow, Rejected]


# -- properties ---------------------------------------------------------------------------------------------------

plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60)
words = plain.filter(lambda t: t.strip() and t.strip().lower() not in ("question", "answer", *NULLS))
pairs = st.lists(st.tuples(words, words), min_size=1, max_size=8)


def written(form: str, rows: list[tuple[str, str]]) -> bytes:
    named = [{"question": q, "answer": a} for q, a in rows]
    if form == "jsonl":
        return jsonl(*named).encode()
    if form == "json":
        return json.dumps(named).encode()
    if form == "parquet":
        target = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(named), target)
        return target.getvalue()
    text = io.StringIO()
    csv.writer(text).writerows([["question", "answer"], *rows])
    return text.getvalue().encode()


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(pairs, st.sampled_from(["jsonl", "json", "csv", "parquet"]), st.booleans())
def test_what_was_written_is_read_back(rows, form, compressed):
    data = written(form, rows)
    found = read(gzip.compress(data) if compressed else data, form)
    assert texts(found) == [(q.strip(), a.strip()) for q, a in rows]
    assert len(found) == len(rows)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["jsonl", "json", "csv", "parquet", "md", "html"]), st.booleans())
def test_any_bytes_are_read_or_refused(data, form, compressed):
    with contextlib.suppress(SourceError):
        assert read(gzip.compress(data) if compressed else data, form)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3),
    max_leaves=6,
)
odd_rows = st.fixed_dictionaries(
    {"question": json_values, "answer": json_values}, optional={"time": json_values, "rating": json_values}
)
lines_of_all_kinds = st.one_of(
    odd_rows.map(json.dumps), plain.map(lambda t: t.replace("\n", " ")), st.just(json.dumps(GOOD))
)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(lines_of_all_kinds.filter(str.strip), max_size=12))
def test_every_line_is_a_row_or_rejected(lines):
    content = jsonl(GOOD) + "".join(line + "\n" for line in lines)
    found = read(content)
    assert len(found) == len(lines) + 1
    for item in found:
        assert isinstance(item, RawRow) or (item.place.startswith("a.jsonl, line ") and item.reason)


cells = st.text(st.sampled_from('ab,"\t ;é👟'), max_size=6)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(cells, min_size=1, max_size=3).map(",".join), max_size=8))
def test_every_line_of_a_csv_is_in_one_row_or_rejected(lines):
    marked = [f"{line}<{number}>" for number, line in enumerate(lines)]
    found = read("\n".join(["question,answer", *marked, "last,row"]), "csv")
    told = [i.question + i.answer if isinstance(i, RawRow) else i.text for i in found]
    assert ["".join(told).count(f"<{number}>") for number in range(len(lines))] == [1] * len(lines)
    assert texts(found)[-1:] == [("last", "row")]


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(plain, lambda inner: st.lists(inner, max_size=4), max_leaves=8),
    st.sampled_from(["messages", "comments", "conversation_parts"]),
)
def test_odd_conversations_are_rejected_never_a_crash(value, key):
    records: Iterator[dict] = iter(
        [{"id": 1, key: value}, {"id": 2, key: [value, {"role": value, "content": value, "author": value}]}]
    )
    assert len(read(jsonl(*records, GOOD))) == 3
