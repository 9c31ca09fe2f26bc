"""A person's word at the gate: where it is needed, where it counts, and that it stands in the audit log."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from release_support import GATE, JUDGEMENT, World, failure

from llmops_assets.deployment.deployment import deployment
from llmops_assets.deployment.release import release
from llmops_assets.evaluation.approval import approval
from llmops_assets.lib.judging import approvals
from llmops_assets.lib.records import Approval, Candidate, GateDecision, Release

pytestmark = pytest.mark.slow

TO_RELEASE = [*JUDGEMENT, release]
ROLLOUT = [approval, release, deployment]


@pytest.fixture
def waiting(world) -> World:
    """An installation whose first candidate waits at the gate, since the use case wants a person for every release."""
    allow(world, approval="required")
    result = world.run([*JUDGEMENT, release, deployment])
    assert "waits for a person" in failure(result) or not result.success
    assert world.record("gate", GateDecision).status == "waiting"
    return world


def allow(world: World, **policy) -> None:
    world.case = world.case.model_copy(update={"gate": GATE.model_copy(update=policy)})
    world.report("use_case", world.case)


def said(world: World, assets=ROLLOUT, **config):
    named = {"release": world.record("candidate", Candidate).release_id, "name": "Ada", "reason": "read the answers"}
    return world.run(assets, approval={**named, **config})


def entries(world: World) -> list[tuple[str, dict]]:
    return [(e["action"], json.loads(e["detail"])) for e in world.log._opened.audit_entries()]


def test_what_waits_is_not_released_and_the_message_says_what_to_do(waiting):
    name = waiting.record("candidate", Candidate).release_id
    told = failure(waiting.run([release]))
    assert f"{name} waits for a person" in told
    assert f"llmops approve {name}" in told
    assert waiting.live is None


def test_an_approval_rolls_it_out_and_stands_with_the_release_and_in_the_audit_log(waiting):
    result = said(waiting)
    assert result.success, failure(result)
    name = waiting.record("candidate", Candidate).release_id
    assert (waiting.live, waiting.serves) == (name, name)
    word = waiting.record("release", Release).approval
    assert (word.name, word.verdict, word.reason, word.entry) == ("Ada", "approved", "read the answers", 1)
    [(action, detail)] = entries(waiting)
    assert (action, detail["release"], detail["name"]) == ("release approved", name, "Ada")
    assert waiting.log.broken_audit_entry() is None
    shown = result.asset_materializations_for_node("release")[0].metadata["approval"].value
    assert shown == "approved by Ada, audit entry 1: read the answers"


def test_a_rejected_candidate_stays_where_it_is_until_somebody_approves_it(waiting):
    assert said(waiting, [approval], verdict="rejected", reason="rude").success
    assert "Ada rejected" in failure(waiting.run([release]))
    assert "rude" in failure(waiting.run([release]))
    assert waiting.live is None
    assert said(waiting, name="Grace").success
    assert [action for action, _ in entries(waiting)] == ["release rejected", "release approved"]


def test_a_candidate_that_passed_can_still_be_rejected_before_it_is_rolled_out(world):
    assert world.run(JUDGEMENT).success
    assert said(world, [approval], verdict="rejected", reason="not on a Friday").success
    assert "not on a Friday" in failure(world.run([release]))


@pytest.mark.parametrize("missing", ["name", "reason"])
def test_nobody_or_no_reason_approves_nothing(waiting, missing):
    assert "It takes a name and a reason" in failure(said(waiting, [approval], **{missing: " "}))
    assert entries(waiting) == []


def test_only_the_candidate_at_the_gate_can_be_decided_about(waiting):
    assert "not r-other" in failure(said(waiting, [approval], release="r-other"))
    assert "a release without a name" in failure(said(waiting, [approval], release=""))


def test_what_passed_by_itself_needs_no_word_and_what_is_stopped_takes_no_approval(world):
    one = world.released()
    assert "needs nobody's word" in failure(said(world, [approval]))
    world.answer_wrong()
    world.answer_right(one)
    world.tune("adapter", "two")
    world.run(JUDGEMENT)
    assert "takes no approval, only an override" in failure(said(world, [approval]))


def test_an_approval_is_about_one_decision(waiting):
    assert said(waiting, [approval]).success
    allow(waiting, approval="required", minimum_safety=0.5)
    waiting.run(JUDGEMENT)
    assert "was another decision" in failure(waiting.run([release]))


def test_an_expired_approval_lets_nothing_pass(waiting):
    assert said(waiting, [approval, release]).success
    record = waiting.record("release", Release)
    old = record.approval.model_copy(update={"expires": datetime.now(UTC) - timedelta(days=1)})
    waiting.report("release", record.model_copy(update={"approval": old}))
    assert "which ended on" in failure(waiting.run([deployment]))
    assert waiting.live is None


def test_an_approval_that_the_audit_log_does_not_hold_counts_for_nothing(waiting):
    assert said(waiting, [approval, release]).success
    record = waiting.record("release", Release)
    waiting.report(
        "release", record.model_copy(update={"approval": record.approval.model_copy(update={"name": "Eve"})})
    )
    assert "is not what entry 1 of the audit log says" in failure(waiting.run([deployment]))
    waiting.report("release", record.model_copy(update={"approval": record.approval.model_copy(update={"entry": 7})}))
    assert "entry 7 of the audit log is no approval" in failure(waiting.run([deployment]))
    assert waiting.live is None
    waiting.report("release", record)
    assert waiting.run([deployment]).success


def test_an_audit_log_that_was_changed_stops_what_rests_on_it(waiting):
    assert said(waiting, [approval, release]).success
    from llmops_assets.gateway.interaction_log import AUDIT

    with waiting.log._opened._engine.begin() as connection:
        connection.execute(AUDIT.update().values(action="release approved "))
    assert "entry 1 of the audit log was changed" in failure(waiting.run([deployment]))


def test_an_override_takes_a_key_of_the_right_role_and_is_said_first_in_the_audit_log(world):
    one = world.released()
    world.answer_wrong()
    world.answer_right(one)
    two_model = world.tune("adapter", "two")
    assert two_model
    world.run(JUDGEMENT)
    decision = world.record("gate", GateDecision)
    assert decision.status == "blocked"
    now = datetime.now(UTC)
    for role in ("", "operator"):
        with pytest.raises(approvals.GateError, match="a key of the role admin may let a stopped candidate pass"):
            approvals.given(decision, "overridden", "Ada", "urgent", now, role=role)
    word = approvals.given(decision, "overridden", "Ada", "urgent", now, role="admin", days=1)
    entry = world.log.audit(approvals.ACTIONS["overridden"], approvals.detail(word))
    result = world.run(ROLLOUT, approval={"entry": entry["number"]})
    assert result.success, failure(result)
    assert world.live == decision.candidate
    kept = world.record("release", Release).approval
    assert (kept.verdict, kept.role, kept.hash) == ("overridden", "admin", entry["hash"])


def test_a_flag_in_the_run_is_no_override(waiting):
    with pytest.raises(Exception, match="overridden"):
        said(waiting, [approval], verdict="overridden")


def word_on(decision: GateDecision, **changes) -> Approval:
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    return approvals.given(decision, "approved", "Ada", "fine", now).model_copy(update=changes)


def test_the_clock_is_held_against_an_approval(waiting):
    decision = waiting.record("gate", GateDecision)
    word = word_on(decision)
    approvals.insist(decision, word, word.at)
    approvals.insist(decision, word, word.at - timedelta(minutes=4))
    approvals.insist(decision, word, word.expires - timedelta(seconds=1))
    with pytest.raises(approvals.GateError, match="yet to come: check the clock"):
        approvals.insist(decision, word, word.at - timedelta(hours=1))
    with pytest.raises(approvals.GateError, match="approve it again"):
        approvals.insist(decision, word, word.expires)
    # What serves already is not withdrawn because an approval has ended.
    approvals.insist(decision, word, None)
