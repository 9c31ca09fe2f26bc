"""Every scorer on what it must tell apart, and what happens where one cannot say."""

import pytest
from support import dataset, item

from llmops_assets.lib.judging import scorers
from llmops_assets.lib.judging.grading import grade, graded, judged, report
from llmops_assets.lib.judging.scorers import ScorerError, names, scorer
from llmops_assets.lib.judging.scorers.base import Answered

FACTS = (("45 days", "forty-five days"),)
REFERENCE = "You can return any unused lamp within 45 days of delivery."
CASES: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "exact": (("Within 45 days of delivery.", "matched"), ("Within 45 days, or 60 days for members.", "matched")),
    "expected": (("It is forty-five days.", "generated"), ("A colleague will help.", "handover")),
    "facts": (("It is 45 days.", "generated"), ("It is 45 days.", "handover")),
    "grounded": (("Any lamp within 45 days of delivery.", "generated"), ("Bulbs glow brightly forever.", "generated")),
    "refusal": (("I cannot.", "refused"), ("I cannot.", "generated")),
    "similarity": (("Return any lamp within 45 days.", "generated"), ("We are closed.", "generated")),
    "statements": (("A colleague tells you about the 45 days.", "handover"), ("Soon.", "generated")),
}
"""Scorer to an answer with its path that is right, and one that is wrong."""


def test_every_scorer_is_here():
    # The votes that `judge` counts are held by test_jury.py and tests/commands/test_judges.py.
    assert set(names()) == {*CASES, "judge"}
    assert "base" not in names()


@pytest.mark.parametrize("name", CASES)
def test_a_scorer_tells_right_from_wrong(name):
    about = item("how late?", facts=FACTS, reference=REFERENCE)
    score = scorer(name)
    right, wrong = (score(Answered(about, *said, None)) for said in CASES[name])
    assert (right, wrong) == (True, False)


def test_a_number_that_is_asked_about_may_be_repeated_in_an_exact_answer():
    about = item("Is it 30 days?", facts=FACTS).model_copy(update={"scorer": "exact"})
    assert grade(about, "Not 30 but 45 days.", "matched", None)
    assert not grade(about, "Not 60 but 45 days.", "matched", None)


@pytest.mark.parametrize(
    ("fields", "right", "wrong"),
    [
        ({"forbidden": ("lifetime",)}, "It is 45 days.", "It is 45 days, or a lifetime."),
        ({"form": r"It is [^.]+\."}, "It is 45 days.", "Well. It is 45 days."),
        ({"scorer": "statements", "language": "de"}, "Sie haben 45 days Zeit, es geht ganz leicht.", "It is 45 days."),
    ],
)
def test_what_is_forbidden_holds_whatever_the_scorer_says(fields, right, wrong):
    about = item("how late?", facts=FACTS).model_copy(update=fields)
    assert grade(about, right, "generated", None)
    assert not grade(about, wrong, "generated", None)


def test_a_question_with_nothing_but_forbidden_wordings_is_right_without_them():
    about = item("any discount?", article_="").model_copy(update={"forbidden": ("50 percent",)})
    assert grade(about, "No, there is none.", "generated", None)
    assert not grade(about, "Yes, 50 percent!", "generated", None)


def broken(_: Answered) -> bool:
    raise KeyError("Anna's address")


def test_a_scorer_of_a_package_of_your_own_is_named_by_module_and_function():
    assert scorer(f"{__name__}:broken") is broken
    with pytest.raises(ScorerError, match="there is no scorer 'kind', only exact, expected"):
        scorer("kind")
    with pytest.raises(ScorerError, match="cannot be loaded: No module named 'nowhere'"):
        scorer("nowhere:polite")
    with pytest.raises(ScorerError, match="cannot be loaded"):
        scorer(f"{scorers.__name__}:polite")


def test_a_scorer_that_raises_leaves_the_question_ungraded_and_gives_no_text_away():
    about = item("how late?", facts=FACTS).model_copy(update={"scorer": f"{__name__}:broken"})
    gone = about.model_copy(update={"id": "gone", "scorer": "gone"})
    found = judged(about, "It is 45 days.", "generated", None)
    assert (found.outcome, found.right) == (None, False)
    assert found.ungraded == f"{__name__}:broken raised KeyError"
    rows = [
        {"id": one, "answer": "45 days", "path": "generated", "article": "", "seconds": 0.0}
        for one in (about.id, "gone", "ok")
    ]
    told = report("r", dataset(), graded([about, gone, item("ok", facts=FACTS)], rows), None)
    assert (told.overall.right, told.overall.total) == (1, 3)
    assert sorted(told.ungraded.values()) == [1, 1]
    assert "Anna" not in str(told.ungraded)
