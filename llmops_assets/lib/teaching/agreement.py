"""Whether two sentences that speak of the same thing agree: quantities with their units, the sides they take, denials.

No model of inference: what is found is what a person can check. Two sentences are compared when they are near in
meaning, or answer near questions; what differs on purpose (express and standard, Saturday and Sunday, before and after
dispatch, from 50 euros and below) is told apart first.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from llmops_assets.lib.corpus.facts import facts, negates
from llmops_assets.lib.teaching.cuts import words
from llmops_assets.lib.teaching.quantities import CONDITIONS, SPELT, Quantity, quantities
from llmops_assets.lib.teaching.stances import PERMISSION, YES, opposed, stances

ALIKE = 0.6
"""Cosine of two sentences from which they are compared."""
SAME_QUESTION = 0.8
"""Cosine of two questions from which their answers are compared, whatever their words."""
RELATED = 0.48
"""Cosine of two sentences from which they are compared where the questions are the same."""
CONTRASTS: tuple[tuple[str, ...], ...] = (
    (r"express|same-day|next-day|overnight|priority", r"standard|regular|normal|economy"),
    (r"unopened|unused|unworn|sealed", r"opened|used|worn|unsealed"),
    (r"child|children|kids?|minors?|under-\d+s", r"adults?|grown-?ups?", r"seniors?|pensioners?", r"students?"),
    (r"weekdays?|working days", r"weekends?"),
    (r"business|companies|company|corporate|wholesale", r"private|consumers?|personal"),
    (r"domestic|inland|national", r"international|abroad|overseas|foreign"),
    (r"(?:monthly|month-to-month)\s+(?:\w+\s+)?(?:plan|pass|subscription|ticket|option|membership|contract|price|rate)s?",
     r"(?:yearly|annual)\s+(?:\w+\s+)?(?:plan|pass|subscription|ticket|option|membership|contract|price|rate)s?"),
    (r"(?:until|before|prior to|as long as|unless)\b[^.;]*?(?:dispatch|ship|sen[dt]|deliver|start|begin)\w*",
     r"(?:once|after|when|as soon as)\b[^.;]*?(?:dispatch|ship|sen[dt]|deliver|start|begun|begin)\w*"),
    (r"small", r"medium", r"large|big|bulky"),
    (r"first|initial", r"second|following|further|every other|afterwards"),
    (r"new", r"used|second-hand|refurbished"),
    (r"standard|basic", r"premium|plus|pro"),
    (r"morning", r"afternoon", r"evening"),
    (r"summer", r"winter"),
    (r"residents?|locals?|members?|subscribers?", r"visitors?|tourists?|non-?members?|non-?residents?"),
    (r"clean|wash|wipe|dust", r"replace|change|swap|exchange", r"check|inspect|test"),
    (r"damaged|broken|faulty|defective", r"lost|missing|stolen", r"wrong"),
    (r"before|in advance|early|earlier", r"later|no-show|afterwards|on the (?:same )?day"),
    (r"within the (?!\w+ (?:days?|weeks?|hours?))|inside", r"outside|beyond"),
    (r"outbound|out", r"inbound|home"),
)  # fmt: skip
"""Groups of words that are said of different things: a sentence with one and a sentence with another are no pair. One
of your own is one entry."""
CHANNELS: tuple[str, ...] = (
    r"by\s+e-?mail|an?\s+e-?mail",
    r"online|website|web\s?site|in\s+your\s+account|in\s+the\s+app|by\s+a?\s?click",
    r"in\s+writing|by\s+(?:post|mail|letter)|a\s+letter",
    r"by\s+(?:phone|telephone)|call\s+us|hotline",
    r"in\s+(?:a|any|the|our|every)\s+(?:shop|store|branch)(?:e?s)?",
    r"(?:original|same)\s+(?:payment\s+method|card|account|means\s+of\s+payment)|bank\s+account",
    r"cash|coins?",
    r"cards?|contactless",
    r"store\s+credit|voucher|gift\s+card",
)
"""Ways that something can be done: who says "only" of one contradicts who says another."""
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_CONTRASTS = tuple(tuple(re.compile(rf"\b(?:{one})\b", re.IGNORECASE) for one in group) for group in CONTRASTS)
_CHANNELS = tuple(re.compile(rf"\b(?:{one})\b", re.IGNORECASE) for one in CHANNELS)
_ONLY = re.compile(r"\b(?:only|solely|exclusively|nothing\s+but)\b", re.IGNORECASE)
_EVERY = re.compile(r"\b(?:every(?:body|one)?|all|any(?:body|one)?|each|whatever|no\s+matter)\b", re.IGNORECASE)
SHARED = 2
"""Words that "only of some" and "of every" must share to be said of one thing."""
_LATER = re.compile(r"^\W*(?:after|once|afterwards|then)\b|\byet\b", re.IGNORECASE)
_SHORT = "|".join(day[:3] for day in DAYS)
_DAY = re.compile(
    rf"\b(?P<one>{_SHORT})[a-z]*\.?(?:\s*(?:to|till|until|through|-|–)\s*(?P<other>{_SHORT})[a-z]*)?", re.IGNORECASE
)
_DAY_NAMES = re.compile(rf"\b(?:(?i:{'|'.join(f'{day}s?' for day in DAYS)})|Mon|Tues?|Wed|Thu(?:rs)?|Fri|Sat|Sun)\b")
"""Short ones with a capital only: the sun is no day."""
_HOLIDAYS = re.compile(r"\b(?:public|bank|national)\s+holidays?\b|\bholidays\b", re.IGNORECASE)
_EVERY_DAY = re.compile(r"\b(?:every\s+day|daily|all\s+week|seven\s+days|7\s+days\s+a\s+week|24/7)\b", re.IGNORECASE)
_GERMAN = re.compile(
    r"\b(?:der|die|das|den|dem|ist|sind|und|nicht|ein|eine|einen|von|mit|wir|ihr|sie|im|am)\b", re.IGNORECASE
)
_WITHOUT = re.compile(
    r"\b(?:can(?:not|['’]t|\s+not)|not|never|no)\b(?P<what>[^.;]*?)\bwithout\b|\bwithout\b(?P<which>[^.;]*?)\b(?:can(?:not|['’]t"
    r"|\s+not)|not|never|no)\b",
    re.IGNORECASE,
)
"""Two negations that say yes."""
_DENIAL = re.compile(
    r"(?:\b(?:not|never|no|cannot|nicht|nie|kein\w*|pas)\b|n['’]t\b)(?!\s+(?:have|need)\s+to|\s+(?:needed|required|necessary|only"
    r"|later|more|less))(?P<behind>(?:\W+\w+){1,4})",
    re.IGNORECASE,
)
_ASKS = re.compile(r"^\W*(?:please\s+)?(?:do\s+not|don['’]t|never)\b", re.IGNORECASE)
_CONDITION = re.compile(r"\b(?:if|unless|when|where|in\s+case)\b[^,.;]*", re.IGNORECASE)
_AFFIRMS = re.compile(
    r"\bno\s+(?:extra\s+|additional\s+)?(?:charge|fee|cost|problem|later\s+than|more\s+than|less\s+than|longer\s+than"
    r"|matter)s?\b"
    r"|\bcosts?\s+nothing\b|\bnot\s+only\b|\bwithout\s+(?:\w+\s+)?(?:charge|cost|fee|problem)s?\b|\bnever\s+mind\b"
    r"|\bdon['’]?t\s+(?:worry|hesitate)\b",
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
_ENDING = re.compile(r"(?<=\w{3})(?:ations?|ments?|ables?|ibles?|ings?|ies|ers?|ed|es|s|y)$")
_GENERIC = frozenset(
    """
    a about after all also an and any are as at be been before but by can cannot come comes cost costs day days der die
    das des do does ein eine est et euro euros for from get give given gives has have hour hours if in into is ist it
    its la last lasts le les may month months more must need needs no not of on only or our out over percent so some
    such take taken takes than that the their them then there they this to un und une up us we week weeks when which
    will with within without year years yes you your
    """.split()
)
"""Words that two sentences may share without speaking of the same thing."""


@dataclass(frozen=True)
class Contradiction:
    """Two sentences of answers to one question that cannot both hold, why, and the rows they stand in."""

    intent: str
    one: str
    other: str
    reason: str
    rows: tuple[str, ...] = ()


def disagreement(one: str, other: str) -> str | None:
    """Why two comparable sentences cannot both hold; None when nothing speaks against it."""
    if _apart(one, other):
        return None
    if reason := _measured(quantities(one), quantities(other)):
        return reason
    mine, theirs = stances(one), stances(other)
    if _stems(one) & _stems(other) and (axis := opposed(mine, theirs)):
        return f"opposites: {axis}"
    if _excluded(one, other) or _excluded(other, one):
        return "only one of them"
    if mine.items() & theirs.items():
        return None
    same_words = _denies(one) != _denies(other) and not (_own(one) ^ _own(other))
    return "one denies it" if same_words or _denied_by(one, other) or _denied_by(other, one) else None


def comparable(one: str, other: str, similarity: float, questions: float = 0.0) -> bool:
    """Whether two sentences speak of the same thing: near in meaning and without words that tell their things apart.

    `similarity` is the cosine of the sentences, `questions` the largest one of the questions they answer.
    """
    if _apart(one, other):
        return False
    apart, also = _own(one) - _own(other), _own(other) - _own(one)
    if apart and also and questions < SAME_QUESTION:
        return False
    if similarity >= ALIKE:
        return True
    return questions >= SAME_QUESTION and similarity >= RELATED and bool(_stems(one) & _stems(other))


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
    for a, b in zip(*np.nonzero(np.triu(scores >= RELATED, 1)), strict=True):
        reason = disagreement(units[a], units[b])
        if reason is None:
            continue
        near = float((questions[a] @ questions[b].T).max()) if len(questions[a]) and len(questions[b]) else 0.0
        if comparable(units[a], units[b], float(scores[a, b]), near):
            told = tuple(sorted({*rows[a], *rows[b]}))
            found.append(Contradiction(intent, units[a], units[b], reason, told))
    return found


# -- what is measured ---------------------------------------------------------------------------------------------


def _measured(mine: Sequence[Quantity], theirs: Sequence[Quantity]) -> str | None:
    """The measure of which no amount of the one meets one of the other."""
    found = []
    for measure, role in sorted({_key(q) for q in mine} & {_key(q) for q in theirs}):
        left, right = ([q for q in some if _key(q) == (measure, role)] for some in (mine, theirs))
        if not any(a.meets(b) for a in left for b in right):
            found.append((measure, any(q.role == "least" for q in left) and any(q.role == "least" for q in right)))
    # Steps of a scale: over 60 minutes this, over 120 minutes that.
    if len(found) > 1 and any(bound for _, bound in found):
        return None
    return f"different {found[0][0]}" if found else None


def _key(quantity: Quantity) -> tuple[str, str]:
    """What is compared with each other: a price with a price, a bound of prices with such a bound."""
    return quantity.measure, quantity.role if quantity.measure in CONDITIONS else ""


# -- what is told apart -------------------------------------------------------------------------------------------


def _apart(one: str, other: str) -> bool:
    """Whether two sentences speak of different cases: other days, places, kinds, or the other side of a bound."""
    return (
        _contrasted(one, other)
        or _disjoint(weekdays(one), weekdays(other))
        or _disjoint(_names(one), _names(other))
        or _bounded_apart(quantities(one), quantities(other))
        or (bool(weekdays(one)) != bool(weekdays(other)) and _by_the_clock(one) and _by_the_clock(other))
        or (bool(_LATER.match(one)) != bool(_LATER.match(other)) and _later_of(one, other))
    )


def _contrasted(one: str, other: str) -> bool:
    for group in _CONTRASTS:
        mine, theirs = ({n for n, kind in enumerate(group) if kind.search(text)} for text in (one, other))
        # Who says "only" of one kind says something of the others too.
        if _disjoint(mine, theirs) and not (_ONLY.search(one) or _ONLY.search(other)):
            return True
    return False


def _disjoint(mine: set, theirs: set) -> bool:
    return bool(mine and theirs) and not mine & theirs


def weekdays(sentence: str) -> set[int]:
    """The days of the week (0 is Monday, 7 a public holiday) that a sentence names, ranges filled in."""
    if _EVERY_DAY.search(sentence):
        return set(range(len(DAYS)))
    found: set[int] = set()
    short: list[str] = [day[:3] for day in DAYS]
    if _HOLIDAYS.search(sentence):
        found.add(len(DAYS))
    for match in _DAY.finditer(sentence):
        if not _DAY_NAMES.match(match.group().split()[0].rstrip(".,")):
            continue
        first = short.index(match["one"].lower())
        last = short.index(match["other"].lower()) if match["other"] else first
        found |= {day % 7 for day in range(first, last + 1 if last >= first else last + 8)}
    return found


def _names(sentence: str) -> set[str]:
    """Names in the sentence that are no weekdays; none where nouns have capitals."""
    if _GERMAN.search(sentence):
        return set()
    found = facts(sentence).names
    return {name for name in found if not _DAY_NAMES.match(name) and not any(c.isdigit() for c in name)}


def _bounded_apart(mine: Sequence[Quantity], theirs: Sequence[Quantity]) -> bool:
    """Whether the one is said from an amount on, and the other up to it."""
    return any(
        {a.role, b.role} == {"least", "most"} and a.measure == b.measure and
        (b.high if b.role == "most" else a.high) <= (a.low if a.role == "least" else b.low)
        for a in mine for b in theirs
    )  # fmt: skip


def _by_the_clock(sentence: str) -> bool:
    return any(quantity.measure.startswith("clock") for quantity in quantities(sentence))


def _later_of(one: str, other: str) -> bool:
    """Whether the one that begins with "after" or "once" names what the other is about."""
    later, now = (one, other) if _LATER.match(one) else (other, one)
    return bool(_stems(later.split(",")[0]) & _stems(now))


# -- what is excluded ---------------------------------------------------------------------------------------------


def _excluded(one: str, other: str) -> bool:
    """Whether the one says "only" of a way or kind, and the other says another."""
    if not _ONLY.search(one) or _ONLY.search(other):
        return False
    if _EVERY.search(other) and len(_stems(one) & _stems(other)) >= SHARED:
        return True
    if not _stems(one) & _stems(other):
        return False
    mine, theirs = ({n for n, way in enumerate(_CHANNELS) if way.search(text)} for text in (one, other))
    if _disjoint(mine, theirs):
        return True
    kinds = (tuple({n for n, kind in enumerate(group) if kind.search(t)} for t in (one, other)) for group in _CONTRASTS)
    return any(_disjoint(*pair) for pair in kinds)


def _denies(sentence: str) -> bool:
    return negates(_WITHOUT.sub(r"\g<what>\g<which>", _AFFIRMS.sub(" ", sentence)))


def _denied_by(one: str, other: str) -> bool:
    """Whether the one denies what the other says without a denial: both share words, some of them behind the "not"."""
    if _denies(other) or len(_stems(one) & _stems(other)) < SHARED:
        return False
    # What customers are asked not to do is no statement about what happens.
    if _ASKS.match(one) and stances(other).get(PERMISSION) != YES:
        return False
    plain = _WITHOUT.sub(r"\g<what>\g<which>", _AFFIRMS.sub(" ", _CONDITION.sub(" ", one)))
    behind = [match["behind"] for match in _DENIAL.finditer(plain)]
    return any(_stems(part) & _stems(_CONDITION.sub(" ", other)) for part in behind)


def _own(sentence: str) -> set[str]:
    return {w.removesuffix("s") for w in words(sentence) if not w.isdigit() and w not in _COMMON and w not in SPELT}


def _stems(sentence: str) -> set[str]:
    """The words that say what a sentence is about, without their endings: delivery and delivered are one."""
    said = {w for w in words(sentence) if not w.isdigit() and w not in _GENERIC and w not in SPELT and len(w) > 2}
    return {_ENDING.sub("", w)[:6] for w in said}
