"""Whether two sentences that speak of the same thing agree: quantities with their units, polarity, opposites.

No model of inference: what is found is what a person can check. Two sentences are compared when they are near in
meaning, or answer near questions; what differs on purpose (express and standard, one model and another) is told apart
by the words that each has alone.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from llmops_assets.lib.corpus.facts import negates
from llmops_assets.lib.teaching.cuts import words

ALIKE = 0.6
"""Cosine of two sentences from which they are compared."""
SAME_QUESTION = 0.8
"""Cosine of two questions from which their answers are compared, whatever their words."""

MEASURES: dict[str, dict[str, float]] = {
    "time": {
        **dict.fromkeys(("second", "sekunde", "seconde"), 1 / 86400),
        **dict.fromkeys(("minute", "min"), 1 / 1440),
        **dict.fromkeys(("hour", "h", "stunde", "heure", "uur"), 1 / 24),
        **dict.fromkeys(("day", "night", "tag", "jour", "día", "dag", "nacht"), 1.0),
        **dict.fromkeys(("week", "woche", "semaine", "semana"), 7.0),
        "fortnight": 14.0,
        **dict.fromkeys(("month", "monat", "moi", "maand"), 30.0),
        **dict.fromkeys(("year", "jahr", "an", "jaar"), 365.0),
    },
    "money": dict.fromkeys(("eur", "euro", "€", "dollar", "usd", "$", "pound", "gbp", "£", "quid"), 1.0),
    "share": dict.fromkeys(("%", "percent", "prozent"), 1.0),
    "weight": {"kg": 1.0, "kilo": 1.0, "kilogram": 1.0},
    "size": {"gb": 1.0, "mb": 0.001},
}
"""What is measured to its units (singular, lower case) with their size: days, units of currency, percent, kg, GB."""
_UNITS = {unit: (measure, size) for measure, units in MEASURES.items() for unit, size in units.items()}
_SPELT = {
    name: float(number)
    for number, name in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
    )
} | {"twenty": 20.0, "thirty": 30.0, "sixty": 60.0, "ninety": 90.0, "a": 1.0, "an": 1.0}
_AMOUNT = r"(?:\d[\d.,]*|" + "|".join(_SPELT) + ")"
_QUANTITY = re.compile(
    rf"(?P<sign>[€£$])\s?(?P<before>\d[\d.,]*)|\b(?P<low>{_AMOUNT})(?:\s?(?:-|–|to|or|and|bis"
    rf"|à)\s?(?P<high>{_AMOUNT}))?[\s-]*"
    rf"(?:(?:working|business|calendar|full|whole|more)[\s-]+)?"
    rf"(?P<unit>{'|'.join(sorted(map(re.escape, _UNITS), key=len, reverse=True))})(?:s|e|n|en)?(?!\w)",
    re.IGNORECASE,
)
OPPOSITES: tuple[tuple[str, str], ...] = (
    (
        r"\bfree(?:\s+of\s+charge)?\b|\bno\s+(?:extra\s+)?(?:charge|cost|fee)\b|\bcosts?\s+nothing\b|\bincluded\b"
        r"|\bon\s+us\b",
        r"\bcosts?\s+(?!nothing)\S*\d|\bfee\s+of\b|\bcharged?\b(?!.*\bnot\b)|\b(?:you|customers?)\s+(?:must\s+"
        r"|have\s+to\s+)?pays?\b|\bat\s+your\s+(?:own\s+)?(?:cost|expense)\b",
    ),
    (
        r"\bmonthly\b|\b(?:every|per|each|a)\s+month\b",
        r"\b(?:yearly|annual(?:ly)?)\b|\b(?:every|per|each|a|once\s+a)\s+year\b",
    ),
    (
        r"\bpossible\b(?<!not\spossible)(?<!impossible)|\b(?:you|we|they|one)\s+can\b(?!not|'t)|\ballowed\b"
        r"|\baccepted\b|\bwe\s+(?:accept|offer|support|ship|deliver|take)\b",
        r"\bimpossible\b|\bnot\s+(?:possible|allowed|accepted|offered|supported)\b|\bcannot\b|\bcan't\b|\bcan\s+not\b"
        r"|\bwe\s+(?:don't|do\s+not|never|no\s+longer)\b|\bno\s+longer\b|\bforbidden\b",
    ),
    (
        r"^\W*(?:yes|yep|yes,|sure|of\s+course|absolutely|certainly)\b",
        r"^\W*(?:no|nope|sorry|unfortunately)\b",
    ),
    (
        r"\bonline\s+only\b|\bonly\s+online\b",
        r"\bin\s+(?:every|all|the|any|our)\s+(?:shops?|stores?|branch(?:es)?)\b",
    ),
    (r"\bopen\b", r"\bclosed?\b"),
    (r"\bautomatic(?:ally)?\b", r"\bmanual(?:ly)?\b|\bby\s+hand\b"),
    (
        r"\b(?:mandatory|required|must|needed|necessary)\b",
        r"\b(?:optional|voluntary|not\s+(?:needed|required|necessary)|no\s+need|don't\s+need)\b",
    ),
    (
        r"\brefundable\b(?<!non-refundable)|\brefunded\b",
        r"\bnon-refundable\b|\bno\s+refunds?\b|\bnot\s+refund(?:ed|able)\b",
    ),
)
"""Pairs of recognisers of which a sentence matches one and its opposite the other. One of your own is one entry."""
_OPPOSED = tuple((re.compile(one, re.IGNORECASE), re.compile(other, re.IGNORECASE)) for one, other in OPPOSITES)
_AFFIRMS = re.compile(
    r"\bno\s+(?:extra\s+|additional\s+)?(?:charge|fee|cost|problem|later\s+than|more\s+than|less\s+than|longer\s+than"
    r"|matter)s?\b"
    r"|\bcosts?\s+nothing\b|\bnot\s+only\b|\bwithout\s+(?:\w+\s+)?(?:charge|cost|fee|problem)s?\b|\bnever\s+mind\b",
    re.IGNORECASE,
)
"""Negations that say yes: "no charge", "no later than"."""
_COMMON = frozenset(
    """
    a about above after all also an and any are as at be because been before below between business but by
    calendar can cannot charge charged cost costs customer customers day days do does dont eur euro euros
    every for free from full get give given has have hour hours how if in including into is it its just may
    month monthly months more most must need needs never no not of on one only or order orders our out over
    pay per please possible possible return returned returning send should so some take takes that the their
    them then there they this time to unfortunately up us usually want we week weeks when which will with
    within without working year yearly years yes you your annually annual impossible fee percent back always
    can't don't allowed accepted offer deadline period long old
    """.split()
)


@dataclass(frozen=True)
class Quantity:
    """An amount or a range of one measure: days for times, units of currency, percent."""

    measure: str
    low: float
    high: float


@dataclass(frozen=True)
class Contradiction:
    """Two sentences of answers to one question that cannot both hold, why, and the rows they stand in."""

    intent: str
    one: str
    other: str
    reason: str
    rows: tuple[str, ...] = ()


def quantities(sentence: str) -> list[Quantity]:
    """The amounts with units in a sentence; ranges as such, weeks and months in days."""
    found = []
    for match in _QUANTITY.finditer(sentence):
        if match["sign"]:
            amount = _number(match["before"])
            found.append(Quantity("money", amount, amount))
            continue
        measure, size = _UNITS[match["unit"].lower()]
        low = _number(match["low"]) * size
        high = _number(match["high"]) * size if match["high"] else low
        found.append(Quantity(measure, min(low, high), max(low, high)))
    return found


def _number(text: str) -> float:
    if text.lower() in _SPELT:
        return _SPELT[text.lower()]
    plain = text.rstrip(".,")
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", plain):
        plain = re.sub(r"[.,]", "", plain)
    try:
        return float(plain.replace(",", "."))
    except ValueError:
        return 0.0


def disagreement(one: str, other: str) -> str | None:
    """Why two comparable sentences cannot both hold; None when nothing speaks against it."""
    mine, theirs = quantities(one), quantities(other)
    for measure in {q.measure for q in mine} & {q.measure for q in theirs}:
        left = {(q.low, q.high) for q in mine if q.measure == measure}
        right = {(q.low, q.high) for q in theirs if q.measure == measure}
        if not any(a[0] <= b[1] and b[0] <= a[1] for a in left for b in right):
            return f"different {measure}"
    for yes, no in _OPPOSED:
        for a, b in ((one, other), (other, one)):
            if yes.search(a) and not no.search(a) and no.search(b) and not yes.search(b):
                return "opposites"
    if _denies(one) != _denies(other) and not (_own(one) ^ _own(other)):
        return "one denies it"
    return None


def _denies(sentence: str) -> bool:
    return negates(_AFFIRMS.sub(" ", sentence))


def comparable(one: str, other: str, similarity: float, questions: float = 0.0) -> bool:
    """Whether two sentences speak of the same thing: near in meaning and without words that tell their things apart.

    `similarity` is the cosine of the sentences, `questions` the largest one of the questions they answer.
    """
    apart, also = _own(one) - _own(other), _own(other) - _own(one)
    if apart and also and questions < SAME_QUESTION:
        return False
    return similarity >= ALIKE or (questions >= SAME_QUESTION and similarity >= ALIKE / 2)


def _own(sentence: str) -> set[str]:
    return {w.removesuffix("s") for w in words(sentence) if not w.isdigit() and w not in _COMMON and w not in _SPELT}


def contradictions(
    intent: str,
    units: Sequence[str],
    vectors: np.ndarray,
    questions: Sequence[np.ndarray],
    rows: Sequence[Iterable[str]],
) -> list[Contradiction]:
    """Pairs of sentences of one intent that cannot both hold.

    `vectors` (n, d) are the unit vectors of the sentences, `questions` those of the questions each answers (k, d), and
    `rows` the ids of the rows it stands in.
    """
    found = []
    scores = vectors @ vectors.T
    for a, b in zip(*np.nonzero(np.triu(scores >= ALIKE / 2, 1)), strict=True):
        reason = disagreement(units[a], units[b])
        if reason is None:
            continue
        near = float((questions[a] @ questions[b].T).max()) if len(questions[a]) and len(questions[b]) else 0.0
        if comparable(units[a], units[b], float(scores[a, b]), near):
            told = tuple(sorted({*rows[a], *rows[b]}))
            found.append(Contradiction(intent, units[a], units[b], reason, told))
    return found
