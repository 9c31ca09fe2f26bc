"""The knowledge index of a release and what is decided on its similarities: answer, generate or hand over.

Thresholds are calibrated on phrasings the index does not hold; evaluation questions are never looked at here.
"""

import io
import json
import textwrap
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from llmops_assets.lib.answering.embedding import Embeds
from llmops_assets.lib.records import Article, RouterPolicy

PASSAGE_CHARACTERS = 320
AnswerPath = Literal["matched", "generated", "handover"]


@dataclass(frozen=True)
class Hit:
    """The best-matching known question of one article; similarity is a mean of two cosines (at most 1)."""

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
    """Known questions as unit vectors with the articles that answer them; exact search in memory."""

    def __init__(
        self, articles: Sequence[Article], entries: Sequence[Entry], vectors: np.ndarray, embedder_digest: str
    ) -> None:
        if vectors.shape[0] != len(entries):
            raise ValueError(f"{len(entries)} questions but {vectors.shape[0]} vectors")
        self.articles = {article.id: article for article in articles}
        self.entries = tuple(entries)
        self.vectors = np.ascontiguousarray(vectors, np.float32)
        self.embedder_digest = embedder_digest
        self._codes = {name: code for code, name in enumerate(self.articles)}
        self._names = list(self.articles)
        self._owner = np.array([self._codes[entry.article] for entry in entries], np.int64)

    @classmethod
    def build(cls, articles: Sequence[Article], embedder: Embeds) -> "KnowledgeIndex":
        """Index the known questions (never the held-out ones) of articles.

        A question's vector is the mean of its own and of question and answer together: what is asked in other words
        is often nearer to the answer's.
        """
        answers = {article.id: article.answer for article in articles}
        entries = [Entry(a.id, q) for a in articles for q in dict.fromkeys(a.questions)]
        alone = embedder.embed([e.question for e in entries])
        together = embedder.embed([f"{e.question} {answers[e.article]}" for e in entries])
        return cls(articles, entries, (alone + together) / 2, embedder.digest)

    def search(self, vector: np.ndarray, k: int = 3) -> list[Hit]:
        """The k nearest articles, each by its nearest known question, most similar first."""
        return self._hits(self.vectors @ vector.astype(np.float32), k)

    def search_without(self, vector: np.ndarray, index: int, k: int = 3) -> list[Hit]:
        """`search` as if the known question at `index` were not in the index."""
        scores = self.vectors @ vector.astype(np.float32)
        scores[index] = -1.0
        return self._hits(scores, k)

    def search_as_new(self, question: str, vector: np.ndarray, k: int = 3) -> list[Hit]:
        """`search` as if a question were not known word for word: what retrieval finds for a customer's own words."""
        scores = self.vectors @ vector.astype(np.float32)
        scores[[position for position, entry in enumerate(self.entries) if entry.question == question]] = -1.0
        return self._hits(scores, k)

    def _hits(self, scores: np.ndarray, k: int) -> list[Hit]:
        best = np.full(len(self._names), -2.0, np.float32)
        np.maximum.at(best, self._owner, scores)
        hits = []
        for code in np.argsort(-best, kind="stable")[:k]:
            if best[code] <= -1.0:
                break
            own = np.flatnonzero(self._owner == code)
            nearest = own[int(scores[own].argmax())]
            article = self.articles[self._names[code]]
            question = self.entries[nearest].question
            hits.append(Hit(article.id, float(best[code]), question, article.answer, article.intent, article.kind))
        return hits

    def to_bytes(self) -> bytes:
        """One file; equal content gives equal bytes."""
        buffer = io.BytesIO()
        vectors = io.BytesIO()
        np.save(vectors, self.vectors)
        about = {
            "embedder": self.embedder_digest,
            "articles": [article.model_dump(mode="json") for article in self.articles.values()],
            "entries": [asdict(entry) for entry in self.entries],
        }
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in (("index.json", json.dumps(about).encode()), ("vectors.npy", vectors.getvalue())):
                # A fixed time: a ZIP otherwise carries the clock, and the release's name would change with it.
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "KnowledgeIndex":
        """Read what `to_bytes` wrote."""
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            about = json.loads(archive.read("index.json"))
            vectors = np.load(io.BytesIO(archive.read("vectors.npy")), allow_pickle=False)
        articles = [Article.model_validate(article) for article in about["articles"]]
        return cls(articles, [Entry(**entry) for entry in about["entries"]], vectors, about["embedder"])

    @classmethod
    def load(cls, path: Path) -> "KnowledgeIndex":
        """Read an index file."""
        return cls.from_bytes(path.read_bytes())


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
    probes: Sequence[tuple[np.ndarray, str]] = (),
    out_of_scope: np.ndarray | None = None,
    precision: float = 0.97,
    scope_loss: float = 0.03,
    passages: int = 3,
) -> RouterPolicy:
    """Thresholds from phrasings whose article is known: each known question left out in turn, and extra `probes`.

    `answer_above` and `margin` are the pair that answers most phrasings directly while the share of right articles
    among them stays at `precision` or above (lower one-sided bound not taken: the gate judges the outcome).
    `hand_over_below` separates known phrasings from `out_of_scope` vectors (m, d) where errors of both kinds
    together are fewest, but never hands over more than `scope_loss` of the known phrasings. Without `out_of_scope`
    it is the `scope_loss` quantile of the known phrasings.
    """
    cases = [
        (index.search_without(vector, position, 2), index.entries[position].article)
        for position, vector in enumerate(index.vectors)
        if len(index.articles[index.entries[position].article].questions) > 1
    ]
    cases += [(index.search(vector, 2), article) for vector, article in probes]
    if not cases:
        # One phrasing per article: nothing to calibrate on, so only (nearly) identical questions are answered.
        return RouterPolicy(answer_above=0.95, hand_over_below=0.3, margin=0.0, passages=passages)
    top = np.array([hits[0].similarity for hits, _ in cases])
    lead = np.array([hits[0].similarity - (hits[1].similarity if len(hits) > 1 else 0.0) for hits, _ in cases])
    right = np.array([hits[0].article == article for hits, article in cases])
    best = (0, 0.99, 0.0)
    for margin in (0.0, 0.05, 0.1, 0.15, 0.2):
        for above in np.round(np.arange(0.4, 1.0, 0.02), 2):
            chosen = (top >= above) & (lead >= margin)
            if chosen.sum() and right[chosen].mean() >= precision and int(chosen.sum()) > best[0]:
                best = (int(chosen.sum()), float(above), margin)
    floor = float(np.quantile(top, scope_loss))
    below = floor
    if out_of_scope is not None and len(out_of_scope):
        foreign = np.array([index.search(vector, 1)[0].similarity for vector in out_of_scope])
        candidates = np.round(np.arange(0.1, 0.9, 0.01), 2)
        errors = [(top < c).mean() + (foreign >= c).mean() for c in candidates]
        below = min(floor, float(candidates[int(np.argmin(errors))]))
    below = round(below, 4)
    return RouterPolicy(answer_above=max(best[1], below), hand_over_below=below, margin=best[2], passages=passages)
