"""Findings from day to day, on questions whose vectors say their topic."""

import random
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from findings_support import MONDAY, SIZE, after, asked, known, vector, well

from llmops_assets.lib.records import DecisionPolicy, TrainingCost
from llmops_assets.lib.watching.findings import pages, topics
from llmops_assets.lib.watching.findings.actions import Figures, burst, proposed
from llmops_assets.lib.watching.findings.life import Articles, Learned, cured
from llmops_assets.lib.watching.findings.members import counted, from_rows, to_rows

TUESDAY, WEDNESDAY, THURSDAY = (MONDAY + timedelta(days=n) for n in (1, 2, 3))


def normal(day=MONDAY):
    return [one for topic in ("orders", "returns", "lamps") for one in well(topic, 30, day)]


NORMAL = normal()


def test_an_ordinary_day_has_no_finding():
    assert after(NORMAL) == []


def test_a_new_topic_is_one_finding_with_its_figures():
    (case,) = after([*NORMAL, *asked("recall", 12)])
    found = case.finding
    assert (found.kind, found.state, found.action) == ("new", "open", "write_article")
    assert (found.different, found.senders, found.total("badly"), found.growth) == (12, 12, 12, 12.0)
    assert {one.question.split()[0] for one in case.members} == {"recall"}
    assert found.first_seen == found.last_seen == MONDAY


def test_the_same_day_has_the_same_findings_in_whatever_order_its_rows_come():
    members = [*NORMAL, *asked("recall", 12), *asked("strike", 9)]
    mixed = random.Random(4).sample(members, len(members))
    assert [case.finding for case in after(members)] == [case.finding for case in after(mixed)]
    assert len(after(members)) == 2


def test_a_finding_keeps_its_id_while_it_grows_and_a_day_that_is_judged_again_replaces_itself():
    first = after([*NORMAL, *asked("recall", 10)])
    today = [*normal(TUESDAY), *asked("recall", 20, TUESDAY)]
    (case,) = after(today, TUESDAY, first)
    assert case.finding.id == first[0].finding.id
    assert [one.questions for one in case.finding.days] == [10, 20]
    assert (case.finding.growth, case.finding.last_seen, case.finding.different) == (2.0, TUESDAY, 30)
    assert after(today, TUESDAY, first) == after(today, TUESDAY, first)
    (quiet,) = after(normal(WEDNESDAY), WEDNESDAY, [case])
    assert (quiet.finding.last_seen, len(quiet.finding.days)) == (TUESDAY, 2)


def test_few_questions_or_one_sender_are_no_finding():
    assert after([*NORMAL, *asked("recall", 3)]) == []
    one_sender = [one.__class__(**{**one.__dict__, "sender": "x"}) for one in asked("recall", 12)]
    assert after([*NORMAL, *one_sender]) == []


def test_two_findings_that_turn_out_to_be_one_merge_into_the_older():
    first = after([*NORMAL, *asked("recall", 8)])
    second = after([*normal(TUESDAY), *asked("recall'", 8, TUESDAY)], TUESDAY, first)
    assert len(second) == 2
    between = asked("recall+recall'", 30, WEDNESDAY)
    third = after([*normal(WEDNESDAY), *between], WEDNESDAY, second)
    state = {case.finding.id: case.finding for case in third}
    older, newer = first[0].finding.id, next(c.finding.id for c in second if c.finding.id != first[0].finding.id)
    assert (state[newer].state, state[newer].into) == ("merged", older)
    assert state[older].merged == (newer,)
    assert [one.questions for one in state[older].days] == [8, 8, 30]
    assert newer not in {case.finding.id for case in after([], THURSDAY, third)}, "it is told once"


def test_a_finding_of_two_things_splits_and_the_smaller_part_says_whose_it_was():
    (first,) = after([*NORMAL, *asked("recall", 6)])
    # It once held what lay between the two.
    both = (*first.members, *asked("strike", 4))
    today = [*normal(TUESDAY), *asked("recall", 20, TUESDAY), *asked("strike", 18, TUESDAY)]
    one, other = after(today, TUESDAY, [first.__class__(first.finding, both)])
    parent, part = (one, other) if one.finding.id == first.finding.id else (other, one)
    assert parent.finding.id == first.finding.id
    assert part.finding.parent == first.finding.id
    assert parent.finding.total("questions") + part.finding.total("questions") == 10 + 38


def test_what_a_release_learned_from_is_still_whose_it_was_and_closes_by_an_interval():
    first = after([*NORMAL, *asked("recall", 20)])
    name = first[0].finding.id
    cost = TrainingCost(adapter="a", seconds=90, currency=0.5, energy_kwh=0.01, co2_grams=2)
    serving = Learned("r-2", (name,), MONDAY, cost)
    # The new reference knows the topic since Monday.
    knows = known(("orders", "returns", "lamps"))
    more = known(("recall",), 20, MONDAY)
    knows = type(knows)(
        np.concatenate([knows.vectors, more.vectors]),
        [*knows.intents, *more.intents],
        [*knows.days, *more.days],
        knows.threshold,
    )
    few = [*normal(TUESDAY), *well("recall", 7, TUESDAY, learned=(name,))]
    (case,) = after(few, TUESDAY, first, serving=serving, known=knows)
    assert (case.finding.state, case.finding.learned_by) == ("learned", "r-2"), "seven are no sample"
    many = [*normal(WEDNESDAY), *well("recall", 15, WEDNESDAY, learned=(name,))]
    (case,) = after(many, WEDNESDAY, [case], serving=serving, known=knows)
    cure = case.finding.cure
    assert (case.finding.state, case.finding.closed_on) == ("closed", WEDNESDAY)
    assert cure is not None
    assert (cure.before, cure.after, cure.currency, cure.low > 0.5) == (1.0, 0.0, 0.5, True)
    assert cure.corrections == 0
    again = [*normal(THURSDAY), *asked("recall", 12, THURSDAY, learned=(name,))]
    (case,) = after(again, THURSDAY, [case], serving=serving, known=knows)
    found = case.finding
    assert (found.id, found.state, found.reopened, found.since) == (name, "open", 1, THURSDAY)
    assert (found.different, found.total("questions")) == (12, 12), "what was before it closed counts no more"


def test_answered_as_badly_as_before_it_stays_open_and_a_rollback_takes_back_that_it_was_learned():
    first = after([*NORMAL, *asked("recall", 20)])
    name = first[0].finding.id
    serving = Learned("r-2", (name,), MONDAY)
    today = [*normal(TUESDAY), *asked("recall", 15, TUESDAY, learned=(name,))]
    (case,) = after(today, TUESDAY, first, serving=serving)
    assert case.finding.state == "learned"
    assert cured(case.finding, _day(serving)) is None
    (case,) = after(normal(WEDNESDAY), WEDNESDAY, [case], serving=Learned("r-1", (), MONDAY))
    assert (case.finding.state, case.finding.learned_by) == ("open", "")


def _day(serving):
    from findings_support import a_day

    return a_day([], TUESDAY, serving=serving)


def test_a_refused_candidate_leaves_the_finding_open_with_reason_and_next_step():
    first = after([*NORMAL, *asked("recall", 20)])
    name = first[0].finding.id
    stopped = Learned("r-3", (name,), MONDAY, None, "the gate stopped r-3: faq is worse", "read the page")
    (case,) = after(normal(TUESDAY), TUESDAY, first, candidate=stopped)
    assert case.finding.state == "open"
    assert case.finding.refused is not None
    assert (case.finding.refused.candidate, case.finding.refused.next_step) == ("r-3", "read the page")
    assert "faq is worse" in case.finding.refused.reason
    other = Learned("r-3", ("f-ffffffffff",), MONDAY, None, "stopped", "read")
    assert after(normal(TUESDAY), TUESDAY, first, candidate=other)[0].finding.refused is None


def test_a_person_closes_and_nobody_asking_closes():
    first = after([*NORMAL, *asked("recall", 20)])
    name = first[0].finding.id
    (case,) = after([], TUESDAY, first, closings={name: (MONDAY, "by a person: audit entry 3")})
    assert (case.finding.state, case.finding.closed_because) == ("closed", "by a person: audit entry 3")
    quiet = DecisionPolicy(quiet_days=2)
    late = MONDAY + timedelta(days=3)
    assert after([], late - timedelta(days=1), first, policy=quiet)[0].finding.state == "open"
    (case,) = after([], late, first, policy=quiet)
    assert (case.finding.state, case.finding.closed_because) == ("closed", "nobody asked for 2 days")
    gone = MONDAY + timedelta(days=40)
    assert after([], gone, [case]) == [], "closed ones are kept for the horizon only"


def test_more_of_a_known_topic_that_is_answered_well_is_volume_and_answered_badly_it_is_not():
    busy = [*well("orders", 80), *well("returns", 10), *well("lamps", 10)]
    (case,) = after(busy)
    assert (case.finding.kind, case.finding.topic, case.finding.action) == ("known", "orders", "volume_only")
    badly = [*NORMAL[30:], *well("orders", 10), *asked("orders", 10, start=10)]
    (case,) = after(badly)
    assert (case.finding.topic, case.finding.action) == ("orders", "write_article")
    assert case.finding.total("badly") == 10
    assert after([*NORMAL, *asked("orders", 4, start=50)]) == [], "four bad answers say nothing of a topic"


def test_guards_and_failures_are_findings_of_their_own():
    hits = asked("orders", 6, guard="injection", start=50)
    down = asked("returns", 12, failed=True, start=50)
    cases = {case.finding.kind: case.finding for case in after([*NORMAL, *hits, *down])}
    assert cases["attack"].topic == "injection"
    assert cases["attack"].action == "attack"
    assert cases["errors"].action == "incident"
    assert after([*NORMAL, *asked("returns", 4, failed=True, start=50)]) == [], "a few failures are told by alerts"


def test_a_text_that_many_send_is_one_finding_and_one_different_question():
    same = [one.__class__(**{**one.__dict__, "question": "recall form"}) for one in asked("recall", 40)]
    (case,) = after([*NORMAL, *same])
    assert (case.finding.total("questions"), case.finding.different) == (40, 1)


@pytest.mark.parametrize(
    ("figures", "action"),
    [
        (Figures(20, 20, guarded=11), "attack"),
        (Figures(20, 20, failed=11), "incident"),
        (Figures(20, 20, newest=20, burst=0.7, rest=0.15), "incident"),
        (Figures(20, 20, newest=20, burst=0.7, rest=0.5), "write_article"),
        (Figures(20, 6, newest=12, rush=True), "incident"),
        (Figures(20, 20, shared=0.05), "junk"),
        (Figures(20, 20, shared=0.05, agreeing=3), "retrain"),
        (Figures(20, 0, newest=20, burst=0.7, rest=0.15), "volume_only"),
        (Figures(20, 6), "volume_only"),
        (Figures(20, 7), "write_article"),
        (Figures(20, 20, agreeing=3), "retrain"),
        (Figures(20, 20, agreeing=2), "write_article"),
        (Figures(20, 20, held=3), "decide_feedback"),
        (Figures(20, 20, held=3, article_similarity=0.9), "decide_feedback"),
        (Figures(20, 20, held=2, article_similarity=0.9), "fix_retrieval"),
        (Figures(20, 20, held=30, agreeing=3), "retrain"),
        (Figures(20, 1, held=3), "volume_only"),
        (Figures(20, 20, answers=3), "retrain"),
        (Figures(20, 20, answers=2), "write_article"),
        (Figures(20, 20, written=True), "retrain"),
        (Figures(20, 20, article_similarity=0.75), "fix_retrieval"),
        (Figures(20, 20, article_similarity=0.75, agreeing=3), "retrain"),
    ],
)
def test_what_helps(figures, action):
    found, why = proposed(figures)
    assert found == action
    assert any(character.isdigit() for character in why), "it says the figures"


def test_a_burst_is_told_from_a_busy_hour_of_everything():
    sudden = asked("down", 30)
    sudden = [one.__class__(**{**one.__dict__, "time": sudden[0].time + timedelta(minutes=n)})
              for n, one in enumerate(sudden)]  # fmt: skip
    own, rest = burst(sudden, [*NORMAL, *sudden])
    assert own == 1.0
    assert rest < 0.3
    assert burst(sudden, sudden) == (1.0, 1.0), "nothing else to compare with"


def test_corrections_that_agree_or_an_article_of_editors_make_a_finding_one_to_learn():
    said = asked("recall", 12, correction="recall send it back")
    (case,) = after([*NORMAL, *said])
    assert (case.finding.action, case.finding.agreeing) == ("retrain", 12)
    plain = after([*NORMAL, *asked("recall", 12)])
    wrote = Articles([], np.zeros((0, SIZE), np.float32), frozenset({plain[0].finding.id}))
    (case,) = after([], TUESDAY, plain, articles=wrote)
    assert (case.finding.action, case.finding.written) == ("retrain", True)
    apart = [one.__class__(**{**one.__dict__, "correction": f"no{one.id} {one.id}"}) for one in asked("recall", 12)]
    assert after([*NORMAL, *apart])[0].finding.action == "write_article", "no two say the same"
    assert after([*NORMAL, *apart], from_conversations=True)[0].finding.action == "retrain"
    near = Articles(["recall-article", "orders-article"], np.stack([vector("recall x"), vector("orders x")]))
    (case,) = after([*NORMAL, *asked("recall", 12)], articles=near)
    assert case.finding.articles == ("recall-article", "orders-article")
    assert case.finding.article_similarity > 0.6


def test_corrections_that_are_held_back_ask_for_a_person_and_teach_nothing():
    said = [replace(one, held=True) for one in asked("recall", 12, correction="recall send it back")]
    (case,) = after([*NORMAL, *said])
    assert (case.finding.action, case.finding.agreeing, case.finding.held) == ("decide_feedback", 0, 12)
    (case,) = after([], TUESDAY, [replace(case, members=tuple(replace(one, held=False) for one in case.members))])
    assert (case.finding.action, case.finding.agreeing, case.finding.held) == ("retrain", 12, 0), "a person released it"


def test_members_come_back_from_the_lake_as_they_went():
    members = tuple(asked("recall", 3, correction="so", guard="injection", learned=("f-1", "f-2")))
    assert from_rows(to_rows("f-9", members)) == {"f-9": members}
    (day,) = counted("f-2", members)
    assert (day.questions, day.learned, day.learned_badly, day.corrected, day.guarded) == (3, 3, 3, 3, 3)
    assert counted("f-9", members)[0].learned == 0


def test_groups_do_not_depend_on_order_and_many_are_spaced():
    vectors = np.stack([vector(f"{topic} {n}") for n in range(10) for topic in ("a", "b")])
    assert [len(group) for group in topics.groups(vectors)] == [10, 10]
    assert len(topics.spaced(10, 4)) == 4
    assert topics.spaced(3, 4) == [0, 1, 2]
    assert list(topics.nearest(vectors[:2], np.zeros((0, SIZE), np.float32))[0]) == [-1.0, -1.0]


def test_the_table_and_the_map_hold_no_text_and_the_page_shows_redacted_examples():
    members = [*NORMAL, *asked("recall", 12, correction="recall send it back")]
    cases = after(members)
    row = pages.row(cases[0].finding)
    assert "question" not in str(list(row.values()))
    texts = {one.question for one in members}
    points = pages.drawn(members, cases, {text: vector(text) for text in texts})
    assert sum(map(len, points.values())) == len(members)
    assert set(points) == {"other questions", cases[0].finding.id}
    page = pages.page("Findings", cases, "write", pages.picture(points))
    assert "recall question 0 of 9" in page
    assert "recall send it back" in page
    assert pages.drawn([], [], {}) == {"other questions": []}


def test_the_map_of_a_large_day_keeps_so_many_points():
    members = well("orders", 1000)
    points = pages.drawn(members, [], {one.question: vector(one.question) for one in members})
    assert 200 <= len(points["other questions"]) <= 400
