"""Many at once who are not helped, and texts of no language: what is one, what is none, and what follows."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from findings_support import MONDAY, a_day, after, asked, report, vector, well

from llmops_assets.lib.records import DecisionPolicy, DriftPolicy
from llmops_assets.lib.watching.decision import decide
from llmops_assets.lib.watching.findings.junk import JUNK_SHARE, shared
from llmops_assets.lib.watching.findings.life import carried
from llmops_assets.lib.watching.findings.rushes import rush

LETTERS = "abcdefghijklmnopqrstuvwxyz "
GERMAN = (
    "Wie lange dauert die normale Lieferung?",
    "Wann kommt meine Lampe mit dem Versand an?",
    "Ab welchem Betrag ist der Versand kostenlos?",
    "Wo finde ich den Link zur Verfolgung der Sendung?",
    "Wie bekomme ich ein Etikett für die Rücksendung?",
    "Wie lange habe ich Garantie auf meine Lampe?",
    "Mit welchen Karten kann ich bezahlen?",
    "Ich habe mein Passwort vergessen. Was soll ich tun?",
    "Wie verbinde ich die Lampe mit dem WLAN?",
    "Kann ich meine Bestellung noch stornieren?",
)
CHINESE = ("我的灯不亮了怎么办", "怎么退货", "保修期多长时间", "送货需要多少天", "可以用信用卡付款吗",
           "如何重置密码", "订单可以取消吗", "商店几点开门", "灯泡可以换吗", "发票在哪里下载")  # fmt: skip


def at_once(members, minutes: int = 90, after_hours: float = 7):
    """The same within so many minutes."""
    first = min(one.time for one in members).replace(hour=6, minute=0) + timedelta(hours=after_hours)
    return [replace(one, time=first + n * timedelta(minutes=minutes) / len(members)) for n, one in enumerate(members)]


def everyday(badly: int = 4):
    """Ninety questions over fifteen hours, so many of them answered badly."""
    usual = [one for topic in ("orders", "returns", "lamps") for one in well(topic, 30)]
    return [replace(one, badly=n % (90 // badly) == 0) for n, one in enumerate(usual)]


def bad_hours():
    """Three hundred questions over fifteen hours, answered badly from 13 to 15 o'clock."""
    usual = [one for topic in ("orders", "returns", "lamps") for one in well(topic, 100)]
    return [replace(one, badly=13 <= one.time.hour < 15) for one in usual]


def outage(count: int = 32):
    """What people write of one outage: of twelve things that are not alike, badly answered."""
    return at_once([one for n in range(12) for one in asked(f"down{n}", count // 12 + (n < count % 12))])


def junk(count: int, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choice(LETTERS) for _ in range(rng.randrange(15, 50))).strip() for _ in range(count)]


def test_an_outage_is_one_incident_although_everybody_words_it_differently():
    (case,) = after([*everyday(), *outage()])
    assert (case.finding.kind, case.finding.action) == ("rush", "incident")
    assert len(case.members) >= 32
    said = decide(report(case.finding), [MONDAY], None, DecisionPolicy(), DriftPolicy())
    assert (said.verdict, "a notice on the page helps" in said.told) == ("ask", True)


def test_what_a_day_brings_later_of_the_same_is_the_same_incident():
    tuesday = MONDAY + timedelta(days=1)
    first = after([*everyday(), *outage()])
    second = [replace(one, id=f"t{one.id}", time=one.time + timedelta(days=1)) for one in [*everyday(), *outage()]]
    (case,) = after(second, tuesday, first)
    assert case.finding.id == first[0].finding.id
    assert [one.day for one in case.finding.days] == [MONDAY, tuesday]


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([*everyday(), *at_once(well("orders", 40))], id="a campaign that is answered well"),
        pytest.param([*everyday(45), *at_once([*well("orders", 20), *asked("lamps", 20, start=40)])], id="lunch time"),
        pytest.param([*everyday(), *asked("recall", 32)], id="a new topic over the day"),
        pytest.param([*everyday(), *at_once(asked("orders", 8, start=50))], id="too few"),
        pytest.param(bad_hours(), id="two bad hours without more questions"),
        pytest.param(at_once([*everyday(), *asked("recall", 32)], 120), id="two hours in all"),
        pytest.param([], id="nobody"),
    ],
)
def test_what_is_no_rush(members):
    assert rush(members) == []


def test_a_topic_that_was_found_before_is_no_incident_when_many_ask_at_once():
    first = after([*everyday(), *asked("recall", 20)])
    tuesday = MONDAY + timedelta(days=1)
    usual = [replace(one, id=f"t{one.id}", time=one.time + timedelta(days=1)) for one in everyday()]
    (case,) = after([*usual, *at_once(asked("recall", 32, tuesday))], tuesday, first)
    assert (case.finding.id, case.finding.kind) == (first[0].finding.id, "new")


def test_letters_are_no_topic_to_write_about():
    asking, letters = asked("recall", 24), junk(24)
    members = [replace(one, question=text) for one, text in zip(asking, letters, strict=True)]
    day = a_day([*everyday(), *members])
    alike = {text: vector(one.question) for one, text in zip(asking, letters, strict=True)}
    (case,) = carried(replace(day, vectors={**day.vectors, **alike}), [])
    assert (case.finding.action, case.finding.total("badly")) == ("junk", 24)
    said = decide(report(case.finding), [MONDAY], None, DecisionPolicy(), DriftPolicy())
    assert (said.verdict, "of no language" in said.told) == ("wait", True)


@pytest.mark.parametrize("count", [10, 24, 500])
def test_letters_are_junk_however_many_there_are(count):
    assert shared(junk(count)) <= JUNK_SHARE


@pytest.mark.parametrize("texts", [GERMAN, CHINESE, junk(9), ["the same thing"] * 40])
def test_a_language_few_texts_and_one_text_are_no_junk(texts):
    assert shared(texts) > JUNK_SHARE
