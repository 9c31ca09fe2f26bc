"""Times as people and programs write them: one moment in many spellings, and never a guess."""

import gzip
import io
import json
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from llmops_assets.lib.sources import RawRow, Rejected, RowFault, Shape, SourceError, dated_by, scan, time_of
from llmops_assets.lib.sources.times import Clock, order_among

MOMENT = datetime(2026, 4, 5, 15, 7, 8, tzinfo=UTC)
SPELLINGS = [
    "2026-04-05T15:07:08Z",
    "2026-04-05 15:07:08 UTC",
    "2026-04-05 15:07:08 +0000",
    "2026-04-05T17:07:08+02:00[Europe/Berlin]",
    "2026-04-05T17:07:08 Europe/Berlin",
    "2026/04/05 15:07:08",
    "2026.04.05 15:07:08",
    "2026-04-05 3:07:08 PM",
    "2026-04-05 03:07:08\u202fpm",
    "Sun, 05 Apr 2026 15:07:08 +0000",
    "Sun, 5 Apr 2026 11:07:08 EDT",
    "5 Apr 2026 15:07:08 GMT",
    "Apr 5, 2026 3:07:08 PM",
    "April 5th, 2026 at 3:07:08 p.m.",
    "5. April 2026 15:07:08",
    "05-Apr-2026 15:07:08",
    "Sun Apr 05 2026 17:07:08 GMT+0200 (Central European Summer Time)",
    1775401628,
    1775401628.0,
    1775401628000,
    1775401628000000,
    1775401628000000000,
    "1775401628",
    "1775401628.0",
    "1775401628,0",
    "1775401628000000",
    MOMENT,
]


@pytest.mark.parametrize("written", SPELLINGS, ids=str)
def test_one_moment_in_many_spellings(written):
    assert time_of(written, "column x") == MOMENT


@pytest.mark.parametrize(
    ("written", "order", "day"),
    [
        ("05.04.2026 15:07:08", "DMY", date(2026, 4, 5)),
        ("5/4/2026", "DMY", date(2026, 4, 5)),
        ("5/4/2026", "MDY", date(2026, 5, 4)),
        ("04/05/26 3:07 PM", "MDY", date(2026, 4, 5)),
        ("26/04/05", "YMD", date(2026, 4, 5)),
        ("05-04-2026T15.07", "DMY", date(2026, 4, 5)),
    ],
)
def test_a_date_in_an_order_that_somebody_said(written, order, day):
    assert time_of(written, "", Clock(order=order)).date() == day


@pytest.mark.parametrize(
    "written",
    ["31/31/2026", "13/13/2026", "5/4/2026 25:00", "5/4/2026 13:00 PM", "0:07 PM", "32 Apr 2026", "5 Foo 2026", "5/4",
     "12.5", "2026-02-30", "2026/02/30", "2026-04-05T15:07 Nowhere/Land", "1.4.2.6", "10.0.0.1", "17:30"],
)  # fmt: skip
def test_what_is_no_time_is_a_fault_of_its_row(written):
    with pytest.raises(RowFault, match="is no time"):
        time_of(written, "column x", Clock(order="DMY"))


def test_digits_that_a_spreadsheet_rounded_away_are_not_guessed():
    with pytest.raises(RowFault, match="lost digits in a spreadsheet"):
        time_of("1,7754E+12", "")


def test_half_days_begin_at_noon_and_at_midnight():
    hours = [time_of(f"2026-04-05 {text}", "").hour for text in ("12:00 AM", "12:30 AM", "1:00 AM", "12:00 PM")]
    assert hours == [0, 0, 1, 12]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["03/02/2026", "25/02/2026"], "DMY"),
        (["03/02/2026", "2026-02-25", "", "soon", "02/25/2026 10:00"], "MDY"),
        (["1.2.2026", "13.2.2026"], "DMY"),
    ],
)
def test_one_value_that_can_be_read_in_one_order_decides(values, found):
    assert order_among(values, "a.csv") == order_among(values[::-1], "a.csv") == found


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["03/02/2026", "04/02/2026"], r"03/02/2026 may be either, .*`date_order: DMY`.*`date_order: MDY`"),
        (["25/02/2026", "02/25/2026"], r"25/02/2026 has the day first and 02/25/2026 the month"),
    ],
)
def test_what_may_be_either_or_is_both_is_refused_with_the_lines_to_add(values, message):
    with pytest.raises(SourceError, match=message):
        order_among(values, "a.csv")


def read(rows: list[dict], form: str = "jsonl", **shape) -> list[RawRow | Rejected]:
    if form == "csv":
        text = ";".join(rows[0]) + "\n" + "".join(";".join(map(str, row.values())) + "\n" for row in rows)
    else:
        text = "".join(json.dumps(row) + "\n" for row in rows)
    data = gzip.compress(text.encode())
    known = dated_by(Shape(**shape), lambda: io.BytesIO(data), f"a.{form}")
    return list(scan(io.BytesIO(data), f"a.{form}", known))


def rows_at(*times: str, column: str = "time") -> list[dict[str, str]]:
    return [{"question": f"q{n}?", "answer": "a", column: time} for n, time in enumerate(times)]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_the_last_date_of_a_file_decides_for_the_first(form):
    times = ["03/02/2026 09:00"] * 3000 + ["14/02/2026 09:00"]
    assert {row.day for row in read(rows_at(*times), form)} == {date(2026, 2, 3), date(2026, 2, 14)}
    named = read(rows_at(*times, column="Datum "), form, mapping={"time": "Datum "})
    assert named[0].day == date(2026, 2, 3)


def test_a_file_that_does_not_tell_is_refused_and_read_with_the_setting():
    rows = rows_at("03/02/2026", "04/02/2026")
    with pytest.raises(SourceError, match="date_order: DMY"):
        read(rows, "csv")
    assert [row.day.month for row in read(rows, "csv", date_order="DMY")] == [2, 2]
    assert [row.day.month for row in read(rows, "csv", date_order="MDY")] == [3, 4]
    both = read(rows_at("13/02/2026", "02/13/2026"), "csv", date_order="DMY")
    assert [type(item) for item in both] == [RawRow, Rejected]


def test_times_without_an_offset_are_of_the_zone_of_the_source_and_so_are_days():
    times = ["2026-03-02T00:30:00", "2026-03-01T23:30:00Z", "2026-03-29T03:30:00", 1772407800]
    for item in read(rows_at(*times[:2]), time_zone="Europe/Berlin"):
        assert (str(item.time), str(item.day)) == ("2026-03-01 23:30:00+00:00", "2026-03-02")
    summer, number = read(rows_at(*times[2:]), time_zone="Europe/Berlin")
    assert summer.time == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert number.day == date(2026, 3, 2), "seconds since 1970 are UTC"
    assert str(read(rows_at(times[0]))[0].day) == "2026-03-02"
    with pytest.raises(SourceError, match=r"time_zone: 'Berlin' is no time zone; write one as Europe/Berlin"):
        Shape(time_zone="Berlin")
    with pytest.raises(SourceError, match=r"date_order: 'DD\.MM' is none of DMY, MDY, YMD"):
        Shape(date_order="DD.MM")


def test_messages_of_a_conversation_are_read_by_the_same_clock():
    messages = [{"role": "user", "text": "late?"}, {"role": "agent", "text": "no"}]
    record = {
        "id": 1,
        "messages": [{**m, "time": t} for m, t in zip(messages, ("13/02/2026 00:10", "13/02/2026 00:20"), strict=True)],
    }
    (row,) = read([record], time_zone="Asia/Tokyo")
    assert row.time == datetime(2026, 2, 13, 0, 10, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert row.day == date(2026, 2, 13)


@pytest.mark.parametrize(
    "word", ["NULL", "null", "NaN", "None", "#N/A", "n/a", "N/A", "-", "<NA>", "#NV", "\\N", " null "]
)
def test_a_word_for_nothing_is_nothing(word):
    names = ("intent", "subject", "source", "id", "conversation", "rating", "time", "turn", "region")
    row, asked, said = read(
        [
            {"question": "Is it null?", "answer": "n/a means none", **dict.fromkeys(names, word)},
            {"question": word, "answer": "x", **dict.fromkeys(names, "")},
            {"question": "x", "answer": word, **dict.fromkeys(names, "")},
        ]
    )
    assert (row.question, row.answer) == ("Is it null?", "n/a means none")
    assert (row.intent, row.subject, row.source, row.rating, row.time, row.region) == ("", "", "", 0, None, "")
    assert row.conversation == row.id
    assert len(row.id) == 20, "the id of its content"
    assert (asked.reason[:8], said.reason[:8]) == ("is empty", "is empty")


def test_decimal_commas_are_numbers():
    rows = [{"question": "q", "answer": "a", "rating": r, "conversation": "c", "turn": t} for r, t in
            (("1,0", "0,0"), ("-1,00", "1.0"), ("0", "2"), ("0,5", "3"), ("1", "3,5"))]  # fmt: skip
    found = read(rows)
    assert [(i.rating, i.turn) for i in found if isinstance(i, RawRow)] == [(1, 0), (-1, 1), (0, 2)]
    assert [i.reason for i in found if isinstance(i, Rejected)] == [
        "'0,5' is no rating; use -1, 0 or 1", "'3,5' is no whole number"
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_twin_columns_are_refused(form):
    if form == "csv":
        data = b"id;question;Answer;answer \n1;q;draft;final\n"
        with pytest.raises(SourceError, match="line 1: two columns have the same name, there are answer; rename"):
            list(scan(io.BytesIO(data), "a.csv", Shape()))
        list(scan(io.BytesIO(b"question;answer;;\nq;a;;\n"), "a.csv", Shape()))
        return
    with pytest.raises(SourceError, match="2 columns are named 'answer'"):
        read([{"question": "q", "Answer": "draft", "answer": "final"}])


def test_twin_columns_of_parquet_are_refused():
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = io.BytesIO()
    pq.write_table(pa.table([["q"], ["x"], ["y"]], names=["question", "answer", "answer"]), target)
    with pytest.raises(SourceError, match="two columns have the same name"):
        list(scan(io.BytesIO(target.getvalue()), "a.parquet", Shape()))


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_carriage_returns_alone_end_lines(encoding):
    text = 'question;answer\rWann?;Jetzt; \rWieso?;"Dar\rum"\r'.replace("; \r", "\r") + "é?;ja\r" * 9000
    given = "utf-16-le" if encoding == "utf-16-le" else ""
    found = list(scan(io.BytesIO(text.encode(encoding)), "a.csv", Shape(), encoding=given))
    assert [(i.question, i.answer) for i in found[:3]] == [("Wann?", "Jetzt"), ("Wieso?", "Dar\num"), ("é?", "ja")]
    assert len(found) == 9002


def test_a_file_whose_columns_have_other_names_says_what_to_write():
    with pytest.raises(SourceError) as raised:
        list(scan(io.BytesIO(b"Frage;Antwort;Datum\nWann?;Jetzt;2026-03-02\n"), "a.csv", Shape()))
    assert '`mapping: {question: "Frage", answer: "Antwort", time: "Datum"}`' in str(raised.value)
    assert "--column question=Frage --column answer=Antwort --column time=Datum" in str(raised.value)
    with pytest.raises(SourceError, match=r'mapping: \{question: "<column>", answer: "reply text"\}'):
        list(scan(io.BytesIO(b"a;reply text\nx;y\n"), "a.csv", Shape()))
