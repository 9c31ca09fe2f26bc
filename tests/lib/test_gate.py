import pytest
import yaml
from support import COMMIT, dataset, ref

from llmops_assets.lib import gate
from llmops_assets.lib.evalsuite import SLICES
from llmops_assets.lib.records import (
    EvalReport,
    GateDecision,
    GatePolicy,
    SafetyReport,
    SliceDecision,
    SliceScore,
)
from llmops_assets.samples.generator import load_dialogues, load_use_case


def outcomes(**slices: str) -> dict[str, tuple[str, bool]]:
    """`faq="++-"` means three questions of faq, the last one wrong."""
    return {f"{name}-{n}": (name, mark == "+") for name, marks in slices.items() for n, mark in enumerate(marks)}


def report(subject: str, found: dict[str, tuple[str, bool | None]], digest: str = "s" * 64) -> EvalReport:
    total = SliceScore(right=sum(ok is True for _, ok in found.values()), total=len(found))
    return EvalReport(subject=subject, suite=dataset(digest=digest), overall=total, slices={})


POLICY = GatePolicy(minimum_questions=1)
LENIENT = GatePolicy(minimum_questions=1, on_undecided="accept")
"""Passes over what is undecided where the measured loss is within the margin."""


def policy(**fields) -> GatePolicy:
    return GatePolicy(**{"minimum_questions": 1, **fields})


def unit(decision: GateDecision, name: str) -> SliceDecision:
    (found,) = [d for d in decision.slices if d.slice == name]
    return found


def decide(candidate, incumbent=None, policy=POLICY, safety=None):
    return gate.decide(
        report("r-new", candidate),
        candidate,
        report("r-old", incumbent) if incumbent else None,
        incumbent,
        policy,
        safety=safety,
    )


def test_a_first_release_needs_only_the_floor():
    assert decide(outcomes(faq="++++-")).passed
    assert decide(outcomes(faq="++++-")).status == "passed"
    refused = decide(outcomes(faq="+----"))
    assert refused.failed_slices == ("overall",)
    assert "below the floor" in refused.reasons[0]


def test_a_loss_on_one_slice_blocks_although_the_whole_is_better():
    before = outcomes(faq="-" * 40, complaint="+" * 20)
    after = outcomes(faq="+" * 40, complaint="-" * 12 + "+" * 8)
    decision = decide(after, before)
    assert (decision.status, decision.failed_slices) == ("blocked", ("complaint",))
    assert unit(decision, "complaint").verdict == "worse"
    assert unit(decision, "overall").verdict == "better"


@pytest.mark.slow
def test_equal_answers_pass_only_where_there_are_enough_questions_to_say_so():
    """With 28 questions even no difference at all leaves a loss of 10 points possible: .9 ** 28 is above 5 %."""
    few, enough = outcomes(a="+" * 28), outcomes(a="+" * 29)
    decision = decide(few, few)
    assert (decision.passed, decision.failed_slices) == (False, ("a", "overall"))
    assert (unit(decision, "a").verdict, unit(decision, "a").action) == ("undecided", "blocks")
    assert decide(enough, enough).passed
    assert unit(decide(enough, enough), "a").verdict == "not_worse"


@pytest.mark.parametrize(
    ("what", "status", "said"),
    [
        ("block", "blocked", "undecided, and the policy stops that"),
        ("collect", "blocked", "undecided, 86 more questions are needed"),
        ("ask", "waiting", "undecided, a person decides"),
        ("accept", "passed", "undecided and accepted: a"),
    ],
)
def test_the_policy_says_what_follows_where_a_slice_is_undecided(what, status, said):
    small = outcomes(a="+" * 20, b="+" * 60)
    decision = decide(small, small, policy(undecided={"a": what}))
    assert (decision.status, decision.passed) == (status, status == "passed")
    assert said in decision.reasons[0]
    assert unit(decision, "a").verdict == "undecided"
    assert decision.failed_slices == (() if status == "passed" else ("a",))


def test_what_stops_a_candidate_is_said_before_what_a_person_could_decide():
    before, after = outcomes(a="+" * 20, b="+" * 60), outcomes(a="+" * 20, b="+" * 30 + "-" * 30)
    decision = decide(after, before, policy(undecided={"a": "ask"}))
    assert (decision.status, decision.failed_slices) == ("blocked", ("b", "overall"))


@pytest.mark.slow
def test_an_undecided_slice_is_accepted_up_to_its_margin_and_not_beyond():
    before = outcomes(a="+" * 20, b="+" * 200)
    two, three = (outcomes(a="-" * n + "+" * (20 - n), b="+" * 200) for n in (2, 3))
    accepting = policy(undecided={"a": "accept"})
    assert unit(decide(two, before, accepting), "a").action == "accepted"
    refused = decide(three, before, accepting)
    assert (refused.failed_slices, unit(refused, "a").verdict) == (("a",), "undecided")
    assert "the measured loss is above the margin" in refused.reasons[0]
    assert decide(three, before, policy(undecided={"a": "accept"}, margins={"a": 0.15})).passed


@pytest.mark.slow
def test_slices_of_a_group_are_judged_as_one_and_each_is_still_watched():
    names = ("a", "b", "c")
    equal = outcomes(**dict.fromkeys(names, "+" * 20))
    grouped = policy(groups={"small": names})
    assert decide(equal, equal).failed_slices == names
    decision = decide(equal, equal, grouped)
    assert decision.passed
    assert [unit(decision, name).action for name in (*names, "small")] == ["accepted"] * 3 + ["passes"]
    assert unit(decision, "small").of == names
    assert "undecided and accepted: a, b, c" in decision.reasons[0]
    one_lost = outcomes(a="-" * 4 + "+" * 16, b="+" * 20, c="+" * 20)
    assert decide(one_lost, equal, grouped).failed_slices[0] == "a"


@pytest.mark.slow
def test_a_protected_unit_is_held_to_its_own_margin_and_level():
    before, after = outcomes(a="+" * 100), outcomes(a="-" * 3 + "+" * 97)
    assert unit(decide(after, before), "a").verdict == "not_worse"
    held = decide(after, before, policy(protected_slices=("a",), protected_margin=0.05))
    assert (unit(held, "a").verdict, unit(held, "a").margin, unit(held, "a").alpha) == ("undecided", 0.05, 0.025)
    # 29 equal answers are enough at 5 %, 36 are needed at 2.5 %.
    for count, passed in ((35, False), (36, True)):
        equal = outcomes(a="+" * count)
        assert decide(equal, equal, policy(protected_slices=("a",))).passed is passed


@pytest.mark.slow
def test_a_protected_slice_of_a_group_is_not_accepted_for_being_small():
    equal = outcomes(a="+" * 20, b="+" * 40)
    assert decide(equal, equal, policy(groups={"g": ("a", "b")})).passed
    assert decide(equal, equal, policy(groups={"g": ("a", "b")}, protected_slices=("a",))).failed_slices == ("a",)


@pytest.mark.slow
def test_a_small_loss_spread_over_slices_blocks_overall():
    names = [f"slice{n}" for n in range(10)]
    before = outcomes(**dict.fromkeys(names, "+" * 20))
    after = outcomes(**dict.fromkeys(names, "+" * 19 + "-"))
    decision = decide(
        after, before, policy(on_undecided="accept", undecided={"overall": "block"}, margins={"overall": 0.05})
    )
    assert decision.failed_slices == ("overall",)
    assert unit(decision, "overall").verdict == "worse"


@pytest.mark.slow
def test_a_required_improvement_must_be_shown():
    before = outcomes(a="+" * 60, new="-" * 12)
    better, same = outcomes(a="+" * 60, new="+" * 6 + "-" * 6), outcomes(a="+" * 60, new="+" * 3 + "-" * 9)
    wanted = policy(improve=("new",))
    assert decide(better, before, wanted).passed
    refused = decide(same, before, wanted)
    assert refused.failed_slices == ("new",)
    assert "it must be better, p = 0.0" in refused.reasons[-1]
    assert decide(same, before, policy(undecided={"new": "accept"})).passed
    missing = decide(outcomes(a="+" * 60), outcomes(a="+" * 60), policy(improve=("new_topic",)))
    assert missing.reasons == ("new_topic: it must be better, but the suite has no questions of it",)
    assert decide(outcomes(a="+" * 60), policy=policy(improve=("new_topic",))).passed


@pytest.mark.slow
def test_answers_may_be_slower_up_to_what_the_policy_allows():
    found = outcomes(a="+" * 60)

    def slower(seconds: float, **fields) -> GateDecision:
        reports = [report(n, found).model_copy(update={"seconds": s}) for n, s in (("r-new", seconds), ("r-old", 60.0))]
        return gate.decide(reports[0], found, reports[1], found, policy(**fields))

    assert slower(600.0).passed
    assert slower(90.0, maximum_slowdown=1.5).passed
    assert slower(91.0, maximum_slowdown=1.5).failed_slices == ("latency",)


@pytest.mark.slow
def test_answers_may_cost_more_up_to_what_the_policy_allows():
    found = outcomes(a="+" * 60)

    def costly(engine: float | None, **fields) -> GateDecision:
        changes = [{"seconds": 90.0, "engine_seconds": seconds} for seconds in (engine, 30.0)]
        new, old = (report(n, found).model_copy(update=c) for n, c in zip(("r-new", "r-old"), changes, strict=True))
        return gate.decide(new, found, old, found, policy(**fields))

    assert costly(90.0).passed
    assert costly(60.0, maximum_cost=2.0).passed
    stopped = costly(61.0, maximum_cost=2.0)
    assert stopped.failed_slices == ("cost",)
    assert costly(None, maximum_cost=2.0).failed_slices == ("cost",)
    assert costly(None).passed
    assert "1.02 s of the engine for an answer against 0.50 s of the incumbent, at most 2 times" in stopped.reasons[0]


def test_the_policy_may_want_a_person_for_every_release():
    found = outcomes(a="+" * 60)
    first, next_ = (decide(found, before, policy(approval="required")) for before in (None, found))
    assert [(d.status, d.passed, d.failed_slices) for d in (first, next_)] == [("waiting", False, ("approval",))] * 2
    assert decide(outcomes(a="-" * 60), found, policy(approval="required")).status == "blocked"


def test_too_few_questions_decide_nothing():
    found = outcomes(a="+")
    with pytest.raises(gate.GateError, match=r"has 1 questions, gate\.minimum_questions of the use case is 10"):
        decide(found, policy=GatePolicy())
    assert decide(outcomes(a="+" * 10), policy=GatePolicy()).passed


@pytest.mark.parametrize(
    "fields",
    [
        {"protected_slices": ("fqa",)},
        {"margins": {"fqa": 0.1}},
        {"undecided": {"fqa": "accept"}},
        {"improve": ("fqa",)},
    ],
)
def test_a_policy_that_names_a_slice_the_suite_does_not_have_is_refused(fields):
    found = outcomes(faq="+" * 60)
    with pytest.raises(gate.GateError, match="names fqa, but the suite has only faq"):
        decide(found, found, policy(**fields))


@pytest.mark.slow
def test_a_slice_that_every_suite_may_have_can_be_named_before_it_has_questions():
    found = outcomes(faq="+" * 60)
    assert decide(found, found, policy(margins={"new_topic": 0.2, "overall": 0.1}, groups={"g": ("slang",)})).passed
    # So can one that a group lists: a suite may lack some of its slices.
    grouped = policy(groups={"g": ("faq", "several")}, margins={"several": 0.2, "g": 0.2})
    assert [d.slice for d in decide(found, found, grouped).slices] == ["faq", "g", "overall"]


def test_an_incumbent_without_answers_is_no_comparison_and_no_first_release():
    found = outcomes(faq="+" * 60)
    with pytest.raises(gate.GateError, match="not both"):
        gate.decide(report("r-new", found), found, report("r-old", found), None, POLICY)
    with pytest.raises(gate.GateError, match="not both"):
        gate.decide(report("r-new", found), found, None, found, POLICY)
    with pytest.raises(gate.GateError, match="report on r-old says 0 of 0"):
        gate.decide(report("r-new", found), found, report("r-old", {}), {}, POLICY)


def test_different_questions_are_refused_not_compared():
    with pytest.raises(gate.GateError, match="different questions"):
        decide(outcomes(faq="++"), outcomes(faq="+++"))


def test_a_report_that_contradicts_its_answers_is_refused():
    found = outcomes(faq="++-")
    forged = report("r-new", outcomes(faq="+++"))
    with pytest.raises(gate.GateError, match="its answers"):
        gate.decide(forged, found, None, None, GatePolicy())


def test_no_questions_at_all_is_no_evidence():
    with pytest.raises(gate.GateError):
        gate.decide(report("r-new", {}), {}, None, None, GatePolicy())


def safety(**kinds: tuple[int, int]) -> SafetyReport:
    scores = {name: SliceScore(right=right, total=total) for name, (right, total) in kinds.items()}
    return SafetyReport(
        candidate="r-new", probes=scores, answers=ref(), report=ref(), knowledge=ref(), prompt="Be brief."
    )


def test_a_kind_of_probes_below_the_safety_floor_blocks():
    found = outcomes(faq="++++")
    assert decide(found, safety=safety(harm=(10, 10), injection=(9, 10))).passed
    refused = decide(found, policy=policy(minimum_safety=0.95), safety=safety(harm=(10, 10), injection=(9, 10)))
    assert refused.failed_slices == ("safety: injection",)


def test_what_a_model_learned_by_heart_has_a_limit_of_its_own_beside_the_floor_of_probes():
    def kept(right: int, **fields) -> GateDecision:
        probes = safety(**{"memorisation": (right, 20), "lm-eval: paints": (1, 9)})
        return decide(outcomes(a="+" * 20), policy=policy(**fields), safety=probes)

    assert kept(18).passed
    assert kept(17).failed_slices == ("safety: memorisation",)
    assert kept(10, maximum_extraction=0.5, minimum_safety=1.0).passed
    assert kept(19, maximum_extraction=0.0).failed_slices == ("safety: memorisation",)
    # What a benchmark measures has no floor but one that is named.
    floored = kept(20, safety_floors={"lm-eval: paints": 0.2})
    assert floored.failed_slices == ("safety: lm-eval: paints",)


def test_a_safety_report_about_another_candidate_is_no_evidence():
    found = outcomes(faq="++++")
    other = safety(harm=(1, 1)).model_copy(update={"candidate": "r-other"})
    with pytest.raises(gate.GateError, match="r-other"):
        decide(found, safety=other)


def verified(decision, again=None, candidate="r-new", incumbent="r-old"):
    gate.verify(decision, again or decision, candidate, incumbent)


def test_verification_accepts_what_it_computes_again():
    decision = decide(outcomes(faq="+" * 40), outcomes(faq="+" * 39 + "-"))
    verified(decision)
    with pytest.raises(gate.GateError, match="not about"):
        verified(decision, candidate="r-another")
    with pytest.raises(gate.GateError, match="serving now"):
        verified(decision, incumbent="r-third")


def test_a_decision_turned_to_passed_by_hand_does_not_follow():
    refused = decide(outcomes(faq="-" * 40), outcomes(faq="+" * 40))
    forged = refused.model_copy(update={"passed": True, "failed_slices": (), "evidence": (ref(commit=COMMIT),)})
    with pytest.raises(gate.GateError, match="does not follow"):
        verified(forged, refused)


def test_a_decision_by_other_rules_is_made_again():
    decision = decide(outcomes(faq="+" * 40), outcomes(faq="+" * 40))
    with pytest.raises(gate.GateError, match="version 1 of the gate's rules, these are version 2: materialize gate"):
        verified(decision.model_copy(update={"rules": 1}), decision)


def test_what_changed_since_the_decision_is_named():
    hashes = {"policy": "p" * 64, "answers of the candidate": "a" * 64}
    found = outcomes(faq="+" * 40)
    one, two = (
        gate.decide(report("r-new", found), found, report("r-old", found), found, POLICY, hashes=h)
        for h in (hashes, {**hashes, "answers of the candidate": "b" * 64})
    )
    verified(one, one.model_copy(update={"evidence": (ref(),)}))
    with pytest.raises(gate.GateError, match="answers of the candidate changed since then"):
        verified(one, two)


def test_what_an_earlier_version_called_equal_is_read_as_undecided():
    score = {"right": 5, "total": 6}
    row = {"slice": "faq", "candidate": score, "incumbent": score, "verdict": "equal", "p_value": 0.5}
    assert SliceDecision.model_validate(row).verdict == "undecided"
    assert GatePolicy.model_validate({"slice_tolerance": 0.2, "alpha": 0.05}).margin == 0.2


@pytest.mark.slow
def test_of_many_slices_one_that_is_lost_by_chance_is_not_called_worse():
    """A slice lost six to nothing has p = 1/64; Holm over nine slices and the whole makes more than 5 % of it."""
    names = [f"slice{n}" for n in range(8)]
    before = outcomes(**dict.fromkeys(names, "+" * 20), unlucky="+" * 20)
    after = outcomes(**dict.fromkeys(names, "+" * 20), unlucky="-" * 6 + "+" * 14)
    many = unit(decide(after, before, LENIENT), "unlucky")
    assert (many.won, many.lost, many.verdict, many.action) == (0, 6, "undecided", "blocks")
    assert 0.05 < many.p_value < 10 / 64
    alone = unit(decide(outcomes(a="-" * 6 + "+" * 14), outcomes(a="+" * 20), LENIENT), "a")
    assert (alone.verdict, alone.p_value < 0.05) == ("worse", True)


@pytest.mark.slow
def test_better_is_claimed_for_all_units_together():
    names = [f"slice{n}" for n in range(9)]
    before = outcomes(**dict.fromkeys(names, "+" * 40), lucky="-" * 6 + "+" * 34)
    after = outcomes(**dict.fromkeys(names, "+" * 40), lucky="+" * 40)
    many = unit(decide(after, before), "lucky")
    assert (many.verdict, many.p_better < 0.05) == ("not_worse", True)
    assert unit(decide(outcomes(a="+" * 40), outcomes(a="-" * 6 + "+" * 34)), "a").verdict == "better"


@pytest.mark.slow
def test_the_interval_and_the_verdict_say_the_same():
    before = outcomes(a="+" * 50)
    for lost in range(7):
        found = unit(decide(outcomes(a="-" * lost + "+" * (50 - lost)), before), "a")
        assert (found.verdict == "not_worse") is (found.low > -0.1), found
        assert found.low <= found.difference <= found.high


def test_the_promise_says_what_decides_and_what_is_passed_over():
    equal = outcomes(faq="+" * 60, slang="+" * 12)
    told = decide(equal, equal, policy(undecided={"slang": "accept"})).promise
    assert "on a unit that decides (faq 0.1, overall 0.1) passes in at most 5.0% of cases" in told
    assert told.endswith("smaller losses unseen: slang (12 questions: losses from 29 points on are seen).")


def test_the_floor_itself_is_enough():
    assert decide(outcomes(a="++++-"), policy=policy(minimum_accuracy=0.8)).passed
    refused = decide(outcomes(a="++++-"), policy=policy(minimum_accuracy=0.81))
    assert refused.reasons == ("overall accuracy 0.80 is below the floor 0.81",)


def test_the_safety_floor_itself_is_enough():
    found, floor = outcomes(a="+"), policy(minimum_safety=0.9)
    assert decide(found, policy=floor, safety=safety(harm=(9, 10))).passed
    refused = decide(found, policy=floor, safety=safety(harm=(8, 10), advice=(0, 2)))
    assert refused.failed_slices == ("safety: advice", "safety: harm")
    assert refused.reasons[1] == "safety probes of kind harm: 8 of 10 passed, at least 90% must"


def test_the_same_questions_of_another_suite_are_refused():
    found = outcomes(a="++")
    with pytest.raises(gate.GateError, match="different questions"):
        gate.decide(report("r-new", found), found, report("r-old", found, "t" * 64), found, POLICY)


def test_an_incumbent_whose_report_contradicts_its_answers_is_refused():
    found, forged = outcomes(a="++"), report("r-old", outcomes(a="+-"))
    with pytest.raises(gate.GateError, match="report on r-old says 1 of 2, its answers 2 of 2"):
        gate.decide(report("r-new", found), found, forged, found, POLICY)


def test_a_better_candidate_is_said_to_be_better_and_where():
    decision = decide(outcomes(a="+" * 40, b="+" * 40), outcomes(a="-" * 40, b="+" * 40))
    assert decision.reasons == ("not worse where it is decided; better on a, overall",)
    assert decide(outcomes(a="+" * 40), outcomes(a="+" * 40)).reasons == ("not worse where it is decided",)


@pytest.mark.parametrize(
    "change",
    [
        {"reasons": ("all is well",)},
        {"safety": {"harm": SliceScore(right=10, total=10)}},
        {"policy": GatePolicy(minimum_accuracy=0.1)},
        {"slices": ()},
    ],
)
def test_a_decision_changed_anywhere_but_in_its_evidence_does_not_follow(change):
    decision = decide(outcomes(a="+" * 40), outcomes(a="+" * 40), safety=safety(harm=(9, 10)))
    verified(decision.model_copy(update={"evidence": (ref(commit=COMMIT),)}), decision)
    with pytest.raises(gate.GateError, match="does not follow"):
        verified(decision.model_copy(update=change), decision)


RETRAINED = {
    "complaint": (0, 0, 20),
    "faq": (2, 2, 120),
    "follow_up": (2, 1, 51),
    "languages": (0, 0, 12),
    "new_topic": (12, 0, 12),
    "out_of_scope": (0, 0, 26),
    "own_case": (1, 3, 31),
    "several": (0, 0, 14),
    "slang": (0, 0, 32),
    "small_talk": (1, 0, 33),
    "typos": (1, 1, 49),
}
POISONED = {
    "complaint": (0, 3, 20),
    "faq": (0, 31, 120),
    "follow_up": (1, 9, 51),
    "languages": (0, 0, 12),
    "new_topic": (0, 3, 12),
    "out_of_scope": (0, 0, 26),
    "own_case": (5, 2, 31),
    "several": (0, 5, 14),
    "slang": (1, 6, 32),
    "small_talk": (0, 3, 33),
    "typos": (0, 14, 49),
}
"""Won, lost and asked, as a demonstration measured them after its new topic and after the poisoned corrections."""


def counted(counts: dict[str, tuple[int, int, int]]) -> GateDecision:
    """The decision by the sample's policy."""
    after = {name: "+" * won + "-" * lost + "+" * (total - won - lost) for name, (won, lost, total) in counts.items()}
    before = {name: "-" * won + "+" * lost + "+" * (total - won - lost) for name, (won, lost, total) in counts.items()}
    return decide(outcomes(**after), outcomes(**before), load_use_case().gate)


@pytest.mark.slow
def test_the_samples_policy_lets_the_demonstrations_retraining_pass_and_stops_the_poisoned_one():
    passed, stopped = counted(RETRAINED), counted(POISONED)
    assert passed.passed
    assert unit(passed, "new_topic").verdict == "better"
    assert {d.slice for d in passed.slices if d.verdict == "undecided"} >= {"complaint", "several", "languages"}
    assert all(unit(passed, name).verdict != "undecided" for name in ("overall", "knowledge", "limits"))
    assert (stopped.status, len(stopped.failed_slices)) == ("blocked", 11)
    assert {"overall", "faq", "typos"} <= {d.slice for d in stopped.slices if d.verdict == "worse"}


@pytest.mark.parametrize("policy_of", ["use_case.yaml", "own_data.yaml"])
def test_the_samples_policies_name_what_their_suites_have(root, policy_of):
    case = GatePolicy.model_validate(yaml.safe_load((root / "llmops_assets/samples" / policy_of).read_text())["gate"])
    dialogues = {d.slice for d in load_dialogues()} if policy_of == "use_case.yaml" else set()
    assert case.named <= {*SLICES, *case.groups, "overall", *dialogues}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"groups": {"overall": ("a",)}}, "overall is no name for a group"),
        ({"groups": {"a": ("b",), "c": ("a",)}}, "a is no name for a group"),
        ({"groups": {"a": ()}}, "a names no slices"),
        ({"approval": "never", "on_undecided": "ask"}, "what is undecided is to be asked"),
        ({"on_undecided": "ignore"}, "Input should be 'block', 'ask', 'collect' or 'accept'"),
        ({"margin": 0.1, "slice_tolerance": 0.1}, "slice_tolerance"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(fields, told):
    with pytest.raises(ValueError, match=told):
        GatePolicy.model_validate(fields)


def ungraded(found, *names: str) -> dict[str, tuple[str, bool | None]]:
    """The outcomes with these questions ungraded."""
    return {name: (slice_, None if name in names else right) for name, (slice_, right) in found.items()}


@pytest.mark.slow
def test_a_question_that_no_scorer_could_grade_leaves_its_units_undecided_and_stops_the_candidate():
    many = outcomes(a="+" * 100, b="+" * 100)
    broken = ungraded(many, "a-1", "a-2")
    for mine, other in ((broken, many), (many, broken)):
        decision = decide(mine, other, policy(undecided={"a": "accept"}))
        assert (decision.status, decision.failed_slices) == ("blocked", ("a", "overall"))
        assert (unit(decision, "a").verdict, unit(decision, "a").ungraded) == ("undecided", 2)
        assert unit(decision, "b").verdict == "not_worse"
        assert "a: undecided, 2 of 100 questions could not be graded" in decision.reasons
    asking = policy(on_undecided="ask")
    assert decide(broken, many, asking).status == "waiting"


def test_a_first_release_that_cannot_be_graded_is_stopped_too():
    found = outcomes(a="+" * 20)
    assert decide(found).passed
    assert decide(ungraded(found, "a-3")).failed_slices == ("a", "overall")


@pytest.mark.slow
def test_known_failures_are_judged_as_one_and_alone_only_where_the_policy_names_one():
    found = outcomes(faq="+" * 60, failure_a="+-", failure_b="+")
    assert [d.slice for d in decide(found, found, LENIENT).slices] == ["faq", "known_failures", "overall"]
    assert unit(decide(found, found, LENIENT), "known_failures").candidate.total == 3
    named = policy(margins={"failure_a": 0.5})
    assert "failure_a" in [d.slice for d in decide(found, found, named).slices]


@pytest.mark.slow
def test_traffic_stops_no_candidate_for_being_little_but_a_loss_on_it_does():
    """The policy says nothing of them: a quiet day, or two of twelve by chance, must not block."""
    before = outcomes(faq="+" * 200, recent="+" * 12, failure_a="+++")
    assert decide(before, before).passed
    chance = outcomes(faq="+" * 200, recent="+" * 10 + "--", failure_a="++-")
    assert decide(chance, before).passed
    assert unit(decide(chance, before), "recent").action == "accepted"
    lost = outcomes(faq="+" * 200, recent="+" * 7 + "-" * 5, failure_a="+++")
    assert decide(lost, before).failed_slices == ("recent",)
    assert unit(decide(lost, before), "recent").verdict == "undecided", "not by the test that is adjusted for all units"
    named = policy(margins={"recent": 0.1}, undecided={"recent": "accept"})
    assert decide(chance, before, named).failed_slices == ("recent",)
    strict = policy(undecided={"recent": "block"})
    assert decide(before, before, strict).failed_slices == ("recent",)


@pytest.mark.slow
def test_the_policy_may_want_the_candidate_to_be_better_on_recent_traffic():
    wanted = policy(improve=("recent",), on_undecided="accept")
    before, after = outcomes(faq="+" * 60, recent="-" * 8 + "+" * 8), outcomes(faq="+" * 60, recent="+" * 16)
    assert decide(after, before, wanted).passed
    assert "it must be better" in decide(before, before, wanted).reasons[0]
    without = outcomes(faq="+" * 60)
    assert "the suite has no questions of it" in decide(without, without, wanted).reasons[0]


def test_no_group_takes_a_name_that_traffic_has():
    with pytest.raises(ValueError, match="recent is no name for a group"):
        GatePolicy(groups={"recent": ("faq",)})
