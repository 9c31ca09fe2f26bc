"""What cannot both hold, and what only looks like it."""

import numpy as np
import pytest

from llmops_assets.lib.teaching.agreement import Quantity, comparable, contradictions, disagreement, quantities


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The pass is valid for 30 days.", "The pass is valid for 14 days."),
        ("The pass is valid for two weeks.", "The pass is valid for thirty days."),
        ("A locker costs 5 euros.", "A locker costs €8."),
        ("Lockers are free.", "A locker costs 5 euros."),
        ("You pay monthly.", "You pay once a year."),
        ("You can lend your pass.", "You cannot lend your pass."),
        ("Yes, dogs may ride the lift.", "No, dogs may not ride the lift."),
        ("A helmet is required.", "A helmet is not required."),
        ("The fee is refundable.", "The fee is non-refundable."),
        ("15 % discount for groups", "10 percent discount for groups"),
    ],
)
def test_opposite_statements_disagree_whichever_comes_first(one, other):
    assert disagreement(one, other) is not None
    assert disagreement(other, one) == disagreement(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The pass is valid for 14 days.", "The pass is valid for two weeks."),
        ("It takes 3 to 5 days.", "It takes up to 4 days."),
        ("It takes 3 days.", "It costs 9 euros."),
        ("You can lend your pass.", "Passes can be lent to friends."),
        ("Lockers are free.", "There is no charge for lockers."),
    ],
)
def test_other_words_for_the_same_agree(one, other):
    assert disagreement(one, other) is None


def test_quantities_are_brought_to_one_unit():
    assert quantities("within 2 weeks") == [Quantity("time", 14.0, 14.0)]
    assert quantities("3 to 5 working days") == [Quantity("time", 3.0, 5.0)]
    assert quantities("$1,250 or 7,5 %") == [Quantity("money", 1250.0, 1250.0), Quantity("share", 7.5, 7.5)]
    assert quantities("gate 12") == []


def test_words_of_their_own_keep_two_things_apart_unless_the_question_is_one():
    express, standard = "Express delivery takes 1 day.", "Standard delivery takes 5 days."
    assert not comparable(express, standard, 0.9)
    assert comparable(express, standard, 0.9, questions=0.95)
    assert comparable("Delivery takes 1 day.", "Delivery takes 5 days.", 0.9)
    assert not comparable("Delivery takes 1 day.", "Delivery takes 5 days.", 0.2)


def test_pairs_are_told_with_their_rows():
    units = ["You have 30 days.", "You have 14 days.", "Boots are dried overnight."]
    vectors = np.array([[1, 0], [0.95, np.sqrt(1 - 0.95**2)], [0, 1]], np.float32)
    asked = [np.eye(2, dtype=np.float32)[:1]] * 3
    [found] = contradictions("period", units, vectors, asked, [["r1"], ["r2", "r3"], ["r4"]])
    assert (found.one, found.other, found.reason) == (units[0], units[1], "different time")
    assert found.rows == ("r1", "r2", "r3")
