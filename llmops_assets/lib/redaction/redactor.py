"""Personal data out of texts before anything is stored, with pseudonyms that stay the same within a conversation.

Fails closed: an error here must stop the text, never let it pass. What finds what is in the modules beside this one;
figures: benchmarks/redaction.py.
"""

import functools
import re
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.records import SubjectPattern
from llmops_assets.lib.redaction import addresses, detector, links, mentions, models, replies, scripts, things
from llmops_assets.lib.redaction import names as people_names
from llmops_assets.lib.redaction.memory import known_values
from llmops_assets.lib.redaction.readers import Reader
from llmops_assets.lib.redaction.recognisers import RECOGNISERS
from llmops_assets.lib.redaction.spans import PLACEHOLDER, Folded, Recogniser, Span, fold, resolve
from llmops_assets.lib.redaction.subjects import pseudonym

CERTAIN = ("EMAIL", "IBAN", "CARD", "IP", "PHONE", "TRACKING", "SOCIAL_SECURITY", "SECRET", "BANK_CODE")
"""Entities whose pattern alone proves personal data: what `leaks` looks for in stored texts."""
CERTAIN_SCORE = 0.91
REMEMBERED_TEXTS = 20_000
LONGEST_REMEMBERED = 2_000
IN_FLIGHT = 2
"""Batches under way per process: one being read, one waiting."""


@dataclass(frozen=True)
class Redacted:
    """A conversation without personal data, and how many places of each entity were replaced."""

    texts: tuple[str, ...]
    counts: dict[str, int]


@dataclass(frozen=True)
class _Reading:
    """A text and what of its conversation its findings depend on."""

    text: str
    asked: frozenset[str]
    language: str


class Redactor:
    """Finds and replaces personal data; loading Presidio and spaCy happens on first use (seconds).
    Safe for several threads.

    `identifiers` are the use case's own number formats, `allow` words never masked (company and product names),
    `key` the secret behind subjects' pseudonyms and `old_keys` those it replaced. With `names=False` only patterns
    are used, no language model: where 5 ms a text are too many. `model` is the folder of an English spaCy pipeline that
    reads instead of the installed one (a larger one knows more names and costs more). `reader` reads every text that
    may hold a name too; what it finds is added. `prefilter=False` runs everything on every text; it finds the same and
    is there to show that.
    """

    def __init__(
        self,
        identifiers: Sequence[SubjectPattern] = (),
        key: bytes = b"",
        *,
        allow: Sequence[str] = (),
        names: bool = True,
        old_keys: Sequence[bytes] = (),
        model: str = "",
        reader: Reader | None = None,
        prefilter: bool = True,
    ) -> None:
        own = tuple(Recogniser(p.entity, re.compile(p.regex), p.score) for p in identifiers)
        self._recognisers = (*own, *RECOGNISERS)
        self._certain = (
            *own,
            *(r for r in RECOGNISERS if r.entity in CERTAIN and r.score >= CERTAIN_SCORE),
        )
        if model and not (Path(model) / "config.cfg").exists():
            raise FileNotFoundError(f"{model} holds no spaCy pipeline (a folder with a config.cfg): name one, or none")
        self._allowed = frozenset(word.lower() for word in allow)
        self._allowed_numbers = frozenset(_digits(word) for word in allow) - {""}
        self._key, self._old_keys = key, tuple(old_keys)
        self._names, self._prefilter, self._model, self._reader = names, prefilter, model, reader
        self._settings = (tuple(identifiers), tuple(allow), names, prefilter, model)
        self._remembered: OrderedDict[_Reading, tuple[Span, ...]] = OrderedDict()
        self._lock = threading.Lock()
        # Answers come again and again; the key is the text itself, which is in memory anyway.
        self._certain_in = functools.lru_cache(maxsize=REMEMBERED_TEXTS)(self._find_certain)

    # -- texts --------------------------------------------------------------------------------------------------

    def find(self, text: str) -> list[Span]:
        """Personal data in a text, in order, not overlapping."""
        return self.find_all([text])[0]

    def find_all(self, texts: Sequence[str]) -> list[list[Span]]:
        """Personal data in each text of one conversation, in order, not overlapping."""
        return self._find_batch([texts])[0]

    def redact(self, texts: Sequence[str]) -> list[str]:
        """The texts of one conversation with personal data replaced by `<ENTITY_n>`, n counting distinct values.

        Placeholders that a text already holds stay, and their numbers are not given again.
        """
        return list(_replaced(texts, self.find_all(texts)).texts)

    def redact_many(
        self, conversations: Iterable[Sequence[str]], *, batch: int = 256, processes: int = 1
    ) -> Iterator[Redacted]:
        """Each conversation redacted, in the order given; a `batch` of them is in memory at once per process.

        With several processes batches are spread over workers that are spawned once and told everything but the key.
        RuntimeError when one dies: no conversation is passed over.
        """
        if batch < 1 or processes < 1:
            raise ValueError(f"batch and processes must be at least 1, not {batch} and {processes}")
        chunks = _chunks(conversations, batch)
        if processes > 1:
            yield from self._spread(chunks, processes)
            return
        for chunk in chunks:
            yield from self._redact_batch(chunk)

    def leaks(self, text: str) -> list[str]:
        """Entities that are certainly personal data and still stand in a text; empty for a clean one."""
        find = self._certain_in if len(text) <= LONGEST_REMEMBERED else self._find_certain
        return list(find(text))

    def _find_certain(self, text: str) -> tuple[str, ...]:
        folded = fold(text)
        found = (
            recogniser.entity
            for recogniser in self._certain
            if any(not self._is_allowed(folded.text[s.start : s.end]) for s in recogniser.find(folded))
        )
        return tuple(dict.fromkeys(found))

    # -- people -------------------------------------------------------------------------------------------------

    def subject(self, raw: str) -> str:
        """Pseudonym of a person: HMAC-SHA-256 under the key, the same for the same person everywhere."""
        return pseudonym(self._key, raw)

    def subjects(self, raw: str) -> tuple[str, ...]:
        """A person's pseudonyms under the key and the older ones, newest first: all rows of theirs carry one."""
        return tuple(pseudonym(key, raw) for key in (self._key, *self._old_keys))

    @property
    def digest(self) -> str:
        """What its findings and pseudonyms depend on beside its code: settings, key, language models. Tells none of
        them."""
        installed = sorted((language, folder.name) for language, folder in models.installed_models().items())
        further = [self._reader.identity] if self._reader is not None else []
        return self.subject(hash_json([str(self._settings), installed, *further]))

    # -- batches ------------------------------------------------------------------------------------------------

    def _redact_batch(self, conversations: Sequence[Sequence[str]]) -> list[Redacted]:
        found = self._find_batch(conversations)
        return [_replaced(texts, spans) for texts, spans in zip(conversations, found, strict=True)]

    def _find_batch(self, conversations: Sequence[Sequence[str]]) -> list[list[list[Span]]]:
        readings = [self._readings(texts) for texts in conversations]
        spans: dict[_Reading, tuple[Span, ...]] = {}
        unknown: dict[_Reading, None] = {}
        with self._lock:
            for reading in (r for group in readings for r in group):
                if reading in self._remembered:
                    self._remembered.move_to_end(reading)
                    spans[reading] = self._remembered[reading]
                else:
                    unknown[reading] = None
        spans.update(self._read(list(unknown)))
        with self._lock:
            for reading in unknown:
                if len(reading.text) <= LONGEST_REMEMBERED:
                    self._remembered[reading] = spans[reading]
            while len(self._remembered) > REMEMBERED_TEXTS:
                self._remembered.popitem(last=False)
        return [known_values([r.text for r in group], [spans[r] for r in group], self._allowed) for group in readings]

    def _readings(self, texts: Sequence[str]) -> list[_Reading]:
        language = models.language_of(texts)
        asked = replies.asked_over([fold(text) for text in texts])
        return [_Reading(text, a, language) for text, a in zip(texts, asked, strict=True)]

    def _read(self, readings: Sequence[_Reading]) -> dict[_Reading, tuple[Span, ...]]:
        """What is found in each text by itself."""
        folded = [fold(reading.text) for reading in readings]
        found = self._told(readings, folded)
        return {
            reading: tuple(
                text.original(span) for span in resolve(_joined(self._judged(text, reading, spans)), text.text)
            )
            for reading, text, spans in zip(readings, folded, found, strict=True)
        }

    def _told(self, readings: Sequence[_Reading], folded: Sequence[Folded]) -> list[list[Span]]:
        """What every rule says of each text: patterns first, then the language model where it could add a name."""
        found = [
            self._patterns(text, reading.asked, reading.language)
            for text, reading in zip(folded, readings, strict=True)
        ]
        waiting: dict[str, list[int]] = {}
        for position, (reading, text) in enumerate(zip(readings, folded, strict=True)):
            if self._names and (
                not self._prefilter
                or people_names.candidates(people_names.recased(text.text), self._allowed, found[position])
            ):
                waiting.setdefault(models.model_for(reading.language), []).append(position)
        for model, positions in sorted(waiting.items()):
            people = models.people(
                [people_names.recased(folded[p].text) for p in positions], model, self._model if model == "en" else ""
            )
            for position, places in zip(positions, people, strict=True):
                text = people_names.recased(folded[position].text)
                native = readings[position].language in (model, "")
                taken = list(found[position])
                for start, end in places:
                    for span in people_names.plausible(text, start, end, self._allowed, native=native):
                        # What rules told of is reason enough to spare a text the model: it adds nothing there.
                        before = Span(0, span.start, "", 0.0)
                        if people_names.candidates(text[: span.end], self._allowed, [*taken, before]):
                            found[position].append(span)
        if self._names and self._reader is not None:
            self._read_further(self._reader, folded, found)
        return found

    def told_of_people(self, texts: Sequence[str]) -> list[tuple[str, str, list[Span]]]:
        """Of each text of a conversation: the text as names are looked for in it, its language, and the names that any
        rule or the language model tells of, before they are judged. What judges them learns from this."""
        readings = self._readings(texts)
        folded = [fold(text) for text in texts]
        told = self._told(readings, folded)
        return [
            (people_names.recased(text.text), reading.language, [s for s in spans if s.entity == "PERSON"])
            for text, reading, spans in zip(folded, readings, told, strict=True)
        ]

    def _judged(self, text: Folded, reading: _Reading, spans: Sequence[Span]) -> list[Span]:
        """The spans with those of people judged, and the names that nothing told of."""
        people = sorted(span for span in spans if span.entity == "PERSON")
        others = [span for span in spans if span.entity != "PERSON"]
        read = people_names.recased(text.text)
        if self._names:
            kept = detector.judged(read, self._allowed, reading.language, people)
        else:
            kept = things.without(read, people, people_names.CUED)
        return others + [span._replace(by="") for span in kept]

    def _read_further(self, reader: Reader, folded: Sequence[Folded], found: Sequence[list[Span]]) -> None:
        """Add what a reader finds that needs no cue to look: every text with a word that is no usual one is read."""
        positions = [p for p, text in enumerate(folded) if people_names.unusual(text.text, self._allowed)]
        texts = [folded[p].text for p in positions]
        for position, text, places in zip(positions, texts, reader.people(texts), strict=True):
            found[position].extend(s for place in places for s in people_names.told(text, *place, self._allowed))

    def _patterns(self, text: Folded, asked: frozenset[str], language: str) -> list[Span]:
        spans = [s for r in self._recognisers for s in r.find(text, prefilter=self._prefilter)]
        spans += links.find(text)
        spans += addresses.find(text, prefilter=self._prefilter)
        spans += people_names.find(text, self._allowed, language)
        spans += mentions.find(text, self._allowed, language, spans)
        spans += scripts.find(text)
        if asked:
            spans += replies.find(text, asked, self._allowed)
        kept = [s for s in spans if not self._is_allowed(text.text[s.start : s.end])]
        return kept + [Span(*match.span(), "", 2.0) for match in PLACEHOLDER.finditer(text.text)]

    def _is_allowed(self, value: str) -> bool:
        return value.lower() in self._allowed or _digits(value) in self._allowed_numbers

    # -- processes ----------------------------------------------------------------------------------------------

    def _spread(self, chunks: Iterator[list[tuple[str, ...]]], processes: int) -> Iterator[Redacted]:
        pool = ProcessPoolExecutor(
            processes,
            mp_context=get_context("spawn"),
            initializer=_start_worker,
            initargs=(*self._settings, self._reader),
        )
        under_way: deque[Future[list[Redacted]]] = deque()
        done = 0
        try:
            for chunk in chunks:
                under_way.append(pool.submit(_work, chunk))
                if len(under_way) >= processes * IN_FLIGHT:
                    for result in under_way.popleft().result():
                        yield result
                        done += 1
            while under_way:
                for result in under_way.popleft().result():
                    yield result
                    done += 1
        except BrokenProcessPool as error:
            raise RuntimeError(
                f"a redaction worker died after {done} conversations (out of memory?): nothing was passed "
                f"over, run again"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


_worker: Redactor | None = None


def _start_worker(
    identifiers: tuple[SubjectPattern, ...],
    allow: tuple[str, ...],
    names_: bool,
    prefilter: bool,
    model: str,
    reader: Reader | None,
) -> None:
    global _worker
    _worker = Redactor(identifiers, allow=allow, names=names_, prefilter=prefilter, model=model, reader=reader)


def _work(conversations: list[tuple[str, ...]]) -> list[Redacted]:
    assert _worker is not None
    return _worker._redact_batch(conversations)


def _chunks(conversations: Iterable[Sequence[str]], size: int) -> Iterator[list[tuple[str, ...]]]:
    iterator = iter(conversations)
    while chunk := [tuple(texts) for texts in islice(iterator, size)]:
        yield chunk


def _digits(value: str) -> str:
    """The digits of a number with at least six, however it is written."""
    if re.search(r"[^\W\d_]", value):
        return ""
    digits = re.sub(r"\D", "", value)
    return digits if len(digits) >= 6 else ""


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Spans with overlapping names as one, where they are people: a cue finds the first name, the model the whole."""
    joined: list[Span] = []
    for span in sorted(s for s in spans if s.entity == "PERSON"):
        if joined and span.start < joined[-1].end:
            last = joined[-1]
            joined[-1] = Span(last.start, max(last.end, span.end), "PERSON", max(last.score, span.score))
        else:
            joined.append(span)
    return [s for s in spans if s.entity != "PERSON"] + joined


def _replaced(texts: Sequence[str], found: Sequence[Sequence[Span]]) -> Redacted:
    numbers: dict[tuple[str, str], int] = {}
    highest: dict[str, int] = {}
    for match in (match for text in texts for match in PLACEHOLDER.finditer(text)):
        highest[match[1]] = max(highest.get(match[1], 0), int(match[2]))
    same = _fuller_names(
        [text[s.start : s.end] for text, spans in zip(texts, found, strict=True) for s in spans if s.entity == "PERSON"]
    )
    counts: Counter[str] = Counter()
    result = []
    for text, spans in zip(texts, found, strict=True):
        pieces, last = [], 0
        for span in spans:
            raw = text[span.start : span.end]
            value = (span.entity, same.get(raw.lower(), re.sub(r"[\s-]", "", raw).lower()))
            if value not in numbers:
                highest[span.entity] = highest.get(span.entity, 0) + 1
                numbers[value] = highest[span.entity]
            counts[span.entity] += 1
            pieces += [text[last : span.start], f"<{span.entity}_{numbers[value]}>"]
            last = span.end
        result.append("".join([*pieces, text[last:]]))
    return Redacted(tuple(result), dict(sorted(counts.items())))


def _fuller_names(people: Sequence[str]) -> dict[str, str]:
    """A name in lower case -> the one fuller name of the conversation it is part of: Anna -> annakeller."""
    distinct = list(dict.fromkeys(name.lower() for name in people))[:100]
    parts = {name: set(re.findall(r"\w+", name)) for name in distinct}
    result = {}
    for name in distinct:
        fuller = [other for other in distinct if parts[name] < parts[other]]
        longest = [other for other in fuller if not any(parts[other] < parts[o] for o in fuller)]
        if len(longest) == 1:
            result[name] = re.sub(r"[\s-]", "", longest[0])
    return result


def public_words(texts: Sequence[str]) -> list[str]:
    """Names, addresses and numbers that stand in published answers: the company's own, so no personal data to mask."""
    words: dict[str, None] = {}
    for text in texts:
        words.update((match.lower(), None) for match in re.findall(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", text))
        words.update((match.lower(), None) for match in re.findall(r"\b[A-Z][\w-]+", text))
        words.update((match, None) for match in re.findall(r"\+?\(?\d[\d ()./-]{5,}\d", text))
    return list(words)
