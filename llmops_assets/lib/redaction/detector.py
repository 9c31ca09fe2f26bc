"""Names that no cue announces, by a learned look at a word: its form, the lists it stands in, and its neighbours.

A logistic regression over the features below; benchmarks/name_detector.py fits it to the tuned families of
conversations with names of many countries, and writes detector.json. English only: where nouns are capital words and no
vocabulary is at hand, form tells nothing.
"""

import functools
import json
import math
import re
from collections.abc import Collection, Iterator, Sequence
from importlib.resources import files
from typing import NamedTuple

from llmops_assets.lib.redaction import gazetteer
from llmops_assets.lib.redaction.vocabulary import listed, misspelt, ordinary
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
_INSIDE = frozenset("@/_<>&=#+\\")
_JOINERS = PARTICLES | {"-"}


class Token(NamedTuple):
    """A word, number, placeholder, sign or line break of a text at [start, end); `kind` is what a neighbour sees."""

    start: int
    end: int
    text: str
    lower: str
    kind: str
    candidate: bool


class Model(NamedTuple):
    """Weights by feature, the probability from which a word is a name, and the digest of the rows it learned from."""

    weights: dict[str, float]
    bias: float
    threshold: float
    rows: str


@functools.cache
def model() -> Model:
    """The fitted one."""
    stored = json.loads(FILE.read_text())
    return Model(stored["weights"], stored["bias"], stored["threshold"], stored["rows"])


def reads(text: str, language: str) -> bool:
    """Whether a text is English: said by its conversation, or most of its words are where that tells nothing."""
    if language:
        return language == "en"
    found = [word.lower() for word in re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text)]
    usual = sum(ordinary(word) for word in found)
    return usual > 1 and usual >= ENGLISH * len(found)


def find(text: str, allowed: Collection[str]) -> list[tuple[int, int]]:
    """Names in an English text, as (start, end), neighbours joined; `allowed` are lower-case words that are none."""
    known = gazetteer.names()
    tokens = tokenized(text, allowed, known)
    if not any(token.candidate for token in tokens):
        return []
    fitted = model()
    least = math.log(fitted.threshold / (1 - fitted.threshold))
    named = [
        token.candidate and fitted.bias + sum(fitted.weights.get(f, 0.0) for f in features(tokens, position)) >= least
        for position, token in enumerate(tokens)
    ]
    for position, token in enumerate(tokens[1:], 1):
        # A word that is a family name too is one behind a name.
        named[position] |= named[position - 1] and token.kind == "lF" and token.start == tokens[position - 1].end + 1
    return list(_joined(text, tokens, named))


def tokenized(text: str, allowed: Collection[str], known: gazetteer.Names) -> list[Token]:
    """The tokens of a text; a candidate is a word that may be a name at all."""
    found = []
    for match in _TOKEN.finditer(text):
        start, end, word = match.start(), match.end(), match[0]
        if word[-2:].lower() == "'s":
            end, word = end - 2, word[:-2]
        lower = word.lower()
        kind = _kind(word, lower, known)
        around = text[max(0, start - 1) : start] + text[end : end + 1]
        candidate = (
            word[0].isalpha()
            and len(word) > 1
            and lower not in allowed
            and kind[-1] not in "cbu"
            and kind != "lF"
            and not (_INSIDE & set(around) or any(c.isdigit() for c in around))
        )
        found.append(Token(start, end, word, lower, kind, candidate))
    return found


def _kind(word: str, lower: str, known: gazetteer.Names) -> str:
    """Case and list of a token: `Tg` is a title-case given name."""
    if not word[0].isalpha():
        return "0" if word[0].isdigit() else "<" if word[0] == "<" and len(word) > 1 else word
    if word.islower():
        case = "l"
    elif word[1:].islower() or len(word) == 1:
        case = "T"
    elif word.isupper():
        case = "U"
    else:
        case = "M" if word[0].isupper() else "m"
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
    elif usual:
        # The lists of many countries hold most words of English: here only ours count.
        found = "A" if lower in AMBIGUOUS_GIVEN_NAMES else "G" if lower in GIVEN_NAMES else "F" if family else "o"
        if found == "o" and case == "l":
            found = "u"
    else:
        found = "h" if given and family else "g" if given else "f" if family else "x"
        if found == "x" and all(part in known.given or part in GIVEN_NAMES for part in parts):
            found = "g"
        elif found == "x" and misspelt(lower):
            found = "t"
    return case + found


def features(tokens: Sequence[Token], position: int) -> Iterator[str]:
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
    if kind[-1] in "xgfht":
        padded = f"^{token.lower}$"
        for size in (2, 3):
            yield f"e {padded[-size:]}"
            yield f"s {padded[:size]}"
        for start in range(len(padded) - 2):
            yield f"c {padded[start : start + 3]}"


def _word(token: Token | None, edge: str) -> str:
    """A neighbour as a feature: its word where it is an ordinary one, else only what kind of word it is."""
    if token is None:
        return edge
    return token.lower if token.kind[-1] in "cuoFG" or len(token.kind) == 1 else token.kind


def _joined(text: str, tokens: Sequence[Token], named: Sequence[bool]) -> Iterator[tuple[int, int]]:
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
