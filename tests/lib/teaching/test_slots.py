import pytest

from llmops_assets.lib.teaching import decide
from llmops_assets.lib.teaching.slots import loosened


@pytest.mark.parametrize(
    ("sentence", "loose"),
    [
        ("Press the {{Return Item}} button.", "Press the Return Item button."),
        ("Open [My Parcels] in the app.", "Open My Parcels in the app."),
        ("Ring us at {{Support Phone Number}} or through the chat.", "Ring us through the chat."),
        ("Write to us via {{Support Email}} or our chat.", "Write to us via our chat."),
        ("Register on our {{Website URL}}.", "Register on our website."),
        ("Sign in to your {{Website Name}} profile.", "Sign in to your profile."),
        ("Choose the order with the number <ORDER_NUMBER_2>.", "Choose the order."),
        ("Choose the order with the reference number 48151623.", "Choose the order."),
        ("Choose the order with the code 00481516.", "Choose the order."),
        ("We answer on workdays (see [our page](https://lamps.example)).",) * 2,
    ],
)
def test_what_means_the_same_without_its_slot_loses_it(sentence, loose):
    assert loosened(sentence) == loose


@pytest.mark.parametrize(
    "sentence",
    [
        "The fee is {{Fee Amount}}.",
        "We deliver within [Number of Days].",
        "Your lamp went to <ADDRESS_1>.",
        "We paid it to <IBAN_1> on Monday.",
        "Ask for <PERSON_1>.",
        "Best, [Agent]",
        "Your {{Product}} is here.",
        "Hello {{ticket.requester.first_name}}",
        "Lamps below 20 EUR stay.",
    ],
)
def test_a_value_that_is_missing_stays_a_slot_and_a_persons_data_stay_what_they_are(sentence):
    assert loosened(sentence) == sentence


def test_a_procedure_with_names_of_buttons_teaches_and_one_with_a_missing_value_does_not():
    steps = (
        "To cancel order <ORDER_NUMBER_1>:\n\n1. Log in to our {{Website Name}}.\n2. Find the order with the number "
    )
    steps += "<ORDER_NUMBER_1> in {{Order List}}.\n3. Press the {{Cancel Order}} button."
    found = decide(steps)
    assert found.kind == "general"
    assert found.text.splitlines()[-1] == "3. Press the Cancel Order button."
    assert "<" not in found.text
    assert decide(f"{steps}\n4. Pay the fee of {{{{Fee Amount}}}} there.").kind != "general"


def test_a_long_text_is_loosened_in_proportional_time():
    """Whoever tries every cut of a text would not come back from these."""
    for text in ("at the our " * 2000 + "{{x", "[a " * 4000, "on 12345 " * 2000, "{{A " * 3000):
        assert loosened(text)
