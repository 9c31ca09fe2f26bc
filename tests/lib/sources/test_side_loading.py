"""Lists of records in an object of their own, and the users that Zendesk's API puts beside the tickets."""

import gzip
import io
import json
from typing import Any

import pytest

from llmops_assets.lib.sources import RawRow, Rejected, Shape, SourceError, UnfinishedError, scan

USERS = [
    {"id": 11, "role": "end-user", "email": "ida@mail.example", "name": "Ida"},
    {"id": 12, "role": "agent", "email": "leo@desk.example", "name": "Leo"},
    {"id": 13, "role": "admin", "email": "mia@desk.example"},
    {"id": 14, "role": "end-user", "email": "friend@mail.example"},
]


def comment(author: int, text: str, minute: int) -> dict[str, Any]:
    when = f"2026-03-02T10:{minute:02}:00Z"
    return {"id": minute, "author_id": author, "body": text, "public": True, "created_at": when}


def ticket(number: int) -> dict[str, Any]:
    """Two agents and another customer answer: without roles nobody can say who is who."""
    said = [
        comment(11, f"How do I descale it ({number})?", 1),
        comment(14, "I have the same question.", 2),
        comment(12, "Fill in vinegar.", 3),
        comment(13, "Then rinse twice.", 4),
    ]
    return {"id": number, "requester_id": 11, "created_at": "2026-03-02T10:01:00Z", "comments": said}


def read(data: bytes, name: str = "export.json") -> list[RawRow | Rejected]:
    return list(scan(io.BytesIO(data), name, Shape(name="z")))


def exchanges(data: bytes) -> list[tuple[str, str, str]]:
    items = read(data)
    assert all(isinstance(item, RawRow) for item in items), items
    return [(item.question, item.answer, item.subject) for item in items if isinstance(item, RawRow)]


EXPECTED = [(f"How do I descale it ({n})?", "Fill in vinegar.\nThen rinse twice.", "11") for n in (1, 2)]
TICKETS = [ticket(1), ticket(2)]
PAGING = {"count": 2, "next_page": None, "end_of_stream": True}


@pytest.mark.parametrize(
    "page",
    [
        {"tickets": TICKETS, "users": USERS},
        {"users": USERS, "tickets": TICKETS},
        {**PAGING, "tickets": TICKETS, "groups": [{"id": 1}], "users": USERS},
        {"tickets": TICKETS, **PAGING, "users": USERS, "meta": {"has_more": False}},
        {"users": [*USERS, *({"id": n, "role": "end-user"} for n in range(100, 3000))], "tickets": TICKETS},
    ],
)
@pytest.mark.parametrize("written", [json.dumps, lambda page: json.dumps(page, indent=2)], ids=["line", "indented"])
@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_roles_are_those_of_the_users_beside_the_tickets(page, written, packed, encoding):
    assert exchanges(packed(written(page).encode(encoding))) == EXPECTED


def test_without_users_nobody_knows_who_of_several_answers():
    items = read(json.dumps({"tickets": TICKETS}).encode())
    assert [item.reason for item in items if isinstance(item, Rejected)] != []
    assert not any(isinstance(item, RawRow) for item in items)


def test_users_in_a_ticket_go_before_those_of_the_file():
    own = {**ticket(1), "users": [{"id": 11, "role": "end-user"}, {"id": 12, "role": "agent"}]}
    swapped = [{**user, "role": "end-user"} for user in USERS]
    [found] = read(json.dumps({"tickets": [own], "users": swapped}).encode())
    assert isinstance(found, RawRow)
    assert found.answer.startswith("Fill in vinegar.")


@pytest.mark.parametrize("key", ["tickets", "conversations", "rows", "data", "items", "results"])
def test_objects_on_lines_of_their_own_are_no_list(key):
    line = json.dumps({key: [{"a": 1}], "question": "q", "answer": "a", "time": "2026-03-02T10:00:00Z"})
    rows = read(f"{line}\n{line[:-1]}}}\n".encode())
    assert [item.question for item in rows if isinstance(item, RawRow)] == ["q", "q"]


@pytest.mark.parametrize("cut", [-1, -40, -400])
def test_a_file_that_ends_in_its_users_is_cut(cut):
    with pytest.raises(UnfinishedError, match=r"export.json, element \d+: .*cut off"):
        read(json.dumps({"tickets": TICKETS, "users": USERS}).encode()[:cut])


def test_what_is_broken_is_said_with_its_place():
    data = json.dumps({"tickets": TICKETS, "users": USERS}).replace('"role"', "role", 1)
    with pytest.raises(SourceError, match=r"export.json, element 1: broken JSON"):
        read(data.encode())
    with pytest.raises(SourceError, match=r"export.json: not utf-8-sig"):
        read(json.dumps({"tickets": TICKETS, "users": USERS}).encode().replace(b"Leo", b"L\xe9o"))


@pytest.mark.parametrize("whole", [{"tickets": TICKETS, "note": "x" * 70_000}, TICKETS])
def test_what_follows_the_end_is_not_passed_over(whole):
    data = json.dumps(whole)
    with pytest.raises(SourceError, match=r"export.json: something stands behind its end"):
        read(f"{data}\n{data}\n".encode())
