"""Which side a sentence takes: free or paid, allowed or not, needed or not, open or closed, and more.

A side is said by words of its own or by the other side's words with a negation ("not included", "nobody can",
"isn't offered"). One more pair is one more entry of AXES.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

YES, NO = 1, -1
PERMISSION = "whether it can be"
_MONEY = r"(?:[€£$]\s?\d|\d[\d.,]*\s?(?:€|£|\$|eur\b|euros?\b|dollars?\b|usd\b|pounds?\b|cents?\b|%|percent\b))"


@dataclass(frozen=True)
class Axis:
    """Two sides of one matter as recognisers, each without negations."""

    name: str
    yes: re.Pattern[str]
    no: re.Pattern[str]


def _axis(name: str, yes: str, no: str) -> Axis:
    return Axis(name, re.compile(yes, re.IGNORECASE), re.compile(no, re.IGNORECASE))


AXES: tuple[Axis, ...] = (
    _axis(
        "what it costs",
        r"\bfree(?:\s+of\s+charge)?\b(?!\s+to\b)|\b(?:no|without(?:\s+an?)?)\s+(?:extra\s+|additional\s+|further\s+|hidden\s+)?"
        r"(?:charges?|costs?|fees?)\b|\bcosts?\s+nothing\b|\bfor\s+nothing\b|\bon\s+(?:us|the\s+house)\b|\bat\s+our\s+(?:own\s+)?(?:cost"
        r"|expense)\b|\bwe\s+(?:will\s+)?(?:pay|cover|bear)\b|\bincluded\b|\bpart\s+of\s+the\s+(?:\w+\s+)?(?:price|rate|fare)\b"
        r"|\bkostenlos\b|\bkostenfrei\b|\bgratis\b|\bgratuit\w*|\bsans\s+frais\b",
        rf"\bcosts?\b(?=[^.;]{{0,25}}{_MONEY})|\b(?:is|are)\s+(?:only\s+)?{_MONEY}|\b(?:fees?|charges?|surcharges?)\b|\bcharged\b(?!\s+twice)|\b(?:at|for)\s+{_MONEY}|\bcosts?\s+extra\b|\bon\s+top\b|\b(?:you|customers?|buyers?"
        rf"|guests?)\s+(?:\w+\s+){{0,3}}?(?:pays?|bears?|covers?)\b|\bat\s+(?:your|the\s+customer['’]s)\s+(?:own\s+)?(?:cost|expense)"
        rf"\b|\bkoste[tn]\b(?=[^.;]{{0,25}}\d)|\bcoûte\w*\b(?=[^.;]{{0,25}}\d)|\bcuesta\w*\b(?=[^.;]{{0,25}}\d)"
        rf"|\bpays?\b(?!\s+(?:by|with|via|in|at|out|back|attention)\b)",
    ),
    _axis(
        "how often",
        r"\bmonthly\b|\b(?:every|per|each|a|once\s+a)\s+month\b|\bmonatlich\b",
        r"\b(?:yearly|annual(?:ly)?)\b|\b(?:every|per|each|a|once\s+a)\s+year\b|\bjährlich\b",
    ),
    _axis(
        PERMISSION,
        r"\bcan\b|\bmay\b|\bpossible\b|\ballowed\b|\bpermitted\b|\baccept(?:ed|s)?\b|\bavailable\b|\bwelcome\b|\boffer(?:ed|s)?\b"
        r"|\bsupport(?:ed|s)?\b|\bwe\s+(?:do\s+)?(?:also\s+)?(?:ship|deliver|take|sell|repair|send|provide|match|give)\b|\bmöglich\b"
        r"|\berlaubt\b|\bpossible\b|\bposible\b",
        r"\bcannot\b|\bcan['’]?t\b|\bimpossible\b|\bforbidden\b|\bprohibited\b|\bexcluded\b|\bsuspended\b|\bdiscontinued\b|\brefused?\b"
        r"|\bfinal\b|\bunavailable\b|\bno\s+longer\b|\b(?:there\s+(?:is|are)|we\s+have)\s+no\b(?!\s+(?:\w+\s+)?(?:charges?|fees?|costs?|needs?"
        r"|limits?|deadlines?|minimum|problems?|doubt|other)\b)|\bnicht\s+möglich\b|\bunmöglich\b|\bausgeschlossen\b",
    ),
    _axis(
        "whether it is part of it",
        r"\bincluded\b|\bincludes?\b|\bprovided\b|\bappl(?:y|ies)\s+to\b|\bcover(?:s|ed)?\b|\bpart\s+of\b|\bcomes?\s+with\b|\binclusive\b|\binsured\b|\bcompris(?:e|es)?\b|\binclus(?:e|es)?\b|\benthalten\b"
        r"|\binbegriffen\b",
        r"\bexcluded?\b|\bsold\s+separately\b|\b(?:costs?|is|are)\s+extra\b|\bbring\s+your\s+own\b|\bdoes\s+not\s+extend\b|\bexcept(?:ed)?\b",
    ),
    _axis(
        "whether it is needed",
        r"\bmandatory\b|\brequire[sd]?\b|\bmust\b|\bneed(?:ed|s)?\b|\bnecessary\b|\bobligatory\b|\bcompulsory\b|\b(?:have|has)\s+to\b"
        r"|\bcan(?:not|['’]t|\s+not)\b[^.;]*\bwithout\b|\bonly\s+with\b",
        r"\boptional\b|\bvoluntary\b|\bup\s+to\s+you\b|\bcan\b(?!not|['’]t|\s+not)[^.;]*\bwithout\b",
    ),
    _axis("open or closed", r"\bopen\b|\b(?:can|may)\s+visit\b|\bgeöffnet\b", r"\bclosed?\b|\bgeschlossen\b"),
    _axis(
        "by itself or by hand",
        r"\bautomatic(?:ally)?\b|\bby\s+(?:itself|themselves)\b",
        r"\bmanual(?:ly)?\b|\bby\s+hand\b|\b(?:you|customers?)\s+(?:have\s+to|must|need\s+to)\b",
    ),
    _axis(
        "whether money comes back",
        r"\b(?<!non-)(?<!non)refund(?:able|ed|s)?\b|\bmoney\s+back\b|\b(?:paid|given)\s+back\b|\breimbursed?\b",
        r"\bnon-?refundable\b|\brefunds?\b[^.;]*\bnot\s+(?:possible|given|made|paid)\b|\bno\s+refunds?\b|\bstore\s+credit\s+only\b|\bonly\s+(?:as\s+)?store\s+credit\b",
    ),
    _axis(
        "online or not",
        r"\boffline\b|\bwithout\s+(?:an?\s+)?(?:internet|connection)\b",
        r"\binternet\b|\bconnection\b|\bonline\b",
    ),
    _axis(
        "only online",
        r"\bonline\s+only\b|\bonly\s+online\b",
        r"\bin\s+(?:every|all|the|any|our)\s+(?:shops?|stores?|branch(?:es)?)\b",
    ),
    _axis(
        "whether it ends",
        r"\bexpir(?:es?|y|ation)\b|\blapses?\b|\bruns?\s+out\b|\bvalid\s+(?:for|until)\b",
        r"\b(?:valid|lasts?|kept|keeps?)\s+for\s*ever\b|\bunlimited\s+(?:validity|time)\b"
        r"|\b(?:moves?|carried|carries|rolls?)\s+(?:on\s+)?(?:over|to\s+the\s+next)\b",
    ),
    _axis(
        "yes or no",
        r"^\W*(?:yes|yep|sure|of\s+course|absolutely|certainly|ja|oui|sí)\b",
        r"^\W*(?:no|nope|sorry|unfortunately|nein|leider|non)\b",
    ),
)
"""What two sentences can be of two minds about."""
_BEFORE = re.compile(
    r"(?:\b(?:not|never|no|nobody|none|neither|nor|without|hardly|unable|cannot|(?:do|does|is|are|was|were|wo|ca|did)nt|nicht"
    r"|kein\w*|nie|pas|ni|nunca)\b|n['’]t\b)(?:\W+\w+){0,5}\W*$",
    re.IGNORECASE,
)
"""A negation, and up to five words after it, before what it denies."""
_AFTER = re.compile(r"^\W*(?:\w+\W+)?(?:not\b|n['’]t|nicht\b|pas\b|never\b)", re.IGNORECASE)
"""Behind a verb that carries its own: "do not", "can never"."""
_NOT_A_DENIAL = re.compile(
    r"\bno\s+(?:problem|matter|later|more|less|longer\s+than|charge|fee|cost|extra|additional|hidden)\b|\bnot\s+only\b|\bnever\s+mind\b"
    r"|\bwithout\s+(?:\w+\s+)?(?:charge|cost|fee|problem)s?\b|\bdon['’]?t\s+(?:worry|hesitate)\b|\bcosts?\s+nothing\b",
    re.IGNORECASE,
)
"""Negations that deny nothing of what follows."""


def stances(sentence: str) -> dict[str, int]:
    """Axis to the side that a sentence takes, YES or NO; axes on which it takes none or both are left out."""
    found: dict[str, int] = {}
    for axis in AXES:
        sides = _sides(axis, sentence)
        if len(sides) == 1:
            found[axis.name] = sides.pop()
    return found


def opposed(one: Mapping[str, int], other: Mapping[str, int]) -> str | None:
    """The first axis on which two sentences take different sides."""
    return next((name for name, side in one.items() if other.get(name, side) != side), None)


def _sides(axis: Axis, sentence: str) -> set[int]:
    """The sides that are said. What one side's words lie within is that side's: "cannot" holds no "can"."""
    against = [(m.start(), m.end(), NO) for m in axis.no.finditer(sentence)]
    within = [
        (m.start(), m.end(), YES)
        for m in axis.yes.finditer(sentence)
        if not any(start <= m.start() and m.end() <= end for start, end, _ in against)
    ]
    against = [
        span
        for span in against
        if not any(start <= span[0] and span[1] <= end and (start, end) != span[:2] for start, end, _ in within)
    ]
    return {-side if _denied(sentence, start, end) else side for start, end, side in (*within, *against)}


def _denied(sentence: str, start: int, end: int) -> bool:
    """Whether a negation stands on what is between two places."""
    plain = _NOT_A_DENIAL.sub(lambda match: "_" * len(match.group()), sentence)
    clause = re.split(r"[,;:.!?]|\bbut\b|\band\b|\bwhile\b", plain[:start])[-1]
    return _BEFORE.search(clause) is not None or _AFTER.match(plain[end:]) is not None
