"""What cannot both hold, and what only looks like it."""

import numpy as np
import pytest

from llmops_assets.lib.teaching.agreement import comparable, contradictions, disagreement, weekdays
from llmops_assets.lib.teaching.quantities import Quantity, quantities


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
        ("Gloves come at no extra cost.", "Gloves cost extra."),
        ("We pay for the parking.", "You pay for the parking yourself."),
        ("Passes are free from 20 euros.", "Passes are free from 30 euros."),
        ("The hut opens at 8.", "The hut opens at 8:30."),
        ("Do not walk on the slope.", "You can walk on the slope."),
        ("The hut is open until 5 pm.", "The hut is open until 6 pm."),
        ("The hut is open on Mondays.", "The hut is closed on Mondays."),
        ("Riders under ten travel with an adult, aged 4 or older.", "Riders must be at least 6 years old."),
        ("A pass is for two persons.", "A pass is for one person."),
        ("Sledges may be used.", "Sledges are prohibited."),
        ("Sledges can be taken along.", "Nobody can take a sledge along."),
        ("A deposit is required.", "You can rent it without a deposit."),
        ("Lessons are part of the pass.", "Lessons are excluded from the pass."),
        ("Worn boots can be exchanged.", "Only unworn boots can be exchanged."),
        ("Cancel in your account.", "Cancelling is possible in writing only."),
        ("Refunds of the pass go to the same card.", "Refunds of the pass are store credit only."),
        ("The pass is renewed automatically.", "The pass has to be renewed by hand."),
        ("Rentals are for all guests.", "Rentals are for hotel guests only."),
        ("The guide speaks to groups.", "The guide doesn't speak to groups."),
        ("Der Schlitten ist kostenlos.", "Der Schlitten kostet 5 Euro."),
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
        ("The pass is valid for two years.", "The pass is valid for 24 months."),
        ("A locker costs 9 euros a month.", "You may keep a locker for a year, for 9 euros each month."),
        ("The express lift takes 5 minutes.", "The standard lift takes 12 minutes."),
        ("The hut is open from Tuesday to Sunday.", "The hut is closed on Mondays."),
        ("The hut is open until 5 pm.", "On Fridays the hut is open until 9 pm."),
        ("Passes are free from 20 euros.", "Below 20 euros a pass costs 2 euros."),
        ("Waits over 30 minutes give you 10 % back.", "Waits over 60 minutes give you 30 % back."),
        ("You can change it until the lift starts.", "Once the lift has started it cannot be changed."),
        ("You need a helmet to ride.", "You cannot ride without a helmet."),
        ("Without a helmet you cannot ride.", "A helmet is required to ride."),
        ("You cannot enter the hut without a ticket.", "You enter the hut with a ticket."),
        ("Helmets are optional.", "Helmets are not mandatory."),
        ("We do not take dogs to Austria.", "We take dogs to Italy."),
        ("If the pass does not work, call us.", "The pass works on all lifts."),
        ("You don't have to renew it by hand.", "It is renewed automatically."),
        ("Do not lock the door.", "The door is locked at night by the guard."),
        ("Children under six ride free.", "Adults pay 12 euros."),
        ("The minimum age is six.", "It weighs 5 g."),
    ],
)
def test_other_words_for_the_same_agree(one, other):
    assert disagreement(one, other) is None


def test_quantities_are_brought_to_one_unit():
    assert quantities("within 2 weeks") == [Quantity("time", 14.0, 14.0)]
    assert quantities("3 to 5 working days") == [Quantity("time", 3.0, 5.0)]
    assert quantities("$1,250 or 7,5 %") == [Quantity("money", 1250.0, 1250.0), Quantity("share", 7.5, 7.5)]
    assert quantities("gate 12") == []
    assert quantities("2. Access the lift\n3. Press the two buttons") == [Quantity("number of buttons", 2, 2)]
    assert quantities("free from 20 euros") == [Quantity("money", 20.0, 20.0, "least")]
    assert quantities("up to 3 days") == [Quantity("time", 3.0, 3.0, "most")]
    assert quantities("9 euros a month") == [Quantity("money", 9.0, 9.0)]
    assert quantities("open from 9 to 17:30") == [Quantity("clock from", 9, 9), Quantity("clock until", 17.5, 17.5)]
    assert quantities("You must be 16 years old") == [Quantity("age", 16.0, 16.0)]
    assert quantities("the minimum age is 18") == [Quantity("age", 18.0, 18.0)]
    assert quantities("one bag, two coats") == [Quantity("number of bags", 1, 1), Quantity("number of coats", 2, 2)]
    assert quantities("children pay half the price") == [Quantity("share", 50.0, 50.0)]


def test_days_of_the_week_are_filled_in():
    assert weekdays("Monday to Wednesday") == {0, 1, 2}
    assert weekdays("from Sat. till Mon.") == {5, 6, 0}
    assert weekdays("closed on public holidays") == {7}
    assert weekdays("open daily") == set(range(7))
    assert weekdays("the sun may set") == set()


def test_words_of_their_own_keep_two_things_apart_unless_the_question_is_one():
    express, standard = "Express delivery takes 1 day.", "Standard delivery takes 5 days."
    assert not comparable(express, standard, 0.9, questions=0.95)
    skis, boots = "Skis are ready after 1 day.", "Boots are ready after 5 days."
    assert not comparable(skis, boots, 0.9)
    assert comparable(skis, boots, 0.9, questions=0.95)
    assert not comparable(skis, boots, 0.4, questions=0.95)
    assert comparable("Delivery takes 1 day.", "Delivery takes 5 days.", 0.9)
    assert not comparable("Delivery takes 1 day.", "Delivery takes 5 days.", 0.2)


def test_pairs_are_told_with_their_rows():
    units = ["You have 30 days.", "You have 14 days.", "Boots are dried overnight."]
    vectors = np.array([[1, 0], [0.95, np.sqrt(1 - 0.95**2)], [0, 1]], np.float32)
    asked = [np.eye(2, dtype=np.float32)[:1]] * 3
    [found] = contradictions("period", units, vectors, asked, [["r1"], ["r2", "r3"], ["r4"]])
    assert (found.one, found.other, found.reason) == (units[0], units[1], "different time")
    assert found.rows == ("r1", "r2", "r3")
