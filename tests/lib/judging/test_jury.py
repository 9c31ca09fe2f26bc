import pytest
from support import item

from llmops_assets.lib.judging.jury import (
    Example,
    JudgeError,
    ask_vote,
    digest,
    may_vote,
    measure,
    read_examples,
    votes,
)
from llmops_assets.lib.records import JudgePolicy
from resources.chat_endpoint import ChatError

POLICY = JudgePolicy(url="http://127.0.0.1:9/v1", model="judge", minimum_rows=10)
EXAMPLES = [Example(f"q{n}", "45 days", "right" if n % 2 else "wrong", bool(n % 2)) for n in range(40)]


def honest(messages) -> str:
    return "Yes." if messages[-1]["content"].endswith("right") else "no"


def late(_) -> str:
    raise ChatError("timed out")


@pytest.mark.parametrize(
    ("reply", "vote"),
    [("yes", True), (" **No.** ", False), ("Yes, because it says so", None), ("maybe", None), ("", None)],
)
def test_only_yes_or_no_is_a_vote(reply, vote):
    assert ask_vote(lambda _: reply, "q", "r", "a") == (vote, "" if vote is not None else "neither yes nor no")


def test_a_judge_that_does_not_answer_in_time_gives_no_vote():
    assert ask_vote(late, "q", "r", "a") == (None, "no answer in time")


def test_a_judge_is_measured_by_kappa_and_may_vote_from_the_policys_minimum_on():
    agreed = measure(honest, EXAMPLES, POLICY)
    assert (agreed.rows, agreed.kappa, agreed.low) == (40, 1.0, 1.0)
    assert may_vote(POLICY, agreed) == ""
    always = measure(lambda _: "yes", EXAMPLES, POLICY)
    assert (always.share, always.kappa) == (0.5, 0.0)
    assert "does not agree with people: kappa 0.00" in may_vote(POLICY, always)
    assert "never measured" in may_vote(POLICY, None)
    assert "never measured" in may_vote(POLICY.model_copy(update={"model": "other"}), agreed)


def test_a_judge_that_answers_when_it_likes_is_not_praised_for_the_rest():
    def moody(messages) -> str:
        return honest(messages) if "q1" in messages[-1]["content"] else "hm"

    agreed = measure(moody, EXAMPLES, POLICY)
    assert agreed.no_votes == {"neither yes nor no": 29}
    assert may_vote(POLICY, agreed)


def test_too_few_examples_measure_nothing():
    with pytest.raises(JudgeError, match="9 judged answers, judge"):
        measure(honest, EXAMPLES[:9], POLICY)


def test_votes_are_asked_once_of_items_that_want_one_and_missing_ones_are_counted():
    items = [item(name).model_copy(update={"scorer": "judge"}) for name in ("a", "b", "c")] + [item("plain")]
    said = {"a": "right", "b": "wrong", "c": "right", "plain": "right"}
    asked = []

    def ask(messages) -> str:
        asked.append(messages[-1]["content"])
        return "hm" if "Question: c" in asked[-1] else honest(messages)

    assert votes(ask, items, said, {"a": False}) == ({"a": False, "b": False}, {"neither yes nor no": 1})
    assert len(asked) == 2


def test_another_prompt_model_or_address_is_another_judge():
    names = {digest(POLICY.model_copy(update=fields)) for fields in ({}, {"model": "x"}, {"url": "http://other/v1"})}
    assert len(names) == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("question,answer\nx,y\n", "line 1: no column 'reference': it takes question, reference, answer, right"),
        ("question,reference,answer,right\nq,r,a,maybe\n", "line 2: right is 'maybe': write yes or no"),
    ],
)
def test_a_file_that_does_not_fit_is_told_with_its_line(tmp_path, text, told):
    (tmp_path / "judged.csv").write_text(text)
    with pytest.raises(JudgeError) as error:
        read_examples(tmp_path / "judged.csv")
    assert told in str(error.value)
