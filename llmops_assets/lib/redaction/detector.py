"""What of all that may be a name is one: a learned look at a word, its form, the lists it stands in, its neighbours,
and the forms of speech that told of it.

A logistic regression over the features below; benchmarks/name_detector.py fits it to the tuned families of
conversations with names of many countries, and writes detector.json. The rules of names.py and mentions.py and the
language model propose; words that none of them saw are looked at too. Behind "my name is" nothing is judged.
"""

import functools
import json
import math
import re
from collections.abc import Collection, Iterator, Sequence
from importlib.resources import files
from typing import NamedTuple

from llmops_assets.lib.redaction import gazetteer, things
from llmops_assets.lib.redaction.names import CUED, MODEL, TITLE
from llmops_assets.lib.redaction.spans import Span
from llmops_assets.lib.redaction.vocabulary import foreign, frequency, listed, misspelt, ordinary
from llmops_assets.lib.redaction.words import (
    AMBIGUOUS_GIVEN_NAMES,
    BRANDS,
    COMMON_WORDS,
    FAMILY_NAMES,
    GIVEN_NAMES,
    MYTHS,
    PARTICLES,
    PLACES,
)

FILE = files("llmops_assets.lib.redaction") / "detector.json"
_TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|\d+|<[A-Z_]+_\d+>|[^\w\s]|\n")
_ACRONYMS = re.compile(r"[A-Z]{2,}s")
ENGLISH = 0.5
"""Share of ordinary words in a text without a word that tells its language, from which it is taken for English."""
NEAR = 5
"""Words on each side of a word that are looked at whatever their order."""
WARES = frozenset(
    """
    cm mm kg g ml l litre litres w watt watts v volt inch inches size sizes colour color colours price prices cost costs
    stock model models version edition range collection series sale discount oak walnut leather velvet cotton wool steel
    warranty battery bulb lamp lamps chair chairs sofa table bed shelf album book books film play ticket tickets concert
    song brand store shop flavour bottle recipe farbe größe preis modell lager regal bett tisch stuhl lampe prix taille
    couleur modèle lampe chaise précio precio talla color modelo lámpara silla mesa prezzo taglia colore modello lampada
    sedia prijs maat kleur stoel tafel cena rozmiar kolor lampa preço tamanho cor candeeiro available disponible
    """.split()
)
"""Lower-case words of a text about wares."""
_INSIDE = frozenset("@/_<>&=#+\\")
_JOINERS = (PARTICLES | {"-"}) - {"a", "e", "i", "o", "y", "and", "et", "und"}
AMBIGUOUS_TITLES = frozenset({"don", "pan", "lady", "dona"})
"""Titles that are names and words too."""
_UNJUDGED = frozenset({"", "strong"})
"""Forms of speech behind which everything is a name: an introduction in so many words, a question, another reader."""


class Token(NamedTuple):
    """A word, number, placeholder, sign or line break of a text at [start, end); `kind` is what a neighbour sees."""

    start: int
    end: int
    text: str
    lower: str
    kind: str
    candidate: bool
    by: tuple[str, ...] = ()
    against: tuple[str, ...] = ()


class Model(NamedTuple):
    """Weights by feature, the probability from which a word is a name, the lower one (`doubtless`) from which a word
    behind a cue or of a full name is, and the digest of the rows it learned from."""

    weights: dict[str, float]
    bias: float
    threshold: float
    doubtless: float
    rows: str


@functools.cache
def model() -> Model:
    """The fitted one."""
    stored = json.loads(FILE.read_text())
    return Model(stored["weights"], stored["bias"], stored["threshold"], stored["doubtless"], stored["rows"])


def language_read(text: str, language: str) -> str:
    """The language a text is read in: said by its conversation, or English where most of its words are; else none."""
    if language:
        return language
    found = [word.lower() for word in re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text)]
    usual = sum(ordinary(word) for word in found)
    return "en" if usual > 1 and usual >= ENGLISH * len(found) else ""


def judged(text: str, allowed: Collection[str], language: str, proposed: Sequence[Span]) -> list[Span]:
    """The names of a text, those proposed by rules and the language model among them; `allowed` are lower-case words
    that are none, `language` is that of its conversation."""
    sure = [span for span in proposed if _unjudged(text, span)]
    others = judgeable(text, proposed)
    read = language_read(text, language)
    tokens = tokenized(text, allowed, gazetteer.names(), read, others)
    if not any(token.candidate for token in tokens):
        return sure
    fitted = model()
    cued = {span.by for span in others if span.score >= CUED}
    named = []
    for position, token in enumerate(tokens):
        if not token.candidate:
            named.append(0.0)
            continue
        odds = fitted.bias + sum(fitted.weights.get(f, 0.0) for f in features(tokens, position, read))
        probability = 1 / (1 + math.exp(-odds))
        doubtless = bool(cued.intersection(token.by)) or _of_a_full_name(tokens, position)
        least = fitted.doubtless if doubtless else fitted.threshold
        named.append(probability if probability >= least else 0.0)
    for position, token in enumerate(tokens[1:], 1):
        # A word that is a family name too is one behind a name.
        behind = read == "en" and token.kind == "lF" and token.start == tokens[position - 1].end + 1
        named[position] = named[position] or (named[position - 1] if behind else 0.0)
    found = list(_joined(text, tokens, named))
    found += (cut for span in others for cut in _trimmed(tokens, named, span))
    return sure + [_scored(*place, others) for place in found]


def judgeable(text: str, proposed: Sequence[Span]) -> list[Span]:
    """Of proposed names those that are judged."""
    return [span for span in proposed if not _unjudged(text, span)]


def _unjudged(text: str, span: Span) -> bool:
    """Whether a name is one whatever stands around it: announced in so many words, or behind a cue with a capital."""
    return span.by in _UNJUDGED or (span.score >= CUED and text[span.start].isupper())


def _of_a_full_name(tokens: Sequence[Token], position: int) -> bool:
    """Whether a capital word stands beside another, and one of them is a given name and no word."""
    token = tokens[position]
    beside = [
        other
        for other in tokens[max(0, position - 1) : position + 2]
        if other.kind[0] in "TM"
        and other.candidate
        and other is not token
        and min(abs(other.start - token.end), abs(token.start - other.end)) == 1
    ]
    return token.kind[0] in "TM" and bool(beside) and any(t.kind[-1] in "ghG" for t in (token, *beside))


def _scored(start: int, end: int, proposed: Sequence[Span]) -> Span:
    """A name with the score of the surest rule that told of it; of none, as a model tells."""
    scores = [span.score for span in proposed if span.start < end and start < span.end]
    return Span(start, end, "PERSON", min(max(scores, default=MODEL), CUED))


def tokenized(
    text: str, allowed: Collection[str], known: gazetteer.Names, language: str = "en", proposed: Sequence[Span] = ()
) -> list[Token]:
    """The tokens of a text; a candidate is a word that may be a name at all."""
    found = []
    for match in _TOKEN.finditer(text):
        start, end, word = match.start(), match.end(), match[0]
        if word[-2:].lower() == "'s":
            end, word = end - 2, word[:-2]
        lower = word.lower()
        kind = _kind(word, lower, known, language)
        around = text[max(0, start - 1) : start] + text[end : end + 1]
        by = tuple(sorted({span.by for span in proposed if span.start <= start and end <= span.end}))
        candidate = (
            word[0].isalpha()
            and len(word) > 1
            and (TITLE.fullmatch(word) is None or lower in AMBIGUOUS_TITLES)
            and (lower not in allowed or bool(by))
            and (bool(by) or (kind[-1] not in "cbuw" and kind not in ("lF", "lv") and (bool(language) or kind != "lx")))
            and not (_INSIDE & set(around) or any(c.isdigit() for c in around))
        )
        whole = next((s for s in proposed if s.start <= start and end <= s.end), Span(start, end, "PERSON", MODEL))
        against = things.speaks_against(text, whole) if candidate and case_of(word) != "l" else ()
        found.append(Token(start, end, word, lower, kind, candidate, by, against))
    return found


def _kind(word: str, lower: str, known: gazetteer.Names, language: str) -> str:
    """Case and list of a token: `Tg` is a title-case given name."""
    if not word[0].isalpha():
        return "0" if word[0].isdigit() else "<" if word[0] == "<" and len(word) > 1 else word
    case = case_of(word)
    given, family = lower in known.given or lower in GIVEN_NAMES, lower in known.family or lower in FAMILY_NAMES
    usual = ordinary(lower) or listed(lower)
    parts = lower.split("-")
    if len(word) == 1:
        found = "i"
    elif (len(parts) > 1 and not COMMON_WORDS.isdisjoint(parts)) or _ACRONYMS.fullmatch(word):
        found = "c"
    elif lower in BRANDS:
        found = "b"
    elif lower in COMMON_WORDS:
        found = "c"
    elif lower in PLACES:
        found = "q" if given else "p"
    elif lower in MYTHS:
        found = "y"
    elif lower in foreign(language):
        found = "w"
    elif usual:
        # The lists of many countries hold most words of English: here only ours count.
        found = "A" if lower in AMBIGUOUS_GIVEN_NAMES else "G" if lower in GIVEN_NAMES else "F" if family else "o"
        if found == "o" and case == "l":
            found = "u"
    else:
        found = "h" if given and family else "g" if given else "f" if family else "x"
        if found == "x" and all(part in known.given or part in GIVEN_NAMES for part in parts):
            found = "g"
        elif found == "x" and language == "en" and misspelt(lower):
            found = "t"
        elif found == "x" and frequency(lower, language):
            found = "v"
    return case + found


def case_of(word: str) -> str:
    """l for small letters, T for a capital first, U for capitals, M and m for a mixture that begins with either."""
    if word.islower():
        return "l"
    if word[1:].islower() or len(word) == 1:
        return "T"
    if word.isupper():
        return "U"
    return "M" if word[0].isupper() else "m"


def features(tokens: Sequence[Token], position: int, language: str = "en") -> Iterator[str]:
    """What is looked at of a token and its neighbours."""
    token = tokens[position]
    before = tokens[position - 1] if position else None
    after = tokens[position + 1] if position + 1 < len(tokens) else None
    kind, left, right = token.kind, before.kind if before else "^", after.kind if after else "$"
    second = tokens[position - 2].kind if position > 1 else "^"
    third = tokens[position + 2].kind if position + 2 < len(tokens) else "$"
    opens = left in "^.!?\n:" or left == "-"
    left_word, right_word = _word(before, "^"), _word(after, "$")
    second_word = _word(tokens[position - 2] if position > 1 else None, "^")
    third_word = _word(tokens[position + 2] if position + 2 < len(tokens) else None, "$")
    yield f"k {kind}"
    yield f"k {kind} {'opens' if opens else 'in'}"
    yield f"l {left} {kind}"
    yield f"r {kind} {right}"
    yield f"lr {left} {kind} {right}"
    yield f"ll {second} {left} {kind}"
    yield f"rr {kind} {right} {third}"
    yield f"lw {left_word}"
    yield f"rw {right_word}"
    yield f"lwk {left_word} {kind}"
    yield f"rwk {kind} {right_word}"
    yield f"llw {second_word} {left_word}"
    yield f"rrw {right_word} {third_word}"
    yield f"lwrw {left_word} {right_word}"
    yield f"2w {second_word}"
    yield f"3w {third_word}"
    yield f"n {min(len(token.lower), 9)} {kind[-1]}"
    for by in token.by or ("none",):
        yield f"by {by}"
        yield f"by {by} {kind}"
        yield f"by {by} {left} {right}"
    for against in token.against:
        yield f"against {against}"
        yield f"against {against} {kind}"
        yield f"against {against} {' '.join(token.by)}"
    if len(token.by) > 1:
        yield f"by {' '.join(token.by)}"
    for other in tokens[max(0, position - NEAR) : position + NEAR + 1]:
        if other.kind[-1] in "cuowv" and len(other.lower) > 2 and other is not token:
            yield f"near {other.lower}"
        elif other.kind == "0":
            yield "near 0"
    last = tokens[-1].text if tokens[-1].text in "?!." else "none"
    yield f"ends {last} {kind}"
    if any(other.lower in WARES for other in tokens):
        yield f"ware {kind}"
        yield f"ware {' '.join(token.by)}"
    used = round(frequency(token.lower, language or "en"))
    yield f"used {used} {kind}"
    yield f"used {used} {kind[0]} {left}"
    yield f"used {used} {' '.join(token.by)}"
    if language not in ("", "en"):
        yield f"used in English {round(frequency(token.lower, 'en'))} {used} {kind[0]}"
    yield f"spread {min(gazetteer.spread(token.lower), 6)} {kind[0]}"
    if token.lower in gazetteer.towns():
        yield f"town {kind}"
        yield f"town {left_word}"
    if language != "en":
        yield f"in {language} {kind}"
        yield f"in {language} {kind} {'opens' if opens else 'in'}"
    if kind[-1] in "xvgfht":
        padded = f"^{token.lower}$"
        for size in (2, 3):
            yield f"e {padded[-size:]}"
            yield f"s {padded[:size]}"
        for start in range(len(padded) - 2):
            yield f"c {padded[start : start + 3]}"
        if language != "en":
            yield f"e {language} {padded[-3:]}"
            yield f"e {language} {padded[-4:]}"


def _word(token: Token | None, edge: str) -> str:
    """A neighbour as a feature: its word where it is an ordinary one, else only what kind of word it is."""
    if token is None:
        return edge
    return token.lower if token.kind[-1] in "cuowvFG" or len(token.kind) == 1 else token.kind


def _joined(text: str, tokens: Sequence[Token], named: Sequence[float]) -> Iterator[tuple[int, int]]:
    """Names side by side as one, with initials and particles between them."""
    start = end = None
    for position, token in enumerate(tokens):
        if named[position]:
            if start is not None and end is not None and set(text[end : token.start]) <= {" "}:
                end = token.end
                continue
            if start is not None and end is not None:
                between = [t for t in tokens if end <= t.start < token.start]
                if between and all(t.kind[-1] == "i" or t.lower in _JOINERS or t.text == "." for t in between):
                    end = token.end
                    continue
                yield start, end
            start, end = token.start, token.end
    if start is not None and end is not None:
        yield start, end


def _trimmed(tokens: Sequence[Token], named: Sequence[float], span: Span) -> Iterator[tuple[int, int]]:
    """What of a proposed name are names: its words that are, with initials, particles and a comma between and beside
    them; "and" parts two of them."""
    start = end = None
    good = False
    for number, token in enumerate(tokens):
        if not (span.start <= token.start and token.end <= span.end):
            continue
        if named[number] or token.kind[-1] == "i" or token.text in ".,-" or token.lower in _JOINERS:
            start = token.start if start is None else start
            # A comma ends nothing and begins nothing.
            end = token.end if token.text != "," else end
            good |= bool(named[number])
            continue
        if good and start is not None and end is not None:
            yield start, end
        start, end, good = None, None, False
    if good and start is not None and end is not None:
        yield start, end
