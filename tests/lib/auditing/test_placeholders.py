"""What counts as an unfilled slot, and what only looks like one."""

import pytest

from llmops_assets.lib.auditing.placeholders import placeholders, unservable


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Best, <PERSON_2>", ["<PERSON_2>"]),
        ("<EMAIL_1> or <SOCIAL_SECURITY_12>, please", ["<EMAIL_1>", "<SOCIAL_SECURITY_12>"]),
        ("Your own entity: <LOYALTY_CARD_3>.", ["<LOYALTY_CARD_3>"]),
        ("Dear <person 1>, hello [PHONE_2]", ["<person 1>", "[PHONE_2]"]),
        ("Dear <PERSON>, hello [EMAIL]", ["<PERSON>", "[EMAIL]"]),
        ("as HTML: &lt;PERSON_1&gt;", ["&lt;PERSON_1&gt;"]),
        ("Best, PERSON_2", ["PERSON_2"]),
        ("Kind regards, <PERSON", ["<PERSON"]),
        ("Kind regards, <PERSON_", ["<PERSON_"]),
        ("Your order {{Order Number}} left.", ["{{Order Number}}"]),
        ("Your order {{Order Num", ["{{Order Num"]),
        ("Hello {% customer.name %}", ["{% customer.name %}"]),
        ("Hello %{name}, #{order} costs ${amount}", ["%{name}", "#{order}", "${amount}"]),
        ("Hello %(name)s and {first_name}", ["%(name)s", "{first_name}"]),
        ("Dear [name],", ["[name]"]),
        ("Dear [Your Name],", ["[Your Name]"]),
        ("on [insert delivery day here]", ["[insert delivery day here]"]),
        ("call [Company Phone Number] or [customer_email]", ["[Company Phone Number]", "[customer_email]"]),
        ("Dear <your name>, order <order number>", ["<your name>", "<order number>"]),
        ("Dear <<Name>>, dear «First Name»", ["<<Name>>", "«First Name»"]),
        ("Ask __AGENT_NAME__ or *|FNAME|* or [[customer]]", ["__AGENT_NAME__", "*|FNAME|*", "[[customer]]"]),
        ("[% name %] and <%= order.id %>", ["[% name %]", "<%= order.id %>"]),
        ("##ORDER## @@name@@ $first_name$ %LASTNAME%", ["##ORDER##", "@@name@@", "$first_name$", "%LASTNAME%"]),
    ],
)
def test_unfilled_slots_are_found_as_they_stand(text, found):
    assert placeholders(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Delivery takes 3 to 5 days.",
        "As note [1] says, it takes <3 days.",
        "x < y > z, and a<b, b>c",
        "See [our delivery page](https://lumora.example/delivery) or [the link](https://lumora.example).",
        "Press [Enter], then [My Account] and [Track order].",
        "Write to <help@lumora.example> or go to <https://lumora.example/a>.",
        "<b>Free</b> returns<br>within <time>30 days</time>. <address>Mill Lane 12</address>",
        "It costs $5 {plus shipping} and 100% of it {a, b} comes back.",
        "The set {x} and \\text{abc} and lamp LM_200 with IP44 and a DEVICE_A.",
        "Lumen [sic] and more [...]",
        "The 10% (name)s? #1 choice",
        "Use __init__.py? No: **bold**, __two words__, 5 << 6 >> 2 and «Bonjour!» he said.",
        "It is 5%OFF% today, $5 to $9, C## and a@@b.",
    ],
)
def test_texts_that_only_look_like_it_are_fine(text):
    assert placeholders(text) == []


def test_html_may_not_be_served_either():
    assert unservable("<p>Dear {{name}}</p>") == ["{{name}}", "<p>", "</p>"]
    assert unservable("Free from 5 < 6 lamps") == []
