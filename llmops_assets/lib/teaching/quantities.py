"""Amounts in a sentence, with what they measure, in units that compare: days, money, percent, the clock, ages, counts.

`from 50 euros` is a condition and no price: see `Quantity.role`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Role = Literal["value", "least", "most"]
"""What an amount is: the thing itself, or the bound of a condition (from, above; below, up to)."""
MEASURES: dict[str, dict[str, float]] = {
    "time": {
        **dict.fromkeys(("second", "sekunde", "seconde"), 1 / 86400),
        **dict.fromkeys(("minute", "min"), 1 / 1440),
        **dict.fromkeys(("hour", "h", "stunde", "heure", "uur", "hora"), 1 / 24),
        **dict.fromkeys(("day", "night", "tag", "jour", "día", "dag", "nacht"), 1.0),
        **dict.fromkeys(("week", "woche", "semaine", "semana"), 7.0),
        "fortnight": 14.0,
        **dict.fromkeys(("month", "monat", "moi", "maand", "mes"), 30.4),
        **dict.fromkeys(("year", "jahr", "an", "jaar", "año"), 365.0),
    },
    "money": dict.fromkeys(("eur", "euro", "€", "dollar", "usd", "$", "pound", "gbp", "£", "quid", "franc"), 1.0),
    "share": dict.fromkeys(("%", "percent", "per cent", "prozent"), 1.0),
    "weight": {"kg": 1.0, "kilo": 1.0, "kilogram": 1.0, "g": 0.001, "gram": 0.001},
    "length": {"cm": 0.01, "m": 1.0, "metre": 1.0, "meter": 1.0, "km": 1000.0, "mm": 0.001},
    "size": {"gb": 1.0, "mb": 0.001, "tb": 1000.0},
}
"""What is measured to its units (singular, lower case) with their size: days, units of currency, percent, kg, m, GB."""
CONDITIONS = ("money",)
"""Measures of which a bound is a condition ("from 50 euros") and no value."""
SAME = 0.03
"""Relative difference up to which two amounts are one: 24 months are two years."""
_UNITS = {unit: (measure, size) for measure, units in MEASURES.items() for unit, size in units.items()}
_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
SPELT = {name: float(number) for number, name in enumerate(_NUMBERS.split())} | {
    "twenty": 20.0,
    "twenty-four": 24.0,
    "thirty": 30.0,
    "forty": 40.0,
    "fifty": 50.0,
    "sixty": 60.0,
    "ninety": 90.0,
    "hundred": 100.0,
}
_ONE = {"a": 1.0, "an": 1.0, "ein": 1.0, "eine": 1.0, "einem": 1.0, "einen": 1.0, "un": 1.0, "une": 1.0, "una": 1.0}
_COUNT = r"(?:\d[\d.,]*|" + "|".join(sorted(SPELT, key=len, reverse=True)) + ")"
_AMOUNT = rf"(?:{_COUNT}|{'|'.join(_ONE)})"
_BOUND = (
    r"(?P<bound>\b(?:from|above|over|more\s+than|at\s+least|a\s+minimum\s+of|starting\s+at|ab|über|à\s+partir\s+de"
    r"|below|under|less\s+than|until|up\s+to|at\s+most|no\s+more\s+than|a\s+maximum\s+of|unter|bis\s+zu|moins\s+de)\s+)?"
)
_LEAST = re.compile(r"from|above|over|more|at\s+least|minimum|starting|ab|über|partir", re.IGNORECASE)
_QUANTITY = re.compile(
    rf"{_BOUND}(?:(?P<sign>[€£$])\s?(?P<before>\d[\d.,]*)|\b(?P<low>{_AMOUNT})(?:\s?(?:-|–|to|or|and|bis"
    rf"|à)\s?(?P<high>{_AMOUNT}))?[\s-]*"
    rf"(?:(?:working|business|calendar|full|whole|more|solid)[\s-]+)?"
    rf"(?P<unit>{'|'.join(sorted(map(re.escape, _UNITS), key=len, reverse=True))})(?:s|e|n|en|es)?['’]?(?!\w))",
    re.IGNORECASE,
)
_RATE = re.compile(r"(?:\bper|/|\d|€|£|\$|%|euros?|eur|dollars?|pounds?|cents?)\s*$", re.IGNORECASE)
"""What stands before "a month" where it says how often, and not how long."""
_CLOCK = re.compile(
    r"(?P<role>\b(?:from|at|by|until|till?|til|to|and|before|after|opens?|closes?|ab|um|bis|von)\b|[-–])\s*"
    r"(?:at\s+)?(?P<hour>\d{1,2})(?:[:.h](?P<minute>\d{2}))?\s*(?P<half>[ap]\.?m\.?|uhr|o['’]?clock|h\b)?(?![\d%€]|[.,:]\d"
    r"|\s*(?:st|nd|rd|th|euros?|eur|percent|days?|weeks?|months?|years?|hours?|minutes?|kg|cm)\b)",
    re.IGNORECASE,
)
_UNTIL = re.compile(r"until|till?|til|to|by|before|closes?|bis|[-–]", re.IGNORECASE)
_OF_THE_CLOCK = re.compile(
    r"\b(?:open\w*|clos\w+|o['’]?clock|[ap]m|uhr|hours?\s+are|reach|call|phone|hotline|from)\b", re.IGNORECASE
)
_AGE = re.compile(
    rf"\b(?:aged?|age\s+(?:is|of)|minimum\s+age(?:\s+(?:is|of))?|under|over|from|below|at\s+least|older\s+than"
    rf"|younger\s+than|until)\s+(?P<years>{_COUNT})\b(?!\s*[-–]?\s*(?:%|€|percent|euros?|eur|days?|weeks?|months?|hours?|kg))",
    re.IGNORECASE,
)
_OLD = re.compile(r"[\s-]*(?:old|of\s+age)\b", re.IGNORECASE)
_OF_AGES = re.compile(
    r"\b(?:ages?|aged|old|older|younger|kids?|child(?:ren)?|bab(?:y|ies)|infants?|toddlers?|adults?|seniors?|minors?|born)\b",
    re.I,
)
_THINGS = re.compile(
    rf"\b(?P<count>\d+|{'|'.join(SPELT)})\s+(?:\w+\s+)??(?P<thing>[a-z]{{2,}}[^\Ws]s)\b"
    r"|\b(?P<one>one)\s+(?P<single>[a-z]{3,})\b",
    re.IGNORECASE,
)
"""A number with a point behind it is a step of a list."""
_NO_THINGS = frozenset(
    "hour day week month year euro dollar pound percent time pm am other our more another per and the can must".split()
)


@dataclass(frozen=True)
class Quantity:
    """An amount or a range of one measure: days for times, units of currency, percent, hours of the day, years of age;
    `role` tells bounds of conditions from the thing itself."""

    measure: str
    low: float
    high: float
    role: Role = "value"

    def meets(self, other: "Quantity") -> bool:
        """Whether both can be meant at once: the ranges overlap, up to how months and years are counted."""
        slack = SAME * max(self.high, other.high) if self.measure == "time" else 0.0
        mine, theirs = (
            0.0 if one.role == "most" != two.role else one.low for one, two in ((self, other), (other, self))
        )
        return mine <= other.high + slack and theirs <= self.high + slack


_PHRASES = (
    (re.compile(r"\b(?:the\s+)?same[\s-]day\b", re.IGNORECASE), Quantity("time", 0.0, 1.0)),
    (re.compile(r"\b(?:the\s+)?next[\s-]day\b|\bovernight\b", re.IGNORECASE), Quantity("time", 1.0, 1.0)),
    (
        re.compile(r"\bhalf(?:\s+(?:the|of\s+the))?(?:\s+price)?\b(?!\s+(?:an?|hour|year|day|past))", re.IGNORECASE),
        Quantity("share", 50.0, 50.0),
    ),
    (re.compile(r"\b(?:the\s+)?full\s+(?:price|fare)\b", re.IGNORECASE), Quantity("share", 100.0, 100.0)),
)
"""Amounts that are said without a number."""


def quantities(sentence: str) -> list[Quantity]:
    """The amounts of a sentence; ranges as such, weeks and months in days. "9 euros a month" has no time."""
    found, taken = [], []
    for match in _QUANTITY.finditer(sentence):
        if not match["sign"] and _runs_on(sentence, match):
            continue
        start = match.start("sign") if match["sign"] else match.start("low")
        role = _role(match["bound"])
        if match["sign"]:
            amount = number(match["before"])
            found.append(Quantity("money", amount, amount, role))
        elif not _is_rate(sentence, match):
            measure, size = _UNITS[match["unit"].lower()]
            if measure == "time" and _OLD.match(sentence, match.end()):
                measure, size = "age", size / 365.0
            low = number(match["low"]) * size
            high = number(match["high"]) * size if match["high"] else low
            if measure not in CONDITIONS and measure != "time":
                role = "value"
            found.append(Quantity(measure, min(low, high), max(low, high), role))
        taken.append((start, match.end()))
    for phrase, quantity in _PHRASES:
        for match in phrase.finditer(sentence):
            found.append(quantity)
            taken.append((match.start(), match.end()))
    rest = _without(sentence, taken)
    return [*found, *_clock(rest), *_ages(rest), *_counts(rest)]


def number(text: str) -> float:
    """The value of a number in digits or words; 0 where it is none."""
    if (spelt := SPELT.get(text.lower(), _ONE.get(text.lower()))) is not None:
        return spelt
    plain = text.rstrip(".,")
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", plain):
        plain = re.sub(r"[.,]", "", plain)
    try:
        return float(plain.replace(",", "."))
    except ValueError:
        return 0.0


def _role(bound: str | None) -> Role:
    if not bound:
        return "value"
    return "least" if _LEAST.search(bound) and "no more" not in bound.lower() else "most"


def _is_rate(sentence: str, match: re.Match[str]) -> bool:
    return match["low"].lower() in _ONE and _RATE.search(sentence[: match.start("low")]) is not None


def _runs_on(sentence: str, match: re.Match[str]) -> bool:
    """Whether a number in letters has no end before its unit: "age" is not a gram."""
    last = "high" if match["high"] else "low"
    return match[last].isalpha() and sentence[match.end(last)].isalpha()


def _without(sentence: str, taken: list[tuple[int, int]]) -> str:
    """The sentence with blanks where something was read already."""
    for start, end in taken:
        sentence = sentence[:start] + " " * (end - start) + sentence[end:]
    return sentence


def _clock(sentence: str) -> Iterator[Quantity]:
    if not _OF_THE_CLOCK.search(sentence) or _OF_AGES.search(sentence):
        return
    for match in _CLOCK.finditer(sentence):
        hour, half = int(match["hour"]), (match["half"] or "").lower()
        if hour > 24:
            continue
        at = hour % 12 + (12 if half.startswith("p") else 0) if half[:1] in ("a", "p") and half else hour
        time = at + int(match["minute"] or 0) / 60
        yield Quantity("clock until" if _UNTIL.fullmatch(match["role"]) else "clock from", time, time)


def _ages(sentence: str) -> Iterator[Quantity]:
    if _OF_AGES.search(sentence):
        for match in _AGE.finditer(sentence):
            years = number(match["years"])
            yield Quantity("age", years, years)


def _counts(sentence: str) -> Iterator[Quantity]:
    for match in _THINGS.finditer(sentence):
        thing = (match["thing"] or match["single"]).lower().removesuffix("s")
        if thing not in _NO_THINGS:
            count = number(match["count"] or match["one"])
            yield Quantity(f"number of {thing}s", count, count)
