"""The knowledge index of a release and what is decided on its similarities: answer, generate or hand over.

Thresholds are calibrated on phrasings the index does not hold; evaluation questions are never looked at here.
"""

import io
import json
import struct
import textwrap
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from llmops_assets.lib.answering.acts import Acts
from llmops_assets.lib.answering.embedding import Embeds
from llmops_assets.lib.answering.lexical import Lexical
from llmops_assets.lib.answering.spelling import Speller
from llmops_assets.lib.records import Article, RouterPolicy

PASSAGE_CHARACTERS = 320
LETTERS = 0.3
"""Weight of likeness in letters beside that in meaning: docs/decisions/conversation.md has what others do."""
TWIN = 0.9
"""Similarity from which two known questions of an article are one in other letters."""
STRANGERS = 0.05
"""Share of traffic that is taken not to be for support, when thresholds are calibrated."""
_ABOUT, _VECTORS = "index.json", "vectors.npy"
_NO_TIME = (1980, 1, 1, 0, 0, 0)
"""A ZIP otherwise carries the clock, and the release's name would change with it."""
_HEADER, _ALIGNED, _PADDING = 30, 64, 0xD935
"""Bytes of a header in a ZIP before the file's name, of which an array begins at a multiple, and the mark of bytes that
only take room (the one of Android's zipalign)."""
AnswerPath = Literal["matched", "generated", "handover", "small_talk", "refused"]


@dataclass(frozen=True)
class Hit:
    """The best-matching known question of one article; similarity is a weighted mean of cosines (at most 1)."""

    article: str
    similarity: float
    question: str
    answer: str
    intent: str
    kind: Literal["answer", "look_up"] = "answer"


@dataclass(frozen=True)
class Entry:
    """One known question of an article."""

    article: str
    question: str


class KnowledgeIndex:
    """Known questions as unit vectors with the articles that answer them; exact search, in place where it is a file's.

    `acts` tells questions from what else customers do in a turn; None: every turn is read as a question. `letters` is
    the weight of likeness in letters: it belongs to the thresholds that were calibrated with it.
    """

    def __init__(
        self,
        articles: Sequence[Article],
        entries: Sequence[Entry],
        vectors: np.ndarray,
        embedder_digest: str,
        acts: Acts | None = None,
        letters: float = LETTERS,
    ) -> None:
        if vectors.shape[0] != len(entries):
            raise ValueError(f"{len(entries)} questions but {vectors.shape[0]} vectors")
        self.articles = {article.id: article for article in articles}
        self.entries = tuple(entries)
        self.vectors = np.ascontiguousarray(vectors, np.float32)
        self.embedder_digest = embedder_digest
        self.acts = acts
        self.letters = letters
        self.names = tuple(self.articles)
        codes = {name: code for code, name in enumerate(self.names)}
        self._owner = np.array([codes[entry.article] for entry in entries], np.int64)
        self._lexical = Lexical([entry.question for entry in entries])

    @classmethod
    def build(cls, articles: Sequence[Article], embedder: Embeds, acts: Acts | None = None) -> "KnowledgeIndex":
        """Index the known questions (never the held-out ones) of articles.

        A question's vector is the mean of its own and of question and answer together: what is asked in other words
        is often nearer to the answer's.
        """
        answers = {article.id: article.answer for article in articles}
        entries = [Entry(a.id, q) for a in articles for q in dict.fromkeys(a.questions)]
        alone = embedder.embed([e.question for e in entries])
        together = embedder.embed([f"{e.question} {answers[e.article]}" for e in entries])
        return cls(articles, entries, (alone + together) / 2, embedder.digest, acts)

    @classmethod
    def fitted(cls, articles: Sequence[Article], embedder: Embeds) -> "KnowledgeIndex":
        """The index as a release has it: with acts that are fitted to the known questions."""
        acts = Acts.fit(embedder, [question for article in articles for question in article.questions])
        return cls.build(articles, embedder, acts)

    @cached_property
    def speller(self) -> Speller:
        """Corrects towards the words of the articles."""
        return Speller(
            text for article in self.articles.values() for text in (article.title, article.answer, *article.questions)
        )

    def warm_up(self) -> None:
        """Make what the first search needs, so that it takes no longer than the others."""
        self.search(self.speller.corrected("warm up"), np.zeros(self.vectors.shape[1]), 1)

    def search(self, question: str, vector: np.ndarray, k: int = 3) -> list[Hit]:
        """The k nearest articles, each by its nearest known question, most similar first."""
        return self._hits(self.similarities([question], vector[None])[0], k)

    def search_without(self, index: int, k: int = 3) -> list[Hit]:
        """What the known question at `index` would find if it and its article's nearly equal ones were not there.

        Questions out of conversations come with typing errors and greetings: each of those finds its twin.
        """
        scores = self.similarities([self.entries[index].question], self.vectors[[index]])[0]
        scores[(self._owner == self._owner[index]) & (scores >= TWIN)] = -1.0
        scores[index] = -1.0
        return self._hits(scores, k)

    def search_as_new(self, question: str, vector: np.ndarray, k: int = 3) -> list[Hit]:
        """`search` as if a question were not known word for word: what retrieval finds for a customer's own words."""
        scores = self.similarities([question], vector[None])[0]
        scores[[position for position, entry in enumerate(self.entries) if entry.question == question]] = -1.0
        return self._hits(scores, k)

    def similarities(self, questions: Sequence[str], vectors: np.ndarray) -> np.ndarray:
        """Likeness (n, m) in meaning and letters of n questions, with their vectors (n, d), to the m known ones."""
        if not self.entries:
            return np.zeros((len(questions), 0), np.float32)
        meaning = vectors.astype(np.float32) @ self.vectors.T
        if not self.letters:
            return meaning
        return (1 - self.letters) * meaning + self.letters * self._lexical.similarities(questions)

    def by_article(self, similarities: np.ndarray) -> np.ndarray:
        """The similarity of each article, that of its nearest known question; (m,) to (articles,), -2 for none."""
        best = np.full(len(self.names), -2.0, np.float32)
        np.maximum.at(best, self._owner, similarities)
        return best

    def ranked(self, scores: np.ndarray, similarities: np.ndarray, k: int) -> list[Hit]:
        """The k articles of the highest `scores` (articles,), each shown by its question nearest by `similarities`."""
        hits = []
        for code in np.argsort(-scores, kind="stable")[:k]:
            if scores[code] <= -1.0:
                break
            own = np.flatnonzero(self._owner == code)
            nearest = own[int(similarities[own].argmax())]
            article = self.articles[self.names[code]]
            question = self.entries[nearest].question
            hits.append(Hit(article.id, float(scores[code]), question, article.answer, article.intent, article.kind))
        return hits

    def _hits(self, similarities: np.ndarray, k: int) -> list[Hit]:
        return self.ranked(self.by_article(similarities), similarities, k)

    def to_bytes(self) -> bytes:
        """One file; equal content gives equal bytes. The vectors lie in it as they are, so that they can be mapped."""
        buffer = io.BytesIO()
        vectors = io.BytesIO()
        np.save(vectors, self.vectors)
        about = {
            "embedder": self.embedder_digest,
            "letters": self.letters,
            "articles": [article.model_dump(mode="json") for article in self.articles.values()],
            "entries": [asdict(entry) for entry in self.entries],
        }
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            first = zipfile.ZipInfo(_VECTORS, _NO_TIME)
            # Its data must begin where an array may: a file's header in a ZIP has thirty bytes and its name.
            room = -(_HEADER + len(_VECTORS) + 4) % _ALIGNED
            first.extra = struct.pack("<HH", _PADDING, room) + bytes(room)
            archive.writestr(first, vectors.getvalue(), zipfile.ZIP_STORED)
            files = {_ABOUT: json.dumps(about).encode(), **({} if self.acts is None else self.acts.files())}
            for name, data in files.items():
                archive.writestr(zipfile.ZipInfo(name, _NO_TIME), data, zipfile.ZIP_DEFLATED)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "KnowledgeIndex":
        """Read what `to_bytes` wrote."""
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return cls._read(archive, np.load(io.BytesIO(archive.read(_VECTORS)), allow_pickle=False))

    @classmethod
    def load(cls, path: Path) -> "KnowledgeIndex":
        """Read an index file whose bytes were verified; its vectors stay where they are, and may be more than fits into
        memory. Whoever may write the file must replace it and not write into it."""
        with zipfile.ZipFile(path) as archive:
            about = archive.getinfo(_VECTORS)
            if about.compress_type != zipfile.ZIP_STORED:
                # Of a release of before.
                return cls._read(archive, np.load(io.BytesIO(archive.read(_VECTORS)), allow_pickle=False))
            return cls._read(archive, _mapped(path, about))

    @classmethod
    def _read(cls, archive: zipfile.ZipFile, vectors: np.ndarray) -> "KnowledgeIndex":
        about = json.loads(archive.read(_ABOUT))
        return cls(
            [Article.model_validate(article) for article in about["articles"]],
            [Entry(**entry) for entry in about["entries"]],
            vectors,
            about["embedder"],
            Acts.read({name: archive.read(name) for name in archive.namelist() if name != _VECTORS}),
            about.get("letters", 0.0),
        )


def _mapped(path: Path, about: zipfile.ZipInfo) -> np.ndarray:
    """The array of a file that lies in a ZIP without being compressed
    (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.7; https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
    """
    with path.open("rb") as stream:
        stream.seek(about.header_offset + _HEADER - 4)
        stream.seek(sum(struct.unpack("<HH", stream.read(4))), io.SEEK_CUR)
        np.lib.format.read_magic(stream)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        if not shape[0]:
            # Nothing of a file cannot be mapped.
            return np.zeros(shape, dtype)
        return np.memmap(stream, dtype, "r", stream.tell(), shape)


def route(hits: Sequence[Hit], policy: RouterPolicy) -> AnswerPath:
    """How a question is answered: with the known answer, by generation with passages, or by a person.

    A question nearest to an article of kind look_up is a person's, however near others are: no text answers it.
    """
    if not policy.retrieval:
        return "generated"
    if not hits or hits[0].similarity < policy.hand_over_below or hits[0].kind == "look_up":
        return "handover"
    lead = hits[0].similarity - (hits[1].similarity if len(hits) > 1 else 0.0)
    if hits[0].similarity >= policy.answer_above and lead >= policy.margin:
        return "matched"
    return "generated"


def passages(hits: Sequence[Hit], policy: RouterPolicy) -> list[str]:
    """Answers of the nearest articles as passages for the prompt, best first; those that need a look-up hold none."""
    return [passage(hit.answer) for hit in passage_hits(hits, policy)]


def passage_hits(hits: Sequence[Hit], policy: RouterPolicy) -> list[Hit]:
    """The articles whose answers stand in the prompt."""
    found = hits[: policy.passages] if policy.retrieval else ()
    return [hit for hit in found if hit.kind == "answer"]


def passage(answer: str) -> str:
    """An answer as it stands in a prompt: its beginning, cut between words. Long prompts cost seconds on a CPU."""
    return (
        textwrap.shorten(answer, PASSAGE_CHARACTERS, placeholder=" …") if len(answer) > PASSAGE_CHARACTERS else answer
    )


def calibrate(
    index: KnowledgeIndex,
    *,
    out_of_scope: Sequence[tuple[str, np.ndarray]] = (),
    precision: float = 0.95,
    scope_loss: float = 0.03,
    passages: int = 3,
) -> RouterPolicy:
    """Thresholds from phrasings whose article is known: each known question left out in turn.

    `answer_above` and `margin` are the pair that answers most phrasings directly while the share of right articles
    among what is answered stays at `precision` or above, with `out_of_scope` questions as a share STRANGERS of all
    (lower one-sided bound not taken: the gate judges the outcome).
    `hand_over_below` separates known phrasings from `out_of_scope` questions with their vectors where errors of both
    kinds together are fewest, but never hands over more than `scope_loss` of the known phrasings. Without
    `out_of_scope` it is the `scope_loss` quantile of the known phrasings.
    """
    cases = [
        (index.search_without(position, 2), entry.article)
        for position, entry in enumerate(index.entries)
        if len(index.articles[entry.article].questions) > 1
    ]
    if not cases:
        # One phrasing per article: nothing to calibrate on, so only (nearly) identical questions are answered.
        return RouterPolicy(answer_above=0.95, hand_over_below=0.3, margin=0.0, passages=passages)
    top, lead = _tops([hits for hits, _ in cases])
    right = np.array([bool(hits) and hits[0].article == article for hits, article in cases])
    strangers = [index.search(question, vector, 2) for question, vector in out_of_scope]
    foreign, foreign_lead = _tops(strangers)
    weight = STRANGERS / (1 - STRANGERS) * len(cases) / max(1, len(strangers))
    best = (0, 0.99, 0.0)
    for margin in np.round(np.arange(0.0, 0.31, 0.01), 2):
        for above in np.round(np.arange(0.3, 1.0, 0.02), 2):
            chosen = (top >= above) & (lead >= margin)
            wrong = weight * ((foreign >= above) & (foreign_lead >= margin)).sum()
            if chosen.sum() > best[0] and right[chosen].sum() >= precision * (chosen.sum() + wrong):
                best = (int(chosen.sum()), float(above), float(margin))
    below = float(np.quantile(top, scope_loss))
    if out_of_scope:
        candidates = np.round(np.arange(0.1, 0.9, 0.01), 2)
        errors = [(top < c).mean() + (foreign >= c).mean() for c in candidates]
        below = min(below, float(candidates[int(np.argmin(errors))]))
    below = round(below, 4)
    return RouterPolicy(answer_above=max(best[1], below), hand_over_below=below, margin=best[2], passages=passages)


def _tops(found: Sequence[Sequence[Hit]]) -> tuple[np.ndarray, np.ndarray]:
    """Similarity of the nearest article of each search, and its lead before the next; 0 where nothing is found."""
    tops = np.array([hits[0].similarity if hits else 0.0 for hits in found], np.float64)
    nexts = np.array([hits[1].similarity if len(hits) > 1 else 0.0 for hits in found], np.float64)
    return tops, tops - nexts
