"""What counts of a day's messages, and what does not: each reason by a stream of its own."""

from datetime import UTC, datetime, timedelta

import pytest

from llmops_assets.lib.watching.counting import PER_SENDER, counted, follow_up, readable

START = datetime(2026, 5, 4, 8, tzinfo=UTC)
TOPICS = ("Which bulb fits", "How warm is the light of", "Can I dim", "Is there a stand for", "How heavy is")


def row(number: int, question: str, *, sender: str = "", conversation: str = "", minute: float | None = None) -> dict:
    moment = START + timedelta(minutes=number * 3 if minute is None else minute)
    return {
        "question": question,
        "subject": sender or f"s{number}",
        "conversation": conversation or f"{sender} {number}",
        "time": moment.isoformat(),
    }


def people(count: int) -> list[dict]:
    return [row(n, f"{TOPICS[n % len(TOPICS)]} the model {n}?") for n in range(count)]


def ordered(*parts: list[dict]) -> list[dict]:
    return sorted((r for part in parts for r in part), key=lambda r: r["time"])


def test_ordinary_questions_count_as_they_are():
    rows = people(40)
    found = counted(rows)
    assert found.kept == tuple(range(40))
    assert found.texts == tuple(r["question"] for r in rows)
    assert found.left_out == {}


def test_small_talk_is_left_out():
    rows = ordered(people(20), [row(n, t, minute=n + 0.5) for n, t in enumerate(("hi!", "many thanks", "ok, bye"))])
    found = counted(rows)
    assert len(found.kept) == 20
    assert found.left_out == {"small talk": 3}


def test_a_follow_up_is_left_out_after_a_turn_before_it_only():
    rows = [
        row(0, "Do you ship to Norway?", conversation="a"),
        row(1, "And how long does that take?", conversation="a"),
        row(2, "And how long does that take?", conversation="b"),
        row(3, "My invoice shows another address than the one I gave you", conversation="a"),
    ]
    found = counted(rows)
    assert found.kept == (0, 2, 3)
    assert found.left_out == {"follow-up": 1}


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("what about the blue one?", True),
        ("und wie lange dauert das?", True),
        ("is it also available in white?", True),
        ("Which payment methods are accepted?", False),
        ("My lamp flickers", False),
        ("And then the courier left the parcel in the rain in front of the wrong house", False),
    ],
)
def test_what_means_nothing_alone_is_a_follow_up(text, is_one):
    assert follow_up(text) is is_one


def test_a_monitors_question_by_the_clock_is_left_out_whatever_it_asks():
    monitor = [row(n, "What are your opening hours?", sender="uptime", minute=n * 5) for n in range(12)]
    found = counted(ordered(people(40), monitor))
    assert len(found.kept) == 40
    assert found.left_out == {"probe": 12}


def test_words_of_a_test_are_left_out_of_anybody():
    found = counted(ordered(people(12), [row(90 + n, f"test {n}", minute=n * 7.3) for n in range(4)]))
    assert found.left_out == {"probe": 4}


def test_equal_texts_of_one_sender_count_once():
    minutes = (1, 2, 9, 30, 31, 70)
    rows = ordered(people(30), [row(n, "WHERE is it??" if n % 2 else "where is it", sender="x", minute=m + 0.1)
                                for n, m in enumerate(minutes)])  # fmt: skip
    found = counted(rows)
    assert found.left_out == {"repeated": 5}
    assert len(found.kept) == 31


def test_equal_texts_of_many_people_all_count():
    rows = [row(n, "Where is my order?") for n in range(40)]
    assert counted(rows).left_out == {}


def test_equal_texts_of_nobody_in_particular_count_unless_a_machine_sends_them():
    minutes = [0, 1, 4, 9, 30, 32, 50, 77, 80, 110]
    slow = [row(n, "Where is my order?", sender="-", minute=m) for n, m in enumerate(minutes)]
    assert counted(ordered(people(40), slow), unnamed={"-"}).left_out == {}
    # A burst is no clock: its gaps are uneven and far shorter than the day's.
    burst = [row(n, "buy gold now", sender="-", minute=30 + n * n / 6000) for n in range(50)]
    assert counted(ordered(people(40), burst), unnamed={"-"}).left_out == {"repeated": 49}


def test_one_senders_many_texts_count_as_far_as_a_persons_would():
    junk = [row(n, f"win {n} prizes at casino {n * 7}", sender="spam", minute=n / 3) for n in range(60)]
    found = counted(ordered(people(40), junk))
    assert found.left_out == {"one sender": 60 - PER_SENDER}
    assert len(found.kept) == 40 + PER_SENDER


def test_an_application_that_names_itself_for_all_is_not_limited():
    rows = [{**r, "subject": "web-shop"} for r in people(60)]
    assert counted(rows).left_out == {}


@pytest.mark.parametrize("between", ["\n", " "])
def test_of_a_contact_form_the_message_counts(between):
    rows = [
        row(n, between.join((f"Topic: {'Other' if n % 2 else 'Order'}", f"Order number: <ORDER_NUMBER_{n}>",
                             f"Message: {TOPICS[n % 5]} the model {n}?", "Newsletter: no")))
        for n in range(12)
    ]  # fmt: skip
    found = counted(rows)
    assert found.texts == tuple(f"{TOPICS[n % 5]} the model {n}?" for n in range(12))


def test_fixed_lines_of_a_form_go_and_a_form_without_prose_keeps_its_longest_field():
    footer = "Sent from the contact page of our shop"
    rows = [row(n, f"{TOPICS[n % 5]} the model {n}?\n{footer}") for n in range(12)]
    rows += [row(20 + n, f"Name: <PERSON_1> Wish: lamp {n} please Copy: no") for n in range(12)]
    found = counted(rows)
    assert found.texts[0] == f"{TOPICS[0]} the model 0?"
    assert found.texts[12] == "lamp 0 please"


def test_a_colon_in_a_few_messages_is_no_form():
    rows = [row(n, f"Question: {TOPICS[n % 5]} model {n}? Note: urgent") for n in range(9)]
    assert counted(rows).texts == tuple(r["question"] for r in rows)


def test_a_day_without_messages_counts_none():
    assert counted([]).kept == ()


def test_rows_that_cannot_be_judged_are_left_out_by_reason_and_the_others_come_in_order_of_time():
    day = START.date()
    whole = {**row(5, "Which bulb fits?"), "id": "a", "path": "matched"}
    early = {**whole, "id": "b", "time": START.replace(tzinfo=None).isoformat()}
    rows = [
        whole,
        {**whole, "question": "the same row again"},
        {**whole, "id": "c", "question": ""},
        {**whole, "id": "d", "time": "yesterday"},
        {**whole, "id": "e", "time": None},
        {name: value for name, value in whole.items() if name != "subject"} | {"id": "f"},
        {**whole, "id": "g", "time": (START + timedelta(days=1)).isoformat()},
        {**whole, "id": "h", "time": (START - timedelta(days=1)).isoformat()},
        early,
    ]
    found, left_out = readable(rows, day)
    assert [r["id"] for r in found] == ["b", "a"]
    assert found[0]["time"] == START.isoformat()
    assert (found[1]["rating"], found[1]["correction"]) == (0, "")
    assert left_out == {"incomplete": 4, "duplicate row": 1, "other day": 2}
    assert readable(rows)[1] == {"incomplete": 4, "duplicate row": 1}


def test_a_clock_may_be_an_hour_wrong_at_either_end_of_the_day():
    midnight = datetime(2026, 5, 4, tzinfo=UTC)
    moments = {-61: False, -60: True, 0: True, 24 * 60 + 59: True, 25 * 60: False}
    for minutes, counts in moments.items():
        one = {**row(0, "Which bulb fits?"), "id": "a", "path": "matched"}
        one["time"] = (midnight + timedelta(minutes=minutes)).isoformat()
        assert bool(readable([one], midnight.date())[0]) is counts, minutes
