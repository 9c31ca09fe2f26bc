"""The decision on findings, and a simulation: it retrains when that pays, and not otherwise."""

from datetime import timedelta

import pytest
from findings_support import MONDAY, after, asked, finding, report, well

from llmops_assets.lib.records import Cure, DecisionPolicy, DriftPolicy, FindingDay, Refusal
from llmops_assets.lib.watching import decision
from llmops_assets.lib.watching.counting import counted
from llmops_assets.lib.watching.decision import cure_share, errors_a_day
from llmops_assets.lib.watching.findings.life import Learned
from llmops_assets.lib.watching.findings.members import member

TUESDAY = MONDAY + timedelta(days=1)
BEFORE = MONDAY - timedelta(days=5)


def decide(*findings, day=MONDAY, alarms=(MONDAY,), trained=BEFORE, cost=1.0, cured=None, **policy):
    return decision.decide(
        report(*findings, day=day), alarms, trained, DecisionPolicy(**policy), DriftPolicy(), cost=cost, cured=cured
    )


def test_many_different_questions_answered_badly_retrain_and_the_sentence_says_the_figures():
    made = decide(finding())
    assert (made.verdict, made.findings) == ("retrain", ("f-0000000001",))
    assert "30 of 30 were answered badly, and 20 corrections agree" in made.told
    assert "450.00 of errors avoided in 30 days against 1.00" in made.told
    assert made.verdicts[0].figures["benefit"] == 450.0


@pytest.mark.parametrize(
    ("changes", "policy", "verdict", "told"),
    [
        ({"different_badly": 7}, {}, "wait", "only 7 of 8 different questions answered badly so far"),
        ({"senders": 4}, {}, "wait", "only 4 of 5 people so far"),
        ({"different_badly": 7, "senders": 4}, {}, "wait", "badly and 4 of 5 people"),
        ({"action": "volume_only"}, {}, "wait", "corrections agree"),
        ({"action": "write_article"}, {}, "write_article", "llmops findings export"),
        ({"action": "write_article", "senders": 4}, {}, "wait", "4 of 5 people"),
        ({"action": "attack"}, {}, "ask", "the guards stopped"),
        ({"action": "incident"}, {}, "ask", "a retraining does not"),
        ({"action": "decide_feedback"}, {}, "ask", "llmops feedback export"),
        ({"action": "fix_retrieval"}, {}, "ask", "the router"),
        ({}, {"value_per_answer": 0.001}, "wait", "it does not pay"),
        ({}, {"value_per_answer": 0.001, "maximum_wait_days": 0}, "ask", "it has not paid"),
        ({"state": "closed"}, {}, "wait", "no finding is open"),
    ],
)
def test_nothing_else_does(changes, policy, verdict, told):
    made = decide(finding(**changes), **policy)
    assert made.verdict == verdict
    assert told in made.told
    assert made.findings == ()


def test_at_the_limits():
    assert decide(finding(different_badly=8, senders=5)).verdict == "retrain"
    assert decide(finding(), cost=450.0).verdict == "retrain"
    assert decide(finding(), cost=450.01).verdict == "wait"
    assert decide(finding(), cost=None, retraining_cost=451).verdict == "wait", "nothing was measured"
    assert decide(finding(), cost=500.0, cured=1.0).verdict == "retrain", "earlier ones took all errors away"


def test_without_an_alarm_it_waits_and_at_last_goes_on():
    assert "no alarm yet" in decide(finding(), alarms=()).told
    old = MONDAY - timedelta(days=1)
    assert decide(finding(), alarms=(old,)).verdict == "wait", "that alarm was about something else"
    late = finding(since=MONDAY - timedelta(days=7))
    assert decide(late, alarms=()).verdict == "retrain"
    assert decide(late, alarms=(), maximum_wait_days=8).verdict == "wait"


def test_what_was_just_learned_cools_down():
    assert "cools down" in decide(finding(), trained=MONDAY - timedelta(days=1)).told
    assert decide(finding(), trained=MONDAY - timedelta(days=2)).verdict == "retrain"
    assert decide(finding(), trained=None).verdict == "retrain"


def test_a_refused_candidate_asks_a_person_until_it_may_be_tried_again():
    stopped = Refusal(candidate="r-3", day=MONDAY, reason="faq is worse", next_step="write more")
    made = decide(finding(refused=stopped), day=TUESDAY)
    assert made.verdict == "ask"
    assert "r-3 was refused (faq is worse); write more, or wait for 2026-03-16" in made.told
    again = MONDAY + timedelta(days=7)
    still = (FindingDay(day=again, questions=9, senders=9, badly=9),)
    assert decide(finding(refused=stopped, days=still), alarms=(again,), day=again).verdict == "retrain"
    assert "does not pay" in decide(finding(refused=stopped), day=again).told, "nobody asks any more"


def learned(badly: int, questions: int):
    days = (
        FindingDay(day=MONDAY, questions=30, senders=30, badly=30),
        FindingDay(day=TUESDAY, questions=questions, senders=9, badly=badly, learned=questions, learned_badly=badly),
    )
    return finding(state="learned", learned_by="r-2", learned_until=MONDAY, days=days)


def test_what_was_learned_is_not_learned_again_and_a_person_is_asked_when_it_does_not_help():
    assert decide(learned(20, 20), day=TUESDAY, trained=MONDAY).verdict == "wait", "it may settle"
    late = MONDAY + timedelta(days=4)
    asks = decide(learned(4, 20), day=late, trained=MONDAY)
    assert asks.verdict == "ask"
    assert "4 of 20 later questions were answered badly: another training of the same will not help" in asks.told
    assert decide(learned(3, 20), day=late, trained=MONDAY).verdict == "wait"


def test_of_several_findings_what_is_done_first_decides_and_all_are_told():
    made = decide(finding("f-0000000002"), finding("f-0000000001"), finding("f-0000000003", action="attack"))
    assert made.verdict == "retrain"
    assert made.findings == ("f-0000000002", "f-0000000001"), "in the report's order: the oldest first"
    assert {one.verdict for one in made.verdicts} == {"retrain", "ask"}
    assert decide().told == "2026-03-09: no finding is open"
    assert "materialize findings" in decision.decide(None, (), None, DecisionPolicy(), DriftPolicy()).told


def test_errors_a_day_are_those_of_the_last_week_that_nobody_learned_from():
    days = tuple(
        FindingDay(day=MONDAY + timedelta(days=n), questions=10, senders=9, badly=6, learned=4, learned_badly=2)
        for n in range(10)
    )
    assert errors_a_day(finding(days=days), MONDAY + timedelta(days=9)) == 4.0
    assert errors_a_day(finding(days=days[:2]), MONDAY + timedelta(days=3)) == 2.0


def test_the_share_that_is_cured_is_measured_on_what_was_cured():
    cures = [Cure(release="r", day=MONDAY, before=0.8, after=after, low=0.1, high=0.9) for after in (0.2, 0.4)]
    assert cure_share([finding(cure=cure) for cure in cures] + [finding()]) == pytest.approx(0.625)
    assert cure_share([finding()]) is None


# -- simulation -----------------------------------------------------------------------------------------------------


def row(one, **fields):
    path = "handover" if one.handed_over else "matched"
    return {
        "id": one.id, "time": one.time.isoformat(), "subject": one.sender, "conversation": one.id, "path": path,
        "question": one.question, "rating": 0, "correction": one.correction, "release_id": "r-1", **fields,
    }  # fmt: skip


def ordinary(day):
    return [row(one) for topic in ("orders", "returns", "lamps") for one in well(topic, 30, day)]


def campaign(day):
    return [row(one) for one in well("orders", 90, day, start=30)]


def probe(day):
    return [row(one, question="ping", subject="uptime", path="handover") for one in asked("ping", 90, day)]


def template(day):
    return [row(one, question="orders request sent by the form") for one in asked("orders", 60, day, start=30)]


def small_talk(day):
    return [row(one, question=text) for one, text in zip(asked("hi", 60, day), ["hi!", "bye"] * 30, strict=True)]


def recall(day):
    return [row(one) for one in asked("recall", 30, day, correction="recall send it back")]


def play(stream, days: int = 12):
    """Days with a stream from the third on; what is decided is done, and cures."""
    cases, serving, requests, states = [], Learned("r-1", (), BEFORE), [], []
    for number in range(days):
        day = MONDAY + timedelta(days=number)
        rows = [*ordinary(day), *(stream(day) if number >= 2 else [])]
        if serving.findings:
            well_now = {"path": "matched", "correction": "", "release_id": "r-2"}
            rows = [{**one, **well_now} if "recall" in one["question"] else one for one in rows]
        ordered = sorted(rows, key=lambda one: one["time"])
        count = counted(ordered)
        members = [
            member(ordered[n], text, {"r-2": serving.findings}) for n, text in zip(count.kept, count.texts, strict=True)
        ]
        cases = after(members, day, cases, serving=serving)
        found = tuple(case.finding for case in cases)
        states.append([one.state for one in found])
        # Every day alarms: what keeps it from retraining are the findings.
        made = decision.decide(report(*found, day=day), [day], serving.until, DecisionPolicy(), DriftPolicy(), cost=0.5)
        if made.verdict == "retrain":
            requests.append((day, made.findings))
            serving = Learned("r-2", made.findings, day)
    return requests, states


@pytest.mark.slow
@pytest.mark.parametrize("stream", [lambda day: [], campaign, probe, template, small_talk])
def test_what_is_no_new_question_retrains_never(stream):
    requests, _ = play(stream)
    assert requests == []


def test_a_new_topic_answered_badly_retrains_once_and_stays_open_until_it_is_cured():
    requests, states = play(recall)
    ((day, names),) = requests
    assert day == MONDAY + timedelta(days=2)
    assert len(names) == 1
    assert [one[0] for one in states[2:4]] == ["open", "closed"]
    assert all(one == ["closed"] for one in states[3:])
