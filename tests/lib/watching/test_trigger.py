from datetime import date

from support import drift_report

from llmops_assets.lib.records import DriftPolicy
from llmops_assets.lib.watching import trigger

MONDAY, TUESDAY, WEDNESDAY = (date(2026, 3, day) for day in (9, 10, 11))
POLICY = DriftPolicy(n_of_m=(2, 3))


def decide(*reports, trained=None):
    return trigger.decide(reports, trained, POLICY)


def test_nothing_reported_fires_nothing():
    assert not decide().fire


def test_two_of_the_last_three_windows_fire_when_the_latest_is_one_of_them():
    assert decide(drift_report(MONDAY, [True, False, True])).fire
    assert not decide(drift_report(MONDAY, [True, True, False])).fire
    assert not decide(drift_report(MONDAY, [False, False, True])).fire
    assert not decide(drift_report(MONDAY, [True, True, False, False, True])).fire


def test_windows_count_across_days():
    assert decide(drift_report(MONDAY, [False, True]), drift_report(TUESDAY, [True])).fire
    assert not decide(drift_report(MONDAY, [True, False, False]), drift_report(TUESDAY, [True])).fire


def test_one_window_is_never_enough():
    assert not decide(drift_report(MONDAY, [True])).fire


def test_a_cusum_alarm_of_the_newest_day_fires_alone_and_an_old_one_does_not():
    assert decide(drift_report(MONDAY, [False], alarm=70)).fire
    assert not decide(drift_report(MONDAY, [False], alarm=70), drift_report(TUESDAY, [False])).fire


def test_days_before_the_last_training_do_not_count():
    reports = (drift_report(MONDAY, [True, True]), drift_report(TUESDAY, [True]))
    assert decide(*reports).fire
    assert not decide(*reports, trained=MONDAY).fire
    assert not decide(*reports, trained=TUESDAY).fire


def test_a_cause_keeps_its_name_from_day_to_day_and_a_new_one_gets_another():
    first = drift_report(MONDAY, [True, True])
    second = drift_report(TUESDAY, [True, True])
    assert decide(first).cause == decide(second, first).cause == "drift-2026-03-09"
    calm = drift_report(TUESDAY, [False, False])
    again = drift_report(WEDNESDAY, [True, True])
    assert decide(first, calm, again).cause == "drift-2026-03-11"


def test_a_day_without_traffic_decides_nothing():
    assert not decide(drift_report(MONDAY, [True, True]), drift_report(TUESDAY, [])).fire


def test_the_reasons_carry_the_numbers():
    decision = decide(drift_report(MONDAY, [False, True, True], alarm=130))
    assert "2 of the last 3 windows" in decision.reasons[0]
    assert "130" in decision.reasons[0]
    assert (decision.violated, decision.of) == (2, 3)


def test_the_window_just_outside_the_last_m_does_not_count_and_the_one_inside_does():
    assert not decide(drift_report(MONDAY, [True, False, False, True])).fire
    assert decide(drift_report(MONDAY, [True, False, True])).fire
    strict = DriftPolicy(n_of_m=(3, 3))
    assert trigger.decide([drift_report(MONDAY, [False, True, True])], None, strict).fire is False
    assert trigger.decide([drift_report(MONDAY, [True, True, True])], None, strict).fire


def test_fewer_windows_than_m_are_enough_when_n_drifted():
    decision = decide(drift_report(MONDAY, [True, True]))
    assert (decision.fire, decision.violated, decision.of) == (True, 2, 2)


def test_the_day_of_the_last_training_does_not_count_and_the_next_one_does():
    reports = [drift_report(MONDAY, [True, True]), drift_report(TUESDAY, [True])]
    decision = decide(*reports, trained=MONDAY)
    assert (decision.fire, decision.violated, decision.of) == (False, 1, 1)
    assert decide(*reports, drift_report(WEDNESDAY, [True]), trained=MONDAY).cause == "drift-2026-03-10"
    assert decide(*reports, trained=TUESDAY).reasons == ("no day since the last training",)


def test_an_alarm_without_a_window_fires_nothing_and_one_on_the_first_interaction_does():
    assert not decide(drift_report(MONDAY, [], alarm=1)).fire
    assert decide(drift_report(MONDAY, [False], alarm=1)).fire
    assert trigger.n_of_m([], 0, 3) is False
    assert trigger.n_of_m([False], 0, 1) is False


def test_a_calibrated_alarm_of_the_newest_day_fires_alone_and_is_told_with_its_figures():
    quiet = drift_report(MONDAY, [False])
    alarmed = quiet.model_copy(update={"alarm_at": 45, "by": ("novelty", "crowding"), "p": 0.003, "drifted": True})
    decision = decide(alarmed)
    assert decision.fire
    assert "alarm of novelty and crowding after 45 interactions (p 0.003)" in decision.reasons[0]
    assert not decide(alarmed, drift_report(TUESDAY, [False])).fire


def test_a_day_that_was_not_judged_fires_nothing_and_says_so():
    day = drift_report(MONDAY, []).model_copy(
        update={"outcome": "too few questions", "interactions": 12, "left_out": {"probe": 5}}
    )
    decision = decide(day)
    assert not decision.fire
    assert decision.reasons == ("2026-03-09 was not judged: too few questions (7 of 12 interactions count)",)


def test_what_was_just_learned_may_settle_while_it_is_answered_well():
    drifted = drift_report(TUESDAY, [True, True])
    well, badly = (drifted.model_copy(update={"poor_share": share}) for share in (0.15, 0.16))
    settled = decide(well, trained=MONDAY)
    assert not settled.fire
    assert "learned until 2026-03-09, and 15% is answered poorly" in settled.reasons[0]
    assert decide(badly, trained=MONDAY).fire
    assert decide(drifted, trained=MONDAY).fire, "nobody says how it was answered"
    assert decide(well).fire, "nothing says that it was learned"


def test_a_day_after_those_in_which_it_may_settle_counts_however_it_is_answered():
    late = drift_report(date(2026, 3, 13), [True, True]).model_copy(update={"poor_share": 0.0})
    assert not decide(late, trained=date(2026, 3, 10)).fire
    assert decide(late, trained=MONDAY).fire
