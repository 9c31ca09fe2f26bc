"""Where personal data stands in a text, what finds it, and the form of a text that recognisers read.

Recognisers read a folded text: typographic spaces, dashes, quotes and full-width characters as their plain forms,
invisible characters out, accents composed. `Folded` keeps the way back to the characters of the original.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

UPPER = "A-Z" + "".join(c for c in map(chr, range(0x80, 0x530)) if c.isupper())
"""Upper-case letters of Latin, Greek and Cyrillic, for character classes."""
PLACEHOLDER = re.compile(r"<([A-Z][A-Z_]*)_(\d+)>")

_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000\t", " "),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d", "-"),
        **dict.fromkeys("\u2018\u2019\u201b\u02bc\u00b4\uff07", "'"),
        **{chr(0xFF01 + i): chr(0x21 + i) for i in range(94) if chr(0xFF01 + i) not in "\uff0d\uff07"},
    }
)
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u115f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")


class Span(NamedTuple):
    """Personal data in a text: characters [start, end). `by` is the form of speech that told of a name, where one did:
    what judges names (detector.py) reads it."""

    start: int
    end: int
    entity: str
    score: float
    by: str = ""


@dataclass(frozen=True)
class Folded:
    """A text as recognisers read it. `offsets[i]` is where character i stands in the original; None: at i."""

    text: str
    offsets: tuple[int, ...] | None

    @cached_property
    def lower(self) -> str:
        """The text in lower case, with the two letters folded that a case-insensitive pattern takes for i and s."""
        return self.text.lower().replace("\u0131", "i").replace("\u017f", "s")

    @cached_property
    def has_digit(self) -> bool:
        """Whether the text holds a decimal digit."""
        return re.search(r"\d", self.text) is not None

    @cached_property
    def words(self) -> frozenset[str]:
        """The lower-case words of the text."""
        return frozenset(re.findall(r"\w+", self.lower))

    def original(self, span: Span) -> Span:
        """The span in the original text."""
        if self.offsets is None:
            return span
        return span._replace(start=self.offsets[span.start], end=self.offsets[span.end - 1] + 1)


def fold(text: str) -> Folded:
    """A text in the plain form recognisers read."""
    if text.isascii():
        return Folded(text.translate(_PLAIN) if "\t" in text else text, None)
    if _INVISIBLE.search(text) is None and unicodedata.is_normalized("NFC", text):
        return Folded(text.translate(_PLAIN), None)
    characters: list[str] = []
    offsets: list[int] = []
    for match in re.finditer(r"(?s)(.)([\u0300-\u036f]*)", text):
        if _INVISIBLE.match(match[1]) is None:
            for character in unicodedata.normalize("NFC", match[0]):
                characters.append(character)
                offsets.append(
                    match.start() if not characters[1:] or offsets[-1:] != [match.start()] else match.end() - 1
                )
    # A letter stands for itself and the accents after it, so that none of them is left behind a mask.
    return Folded("".join(characters).translate(_PLAIN), tuple(offsets))


@dataclass(frozen=True)
class Recogniser:
    """A pattern of one entity; the group `value`, where it has one, is the personal data, else the whole match.

    `digit` and `words` are what every match holds (a digit; one of the strings, in lower case): texts without it are
    not searched, which can lose nothing. `accepts` judges a match by checksum or context.
    """

    entity: str
    pattern: re.Pattern[str]
    score: float
    digit: bool = False
    words: tuple[str, ...] = ()
    accepts: Callable[[re.Match[str]], bool] | None = None

    def may_match(self, text: Folded) -> bool:
        """False only where the pattern cannot match."""
        return (not self.digit or text.has_digit) and (not self.words or any(w in text.lower for w in self.words))

    def find(self, text: Folded, *, prefilter: bool = True) -> list[Span]:
        """The matches in a folded text, as spans of the folded text."""
        if prefilter and not self.may_match(text):
            return []
        group = "value" if "value" in self.pattern.groupindex else 0
        return [
            Span(*match.span(group), self.entity, self.score)
            for match in self.pattern.finditer(text.text)
            if match.end(group) > match.start(group) and (self.accepts is None or self.accepts(match))
        ]


def resolve(spans: Iterable[Span], text: str) -> list[Span]:
    """Spans that do not overlap, in order: the surer first, then the longer; of the others what stands outside it."""
    kept: list[Span] = []
    taken = bytearray(len(text))
    for span in sorted(spans, key=lambda s: (-s.score, s.start - s.end, s.start, s.entity)):
        if not any(taken[span.start : span.end]):
            kept.append(span)
        else:
            kept += [
                span._replace(start=start, end=end)
                for start, end in _free(taken, span.start, span.end)
                for start, end in [_trimmed(text, start, end)]
                if sum(c.isalnum() for c in text[start:end]) > 1
            ]
        taken[span.start : span.end] = b"\1" * (span.end - span.start)
    return sorted(kept)


def _free(taken: bytearray, start: int, end: int) -> list[tuple[int, int]]:
    return [(start + m.start(), start + m.end()) for m in re.finditer(rb"\0+", bytes(taken[start:end]))]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and not text[start].isalnum():
        start += 1
    while end > start and not text[end - 1].isalnum():
        end -= 1
    return start, end
