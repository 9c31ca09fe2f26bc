"""Files with a message per record: their conversations go over the borders of blocks and files."""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llmops_assets.lib.sources import RawRow, Rejected, Shape
from resources.sources.files import Files, Spread

START = datetime(2026, 3, 2, 21, 0, tzinfo=UTC)
MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


class SmallBlocks(Files):
    """Every file is a large one, cut into blocks of a few lines."""

    blocks_from = 1
    block_bytes = 300


def cell(talk: str, who: str, text: str, minutes: int, **more: Any) -> dict[str, Any]:
    """A row of a table of messages."""
    when = START + timedelta(minutes=minutes)
    return {"ticket_id": talk, "sender_type": who, "body": text, "sent_at": when.isoformat(), **more}


def slack(talk: str, who: str, text: str, minutes: int, **more: Any) -> dict[str, Any]:
    """A message of a Slack export; the thread has the time of its first message."""
    began, said = (START + timedelta(minutes=m) for m in (int(talk), minutes))
    user = "UDESK" if who == "agent" else f"U{talk}"
    times = {"ts": f"{said.timestamp():.6f}", "thread_ts": f"{began.timestamp():.6f}"}
    return {"type": "message", "user": user, "text": text, **times, **more}


def put(folder: Path, files: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
    inbox = folder / "inbox"
    inbox.mkdir(exist_ok=True)
    for name, records in files.items():
        (inbox / name).write_text("".join(json.dumps(record) + "\n" for record in records))


def opened(folder: Path, kind: type[Files] = Files, **arguments: Any) -> Files:
    shape = Shape("desk", agents=("UDESK",), **arguments.pop("shape", {}))
    return kind("desk", str(folder / "inbox"), shape, index=folder / f"{kind.__name__}.json", **arguments)


def told(source: Files) -> dict[date, list[tuple[str, int, str, str]]]:
    """Day -> conversation, turn, question and answer of its rows; nothing may be rejected."""
    found: dict[date, list[tuple[str, int, str, str]]] = {}
    for day in source.changed_since("").days:
        items = list(source.conversations(day))
        assert not [item for item in items if isinstance(item, Rejected)]
        rows = [item for item in items if isinstance(item, RawRow)]
        assert all(row.day == day for row in rows)
        found[day] = sorted((row.conversation, row.turn, row.question, row.answer) for row in rows)
    assert source.faults() == ()
    return found


KINDS = [pytest.param(Files, id="whole"), pytest.param(SmallBlocks, id="in blocks")]
MAKERS = [pytest.param(cell, id="table"), pytest.param(slack, id="slack")]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_conversation_of_messages_goes_on_in_another_file_on_another_day(tmp_path, kind, make):
    evening = [
        make("1", "customer", "does it float?", 1),
        make("2", "customer", "is it loud?", 2),
        make("1", "agent", "It does.", 3),
        make("1", "customer", "in salt water too?", 150),
    ]
    put(tmp_path, {"a.jsonl": evening})
    source = opened(tmp_path, kind)
    first = source.changed_since("")
    assert list(first.days) == [MONDAY]
    morning = [make("2", "agent", "It hums.", 700), make("1", "agent", "Yes, rinse it.", 710)]
    put(tmp_path, {"b.jsonl": [*morning, make("720", "customer", "new?", 720), make("720", "agent", "Yes, new.", 725)]})
    assert list(opened(tmp_path, kind).changed_since(first.cursor).days) == [MONDAY, TUESDAY]
    found = told(opened(tmp_path, kind))
    assert [row[1:] for row in found[MONDAY]] == [
        (0, "does it float?", "It does."),
        (1, "in salt water too?", "Yes, rinse it."),
        (0, "is it loud?", "It hums."),
    ]
    assert [row[1:] for row in found[TUESDAY]] == [(0, "new?", "Yes, new.")]
    assert len({row[0] for row in found[MONDAY]}) == 2


def shuffled_talks(seed: int, make: Any) -> tuple[list[dict[str, Any]], set[tuple[str, str]]]:
    """Messages of many conversations in the order of time, and the exchanges in them."""
    chosen = random.Random(seed)
    messages, exchanges = [], set()
    for talk in range(60):
        minutes = talk
        for turn in range(chosen.randint(1, 4)):
            asked, said = f"question {turn} of {talk}?", f"answer {turn} of {talk}."
            messages.append((minutes, make(str(talk), "customer", asked, minutes)))
            minutes += chosen.randint(1, 500)
            messages.append((minutes, make(str(talk), "agent", said, minutes)))
            minutes += chosen.randint(1, 500)
            exchanges.add((asked, said))
    return [message for _, message in sorted(messages, key=lambda one: one[0])], exchanges


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("files", [1, 3])
def test_no_turn_is_lost_doubled_or_put_into_another_conversation(tmp_path, kind, make, files):
    messages, exchanges = shuffled_talks(files, make)
    size = len(messages) // files + 1
    put(tmp_path, {f"{n}.jsonl": messages[n * size : (n + 1) * size] for n in range(files)})
    found = told(opened(tmp_path, kind))
    rows = [row for rows in found.values() for row in rows]
    assert sorted((asked, said) for *_, asked, said in rows) == sorted(exchanges)
    for conversation, turn, asked, _ in rows:
        number = asked.rpartition(" ")[2]
        assert asked == f"question {turn} of {number}"
        assert {r[2].rpartition(" ")[2] for r in rows if r[0] == conversation} == {number}
    assert list(found) == [MONDAY], "all of them began on the first evening"


@pytest.mark.parametrize("kind", KINDS)
def test_messages_of_overlapping_exports_count_once_and_that_is_said(tmp_path, kind):
    talk = [cell("7", "customer", "is it red?", 1), cell("7", "agent", "It is.", 2), cell("7", "customer", "why?", 3)]
    put(tmp_path, {"a.jsonl": talk, "b.jsonl": [*talk[1:], cell("7", "agent", "By design.", 4)]})
    source = opened(tmp_path, kind)
    rows = [item for item in source.conversations(MONDAY) if isinstance(item, RawRow)]
    assert [(row.question, row.answer) for row in rows] == [("is it red?", "It is."), ("why?", "By design.")]
    assert dict(rows[0].left_out) == {"repeated message": 2}
    assert rows[1].left_out == ()


def test_an_edited_message_of_slack_replaces_the_first_one(tmp_path):
    asked = slack("1", "customer", "how wide?", 1)
    put(tmp_path, {"a.jsonl": [asked, slack("1", "agent", "2 m", 2)], "b.jsonl": [slack("1", "agent", "3 m", 2)]})
    assert [row[2:] for row in told(opened(tmp_path))[MONDAY]] == [("how wide?", "3 m")]


def test_a_message_without_a_time_stays_in_its_conversation(tmp_path):
    without = {**cell("3", "agent", "Yes.", 0), "sent_at": ""}
    put(tmp_path, {"a.jsonl": [cell("3", "customer", "is it new?", 1), without]})
    for kind in (Files, SmallBlocks):
        assert [row[2:] for row in told(opened(tmp_path, kind))[MONDAY]] == [("is it new?", "Yes.")]


def test_messages_without_any_time_are_joined_in_the_order_of_their_file(tmp_path):
    def untimed(talk: str, who: str, text: str) -> dict[str, Any]:
        return {"ticket_id": talk, "sender_type": who, "body": text}

    talks: Sequence[dict[str, Any]] = [
        untimed("a", "customer", "qa"), untimed("b", "customer", "qb"), untimed("a", "agent", "ra"),
        untimed("b", "agent", "rb"),
    ]  # fmt: skip
    put(tmp_path, {"a.jsonl": talks})
    for kind in (Files, SmallBlocks):
        found = told(opened(tmp_path, kind, spread=Spread(first_day=MONDAY, days=1)))
        assert [row[2:] for row in found[MONDAY]] == [("qa", "ra"), ("qb", "rb")]
    (tmp_path / "inbox" / "a.jsonl").rename(tmp_path / "inbox" / "a-2026-03-03.jsonl")
    for kind in (Files, SmallBlocks):
        assert [row[2:] for row in told(opened(tmp_path, kind))[TUESDAY]] == [("qa", "ra"), ("qb", "rb")]


def test_a_later_message_in_a_file_written_later_is_not_in_the_future(tmp_path):
    import os

    put(tmp_path, {"a.jsonl": [cell("1", "customer", "q", 1)], "b.jsonl": [cell("1", "agent", "r", 60 * 24 * 9)]})
    written = (START + timedelta(hours=1)).timestamp()
    os.utime(tmp_path / "inbox" / "a.jsonl", (written, written))
    assert [row[2:] for row in told(opened(tmp_path))[MONDAY]] == [("q", "r")]


def test_files_that_write_their_dates_in_another_way_are_joined(tmp_path):
    said = [
        {"ticket_id": "4", "sender_type": "customer", "body": "is it oak?", "sent_at": "14.03.2026 10:00"},
        {"ticket_id": "4", "sender_type": "customer", "body": "or ash?", "sent_at": "14.03.2026 10:05"},
    ]
    later = [{"ticket_id": "4", "sender_type": "agent", "body": "Ash.", "sent_at": "2026-03-15T08:00:00Z"}]
    put(tmp_path, {"a.jsonl": said, "b.jsonl": later})
    for kind in (Files, SmallBlocks):
        [rows] = told(opened(tmp_path, kind)).values()
        assert [row[2:] for row in rows] == [("is it oak?\nor ash?", "Ash.")]


@pytest.mark.parametrize("kind", KINDS)
def test_another_text_changes_the_day_and_another_order_does_not(tmp_path, kind):
    talk = [cell("5", "customer", "is it warm?", 1), cell("5", "agent", "Very.", 2)]
    put(tmp_path, {"a.jsonl": talk})
    first = opened(tmp_path, kind).changed_since("")
    put(tmp_path, {"a.jsonl": talk[:1], "b.jsonl": talk[1:]})
    assert opened(tmp_path, kind).changed_since(first.cursor).days == {}
    put(tmp_path, {"a.jsonl": [talk[1]], "b.jsonl": [talk[0]]})
    assert opened(tmp_path, kind).changed_since(first.cursor).days == {}
    put(tmp_path, {"b.jsonl": [cell("5", "customer", "is it cold?", 1)]})
    assert list(opened(tmp_path, kind).changed_since(first.cursor).days) == [MONDAY]
