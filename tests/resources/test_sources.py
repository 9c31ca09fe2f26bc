"""What every source must do, whatever system it reads. A new implementation is one more entry of SOURCES.

Each entry writes the same conversations into its system, and can write one that comes late.
"""

import gzip
import json
import os
import random
import uuid
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest
import sqlalchemy as sa

from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.lib.records import Feedback, Interaction
from llmops_assets.lib.sources import RawRow, Rejected, Shape, Source, SourceError, resolved
from resources.conversations import Conversations
from resources.sources import Files, Spread
from resources.sources.huggingface import HuggingFace
from resources.sources.interactions import Interactions
from resources.sources.sql import Sql
from resources.workspace import Settings, SettingsError, Workspace

FIRST, SECOND = date(2026, 3, 2), date(2026, 3, 3)


def row(number: int, day: date, **changes: Any) -> dict[str, Any]:
    time = f"{day}T10:{number:02d}:00+00:00"
    return {
        "id": f"c{number}",
        "question": f"question {number}?",
        "answer": f"answer {number}",
        "time": time,
        **changes,
    }


ROWS = [row(1, FIRST), row(2, FIRST), row(3, SECOND)]
LATE = row(4, FIRST)


class System:
    """Something that holds conversations, and the source that reads it."""

    late = LATE

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.set_up()
        self.add(ROWS)
        self.source = self.open()

    def set_up(self) -> None:
        pass

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        raise NotImplementedError

    def open(self) -> Source:
        raise NotImplementedError

    def close(self) -> None:
        pass


class Folder(System):
    """A file per delivery, in a folder; rows of several days in each."""

    form = "jsonl"

    def set_up(self) -> None:
        self.url = str(self.folder / "inbox")
        self.system, self.root = fsspec.core.url_to_fs(self.url)
        self.number = 0

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        self.number += 1
        self.system.makedirs(self.root, exist_ok=True)
        with self.system.open(f"{self.root}/delivery-{self.number}.{self.form}", "wb") as file:
            file.write(self.bytes(rows))

    def bytes(self, rows: Sequence[dict[str, Any]]) -> bytes:
        return "".join(json.dumps(row) + "\n" for row in rows).encode()

    def open(self) -> Source:
        return Files("given", self.url, Shape("given"), index=self.folder / "index" / "given.json")


class Gzip(Folder):
    form = "jsonl.gz"

    def bytes(self, rows: Sequence[dict[str, Any]]) -> bytes:
        return gzip.compress(super().bytes(rows))


class Csv(Folder):
    form = "csv"

    def bytes(self, rows: Sequence[dict[str, Any]]) -> bytes:
        names = dict.fromkeys(name for row in rows for name in row)
        lines = [";".join(names), *(";".join(str(row.get(name, "")) for name in names) for row in rows)]
        return "\n".join(lines).encode("utf-16")


class Parquet(Folder):
    form = "parquet"

    def bytes(self, rows: Sequence[dict[str, Any]]) -> bytes:
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(list(rows)), sink)
        return sink.getvalue().to_pybytes()


class ObjectStorage(Folder):
    """A bucket: fsspec's in memory, behind the same URL that s3:// has."""

    def set_up(self) -> None:
        super().set_up()
        self.url = f"memory://bucket-{uuid.uuid4().hex}/exports"
        self.system, self.root = fsspec.core.url_to_fs(self.url)


class Tickets(Folder):
    """Zendesk's export: one JSON document, comments with author ids, a private note in each."""

    form = "json"

    def bytes(self, rows: Sequence[dict[str, Any]]) -> bytes:
        return json.dumps({"tickets": [self.ticket(row) for row in rows], "count": len(rows)}).encode()

    def ticket(self, row: dict[str, Any]) -> dict[str, Any]:
        asked = {"author_id": 1, "public": True, "created_at": row["time"], "html_body": f"<p>{row['question']}</p>"}
        note = {"author_id": 2, "public": False, "created_at": row["time"], "body": "difficult person"}
        said = {"author_id": 2, "public": True, "created_at": row["time"], "body": row["answer"]}
        comments = [asked, note, said]
        return {"id": row["id"], "created_at": row["time"], "requester_id": 1, "subject": "title", "comments": comments}


class Intercom(Folder):
    """Intercom's export: times in seconds, HTML bodies, a note in each."""

    def bytes(self, rows: Sequence[dict[str, Any]]) -> bytes:
        return super().bytes([self.conversation(row) for row in rows])

    def conversation(self, row: dict[str, Any]) -> dict[str, Any]:
        time = int(datetime.fromisoformat(row["time"]).timestamp())
        parts = [
            {"part_type": "note", "body": "<p>difficult person</p>", "author": {"type": "admin"}, "created_at": time},
            {"part_type": "assignment", "body": None, "author": {"type": "bot"}, "created_at": time},
            {
                "part_type": "comment",
                "body": f"<p>{row['answer']}</p>",
                "author": {"type": "admin"},
                "created_at": time,
            },
        ]
        opening = {"body": f"<p>{row['question']}</p>", "author": {"type": "user", "id": "u1"}}
        parts_list = {"type": "conversation_part.list", "conversation_parts": parts}
        return {"id": row["id"], "created_at": time, "source": opening, "conversation_parts": parts_list}


class Chats(Folder):
    """Messages with roles, as OpenAI writes them."""

    def bytes(self, rows: Sequence[dict[str, Any]]) -> bytes:
        return super().bytes([self.chat(row) for row in rows])

    def chat(self, row: dict[str, Any]) -> dict[str, Any]:
        parts = [{"type": "text", "text": row["question"]}]
        messages = [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": parts},
            {"role": "assistant", "content": row["answer"]},
        ]
        return {"id": row["id"], "time": row["time"], "messages": messages}


class Database(System):
    def set_up(self) -> None:
        self.engine = sa.create_engine(f"sqlite:///{self.folder / 'crm.db'}")
        with self.engine.begin() as connection:
            connection.execute(sa.text("create table cases (id, question, answer, time timestamp, updated integer)"))
        self.clock = 0

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        with self.engine.begin() as connection:
            for row in rows:
                self.clock += 1
                values = {"updated": self.clock, **row}
                insert = "insert into cases values (:id, :question, :answer, :time, :updated)"
                connection.execute(sa.text(insert), values)

    def open(self) -> Source:
        return Sql("given", str(self.engine.url), Shape("given"), table="cases", watermark="updated")

    def close(self) -> None:
        self.engine.dispose()
        self.source.close()


class Query(Database):
    """A query, and the time as its own watermark: what comes late must be later than what is there."""

    late = row(4, SECOND)

    def open(self) -> Source:
        query = "select id, question as body, answer as reply, time from cases"
        mapping = {"question": "body", "answer": "reply"}
        return Sql("given", str(self.engine.url), Shape("given", mapping=mapping), query=query)


class Dataset(System):
    """A folder that `save_to_disk` writes anew."""

    def set_up(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        import shutil

        import datasets

        self.rows += rows
        shutil.rmtree(self.folder / "archive", ignore_errors=True)
        datasets.disable_progress_bars()
        datasets.Dataset.from_list(self.rows).save_to_disk(str(self.folder / "archive"))

    def open(self) -> Source:
        return HuggingFace("given", str(self.folder / "archive"), Shape("given"))


class Log(System):
    """The gateway's log; every conversation was rated well, one other was not."""

    def set_up(self) -> None:
        self.url = f"sqlite:///{self.folder / 'log.db'}"
        self.log = InteractionLog(self.url)
        self.append(row(9, FIRST), rating=-1)

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        for row in rows:
            self.append(row, rating=1)

    def append(self, row: dict[str, Any], rating: int) -> None:
        time = datetime.fromisoformat(row["time"])
        asked = {"question": row["question"], "answer": row["answer"], "conversation": "x", "subject": "s-1"}
        self.log.append(
            Interaction(id=row["id"], time=time, release_id="r", path="matched", latency_seconds=0.1, **asked)
        )
        assert self.log.add_feedback(Feedback(interaction=row["id"], time=time, rating=rating))

    def open(self) -> Source:
        return Interactions("given", self.url, Shape("given"))

    def close(self) -> None:
        self.log.close()
        self.source.close()


SOURCES: dict[str, Callable[[Path], System]] = {
    "jsonl": Folder,
    "gzip": Gzip,
    "csv": Csv,
    "parquet": Parquet,
    "object_storage": ObjectStorage,
    "tickets": Tickets,
    "intercom": Intercom,
    "chats": Chats,
    "sql": Database,
    "sql_query": Query,
    "huggingface": Dataset,
    "interactions": Log,
}


@pytest.fixture(params=sorted(SOURCES))
def system(request, tmp_path):
    made = SOURCES[request.param](tmp_path)
    yield made
    made.close()


@pytest.fixture(params=sorted(set(SOURCES) - {"interactions"}))
def open_system(request, tmp_path):
    """A system that others write into: it may hold what is no row. The gateway's log cannot."""
    made = SOURCES[request.param](tmp_path)
    yield made
    made.close()


def told(source: Source, day: date) -> list[tuple[str, str, str, date | None]]:
    rows = [item for item in source.read(day) if isinstance(item, RawRow)]
    return [(item.conversation, item.question, item.answer, item.day) for item in rows]


def expected(*rows: dict[str, Any]) -> list[tuple[str, str, str, date]]:
    return [(f"given/{r['id']}", r["question"], r["answer"], date.fromisoformat(r["time"][:10])) for r in rows]


def test_a_day_is_read_as_a_whole_and_the_same_every_time(system):
    assert told(system.source, FIRST) == expected(*ROWS[:2])
    assert told(system.source, SECOND) == expected(ROWS[2])
    assert told(system.source, SECOND + timedelta(days=1)) == []
    assert list(system.open().read(FIRST)) == list(system.source.read(FIRST))
    assert all(item.id.startswith(item.conversation) for item in system.source.read(FIRST))


def test_all_days_are_new_at_first_and_none_afterwards(system):
    first = system.source.changed_since("")
    assert list(first.days) == [FIRST, SECOND]
    assert system.source.changed_since("").days == first.days, "a day's state has one name"
    assert system.source.changed_since(first.cursor).days == {}
    assert system.open().changed_since(system.source.changed_since(first.cursor).cursor).days == {}


def test_a_day_asked_for_alone_has_the_name_it_has_among_all(system):
    days = system.source.changed_since("").days
    assert {day: system.source.state(day) for day in days} == days
    assert system.source.state(SECOND + timedelta(days=1)) == ""


def test_a_late_row_changes_its_own_day_only(system):
    first = system.source.changed_since("")
    day = date.fromisoformat(system.late["time"][:10])
    system.add([system.late])
    second = system.source.changed_since(first.cursor)
    assert list(second.days) == [day]
    assert second.days[day] != first.days[day]
    assert told(system.source, day) == expected(*(r for r in ROWS if r["time"][:10] == str(day)), system.late)
    assert system.source.changed_since(second.cursor).days == {}


def test_a_corrected_row_replaces_the_one_before_it_and_that_is_said(open_system):
    system = open_system
    system.add([row(1, FIRST, answer="better")])
    found = list(resolved(lambda: system.source.read(FIRST)))
    kept = {item.conversation: item.answer for item in found if isinstance(item, RawRow)}
    assert kept == {"given/c1": "better", "given/c2": "answer 2"}
    (replaced,) = [item for item in found if isinstance(item, Rejected)]
    assert replaced.reason == "replaced by a later row with the same id"


def test_what_cannot_be_a_row_is_given_with_its_id_and_reason(open_system):
    system = open_system
    system.add([row(5, FIRST, question=" "), row(6, SECOND)])
    (rejected,) = [item for item in system.source.read(FIRST) if isinstance(item, Rejected)]
    assert rejected.id.startswith("given/c5")
    assert "is empty" in rejected.reason or "no customer message" in rejected.reason
    assert rejected.place
    assert "answer 5" in rejected.text
    assert [item for item in system.source.read(SECOND) if isinstance(item, Rejected)] == []


# -- files --------------------------------------------------------------------------------------------------------


def inbox(folder: Path, files: dict[str, str | bytes]) -> Path:
    (folder / "inbox").mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / "inbox" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / "inbox"


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def files(folder: Path, **arguments: Any) -> Files:
    return Files("given", str(folder), Shape("given"), index=folder.parent / "index.json", **arguments)


def test_the_day_in_a_file_name_is_for_rows_without_a_time(tmp_path):
    untimed = {"question": "undated?", "answer": "yes"}
    source = files(inbox(tmp_path, {"chats-2026-03-03.jsonl": lines(untimed, row(1, FIRST)) + "{broken\n"}))
    assert told(source, FIRST) == expected(row(1, FIRST))
    (only,) = [item for item in source.read(SECOND) if isinstance(item, RawRow)]
    assert (only.question, only.day, only.time) == ("undated?", SECOND, None)
    assert [type(item) for item in source.read(FIRST)] == [RawRow, Rejected], "what tells no day: the row before it"


def test_what_stands_before_the_first_row_is_of_its_day(tmp_path):
    content = "{broken\n" + lines({"id": "x"}, row(3, SECOND), row(1, FIRST)) + "]\n"
    source = files(inbox(tmp_path, {"a.jsonl": content}))
    assert [type(item) for item in source.read(SECOND)] == [Rejected, Rejected, RawRow]
    assert [type(item) for item in source.read(FIRST)] == [RawRow, Rejected]


def broken_gzip() -> bytes:
    return gzip.compress(lines(row(3, SECOND)).encode() * 999)[:-20]


PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 3
BAD_FILES: dict[str, tuple[str | bytes, str]] = {
    "empty.jsonl": ("", "holds no rows"),
    "heads.csv": ("id,question,answer,time\n", "holds no rows"),
    "heads-2026-03-02.csv": ("id,question,answer\n", "holds no rows"),
    "blank.json": ("[]", "holds no rows"),
    "README.md": ("# Nightly export\nWritten by the shop.\n", "a document about the folder is not read"),
    "notes.md": ("Call the printer.\n", "holds no rows"),
    "customers.csv": ("name,city\nx,y\n", "no column for the question"),
    "photo.png": (PICTURE, "format .png is not read"),
    "photo.csv": (PICTURE, "is a picture"),
    "sheet.csv": (b"PK\x03\x04" + bytes(range(256)), "is an Excel workbook"),
    "chats-2026-03-03.jsonl.gz": (broken_gzip(), "truncated or damaged gzip after"),
    "latin.csv": (
        "question,answer,time\nWo?,Dort bei Jos\xe9,2026-03-02\nSch\xf6n?,Ja,2026-03-02\n".encode("latin1"),
        "not UTF-8",
    ),
    "undated.jsonl": (json.dumps({"question": "q", "answer": "a"}) + "\n", "has no time"),
    "copying.jsonl.part": ('{"question": ', "is still being copied, as .part says"),
    "cut.jsonl": (lines(row(7, FIRST)) + '{"question": "how lo', "is cut off in its text"),
    "cut-2.jsonl": (lines(row(7, FIRST)).encode() + '{"question": "Größe'.encode()[:-1], "is cut off in its text"),
    "cut.json": (json.dumps([row(7, FIRST), row(8, FIRST)])[:-30], "is cut off in its text"),
    "cut-2.json": (json.dumps([row(7, FIRST)])[:-1], "is cut off in its text"),
    "cut.csv": ("question,answer,time\nWhy?,Because,2026-03-02\nWho?,The", "is cut off in its text"),
    "cut-2.csv": ('question,answer,time\nWhy?,Because,2026-03-02\nWho?,"The own', "is cut off in its text"),
    "unsure.csv": ("question,answer,time\nWhy?,Because,04/03/2026\n", "date_order: DMY"),
}
"""What is found in an inbox beside exports, and what is said of it."""


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_told_and_stops_no_other(tmp_path, name):
    content, reason = BAD_FILES[name]
    source = files(inbox(tmp_path, {"good.jsonl": lines(*ROWS), name: content}))
    assert list(source.changed_since("").days) == [FIRST, SECOND]
    assert told(source, FIRST) == expected(*ROWS[:2])
    assert told(source, SECOND) == expected(ROWS[2])
    (fault,) = source.faults()
    assert fault.place == name
    assert reason in str(fault)
    assert str(fault).startswith(name)


@pytest.mark.parametrize("name", [n for n in BAD_FILES if n not in ("README.md", "photo.png", "copying.jsonl.part")])
def test_a_bad_file_that_was_named_alone_is_an_error(tmp_path, name):
    content, reason = BAD_FILES[name]
    source = files(inbox(tmp_path, {name: content}) / name)
    with pytest.raises(SourceError) as raised:
        source.changed_since("")
    assert reason in str(raised.value)


def test_a_file_is_taken_when_it_is_complete(tmp_path):
    folder = inbox(tmp_path, {"a.jsonl": lines(*ROWS), "b.jsonl": lines(row(5, SECOND)) + '{"question": "who'})
    first = files(folder).changed_since("")
    assert told(files(folder), SECOND) == expected(ROWS[2])
    with (folder / "b.jsonl").open("a") as file:
        file.write('se?", "answer": "ours", "time": "2026-03-03"}')
    source = files(folder)
    assert list(source.changed_since(first.cursor).days) == [SECOND]
    assert source.faults() == ()
    assert [question for _, question, *_ in told(source, SECOND)] == ["question 3?", "question 5?", "whose?"]


class Growing(Files):
    """Somebody writes into a file while it is read."""

    def dated(self, file):
        yield from super().dated(file)
        if Path(file).name == "b.jsonl" and Path(file).stat().st_size < 400:
            with Path(file).open("a") as opened:
                opened.write(lines(row(9, FIRST)))


def test_a_file_that_grows_while_it_is_read_is_taken_at_the_next_look(tmp_path):
    folder = inbox(tmp_path, {"a.jsonl": lines(*ROWS), "b.jsonl": lines(row(8, SECOND))})
    source = Growing("given", str(folder), Shape("given"), index=tmp_path / "index.json")
    for number in range(3):
        (fault,) = source.faults()
        assert "is still growing" in str(fault), number
    assert told(source, FIRST)[:2] == expected(*ROWS[:2])
    assert source.faults() == ()
    assert [c for c, *_ in told(source, SECOND)] == ["given/c3", "given/c8"]


def test_a_file_that_breaks_later_takes_nothing_away(tmp_path):
    folder = inbox(tmp_path, {"a.jsonl": lines(*ROWS), "b.jsonl": lines(row(5, SECOND))})
    first = files(folder).changed_since("")
    (folder / "b.jsonl").write_text(lines(row(5, SECOND)) + "{")
    source = files(folder)
    assert source.changed_since(first.cursor).days == {}
    assert len(source.faults()) == 1
    assert told(source, FIRST) == expected(*ROWS[:2])
    with pytest.raises(SourceError, match=r"b.jsonl, line 2: is cut off .* had rows of 2026-03-03"):
        list(source.read(SECOND))
    (folder / "b.jsonl").unlink()
    assert list(files(folder).changed_since(first.cursor).days) == [SECOND]


def test_what_an_operating_system_leaves_in_a_folder_is_nothing(tmp_path):
    names = (".DS_Store", "Thumbs.db", "~$book.csv", "_tmp.jsonl", ".hidden.jsonl")
    source = files(inbox(tmp_path, {"a.jsonl": lines(*ROWS), **dict.fromkeys(names, "junk")}))
    assert list(source.changed_since("").days) == [FIRST, SECOND]
    assert source.faults() == ()


def test_the_same_rows_in_another_order_split_or_renamed_are_no_change(tmp_path):
    rows = [row(n, (FIRST, SECOND)[n % 2]) for n in range(20)]
    rows += [
        {"thread_id": "t", "question": f"and {n}?", "answer": "so", "time": f"2026-03-02T12:0{n}"} for n in range(4)
    ]
    first = files(inbox(tmp_path, {"all.jsonl": lines(*rows)})).changed_since("")
    heads = dict.fromkeys(name for one in rows for name in one)
    table = ";".join(heads) + "\n" + "".join(";".join(str(one.get(h, "")) for h in heads) + "\n" for one in rows)
    for delivery in (
        {"all.jsonl": lines(*rows[::-1])},
        {"renamed.jsonl": lines(*rows)},
        {"a.jsonl": lines(*rows[7:]), "z.jsonl": lines(*rows[:7])},
        {"a.jsonl": lines(*rows[:22]), "sub.csv": table.split("\n")[0] + "\n" + "\n".join(table.split("\n")[23:])},
        {"all.csv": table},
        {"all.jsonl.gz": gzip.compress(lines(*rows).encode())},
    ):
        for file in (tmp_path / "inbox").iterdir():
            file.unlink()
        assert files(inbox(tmp_path, delivery)).changed_since(first.cursor).days == {}, list(delivery)
    changed = [{**rows[0], "answer": "other"}, *rows[1:]]
    inbox(tmp_path, {"all.jsonl.gz": gzip.compress(lines(*changed).encode())})
    assert list(files(tmp_path / "inbox").changed_since(first.cursor).days) == [FIRST]


def test_overlapping_exports_without_ids_do_not_double_and_say_so(tmp_path):
    rows = [{k: v for k, v in row(n, FIRST).items() if k != "id"} for n in range(6)]
    source = files(inbox(tmp_path, {"one.jsonl": lines(*rows[:4]), "two.jsonl": lines(*rows[2:])}))
    found = list(resolved(lambda: source.read(FIRST)))
    assert sorted(i.question for i in found if isinstance(i, RawRow)) == [f"question {n}?" for n in range(6)]
    assert [i.reason for i in found if isinstance(i, Rejected)] == ["the same row was read before"] * 2


def turns_of(source: Files, day: date) -> list[tuple[str, int, str]]:
    found = resolved(lambda: source.read(day))
    return [(i.conversation, i.turn, i.question) for i in found if isinstance(i, RawRow)]


@pytest.mark.parametrize("kind", [Files, pytest.param("small", id="in blocks")])
@pytest.mark.parametrize("indexed", [True, False])
def test_a_conversation_over_files_and_days_is_one(tmp_path, kind, indexed):
    def said(thread: str, number: int, time: str) -> dict[str, str]:
        return {"thread_id": thread, "question": f"{thread}{number}?", "answer": "yes", "time": f"2026-03-{time}"}

    def opened() -> Files:
        index = tmp_path / "index.json" if indexed else None
        return (SmallBlocks if kind == "small" else kind)("given", str(tmp_path / "inbox"), Shape("given"), index=index)

    begun = [said("a", 0, "02T23:58"), said("b", 0, "02T10:00"), said("a", 1, "02T23:59")]
    inbox(tmp_path, {"monday.jsonl": lines(*begun)})
    first = opened().changed_since("")
    assert list(first.days) == [FIRST]
    late = [said("c", 0, "03T09:00"), said("a", 3, "04T08:00"), said("a", 2, "03T00:10"), said("c", 1, "03T09:05")]
    inbox(tmp_path, {"later.jsonl": lines(*late)})
    second = opened().changed_since(first.cursor)
    assert list(second.days) == [FIRST, SECOND]
    assert sorted(turns_of(opened(), FIRST)) == [*(("given/a", n, f"a{n}?") for n in range(4)), ("given/b", 0, "b0?")]
    assert turns_of(opened(), SECOND) == [("given/c", 0, "c0?"), ("given/c", 1, "c1?")]
    places = [conversation for conversation, *_ in turns_of(opened(), FIRST)]
    assert places.count("given/a") == 4
    assert "".join("a" if p == "given/a" else "b" for p in places).strip("b") == "aaaa", "they stand together"
    assert opened().changed_since(second.cursor).days == {}
    (tmp_path / "inbox" / "monday.jsonl").unlink()
    assert sorted(turns_of(opened(), SECOND)) == [
        ("given/a", 0, "a2?"), ("given/a", 1, "a3?"), ("given/c", 0, "c0?"), ("given/c", 1, "c1?")
    ]  # fmt: skip
    assert turns_of(opened(), FIRST) == []


def test_a_file_that_is_taken_away_changes_its_days(tmp_path):
    folder = inbox(tmp_path, {"a.jsonl": lines(row(1, FIRST)), "b.jsonl": lines(row(3, SECOND))})
    source = files(folder)
    first = source.changed_since("")
    (folder / "b.jsonl").unlink()
    second = source.changed_since(first.cursor)
    assert second.days == {SECOND: ""}
    assert told(source, SECOND) == []
    assert source.changed_since(second.cursor).days == {}


def test_touching_a_file_changes_nothing_and_only_changed_files_are_read(tmp_path):
    folder = inbox(tmp_path, {"a.jsonl": lines(row(1, FIRST)), "b.jsonl": lines(row(3, SECOND))})
    first = files(folder).changed_since("")
    (folder / "a.jsonl").touch()
    assert files(folder).changed_since(first.cursor).days == {}
    index = json.loads((tmp_path / "index.json").read_text())
    stale = {name: {**entry, "days": {"2026-01-01": "f0"}} for name, entry in index.items()}
    (tmp_path / "index.json").write_text(json.dumps(stale))
    assert list(files(folder).changed_since("").days) == [date(2026, 1, 1)], "the index is believed"
    (folder / "b.jsonl").write_text(lines(row(3, SECOND, answer="another")))
    assert list(files(folder).changed_since("").days) == [date(2026, 1, 1), SECOND]


def test_a_time_long_after_the_file_was_written_is_refused(tmp_path):
    source = files(
        inbox(tmp_path, {"a.jsonl": lines(row(1, FIRST), row(2, date(2099, 1, 1)), row(3, date(1970, 1, 1)))})
    )
    _, future, past = source.read(FIRST)
    assert "2099-01-01 is in the future" in future.reason
    assert "1970-01-01 is before 2000" in past.reason


def test_rows_without_a_time_are_spread_and_the_others_keep_their_day(tmp_path):
    untimed = [{"question": f"q{n}", "answer": "a"} for n in range(6)]
    folder = inbox(tmp_path, {"a.jsonl": lines(row(1, date(2026, 5, 1)), *untimed)})
    source = files(folder, spread=Spread(first_day=FIRST, days=2))
    days = source.changed_since("").days
    assert [len(told(source, day)) for day in days] == [3, 3, 1]
    assert list(days) == [FIRST, SECOND, date(2026, 5, 1)]


class SmallBlocks(Files):
    """Every file is a large one, cut into blocks of a few lines."""

    blocks_from = 1
    block_bytes = 250


def odd_lines(count: int) -> str:
    """Rows of many days, conversations, what is broken, has no time, repeats an id or is blank, in no order."""
    days = [FIRST + timedelta(days=number) for number in range(7)]
    turns = [{"role": "customer", "text": "hi"}, {"role": "agent", "text": "hello"}]
    kinds = [
        lambda n, day: lines(row(n % 60, day)),
        lambda n, day: lines(row(n % 60, day, question="emoji \U0001f600 and ünïcode")),
        lambda n, day: lines({"id": f"chat{n}", "messages": turns * 3, "time": f"{day}T10:00:00"}),
        lambda n, day: "{broken\n",
        lambda n, day: "\n",
        lambda n, day: lines({"question": "no time", "answer": "a"}),
        lambda n, day: lines(row(n % 60, day, answer="")),
        lambda n, day: lines({"something": "else"}),
    ]
    chosen = random.Random(count)
    return "".join(chosen.choice(kinds)(n, chosen.choice(days)) for n in range(count))


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 5, 40, 400])
@pytest.mark.parametrize("name", ["a.jsonl", "chats-2026-03-04.jsonl"])
def test_a_file_in_blocks_is_the_same_as_the_file_as_a_whole(tmp_path, count, name):
    content = odd_lines(count) + lines(row(2, SECOND)).removesuffix("\n")
    folder = inbox(tmp_path, {name: lines(row(1, FIRST)) + content})
    whole = Files("given", str(folder), Shape())
    cut = SmallBlocks("given", str(folder), Shape(), index=tmp_path / "index.json")
    days = whole.changed_since("").days
    assert cut.changed_since("").days == days
    assert {day: list(cut.read(day)) for day in days} == {day: list(whole.read(day)) for day in days}
    (entry,) = json.loads((tmp_path / "index.json").read_text()).values()
    assert len(entry["blocks"]) > count // 10


@pytest.mark.parametrize("start", ["{broken\n", '{"question": "no time", "answer": "a"}\n' * 20, "[1]\n" * 99])
def test_a_file_whose_first_block_tells_no_day_is_read_as_a_whole(tmp_path, start):
    folder = inbox(tmp_path, {"a.jsonl": start + lines(*(row(n, SECOND) for n in range(20)))})
    whole, cut = Files("given", str(folder), Shape()), SmallBlocks("given", str(folder), Shape())
    assert list(cut.read(SECOND)) == list(whole.read(SECOND))


def test_of_a_file_in_blocks_only_those_of_the_day_are_read(tmp_path):
    folder = inbox(
        tmp_path, {"a.jsonl": lines(*(row(n, FIRST) for n in range(20)), *(row(n, SECOND) for n in range(20)))}
    )
    source = SmallBlocks("given", str(folder), Shape(), index=tmp_path / "index.json")
    before = list(source.read(FIRST))
    assert len(before) == 20
    file = folder / "a.jsonl"
    found = file.stat()
    data = file.read_bytes()
    file.write_bytes(data[:-1000] + b"x" * 999 + b"\n")
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert list(source.read(FIRST)) == before
    file.write_bytes(data + b"\n")
    index = source._index()
    file.write_bytes(data + b"\n\n")
    source._index = lambda: index
    with pytest.raises(SourceError, match=r"a.jsonl: was changed while it was read"):
        list(source.read(FIRST))


def test_a_day_of_a_large_file_costs_little_more_than_its_own_rows(tmp_path):
    # Three days of 3 MB: blocks of 4 MB made each read the days beside it too, at half the rate of a file of its own.
    days = [FIRST + timedelta(days=number) for number in range(3)]
    made = [row(n % 60, days[n // 100], id=f"c{n}", unread="x" * 30_000) for n in range(300)]
    source = Files("given", str(inbox(tmp_path, {"year.jsonl": lines(*made)})), Shape(), index=tmp_path / "index.json")
    assert len(list(source.read(days[1]))) == 100
    (entry,) = json.loads((tmp_path / "index.json").read_text()).values()
    own = (tmp_path / "inbox" / "year.jsonl").stat().st_size / 3
    for day in days:
        assert sum(block["size"] for block in entry["blocks"] if str(day) in block["days"]) < 1.4 * own


@pytest.mark.slow
def test_a_day_of_a_large_file_is_read_in_little_memory(tmp_path):
    import tracemalloc

    day_rows = [row(n % 60, FIRST + timedelta(days=n % 20), id=f"c{n}", answer="x" * 900) for n in range(5_000)]
    source = files(inbox(tmp_path, {"year.jsonl": lines(*day_rows)}))
    del day_rows
    source.changed_since("")
    tracemalloc.start()
    count = sum(1 for _ in resolved(lambda: source.read(FIRST)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 250
    assert peak < 2_500_000, "the file has 5 MB, of which one is read ahead"


def test_faq_documents_are_questions_and_answers(tmp_path):
    markdown = "# Shipping\n\n## How long?\nTwo days.\n\n```\n# no heading\n```\n\n## Where to?\n<b>Everywhere</b>\n"
    html = "<head><style>p{}</style></head><h2>Can I pay &amp; go?</h2><p>Yes,<br>you can.</p><dl><dt>Card?<dd>Visa"
    folder = inbox(tmp_path, {"faq-2026-03-02.md": markdown, "pay-2026-03-02.html": html})
    found = [(item.id, item.question, item.answer) for item in files(folder).read(FIRST)]
    assert found == [
        ("given/faq-2026-03-02.md#Shipping > How long?", "How long?", "Two days.\n\n```\n# no heading\n```"),
        ("given/faq-2026-03-02.md#Shipping > Where to?", "Where to?", "<b>Everywhere</b>"),
        ("given/pay-2026-03-02.html#Can I pay & go?", "Can I pay & go?", "Yes,\nyou can."),
        ("given/pay-2026-03-02.html#Can I pay & go? > Card?", "Card?", "Visa"),
    ]


# -- databases, datasets, settings --------------------------------------------------------------------------------


def test_rows_without_a_time_are_of_the_day_of_their_watermark(tmp_path):
    system = Database(tmp_path)
    system.add([row(5, SECOND, time=None, updated="2026-03-03T08:00:00")])
    source = Sql("given", str(system.engine.url), Shape("given"), table="cases", watermark="updated")
    assert [c for c, *_ in told(source, SECOND)] == ["given/c5", "given/c3"]
    source.close()
    system.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"table": "missing"}, "no such table: missing"),
        ({"query": "select 1 as x"}, "no column for the question"),
        ({"query": "select question, answer from cases"}, "no column for the time"),
        ({"table": "cases", "watermark": "version"}, "no column 'version' for the watermark; there are id"),
        ({"query": "select question, answer, 'soon' as time from cases"}, "a time cannot be used"),
    ],
)
def test_a_database_that_does_not_fit_says_why_without_its_password(tmp_path, arguments, message):
    system = Database(tmp_path)
    source = Sql("given", str(system.engine.url), Shape("given"), **arguments)
    with pytest.raises(SourceError, match=message):
        source.changed_since("")
    source.close()
    system.close()
    for url in ("sqlite://me:secret@host/x.db", "nosuch://me:secret@host/x", "me:secret"):
        with pytest.raises(SourceError, match="URL cannot be used") as raised:
            Sql("crm", url, Shape(), table="t")
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize("name", ["/nowhere/at/all", "no/such-dataset"])
def test_a_dataset_that_is_not_there_says_so(name):
    with pytest.raises(SourceError, match=f"{name} is no folder, and the hub does not answer"):
        HuggingFace("given", name, Shape()).changed_since("")


def conversations(folder: Path, *entries: dict[str, Any], **settings: Any) -> Conversations:
    workspace = Workspace(folder / "home")
    workspace.write_settings(Settings.model_validate({"sources": entries, **settings}))
    return Conversations(workspace)


def test_several_sources_share_a_day_and_no_id(tmp_path):
    folder = inbox(tmp_path, {"a.jsonl": lines(*ROWS)})
    tags = {"purpose": "support,training", "licence": "own"}
    both = conversations(
        tmp_path,
        {"kind": "files", "name": "one", "url": str(folder), "tags": tags},
        {"kind": "files", "name": "two", "url": f"file://{folder}/a.jsonl"},
        source=folder,
    )
    found = [item for item in both.read(FIRST) if isinstance(item, RawRow)]
    assert [item.id for item in found] == ["c1", "c2", "one/c1", "one/c2", "two/c1", "two/c2"]
    assert [item.purpose for item in found] == ["", "", "support,training", "support,training", "", ""]
    assert both.days() == [FIRST, SECOND]
    assert [item.id for item in both.rows(SECOND)] == ["c3", "one/c3", "two/c3"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"kind": "ftp", "name": "a"}, "does not match any of the expected tags"),
        ({"kind": "sql", "name": "a", "url": "sqlite://"}, "give either a table or a query"),
        ({"kind": "files", "name": "inbox", "url": "x"}, "two sources are named 'inbox'"),
        ({"kind": "files", "name": "A b", "url": "x"}, "should match pattern"),
    ],
)
def test_settings_of_sources_that_do_not_fit_are_named(tmp_path, entry, message):
    (tmp_path / "settings.yaml").write_text(json.dumps({"sources": [entry]}))
    with pytest.raises(SettingsError, match=message):
        _ = Workspace(tmp_path).settings


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"kind": "files", "name": "a", "url": "/nowhere"}, "/nowhere: no such file or folder"),
        ({"kind": "sql", "name": "a", "url": "$NO_SUCH_NAME", "table": "t"}, "not set in the environment"),
        ({"kind": "python", "name": "a", "factory": "no_such_module:X"}, "cannot be imported"),
        ({"kind": "files", "name": "a", "url": "x", "tags": {"colour": "red"}}, "'colour' in the tags is none of"),
        ({"kind": "files", "name": "a", "url": "nosuch://x"}, "nosuch"),
    ],
)
def test_sources_that_cannot_be_opened_say_why(tmp_path, entry, message):
    with pytest.raises(SourceError, match=message):
        conversations(tmp_path, entry).days()
