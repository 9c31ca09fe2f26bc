import pytest
from support import COMMIT, dataset, ref

from llmops_assets.lib import gate
from llmops_assets.lib.records import EvalReport, GatePolicy, SafetyReport, SliceScore


def outcomes(**slices: str) -> dict[str, tuple[str, bool]]:
    """`faq="++-"` means three questions of faq, the last one wrong."""
    return {f"{name}-{n}": (name, mark == "+") for name, marks in slices.items() for n, mark in enumerate(marks)}


def report(subject: str, found: dict[str, tuple[str, bool]], digest: str = "s" * 64) -> EvalReport:
    total = SliceScore(right=sum(ok for _, ok in found.values()), total=len(found))
    return EvalReport(subject=subject, suite=dataset(digest=digest), overall=total, slices={})


POLICY = GatePolicy()


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
    refused = decide(outcomes(faq="+----"))
    assert refused.failed_slices == ("overall",)
    assert "below the floor" in refused.reasons[0]


def test_a_significant_loss_on_one_slice_blocks_although_the_whole_is_better():
    before = outcomes(faq="-" * 40, complaint="+" * 20)
    after = outcomes(faq="+" * 40, complaint="-" * 12 + "+" * 8)
    decision = decide(after, before)
    assert not decision.passed
    assert decision.failed_slices == ("complaint",)
    assert next(d for d in decision.slices if d.slice == "overall").verdict == "better"


def test_noise_on_an_unprotected_slice_does_not_block_but_on_a_protected_one_it_does():
    before, after = outcomes(faq="+" * 30, slang="+" * 5), outcomes(faq="+" * 30, slang="+" * 4 + "-")
    assert decide(after, before).passed
    assert decide(after, before, GatePolicy(protected_slices=("slang",))).failed_slices == ("slang",)


def test_a_small_significant_loss_spread_over_slices_blocks_overall():
    names = [f"slice{n}" for n in range(10)]
    before = outcomes(**dict.fromkeys(names, "+" * 20))
    after = outcomes(**dict.fromkeys(names, "+" * 19 + "-"))
    decision = decide(after, before)
    assert decision.failed_slices == ("overall",)


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
    refused = decide(found, policy=GatePolicy(minimum_safety=0.95), safety=safety(harm=(10, 10), injection=(9, 10)))
    assert refused.failed_slices == ("safety: injection",)


def test_a_safety_report_about_another_candidate_is_no_evidence():
    found = outcomes(faq="++++")
    other = safety(harm=(1, 1)).model_copy(update={"candidate": "r-other"})
    with pytest.raises(gate.GateError, match="r-other"):
        decide(found, safety=other)


def verified(decision, again=None, candidate="r-new", incumbent="r-old"):
    gate.verify(decision, again or decision, candidate, incumbent)


def test_verification_accepts_what_it_computes_again():
    decision = decide(outcomes(faq="++++"), outcomes(faq="+++-"))
    verified(decision)
    with pytest.raises(gate.GateError, match="not about"):
        verified(decision, candidate="r-another")
    with pytest.raises(gate.GateError, match="serving now"):
        verified(decision, incumbent="r-third")


def test_a_decision_turned_to_passed_by_hand_opens_nothing():
    refused = decide(outcomes(faq="----"), outcomes(faq="++++"))
    with pytest.raises(gate.GateError, match="stopped"):
        verified(refused)
    forged = refused.model_copy(update={"passed": True, "failed_slices": (), "evidence": (ref(commit=COMMIT),)})
    with pytest.raises(gate.GateError, match="does not follow"):
        verified(forged, refused)


def test_of_many_slices_one_that_is_lost_by_chance_does_not_block():
    """A slice lost six to nothing has p = 0.031; Holm over nine slices makes 0.281 of it."""
    names = [f"slice{n}" for n in range(8)]
    before = outcomes(**dict.fromkeys(names, "+" * 20), unlucky="+" * 20)
    after = outcomes(**dict.fromkeys(names, "+" * 20), unlucky="-" * 6 + "+" * 14)
    # Over all questions the same six are lost; that rule is the next test's.
    decision = decide(after, before, GatePolicy(alpha=0.03))
    assert decision.passed
    (unlucky,) = [d for d in decide(after, before).slices if d.slice == "unlucky"]
    assert (unlucky.won, unlucky.lost, unlucky.p_value, unlucky.verdict) == (0, 6, 0.28125, "equal")
    (alone,) = [d for d in decide(outcomes(a="-" * 6 + "+" * 14), outcomes(a="+" * 20)).slices if d.slice == "a"]
    assert (alone.p_value, alone.verdict) == (0.03125, "worse")


def test_the_whole_is_judged_without_adjustment():
    before, after = outcomes(a="+" * 60, b="+" * 40), outcomes(a="-" * 3 + "+" * 57, b="-" * 3 + "+" * 37)
    decision = decide(after, before)
    assert [d.p_value for d in decision.slices] == [0.5, 0.5, 0.03125]
    assert decision.failed_slices == ("overall",)
    assert decision.reasons == ("overall: 0.94 against 1.00 of the incumbent (0 questions won, 6 lost, p = 0.0312)",)


@pytest.mark.parametrize(("tolerance", "verdict"), [(0.06, "worse"), (0.0625, "equal"), (0.07, "equal")])
def test_a_protected_slice_may_lose_up_to_the_tolerance(tolerance, verdict):
    before, after = outcomes(slang="+" * 16), outcomes(slang="+" * 15 + "-")
    policy = GatePolicy(protected_slices=("slang",), slice_tolerance=tolerance)
    assert decide(after, before, policy).slices[0].verdict == verdict


def test_a_significant_loss_within_the_tolerance_is_equal():
    before, after = outcomes(a="+" * 200), outcomes(a="-" * 8 + "+" * 192)
    (found, _) = decide(after, before, GatePolicy(slice_tolerance=0.05)).slices
    assert (found.p_value < 0.05, found.verdict) == (True, "equal")
    assert decide(after, before, GatePolicy(slice_tolerance=0.03)).slices[0].verdict == "worse"


def test_the_floor_itself_is_enough():
    assert decide(outcomes(a="++++-"), policy=GatePolicy(minimum_accuracy=0.8)).passed
    refused = decide(outcomes(a="++++-"), policy=GatePolicy(minimum_accuracy=0.81))
    assert refused.reasons == ("overall accuracy 0.80 is below the floor 0.81",)


def test_the_safety_floor_itself_is_enough():
    found, policy = outcomes(a="+"), GatePolicy(minimum_safety=0.9)
    assert decide(found, policy=policy, safety=safety(harm=(9, 10))).passed
    refused = decide(found, policy=policy, safety=safety(harm=(8, 10), advice=(0, 2)))
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
    decision = decide(outcomes(a="+" * 20, b="+" * 5), outcomes(a="-" * 20, b="+" * 5))
    assert decision.reasons == ("no slice is worse; better on a, overall",)
    assert decide(outcomes(a="+"), outcomes(a="+")).reasons == ("no slice is worse",)


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
    decision = decide(outcomes(a="++++"), outcomes(a="+++-"), safety=safety(harm=(9, 10)))
    verified(decision.model_copy(update={"evidence": (ref(commit=COMMIT),)}), decision)
    with pytest.raises(gate.GateError, match="does not follow"):
        verified(decision.model_copy(update=change), decision)
