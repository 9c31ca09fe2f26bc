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
    return SafetyReport(candidate="r-new", probes=scores, answers=ref(), report=ref())


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
