"""Names in the middle of sentences, in small letters and capitals, in last lines; and what only looks like one."""

import re

import pytest

from llmops_assets.lib.redaction import Redactor


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor(names=False, allow=["lumora", "halo"])


# Tavrik and Osmelin stand in no list of names and in no dictionary: it is the sentence that proves them.
MENTIONED = {
    "done to": "i spoke with [tavrik] again; please tell [tavrik] that it broke"
    "; I handed it over to [Tavrik], thanks"
    "; according to [Tavrik] it is fine; a lady called [Tavrik] answered; signed for by '[Tavrik]'",
    "does": "[Tavrik] from your shop was here; I asked, and [Julia] told me so; it was [tavrik] from your team",
    "here": "[tavrik osmelin] here, the lamp broke; moin, [tavrik] hier",
    "relation": "left w/ neighbour [Tavrik] next door; call my wife instead, [Tavrik], she knows"
    "; my mate [tavrik] has it; my boss is [Tavrik], thanks; hi [tavrik], all is well",
    "initials": "it was [J. Osmelin] then; it was [A.-B. Osmelin] then",
    "reversed": "patient [Osmelin, Julia]; redelivery for [Yilmaz, Aylin] on friday",
    "sent": "Sending to [Aylin]. What else?",
    "of another country": "so [aylin] waits; Est-ce que [Aylin] vient demain ?; Creo que [Aylin] viene mañana",
    "capitals": "[JULIA OSMELIN] - please answer; MY NAME IS [TAVRIK OSMELIN]; THE PARCEL WENT TO [JULIA OSMELIN]",
    "small": "yesterday [julia] was here; so [julia osmelin] waits",
    "beside": "I told [Julia] and [Tavrik] so",
    "strange": "Could [Tavrik] help with this, please; We saw that [Tavrik Osmelin] left",
    "last line": "It broke.\n\n[Tavrik Osmelin]"
    "; It broke. When will you come?\nSunny greetings from the coast\n[Tavrik]"
    "; It broke.\n-- [Tavrik]; It broke.\n~[tavrik]"
    "; It broke.\n\n[Tavrik Osmelin]\n+31 6 12345678; thx, [tavrik osmelin]",
}


@pytest.mark.parametrize("form", MENTIONED)
def test_a_sentence_gives_away_a_name_and_nothing_beside_it(redactor, form):
    for text in MENTIONED[form].split("; "):
        masked = redactor.redact([re.sub(r"[\[\]]", "", text)])[0].replace("+31 6 12345678", "<PHONE_1>")
        numbers = iter(("<PERSON_1>", "<PERSON_2>"))
        assert masked == re.sub(r"\[[^]]*\]", lambda _, n=numbers: next(n), text).replace("+31 6 12345678", "<PHONE_1>")


@pytest.mark.parametrize(
    "text",
    [
        "i spoke with support again, please tell somebody that it broke",
        "According to the manual it is fine. I asked for a refund.",
        "It was not sent to Leeds but to the depot.",
        "nobody here, still waiting here",
        "my lamp is broken, my order is late, my boss is angry",
        "WHY DOES THE LAMP NOT WORK? I PAID FOR IT.",
        "It broke.\n\nThank you",
        "It broke.\nPlease answer soon",
        "I have the Halo from Lumora and a hub by Philips.",
        "It needs 3.5 V. See fig. B. Thanks",
        "btw it broke, thx",
        "Lamps, Shades and Bulbs; Leeds, Bradford or York",
    ],
)
def test_what_is_no_name_stays(redactor, text):
    assert redactor.redact([text]) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "The Stella lamp and two Oscar chairs came.",
        "Is the Julia sold out? The Julia Mini is not.",
        "Ist die Lampe Julia noch da?",
        "Julia 3 is newer than Julia 2.",
        "We ship to San Julian and Saint Simon.",
        "Do you ship to Charlotte and Austin?",
        "The grace period is over. Pat on the back!",
        "Will Jasper be back in green?",
        "Are Athena and Ares still made?",
        "Do you sell Ted Baker, or Marks & Spencer's?",
        "Is the Laura Ashley paper back on Martin Luther King Day?",
    ],
)
def test_wares_and_places_are_nobody_whatever_they_are_called(text):
    assert Redactor(names=False).redact([text]) == [text]


def test_a_word_that_a_conversation_uses_for_a_ware_is_one_in_all_its_turns(redactor):
    conversation = ["Does the Julia lamp come in green?", "Julia comes in green in May."]
    assert redactor.redact(conversation) == conversation
    assert redactor.redact(["My name is Julia, about the Julia lamp."])[0].startswith("My name is <PERSON_1>")
