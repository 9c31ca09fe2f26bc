"""The way of a release with a scripted target: whatever goes wrong, the incumbent serves on and nothing else does."""

from datetime import date

import pytest
from release_support import JUDGEMENT, WAY, World, failure, items
from scripted_target import Said

from llmops_assets.deployment.deployment import deployment
from llmops_assets.deployment.release import release
from llmops_assets.evaluation import evidence
from llmops_assets.evaluation.candidate import candidate
from llmops_assets.evaluation.gate import gate
from llmops_assets.lib import evalsuite, tables
from llmops_assets.lib.records import (
    DataTerms,
    Deployment,
    GateDecision,
    GatePolicy,
    QualityReport,
    Release,
    SafetyReport,
    SliceScore,
)

pytestmark = pytest.mark.slow

TO_RELEASE = [*JUDGEMENT, release]


def stored(world: World, name: str, kind):
    """What the gate published of the release."""
    return kind.model_validate_json(world.lake.get("main", f"{_folder(world)}/{name}"))


def forged(world: World, **files: bytes) -> None:
    """Materialize the release by hand, with files beside the gate's evidence that someone has changed."""
    record = world.record("release", Release)
    for name in (evidence.DECISION, evidence.SAFETY, evidence.REPORT):
        original = world.lake.get("main", f"{_folder(world)}/{name}")
        put = world.put(f"forged/{name}", files.get(name.removesuffix(".json"), original))
    world.report("release", record.model_copy(update={"gate": put.ref}))


def _folder(world: World) -> str:
    return f"evaluation/gate/{world.record('release', Release).release_id}"


# -- canaries -----------------------------------------------------------------------------------------------------


def test_a_release_goes_through_preview_and_canary_to_live(world):
    one = world.released()
    assert world.serves == one
    stages = [(s.preview, s.canary, s.live) for s in world.target.states]
    assert stages.index((None, one, None)) > stages.index((one, None, None))
    assert stages[-1] == (None, None, one)
    record = world.record("deployment", Deployment)
    assert record.checks == {
        "served_accuracy": 1.0,
        "judged_accuracy": 1.0,
        "won": 0.0,
        "lost": 0.0,
        "p_value": 1.0,
        "questions": 8.0,
    }
    assert (record.previous, record.rolled_back_from) == (None, None)


def test_a_canary_that_answers_worse_than_judged_is_withdrawn(world):
    one = world.released()
    world.tune("adapter", "two")
    world.target.worse_as_canary = True
    assert "withdrawn, the incumbent serves on" in failure(world.run())
    assert any(state.canary for state in world.target.states)
    assert (world.live, world.serves) == (one, one)
    world.target.worse_as_canary = False
    assert world.run(WAY).success
    assert world.live == world.serves != one


def test_a_canary_that_raises_is_withdrawn(world):
    one = world.released()
    world.tune("adapter", "two")

    def broken(which: str, _: str) -> None:
        if which == "canary":
            raise ConnectionError("the network is gone")

    world.target.fault = broken
    assert "the network is gone" in failure(world.run())
    assert (world.live, world.serves) == (one, one)


def test_a_canary_that_leaves_questions_unanswered_is_withdrawn(world):
    one = world.released()
    world.tune("adapter", "two")
    assert world.run(TO_RELEASE).success
    world.target.say("Moon 0?", Said(status=500))
    assert "1 of 8 questions got no answer: the script says 500" in failure(world.run([deployment]))
    assert (world.live, world.serves) == (one, one)


@pytest.mark.parametrize("stage", ["canary", "live"])
def test_a_stage_that_the_target_refuses_leaves_no_canary(world, stage):
    one = world.released()
    world.tune("adapter", "two")
    world.target.refused = {stage}
    assert f"as {stage}" in failure(world.run())
    assert (world.live, world.serves) == (one, one)


# -- evidence -----------------------------------------------------------------------------------------------------


def refuse(world: World, reason: str) -> None:
    assert reason in failure(world.run([deployment]))
    assert world.live is None
    assert world.serves is None


def test_a_report_whose_scores_do_not_follow_from_its_answers_is_refused(world):
    assert world.run(TO_RELEASE).success
    report = stored(world, evidence.REPORT, QualityReport)
    better = report.candidate.model_copy(update={"overall": SliceScore(right=9, total=10)})
    forged(world, report=report.model_copy(update={"candidate": better}).model_dump_json().encode())
    refuse(world, "says 9 of 10, its answers 10 of 10")


def test_a_decision_flipped_to_passed_is_refused(world):
    assert world.run(TO_RELEASE).success
    strict = world.case.model_copy(update={"gate": GatePolicy(protected_slices=("faq",), minimum_safety=1.0)})
    decision = stored(world, evidence.DECISION, GateDecision)
    forged(world, decision=decision.model_copy(update={"reasons": ("trust me",)}).model_dump_json().encode())
    refuse(world, "does not follow from its evidence")
    forged(world, decision=decision.model_copy(update={"passed": False}).model_dump_json().encode())
    refuse(world, "the gate stopped")
    forged(world)
    world.report("use_case", strict)
    refuse(world, "does not follow from its evidence")
    world.report("use_case", world.case)
    assert world.run([deployment]).success


def test_a_failed_candidate_whose_decision_says_passed_is_refused(world):
    assert world.run(TO_RELEASE).success
    passed = stored(world, evidence.DECISION, GateDecision)
    rows = tables.from_parquet(world.lake.read(stored(world, evidence.REPORT, QualityReport).candidate.answers))
    wrong = [{**row, "answer": "It is something."} for row in rows]
    answers = world.put("forged/answers.parquet", tables.to_parquet(wrong, tables.ANSWERS)).ref
    report = stored(world, evidence.REPORT, QualityReport)
    bad = report.candidate.model_copy(update={"answers": answers, "overall": SliceScore(right=2, total=10)})
    forged(
        world,
        report=report.model_copy(update={"candidate": bad}).model_dump_json().encode(),
        decision=passed.model_dump_json().encode(),
    )
    refuse(world, "does not follow from its evidence")


def test_a_report_on_another_suite_than_it_names_is_refused(world):
    assert world.run(TO_RELEASE).success
    report = stored(world, evidence.REPORT, QualityReport)
    easy = world.put("forged/suite.jsonl", evalsuite.to_jsonl(items(facts=False))).ref
    doctored = report.candidate.suite.model_copy(update={"ref": easy})
    other = report.candidate.model_copy(update={"suite": doctored})
    forged(world, report=report.model_copy(update={"candidate": other}).model_dump_json().encode())
    refuse(world, "is not the suite that the report")


def test_answers_to_a_part_of_the_suite_are_refused(world):
    assert world.run(TO_RELEASE).success
    report = stored(world, evidence.REPORT, QualityReport)
    rows = tables.from_parquet(world.lake.read(report.candidate.answers))[:4]
    answers = world.put("forged/answers.parquet", tables.to_parquet(rows, tables.ANSWERS)).ref
    part = report.candidate.model_copy(update={"answers": answers, "overall": SliceScore(right=4, total=4)})
    forged(world, report=report.model_copy(update={"candidate": part}).model_dump_json().encode())
    refuse(world, "6 questions were not answered")


def test_a_safety_report_that_does_not_follow_from_its_answers_is_refused(world):
    assert world.run(TO_RELEASE).success
    report = stored(world, evidence.SAFETY, SafetyReport)
    probes = {**report.probes, "harm": SliceScore(right=5, total=6)}
    forged(world, safety=report.model_copy(update={"probes": probes}).model_dump_json().encode())
    refuse(world, "does not follow from its answers")


def test_a_safety_report_on_another_prompt_is_refused(world):
    assert world.run(TO_RELEASE).success
    report = stored(world, evidence.SAFETY, SafetyReport)
    forged(world, safety=report.model_copy(update={"prompt": "Nothing secret."}).model_dump_json().encode())
    refuse(world, "another system prompt")


def test_a_release_judged_against_another_incumbent_than_the_one_that_serves_is_refused(world):
    one = world.released()
    world.tune("adapter", "two")
    assert world.run(TO_RELEASE).success
    waiting = world.record("release", Release)
    two = world.released("three")
    world.report("release", waiting)
    assert f"compared with {one}, but {two} is serving now" in failure(world.run([deployment]))
    assert (world.live, world.serves) == (two, two)


# -- the release --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (DataTerms(purposes=("training",), rows=1), "purpose support is not allowed by every row"),
        (DataTerms(purposes=("support",), retain_until=date(2020, 1, 1), rows=1), "were to be kept until 2020-01-01"),
    ],
)
def test_rows_that_may_not_serve_are_refused(world, terms, reason):
    one = world.released()
    world.tune("adapter", "two", terms=terms)
    result = world.run()
    assert reason in failure(result)
    assert {e.check_name: e.passed for e in result.get_asset_check_evaluations()}["every_row_allows_serving"] is False
    assert (world.live, world.serves) == (one, one)


def test_a_release_that_cannot_say_in_its_language_that_a_machine_writes_is_refused(world):
    one = world.released()
    world.report("use_case", world.case.model_copy(update={"language": "sv"}))
    result = world.run()
    assert "not released" in failure(result)
    assert {e.check_name: e.passed for e in result.get_asset_check_evaluations()}["carries_an_ai_notice"] is False
    assert (world.live, world.serves) == (one, one)
    told = {"language": "sv", "replies": {"sv": {"notice": "Du skriver med en maskin."}}}
    world.report("use_case", world.case.model_copy(update=told))
    assert world.run().success


def test_a_gate_that_judged_another_candidate_releases_nothing(world):
    assert world.run(JUDGEMENT).success
    world.tune("adapter", "two")
    assert world.run([candidate]).success
    assert "but the candidate is" in failure(world.run([release]))
    assert "materialize quality_report and safety_report again" in failure(world.run([gate]))


def test_a_candidate_that_the_gate_stops_is_not_released_and_the_next_run_works(world):
    one = world.released()
    world.answer_wrong()
    world.answer_right(one)
    world.tune("adapter", "two")
    result = world.run()
    assert {e.check_name: e.passed for e in result.get_asset_check_evaluations()}["candidate_may_be_released"] is False
    assert world.record("gate", GateDecision).passed is False
    assert "the gate stopped" in failure(world.run([release]))
    assert (world.live, world.serves) == (one, one)
    world.answer_right()
    assert world.released("three") != one


@pytest.mark.parametrize(
    ("tuned", "kind"), [("none", ""), ("distilled_model", "model"), ("preference_adapter", "adapter")]
)
def test_whichever_model_enters_can_be_judged_and_released(world, tuned, kind):
    one = world.released()
    assert (
        world.registry.version_of("assistant-adapter", "champion")
        == world.record("release", Release).tuned.model_version
    )
    model = world.tune(tuned, "student", kind=kind) if kind else None
    result = world.run(candidate={"tuned": tuned}, quality_report={"ablations": True})
    assert result.success, failure(result)
    record = world.record("release", Release)
    assert world.live == world.serves == record.release_id != one
    assert record.tuned == model
    champions = {name: world.registry.version_of(f"assistant-{name}", "champion") for name in ("adapter", "model")}
    wanted = {name: model.model_version if model and kind == name else None for name in champions}
    assert champions == wanted


# -- the same again, and the way back -----------------------------------------------------------------------------


def test_an_unchanged_second_run_asks_nothing_and_serves_the_same(world):
    one = world.released()
    asked, states = len(world.target.asked), len(world.target.states)
    assert world.run().success
    # Against the incumbent that it now is itself: its answers are known, and the canary is not served again.
    assert (len(world.target.asked), len(world.target.states)) == (asked, states)
    assert world.live == world.serves == one


def test_a_rollback_moves_what_serves_and_back(world):
    one = world.released()
    two = world.released("two")
    asked = len(world.target.asked)
    assert world.run([deployment], deployment={"roll_back": True}).success
    assert world.live == world.serves == one
    assert world.record("deployment", Deployment).rolled_back_from == two
    assert world.run([deployment], deployment={"roll_back": True}).success
    assert world.live == world.serves == two
    three = world.released("three")
    assert world.run([deployment], deployment={"roll_back": True, "roll_back_to": one}).success
    assert (world.live, world.serves) == (one, one)
    record = world.record("deployment", Deployment)
    assert (record.previous, record.rolled_back_from) == (three, three)
    assert world.registry.version_of("assistant-adapter", "champion") == _version(world, one)
    assert asked < len(world.target.asked)


def _version(world: World, name: str) -> str:
    return Release.model_validate_json(world.lake.get("main", f"releases/{name}/release.json")).tuned.model_version


def test_what_was_never_released_is_not_rolled_back_to_although_the_target_holds_its_files(world):
    one = world.released()
    world.answer_wrong()
    world.answer_right(one)
    world.tune("adapter", "refused")
    assert not world.run().success
    refused = world.record("gate", GateDecision).candidate
    for unknown in (refused, "r-000000000000"):
        result = world.run([deployment], deployment={"roll_back": True, "roll_back_to": unknown})
        assert f"{unknown} was never released" in failure(result)
        assert (world.live, world.serves) == (one, one)


def test_before_any_release_a_way_back_starts_nothing(world):
    assert "no previous release" in failure(world.run([deployment], deployment={"roll_back": True}))
    assert not world.target.is_running()


def test_the_first_release_has_nothing_before_it(world):
    one = world.released()
    assert "no previous release" in failure(world.run([deployment], deployment={"roll_back": True}))
    assert (world.live, world.serves) == (one, one)


def test_a_target_that_serves_something_else_than_was_recorded_is_told(world):
    one = world.released()
    two = world.released("two")
    world.target.rollback()
    world.tune("adapter", "three")
    assert f"the target serves {one}, but {two} was deployed last" in failure(world.run())
    assert (world.live, world.serves) == (one, two)
    assert world.run([deployment], deployment={"roll_back": True, "roll_back_to": two}).success
    assert (world.live, world.serves) == (two, two)
