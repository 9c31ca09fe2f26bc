"""The sample's month: what happens when, the same on every machine, and what is right on which day."""

from collections import Counter

import pytest

from llmops_assets.samples import generator
from llmops_assets.samples import month as months

MONTH = months.load_month()


def day_of(name: str):
    event = next(event for event in MONTH.events if event.name == name)
    return event, MONTH.days()[event.first]


@pytest.mark.parametrize("name", [event.name for event in MONTH.events])
def test_each_event_has_its_share_of_its_day_and_the_same_questions_each_time(name):
    event, day = day_of(name)
    asked = months.traffic(MONTH, day, 300)
    share = Counter(one.event for one in asked)[name] / 300
    # Four standard deviations of a share of 300.
    assert abs(share - event.share) < 0.115
    assert months.traffic(MONTH, day, 20) == months.traffic(MONTH, day, 20)
    assert [one.live.time for one in asked] == sorted(one.live.time for one in asked)
    assert all(one.live.time.date() == day for one in asked)


def test_nothing_happens_before_the_first_event():
    assert {one.event for one in months.traffic(MONTH, MONTH.days()[0], 100)} == {months.QUIET}
    assert generator.NEW_TOPIC_INTENT not in {a.intent for a in months.articles(MONTH, MONTH.days()[0])}


def test_the_company_writes_about_the_new_topic_when_it_begins_and_changes_an_article():
    _, begins = day_of("new topic")
    assert generator.NEW_TOPIC_INTENT in {a.intent for a in months.articles(MONTH, begins)}
    event, changes = day_of("knowledge changes")
    answers = [{a.id: a.answer for a in months.articles(MONTH, day)}[event.article] for day in (begins, changes)]
    assert answers[0] != answers[1] == MONTH.changed.answer
    asked = [one.live for one in months.traffic(MONTH, changes, 200) if one.live.article == event.article]
    assert {(one.reference, one.facts) for one in asked} == {(MONTH.changed.answer, MONTH.changed.facts)}


def test_what_a_person_must_answer_has_no_article_and_an_outage_comes_at_once():
    _, day = day_of("outage")
    times = [one.live.time for one in months.traffic(MONTH, day, 150) if one.event == "outage"]
    assert (max(times) - min(times)).total_seconds() < 5400
    for name in ("outage", "junk"):
        _, day = day_of(name)
        assert {one.live.article for one in months.traffic(MONTH, day, 200) if one.event == name} == {None}


def test_attackers_call_right_answers_wrong_and_nothing_else():
    event, day = day_of("flipped feedback")
    asked = months.traffic(MONTH, day, 150)
    found = months.flipped(MONTH, day, asked, [n % 2 == 0 for n in range(len(asked))])
    assert found
    assert all(place % 2 == 0 and asked[place].event == event.name for place in found)
    assert all(word.removeprefix(months.DENIAL) != asked[place].live.reference for place, word in found.items())
    assert months.flipped(MONTH, MONTH.days()[0], asked, [True] * len(asked)) == {}


def test_a_shorter_month_has_the_same_events_in_the_same_order():
    week = MONTH.of(9)
    assert [event.name for event in week.events] == [event.name for event in MONTH.events]
    assert all(0 <= event.first <= event.until < 9 for event in week.events)
    assert [event.first for event in week.events] == sorted(event.first for event in week.events)
    assert MONTH.of(MONTH.length) == MONTH
    assert [event.name for event in MONTH.of(7, ["campaign"]).events] == ["campaign"]
    happening = next(one for one in week.happenings() if one.name == "junk")
    assert happening.needs == "wait"
    assert not happening.allows("retrain")
    assert happening.allows("wait")
