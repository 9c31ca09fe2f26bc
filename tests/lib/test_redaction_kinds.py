"""Kinds of personal data in wording of this file's own, and what looks like them and is nobody's."""

import pytest

from llmops_assets.lib.redaction import Redactor


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    """Without the language model: what rules alone find."""
    return Redactor(names=False)


@pytest.mark.parametrize(
    ("turns", "masked"),
    [
        (["Ending in?", "7731 it says"], ["Ending in?", "<CARD_1> it says"]),
        (["Die letzten vier Ziffern?", "7731"], ["Die letzten vier Ziffern?", "<CARD_1>"]),
        (["What's the reg?", "RZ 48 213"], ["What's the reg?", "<NUMBER_PLATE_1>"]),
        (["Which car is yours?", "the 2019 one"], ["Which car is yours?", "the 2019 one"]),
        (["What number?", "482-13"], ["What number?", "<ID_NUMBER_1>"]),
        (["Address?", "174, 89566 Lecce"], ["Address?", "<ADDRESS_1>"]),
        (["Your address?", "Viale dei Tigli"], ["Your address?", "<ADDRESS_1>"]),
        (["Your address?", "2 lamps, please"], ["Your address?", "2 lamps, please"]),
        (["my order is B-731", "and then 40417"], ["my order is <ORDER_NUMBER_1>", "and then <ORDER_NUMBER_2>"]),
        (
            ["my phone is 934", "08 55 sorry, sent it too early"],
            ["my phone is <PHONE_1>", "<PHONE_2> sorry, sent it too early"],
        ),
        (["my mail is olu.a7", "@mail.example"], ["my mail is <EMAIL_1>", "<EMAIL_2>"]),
        (
            ["no code by sms so far", "It takes a minute.", "551204 now"],
            ["no code by sms so far", "It takes a minute.", "<SECRET_1> now"],
        ),
        (["the shop is far", "551204 now"], ["the shop is far", "551204 now"]),
    ],
)
def test_a_short_reply_is_read_by_what_was_asked_or_begun(redactor, turns, masked):
    assert redactor.redact(turns) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("it is case sensitive, so Meadow4417, not the other", "it is case sensitive, so <SECRET_1>, not the other"),
        ("I drive a Meadow4417", "I drive a Meadow4417"),
        ("it won't take Meadow4417 any more", "it won't take <SECRET_1> any more"),
        ("Meadow4417", "<SECRET_1>"),
        ("firefox128 and chrome120 alike", "firefox128 and chrome120 alike"),
        ("since Meadow2024 nothing works", "since Meadow2024 nothing works"),
        ("model meadow4417 in white", "model meadow4417 in white"),
        ("my security answer is wrong, it says", "my security answer is wrong, it says"),
        ("my security answer is Meadow_4", "my security answer is <SECRET_1>"),
        ("551204", "<SECRET_1>"),
        (
            "you keep sending me things, and 551204 came through twice",
            "you keep sending me things, and <SECRET_1> came through twice",
        ),
        ("551204 steps and no badge", "551204 steps and no badge"),
        ("the counter stands at 551204 visitors", "the counter stands at 551204 visitors"),
        ("12/27 is too late for us", "12/27 is too late for us"),
        ("the clutch of 4417 KLM slips", "the clutch of <NUMBER_PLATE_1> slips"),
        ("the meter reads 551204 kWh", "the meter reads 551204 kWh"),
        ("article 551204 came in on Monday", "article 551204 came in on Monday"),
        ("side door 7741, mind the dog", "side door <SECRET_1>, mind the dog"),
        ("side door 7741 mm", "side door 7741 mm"),
        ("a side door, 2024", "a side door, 2024"),
        ("bitte 7741 am Tor tippen", "bitte 7741 am Tor tippen"),
        ("tippen 7741 am Tor", "tippen <SECRET_1> am Tor"),
        ("at the gate, 7741", "at the gate, <SECRET_1>"),
        ("641, back of the visa", "<SECRET_1>, back of the visa"),
        ("digits on the reverse: 641", "digits on the reverse: <SECRET_1>"),
        ("there were 641 at the back of the hall", "there were 641 at the back of the hall"),
        ("it says 04/29 on the front", "it says <SECRET_1> on the front"),
        ("the offer ends 04/29", "the offer ends 04/29"),
        ("kv19 zpt", "<NUMBER_PLATE_1>"),
        ("a red polo, kv19 zpt", "a red polo, <NUMBER_PLATE_1>"),
        ("nail kv19 zpt", "nail kv19 zpt"),
        (
            "my card: three digits on the back 731, date 04/29",
            "my card: three digits on the back <SECRET_1>, date <SECRET_2>",
        ),
        ("the padlock opens with 551204", "the padlock opens with <SECRET_1>"),
        ("you took 12.99 from 4417 again", "you took 12.99 from <CARD_1> again"),
        ("you took 12.99 from 2024 on", "you took 12.99 from 2024 on"),
        ("GU10 LED in white", "GU10 LED in white"),
        ("KV19 ZPT was outside", "<NUMBER_PLATE_1> was outside"),
        ("towed: kv-zp 4417", "towed: <NUMBER_PLATE_1>"),
        ("the shelf kv-zp 4417", "the shelf kv-zp 4417"),
        ("firmware 2.10.4.1 or 2.11.0.3?", "firmware 2.10.4.1 or 2.11.0.3?"),
        ("2.11.0.3 is newer", "2.11.0.3 is newer"),
        ("the firmware 10.44.97.1 is out", "the firmware 10.44.97.1 is out"),
        ("my address is 2.11.0.3 now", "my address is <IP_1> now"),
        ("EAN 5901234123457 is gone", "EAN 5901234123457 is gone"),
        ("DIN EN 12464-1, RAL 9016, M8 x 40", "DIN EN 12464-1, RAL 9016, M8 x 40"),
        ("Abfahrt 0815 Gleis 7, Ankunft 1120", "Abfahrt 0815 Gleis 7, Ankunft 1120"),
        ("he came to 5 Rose Lane and the box was open", "he came to <ADDRESS_1> and the box was open"),
        ("I live at 5 rose lane and the box was open", "I live at <ADDRESS_1> and the box was open"),
        ("please ship to 47065 Lyon, my usual one", "please ship to <ADDRESS_1>, my usual one"),
        ("it is 14 long acre road, ring twice", "it is <ADDRESS_1>, ring twice"),
        ("live at 7 chapel hill penzance tr18 4ae", "live at <ADDRESS_1>"),
        ("flat 3, 146 place de la mairie", "flat 3, <ADDRESS_1>"),
        ("¿A nombre de quién va?", "¿A nombre de quién va?"),
        ("It rattles.\nRegards, K.T.", "It rattles.\nRegards, <PERSON_1>"),
    ],
)
def test_what_is_personal_goes_and_what_looks_like_it_stays(redactor, text, masked):
    assert redactor.redact([text]) == [masked]
