"""Exports as help desks write them: what may be learnt of a conversation, who it is about, what is left out."""

import functools
import io
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops_assets.lib.auditing.conversations import redacted
from llmops_assets.lib.redaction import Redactor
from llmops_assets.lib.sources import RawRow, Rejected, RowFault, Shape, scan
from llmops_assets.lib.sources.layouts import LAYOUTS, layout_of
from llmops_assets.lib.sources.layouts.base import Layout
from llmops_assets.lib.sources.layouts.roles import speaker_of
from llmops_assets.lib.sources.visibility import visibility

EXPORTS = Path(__file__).parent / "exports"
AGENTS = ("UHELP",)
OUT = "[out]"
"""In the exports, every text that must be in no row begins so."""


class Export(NamedTuple):
    """A file of `exports`: records as the system writes them, and what they give: exchanges with the customer they are
    about and their rating, channels, what is left out of all of them together, and why others are rejected."""

    records: list[dict[str, Any]]
    exchanges: list[tuple[str, str]]
    subjects: list[str]
    ratings: list[int]
    channels: set[str]
    left_out: dict[str, int]
    rejected: list[str]


def export(name: str) -> Export:
    found = json.loads((EXPORTS / f"{name}.json").read_text())
    expected = found["expected"]
    pairs = [(asked, said) for asked, said in expected.pop("exchanges")]
    return Export(found["records"], pairs, channels=set(expected.pop("channels")), **expected)


NAMES = sorted(file.stem for file in EXPORTS.glob("*.json"))


@functools.cache
def read(name: str) -> list[RawRow | Rejected]:
    return items(export(name).records)


def items(records: Any, **shape: Any) -> list[RawRow | Rejected]:
    shape = {"agents": AGENTS, "latest": datetime(2027, 1, 1, tzinfo=UTC), **shape}
    return list(scan(io.BytesIO(json.dumps(records).encode()), "a.json", Shape(**shape)))


def rows(name: str) -> list[RawRow]:
    return [item for item in read(name) if isinstance(item, RawRow)]


def test_every_layout_has_an_export_that_it_alone_recognises():
    assert sorted(layout.name for layout in LAYOUTS) == NAMES
    for name in NAMES:
        for record in export(name).records:
            found = layout_of(record)
            assert found is not None
            assert found.name == name


@pytest.mark.parametrize("name", NAMES)
def test_what_customer_and_agent_said_to_each_other_becomes_rows(name):
    expected = export(name)
    found = rows(name)
    assert [(row.question, row.answer) for row in found] == expected.exchanges
    assert [row.rating for row in found] == expected.ratings
    assert {row.source for row in found} == expected.channels
    assert all(str(row.day) == "2026-03-02" for row in found if row.time)
    assert [item.reason for item in read(name) if isinstance(item, Rejected)] == expected.rejected


@pytest.mark.parametrize("name", NAMES)
def test_what_is_left_out_is_counted_by_reason_and_stands_nowhere(name):
    counts: dict[str, int] = {}
    for item in read(name):
        for reason, count in item.left_out:
            counts[reason] = counts.get(reason, 0) + count
        shown = item.text if isinstance(item, Rejected) else item.question + item.answer
        assert OUT not in shown
    assert counts == export(name).left_out


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_about_the_customer_and_is_found_when_the_customer_is_erased(name):
    redactor = Redactor(key=b"k" * 32, names=False)
    stored = [row for found in redacted(read(name), date(2026, 3, 2), redactor) for row in found.kept]
    subjects = export(name).subjects
    assert [row.subject for row in rows(name)] == subjects
    for person in set(subjects):
        asked = redactor.subjects(f" {person.upper()} ")
        assert sum(row["subject"] in asked for row in stored) == subjects.count(person)


# -- who is who ---------------------------------------------------------------------------------------------------


def ticket(*comments: dict, **more: Any) -> dict:
    stamped = [{"created_at": f"2026-03-02T09:{n:02d}:00Z", "public": True, **one} for n, one in enumerate(comments)]
    return {"id": 1, "requester_id": 5, "comments": stamped, **more}


def by(author: int, body: str, **more: Any) -> dict:
    return {"author_id": author, "body": body, **more}


ASKED, CC, ANSWERED = by(5, "Is it loud?"), by(6, "It hums here."), by(7, "No, it is silent.")
USERS = [{"id": 5, "role": "end-user"}, {"id": 6, "role": "end-user"}, {"id": 7, "role": "agent"}]


@pytest.mark.parametrize(
    "more",
    [
        {"users": USERS},
        {"collaborator_ids": [6]},
        {"collaborators": [{"id": 6, "email": "cc@mail.example"}]},
        {"assignee_id": 7},
        {"assignee": {"id": 7}},
        {"follower_ids": [7]},
        {"submitter_id": 7},
    ],
)
def test_who_is_copied_in_is_never_an_agent(more):
    (row,) = items([ticket(ASKED, CC, ANSWERED, **more)])
    assert (row.question, row.answer) == ("Is it loud?", "No, it is silent.")
    assert sum(count for _, count in row.left_out) == 1


def test_agents_may_be_named_by_id_address_or_domain():
    for agent in ("7", "jo@glow.example", "@glow.example"):
        users = [{"id": 6, "email": "cc@mail.example"}, {"id": 7, "email": "Jo@Glow.example"}]
        (row,) = items([ticket(ASKED, CC, ANSWERED, users=users)], agents=(agent,))
        assert row.answer == "No, it is silent."


def test_a_ticket_in_which_nobody_knows_who_is_an_agent_is_rejected_with_the_remedy():
    (found,) = items([ticket(ASKED, CC, ANSWERED)], agents=())
    assert isinstance(found, Rejected)
    assert "`agents` in the settings" in found.reason
    (row,) = items([ticket(ASKED, ANSWERED)], agents=())
    assert row.answer == "No, it is silent.", "one other author is the agent"


@pytest.mark.parametrize(
    "first",
    [
        by(7, "Wants a cable. PIN is 4711.", public=False),
        by(5, "Wants a cable. PIN is 4711.", public=False),
        {"author_id": 7, "html_body": "<p>Wants a cable.<br>PIN is&nbsp;4711.</p>", "public": False},
        by(7, "Wants a cable. PIN", public=False),
        by(7, "Something quite different", public=False),
        by(7, "Wants a cable. PIN is 4711.", public="false"),
        by(7, "Wants a cable. PIN is 4711.", public=None),
    ],
)
def test_a_private_first_comment_is_not_read_from_the_description_either(first):
    record = ticket(first, by(7, "A cable is on its way."), description="Wants a cable. PIN is 4711.")
    (found,) = items([record], agents=())
    assert isinstance(found, Rejected)
    assert found.reason.startswith("no customer message")
    assert "4711" not in str(found)


@pytest.mark.parametrize(
    "more", [{"via": {"channel": "phone"}}, {"via": {"channel": "voice"}}, {"submitter_id": 7}, {"is_public": False}]
)
def test_a_description_that_an_agent_typed_is_no_question(more):
    record = ticket(ANSWERED, description="Rang: is it loud", created_at="2026-03-02T08:00:00Z", **more)
    (found,) = items([record], agents=())
    assert isinstance(found, Rejected)
    assert "Rang" not in str(found)


def test_a_description_that_no_comment_repeats_is_the_customers():
    (row,) = items([ticket(ANSWERED, description="Is it loud?", created_at="2026-03-02T08:00:00Z")], agents=())
    assert (row.question, row.answer) == ("Is it loud?", "No, it is silent.")


def test_a_ticket_beside_its_comments_and_users_is_one_record():
    record = ticket(ASKED, ANSWERED)
    (row,) = items(
        [{"ticket": {"id": 9, "requester_id": 5}, "comments": {"comments": record["comments"]}, "users": USERS}]
    )
    assert (row.id, row.subject, row.answer) == ("9#0", "5", "No, it is silent.")


def test_the_newest_first_is_put_in_order():
    turned = export("hubspot").records[0]
    turned["messages"]["results"].reverse()
    (row,) = items([turned])
    assert (row.question, row.answer) == export("hubspot").exchanges[0]


def test_an_intercom_webhook_is_read_as_its_conversation():
    conversation = export("intercom").records[0]
    (row,) = items([{"type": "notification_event", "data": {"item": conversation}}])
    assert (row.id, row.subject) == ("901#0", "rosa@mail.example")


def test_a_slack_channel_without_named_agents_says_what_to_set():
    found = items(export("slack").records, agents=())
    assert {item.reason for item in found if isinstance(item, Rejected)} == {
        "nobody knows who answers in this channel: name them as `agents` in the settings"
    }


@pytest.mark.parametrize("role", ["bot", "Chatbot", "virtual_agent", "auto-reply"])
def test_a_conversation_that_only_a_bot_answered_is_none_unless_settings_say_that_it_answers(role):
    record = {"id": "c", "messages": [{"role": "user", "text": "How?"}, {"role": role, "text": "So."}]}
    (found,) = items([record])
    assert isinstance(found, Rejected)
    assert found.reason.startswith("no answer: only a bot answered")
    (row,) = items([record], agents=(role,))
    assert row.answer == "So."


def test_an_assistant_answers_unless_a_person_does():
    def said(*roles: str) -> list[dict]:
        return [{"id": "c", "messages": [{"role": role, "content": f"{role} {n}"} for n, role in enumerate(roles)]}]

    (row,) = items(said("user", "assistant"))
    assert row.answer == "assistant 1"
    (row,) = items(said("user", "assistant", "agent"))
    assert (row.answer, row.left_out) == ("agent 2", (("bot", 1),))


@pytest.mark.parametrize(
    ("role", "speaker"),
    [
        ("Support Agent", "agent"),
        ("customer service representative", "agent"),
        ("CustomerSupport", "agent"),
        ("Live Agent 2", "agent"),
        ("End User", "customer"),
        ("Customer 1", "customer"),
        ("AI agent", "bot"),
        ("Virtual Assistant", "bot"),
        ("support bot", "bot"),
    ],
)
def test_a_role_of_several_words_is_who_its_last_word_says(role, speaker):
    assert speaker_of(role, "") == speaker


@pytest.mark.parametrize("role", ["Anna Agent", "internal user", "service customer", "former agent", "", "team"])
def test_a_role_that_nobody_knows_is_not_guessed(role):
    with pytest.raises(RowFault, match="none that is known"):
        speaker_of(role, "")


def test_a_list_of_any_name_is_a_chat_when_its_objects_have_speaker_and_text():
    articles = [
        {"sender": "Customer", "internal": False, "body": "Is it loud?"},
        {"sender": "Agent", "internal": True, "body": "[out] again"},
        {"sender": "Agent", "internal": False, "body": "<p>No, it is silent.</p>", "content_type": "text/html"},
    ]
    (row,) = items([{"id": 3, "customer": "mia@mail.example", "articles": articles}])
    assert (row.question, row.answer, row.subject) == ("Is it loud?", "No, it is silent.", "mia@mail.example")
    ways = [{"direction": "inbound", "body": "Is it loud?"}, {"direction": "outbound", "body": "No."}]
    (row,) = items([{"id": 3, "steps": ways}])
    assert row.answer == "No."


@pytest.mark.parametrize(
    ("record", "subject"),
    [
        ({"customer": {"id": 9, "email": "ana@mail.example"}, "subject": "Broken"}, "ana@mail.example"),
        ({"customer_id": "k-9", "subject": "Broken"}, "k-9"),
        ({"subject": "My lamp is broken"}, ""),
        ({"subject": "ana@mail.example"}, "ana@mail.example"),
        ({}, ""),
    ],
)
def test_the_title_of_a_chat_is_no_person(record, subject):
    messages = [{"role": "user", "text": "How?"}, {"role": "agent", "text": "So."}]
    (row,) = items([{"id": "c", "messages": messages, **record}])
    assert row.subject == subject


def test_the_one_author_of_a_customers_messages_is_the_customer():
    messages = [
        {"author": {"type": "customer", "id": 31}, "text": "How?"},
        {"author": {"type": "agent", "id": 1}, "text": "So."},
    ]
    (row,) = items([{"id": "c", "messages": messages}])
    assert row.subject == "31"


# -- who may see it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flag",
    [
        {"private": True},
        {"isPrivate": "yes"},
        {"IS-INTERNAL": 1},
        {"public": False},
        {"isPublic": "false"},
        {"jsdPublic": False},
        {"visible_to_customer": 0},
        {"visibility": "internal"},
        {"visibility": "AGENTS_ONLY"},
        {"audience": "team"},
        {"note": True},
        {"is_note": "true"},
        {"type": "note"},
        {"type": "Private Comment"},
        {"messageType": "internal-note"},
        {"channel": "internal-note"},
        {"hidden": "1"},
        {"whisper": True},
        {"agents_only": True},
        {"not_public": True},
        {"status": "draft"},
        {"is_deleted": True},
        {"public": True, "internal": True},
        {"hidden_from_requester": True},
        {"privateNote": True},
        {"Internal note": "yes"},
        {"internal_comment": 1},
    ],
)
def test_a_private_flag_in_any_spelling_keeps_a_message_out(flag):
    assert visibility({"role": "agent", "text": "x", **flag}) == "private"


@pytest.mark.parametrize(
    "flag",
    [
        {"public": None},
        {"visibility": "sometimes"},
        {"is_internal": "perhaps"},
        {"private": {}},
        {"public": ""},
        {"internal_note": "ja"},
        {"internal_note": {}},
        {"internal": "called back twice"},
    ],
)
def test_a_flag_that_nobody_knows_keeps_a_message_out(flag):
    assert visibility({"role": "agent", "text": "x", **flag}) == "unknown"


@pytest.mark.parametrize(
    "flag",
    [
        {},
        {"private": False},
        {"public": "TRUE"},
        {"is_internal": "no"},
        {"visibility": "public"},
        {"visibility": "all customers"},
        {"visibleToCustomer": 1},
        {"type": "message"},
        {"internal_id": 4, "external_id": None, "public_url": "x", "note_id": 7, "privacy_policy_version": 2},
        {"note": "a remark of its own"},
        {"Internal note": "called back"},
        {"private_comment": ""},
        {"internal_note": None, "Private Note": "no"},
        {"deleted": None, "draft": False, "deleted_at": None},
        {"hidden": False, "status": "sent"},
        {"level": "info", "access_level": "public"},
    ],
)
def test_what_says_nothing_or_public_is_public(flag):
    assert visibility({"role": "agent", "text": "x", **flag}) == "public"


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ({"is_internal": "true"}, "private"),
        ({"public": "0"}, "private"),
        ({"visibility": "team"}, "private"),
        ({"visibility": "?"}, "unknown visibility"),
    ],
)
def test_a_plain_row_that_is_flagged_is_no_row_and_counted(flag, reason):
    row = {"question": "Is it loud?", "answer": "No."}
    found, kept = items([{**row, **flag}, {**row, "category": "internal transfer", "level": "2"}])
    assert isinstance(found, Rejected)
    column = "" if reason == "private" else f"; rename {next(iter(flag))} if it says something else"
    assert found.reason == f"{reason}: only what the customer saw is read{column}"
    assert found.left_out == ((reason, 1),)
    assert "loud" not in found.text
    assert kept.answer == "No."


def test_a_record_of_an_unknown_layout_is_shown_by_its_keys_only():
    record = {"id": 4, "fields": {"comment": {"comments": [{"body": "[out] He is rude.", "internal": True}]}}}
    found, _ = items([record, {"question": "q", "answer": "a"}])
    assert isinstance(found, Rejected)
    assert found.reason.startswith("no column for the question")
    assert found.text == '{"id": null, "fields": null}'


# -- properties ---------------------------------------------------------------------------------------------------

odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """Every path into a record."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_an_export_with_one_odd_value_is_read_or_rejected_never_a_crash(name, data):
    records = export(name).records
    place = data.draw(st.sampled_from([path for path in places(records) if len(path) > 1]))
    target = records
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = data.draw(odd)
    for item in items([*records, {"question": "q", "answer": "a"}]):
        if isinstance(item, RawRow):
            assert item.subject not in {"71", "44", "12", "9", "2", "UHELP", "A-9", "lea@glow.example"}


def test_a_new_layout_needs_its_abstract_methods_only():
    assert Layout.__abstractmethods__ == {"recognises", "messages", "subject"}
