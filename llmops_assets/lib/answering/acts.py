"""What a customer does in a turn where it asks nothing that general information answers.

A logistic regression over words and meaning, fitted on lines of our own (acts.yaml) and on the known questions of the
knowledge base that it stands beside: "where is my order" asks for a look into one case, unless an article answers it.
How often it is right on turns that nobody wrote it for: docs/decisions/conversation.md.
"""

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Literal, get_args

import numpy as np

from llmops_assets.lib.answering import shipped
from llmops_assets.lib.answering.embedding import Embeds
from llmops_assets.lib.answering.ngrams import Weights, words
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.redaction.spans import PLACEHOLDER

Act = Literal["question", "own_case", "person", "sorry", "negated", "chatter", "elsewhere"]
"""A question; a matter of this person's own case; a wish for a person; a complaint that asks nothing; a request that
something be left undone; small talk in words that no list has; a question that is not for support: the weather."""
ACTS: tuple[Act, ...] = get_args(Act)
_APART = [ACTS.index("own_case"), ACTS.index("elsewhere")]
WORDS = 3.0
"""Weight of the words beside the meaning."""
MEANING = 3.0
STRENGTH = 10.0
"""Inverse regularisation of the regression."""
KNOWN = 2.0
"""Weight of the knowledge base's questions together, in classes."""
MOST_KNOWN = 2000
"""Known questions that it is fitted beside; more would teach it nothing new about what questions look like."""
RUN = 3
"""Words of the longest run that is looked at."""
_TOKEN = re.compile(r"[\w']+|\?")
_NUMBERED = re.compile(
    r"""\b(?:order|parcel|tracking|invoice|reference|ref|case|ticket|booking)\b\W{0,3}
    (?:(?:number|no|nr|id|code|is)\W{1,3}){0,2}[a-z]{0,4}-?\d{5,}\b""",
    re.VERBOSE,
)
"""Shorter numbers are years and amounts."""
_CASES = frozenset("ORDER_NUMBER TRACKING_NUMBER CUSTOMER_NUMBER INVOICE_NUMBER TICKET_NUMBER ID_NUMBER".split())
CASE = "casenumber"
_FILES = ("acts.json", "acts.npy")


@dataclass(frozen=True)
class Told:
    """The likeliest act of a turn and how likely it is (0 to 1); `numbered`: it names a case by its number; `apart`:
    the likelihood of one's own case or of what is not for support, the higher one."""

    act: Act
    likely: float
    numbered: bool = False
    apart: float = 0.0


QUESTION = Told("question", 1.0)


def lines() -> list[tuple[str, Act]]:
    """The turns that ship with the package, each with what it does."""
    import yaml

    text = (files("llmops_assets.lib.answering") / "acts.yaml").read_text("utf-8")
    return [(line, act) for act, said in yaml.safe_load(text).items() for line in said]


def strangers() -> list[str]:
    """Questions that ship with the package and are not for support."""
    return [text for text, act in lines() if act == "elsewhere"]


class Acts:
    """The fitted classifier: a vocabulary of words and pairs of words, and one weight a class for each and each
    dimension of the embedding."""

    def __init__(self, terms: Sequence[str], rarity: np.ndarray, weights: np.ndarray) -> None:
        self._terms = tuple(terms)
        self._rarity = rarity
        self._weights = weights
        self._words = Weights(partial(words, pattern=_TOKEN, longest=RUN), terms, rarity)

    @classmethod
    def fit(cls, embedder: Embeds, known: Sequence[str]) -> "Acts":
        """Fitted on the lines that ship and on known questions of a knowledge base."""
        from scipy.sparse import csr_matrix
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        said = lines()
        # Of a large knowledge base a sample by hash, the same one every time.
        asked = sorted(dict.fromkeys(known), key=hash_json)[:MOST_KNOWN]
        texts = [text for text, _ in said] + asked
        codes = np.array([ACTS.index(act) for _, act in said])
        counts = np.bincount(codes, minlength=len(ACTS))
        share = len(codes) / len(ACTS)
        weight = np.r_[share / counts[codes], np.full(len(asked), KNOWN * share / max(1, len(asked)))]
        vectorizer = TfidfVectorizer(
            ngram_range=(1, RUN), token_pattern=_TOKEN.pattern, sublinear_tf=True, dtype=np.float32, min_df=2
        )
        vectorizer.fit([_plain(text) for text in texts])
        terms, rarity = vectorizer.get_feature_names_out(), vectorizer.idf_.astype(np.float32)
        made = cls([str(term) for term in terms], rarity, np.zeros((0, 0), np.float32))
        model = LogisticRegression(C=STRENGTH, max_iter=3000)
        vectors = np.vstack([shipped.embed(embedder, [text for text, _ in said]), embedder.embed(asked)])
        model.fit(csr_matrix(made._rows(texts, vectors)), np.r_[codes, np.zeros(len(asked), int)], weight)
        made._weights = np.vstack([model.coef_.T, model.intercept_[None]]).astype(np.float32)
        return made

    def tell(self, texts: Sequence[str], vectors: np.ndarray) -> list[Told]:
        """What each redacted turn does; `vectors` (n, d) are the texts' by the embedder that it was fitted with."""
        scores = self._rows(texts, vectors) @ self._weights[:-1] + self._weights[-1]
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares = powers / powers.sum(axis=1, keepdims=True)
        return [
            Told(ACTS[int(row.argmax())], float(row.max()), CASE in _plain(text), float(row[_APART].max()))
            for text, row in zip(texts, shares, strict=True)
        ]

    def files(self) -> dict[str, bytes]:
        """Its files by name; equal ones are equal bytes."""
        arrays = io.BytesIO()
        np.save(arrays, self._weights)
        about = {"terms": self._terms, "rarity": [float(value) for value in self._rarity]}
        return dict(zip(_FILES, (json.dumps(about).encode(), arrays.getvalue()), strict=True))

    @classmethod
    def read(cls, stored: Mapping[str, bytes]) -> "Acts | None":
        """What `files` gave, among others; None where it is not there."""
        if _FILES[0] not in stored:
            return None
        about = json.loads(stored[_FILES[0]])
        weights = np.load(io.BytesIO(stored[_FILES[1]]), allow_pickle=False)
        return cls(about["terms"], np.array(about["rarity"], np.float32), weights)

    def _rows(self, texts: Sequence[str], vectors: np.ndarray) -> np.ndarray:
        """Words and meaning (n, terms + d) of texts."""
        rows = np.zeros((len(texts), len(self._terms) + vectors.shape[1]), np.float32)
        for row, text in zip(rows, texts, strict=True):
            columns, weights = self._words.row(_plain(text))
            row[columns] = WORDS * weights
        rows[:, len(self._terms) :] = MEANING * vectors
        return rows


def _plain(text: str) -> str:
    """A text with its placeholders as words: which kind of thing is named matters, not its number."""
    named = PLACEHOLDER.sub(lambda match: CASE if match[1] in _CASES else f"some{match[1].lower()}", text)
    return _NUMBERED.sub(f" {CASE} ", named.lower().replace("’", "'"))
