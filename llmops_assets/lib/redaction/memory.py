"""What a conversation knows: a value found in one turn is masked in every turn, a person's first or last name too."""

import re
from collections.abc import Collection, Sequence

from llmops_assets.lib.redaction import names, things
from llmops_assets.lib.redaction.spans import PLACEHOLDER, Span, resolve
from llmops_assets.lib.redaction.words import COMMON_WORDS, NEVER_NAMES, PARTICLES

SHORTEST_NAME = 3
SHORTEST_VALUE = 5
MOST_VALUES = 500
"""Values remembered of one conversation: a table pasted into a chat must not make it slow."""


def known_values(texts: Sequence[str], found: Sequence[Sequence[Span]], allowed: Collection[str]) -> list[list[Span]]:
    """The spans of each text, with those places added where a value found elsewhere in the conversation stands."""
    clean = [[s for s in spans if s.entity] for spans in found]
    clean = _without_wares(texts, clean)
    values = _values(texts, clean, allowed)
    if not values:
        return clean
    beginnings: dict[str, list[tuple[str, str, bool]]] = {}
    for (value, capital), entity in values.items():
        first = re.match(r"\W*\w+", value)
        if first is not None:
            beginnings.setdefault(re.sub(r"\W", "", first[0]), []).append((value, entity, capital))
    result = []
    for text, spans in zip(texts, clean, strict=True):
        more = list(_places(text, beginnings))
        fixed = [Span(*match.span(), "", 2.0) for match in PLACEHOLDER.finditer(text)]
        added = [s for s in more if not any(o.start <= s.start and s.end <= o.end for o in spans)]
        result.append([s for s in resolve([*spans, *added, *fixed], text) if s.entity] if added else spans)
    return result


def _without_wares(texts: Sequence[str], found: list[list[Span]]) -> list[list[Span]]:
    """The spans without people, named by no cue, whose name the conversation uses for a ware: "the Stella lamp"."""
    if not any(s.entity == "PERSON" and s.score < names.CUED for spans in found for s in spans):
        return found
    wares = frozenset().union(*map(things.called, texts))
    if not wares:
        return found
    cued = {
        _lower(text[s.start : s.end]).split()[0]
        for text, spans in zip(texts, found, strict=True)
        for s in spans
        if s.entity == "PERSON" and s.score >= names.CUED
    }
    return [
        [
            s
            for s in spans
            if s.entity != "PERSON"
            or s.score >= names.CUED
            or (first := _lower(text[s.start : s.end]).split()[0]) not in wares
            or first in cued
        ]
        for text, spans in zip(texts, found, strict=True)
    ]


def _values(
    texts: Sequence[str], found: Sequence[Sequence[Span]], allowed: Collection[str]
) -> dict[tuple[str, bool], str]:
    """(value in lower case, whether only in capitals) -> entity."""
    values: dict[tuple[str, bool], str] = {}
    for text, spans in zip(texts, found, strict=True):
        for span in spans:
            raw = text[span.start : span.end]
            value = _lower(raw)
            if len(values) >= MOST_VALUES:
                return values
            if span.entity != "PERSON":
                if len(re.sub(r"\W", "", value)) >= SHORTEST_VALUE:
                    values.setdefault((value, False), span.entity)
                continue
            parts = [w.text for w in names.words(raw)]
            if len(parts) == 1 and span.score <= names.MODEL:
                # A single word that only the model took for a name: no proof for other turns.
                continue
            if len(parts) > 1:
                values.setdefault((value, False), "PERSON")
            for part in parts:
                lower = _lower(part)
                if len(part) < SHORTEST_NAME or lower in PARTICLES or lower in NEVER_NAMES or lower in allowed:
                    continue
                values.setdefault((lower, lower in COMMON_WORDS or len(lower) < 4), "PERSON")
    return values


def _places(text: str, beginnings: dict[str, list[tuple[str, str, bool]]]) -> list[Span]:
    lower = _lower(text)
    places = []
    for word in re.finditer(r"\w+", lower):
        for value, entity, capital in beginnings.get(word[0], ()):
            offset = len(value) - len(value.lstrip("+(#@<'\"."))
            start = word.start() - offset
            end = start + len(value)
            if start < 0 or not lower.startswith(value, start) or (end < len(text) and _inside(lower, end)):
                continue
            if capital and not text[start].isupper():
                continue
            places.append(Span(start, end, entity, names.KNOWN))
    return places


def _inside(text: str, end: int) -> bool:
    """Whether a value that ends here is only the beginning of a longer word or number."""
    return text[end].isalnum() or text[end] == "_"


def _lower(text: str) -> str:
    """The text in lower case, letter by letter, so that positions stay."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
