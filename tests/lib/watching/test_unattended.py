"""A month's record is held against what really happened: what was missed, what was false, what it gained."""

from datetime import UTC, date, datetime, timedelta

from llmops_assets.lib.records import FindingVerdict
from llmops_assets.lib.watching import unattended_report
from llmops_assets.lib.watching.unattended import (
    FoundDay,
    Happening,
    Kill,
    Played,
    PlayedDay,
    PlayedRun,
    Tally,
    judge,
    owner,
    rates,
    repeated,
)

FIRST = date(2026, 3, 9)
TOPIC = Happening(name="topic", first=FIRST + timedelta(days=1), until=FIRST + timedelta(days=3), needs="retrain")
CAMPAIGN = Happening(name="campaign", first=FIRST + timedelta(days=1), until=FIRST + timedelta(days=1), needs="wait")
OUTAGE = Happening(name="outage", first=FIRST + timedelta(days=2), until=FIRST + timedelta(days=2), needs="ask")
MINE, YOURS = "f-0000000001", "f-0000000002"


def day(number: int, verdicts=(), right: int = 1, alarm: int | None = None, **more) -> PlayedDay:
    """A day with 10 everyday questions and, from the second one on, 10 of the topic."""
    tallies = {"everyday": Tally(asked=10, right=9)}
    if number:
        tallies["topic"] = Tally(asked=10, right=right)
    found = [FoundDay(id=MINE, state="open", action="retrain", events={"topic": 9, "everyday": 2})] if number else []
    return PlayedDay(
        day=FIRST + timedelta(days=number), release="r-1", by_event=tallies, alarm_at=alarm, told="because",
        verdict=verdicts[0][1] if verdicts else "wait", findings=(*found, *more.pop("findings", ())),
        verdicts=tuple(FindingVerdict(finding=f, verdict=v, told="so many") for f, v in verdicts), **more,
    )  # fmt: skip


def run(number: int = 2, root: str = "a", run_id: str = "a", status: str = "SUCCESS", **more) -> PlayedRun:
    more = {"findings": (MINE,), "release": "r-2", "currency": 0.5, **more}
    at = FIRST + timedelta(days=number)
    return PlayedRun(run_id=run_id, root=root, key=f"{MINE}-{at}", day=at, status=status, **more)


def played(*days: PlayedDay, runs=(), happenings=(TOPIC, CAMPAIGN)) -> Played:
    return Played(base_model="tiny", questions_per_day=20, length=4, happenings=happenings, days=days, runs=runs)


def test_a_change_that_was_learned_is_judged_by_what_was_answered_before_and_after():
    month = played(day(0), day(1, alarm=7), day(2, [(MINE, "retrain")]), day(3, right=8), runs=[run()])
    topic, campaign = judge(month)
    assert owner(month) == {MINE: "topic"}
    assert (topic.alarm, topic.delay, topic.days, topic.verdict) == (7, 40, 1, "retrain")
    assert (topic.release, topic.before, topic.after) == ("r-2", 0.1, 0.8)
    assert round(topic.gained, 9) == 7
    assert (topic.asked, topic.wrong) == (30, 20)
    assert not topic.missed
    assert campaign.verdict == "wait"
    found = rates(month, [topic, campaign])
    assert (found.retrainings, found.false_retrainings, found.changes, found.missed) == (1, 0, 1, ())
    assert (found.delay_questions, found.delay_days, found.repeated) == (40, 1, ())


def test_what_nobody_did_anything_about_is_missed_and_what_nothing_called_for_is_false():
    other = FoundDay(id=YOURS, state="open", action="retrain", events={"campaign": 5, "everyday": 5})
    nobodys = FoundDay(id="f-0000000003", state="open", action="write_article", events={"campaign": 3, "everyday": 9})
    month = played(
        day(0),
        day(1, [(YOURS, "retrain"), ("f-0000000003", "write_article")], findings=[other, nobodys]),
        day(2),
        runs=[run(1, findings=(YOURS,)), run(2, root="b", run_id="b", findings=(YOURS, MINE))],
        happenings=(TOPIC, CAMPAIGN, OUTAGE),
    )
    judged = judge(month)
    found = rates(month, judged)
    assert [one.happening.name for one in judged if one.missed] == ["topic", "outage"]
    assert found.missed == ("topic", "outage")
    assert (found.retrainings, found.false_retrainings) == (2, 1), "one of the two learned the topic as well"
    assert (found.calls, found.false_calls) == (1, 1)
    assert found.delay_questions is None
    assert not any(one.happening is OUTAGE for one in judge(played(day(0), day(1), happenings=(OUTAGE,))))


def test_a_decision_may_begin_one_retraining_and_a_lost_one_may_be_repeated():
    lost = run(status="FAILURE", release="")
    assert repeated([lost, run(run_id="a2")]) == ()
    assert repeated([run(), run(run_id="a2")]) == (run().key,), "both succeeded"
    assert repeated([lost, run(root="b", run_id="b")]) == (run().key,), "two were begun"
    assert rates(played(day(0), runs=[lost, run(run_id="a2")]), []).retrainings == 1


def test_the_report_tells_every_decision_the_rates_and_the_kills():
    kill = Kill(time=datetime(2026, 3, 11, tzinfo=UTC), day=FIRST, whole_group=True, running=("retrain",))
    month = played(
        day(0, flipped=4, poisoned_articles=1),
        day(1),
        day(2, [(MINE, "retrain")]),
        runs=[run(release="", reason="too few")],
    ).model_copy(update={"kills": (kill,)})
    page = unattended_report.page(Played.model_validate_json(month.model_dump_json()))
    tables = {title: rows for title, _, rows in unattended_report.tables(month)}
    rates_told = {row[0]: row[1] for row in tables["The loop's own errors"]}
    assert rates_told["false retrainings"] == "0 of 1"
    assert rates_told["articles changed by poison"] == "1, of 4 flipped answers"
    assert rates_told["times the daemon was killed"] == "1 (2026-03-09 with all runs beside retrain)"
    assert [row[3] for row in tables["Every decision"]] == ["wait", "wait", "retrain", "retrain"]
    assert tables["Every decision"][3][4] == f"{MINE} (topic): so many"
    assert tables["Retrainings"][0][-1] == "too few"
    assert all(len(row) == len(columns) for _, columns, rows in unattended_report.tables(month) for row in rows)
    assert "<h1>3 of 4 days without anybody at the wheel</h1>" in page
    assert unattended_report.page(played())
