"""What the tables leave open, learned: sentences of our own in several voices, their form and their meaning.

A kernel ridge regression over the features of a sentence and its embedding (a Gaussian kernel: a past tense weighs
otherwise beside "if" than beside "your"). It is solved in closed form whenever it is needed, in about two seconds:
there is no stored model that could be older than the examples (voices/, one file per voice), only their vectors.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.markup import untagged
from llmops_assets.lib.teaching.cuts import without_blocks
from llmops_assets.lib.teaching.features import features
from llmops_assets.lib.teaching.kinds import KINDS, Kind
from llmops_assets.lib.teaching.sentences import sentences

if TYPE_CHECKING:
    import numpy as np

    from llmops_assets.lib.answering.embedding import Embeds

MEANING = 3.0
"""Weight of the embedding beside the features of form."""
SEEN = 2
"""Examples that a feature must be found in."""
SURE = 0.5
"""Weight of "general" that a sentence needs, set on the voices that ship, each left out in turn."""
WIDTH = 0.03
"""Gamma of the Gaussian kernel, per squared distance of two sentences."""
RIDGE = 0.4
"""Regularisation of the regression."""
SHARPNESS = 2.0
"""Inverse temperature that makes weights out of the regression's three values, which lie about -1 and 1."""
_VOICES = files("llmops_assets.lib.teaching") / "voices"


@dataclass(frozen=True)
class Example:
    """A labelled answer: who would write so, what kind of answer it is, and what must be gone of a mixed one."""

    voice: str
    kind: str
    label: Kind
    answer: str
    gone: str = ""


def examples() -> tuple[Example, ...]:
    """The answers that ship with the package, by voice."""
    texts = [file.read_text() for file in sorted(_VOICES.iterdir(), key=lambda file: file.name)]
    return tuple(parsed(line for text in texts for line in text.splitlines()))


def parsed(lines: Iterable[str]) -> Iterable[Example]:
    """Examples of JSON lines. ValueError for a label that is none."""
    for line in lines:
        example = Example(**json.loads(line))
        if example.label not in KINDS:
            raise ValueError(f"label {example.label!r} of {example.answer!r}: expected one of {', '.join(KINDS)}")
        yield example


def taught_by(known: Iterable[Example]) -> tuple[list[str], list[Kind]]:
    """The sentences of those examples that are one, and their kinds."""
    texts, labels = [], []
    for example in known:
        body = sentences(without_blocks(untagged(example.answer))[0])
        if len(body) == 1:
            texts.append(body[0].text)
            labels.append(example.label)
    return texts, labels


class Classifier:
    """How much a sentence is of each kind, learned from those examples that are one sentence."""

    def __init__(self, embedder: "Embeds", known: Iterable[Example]) -> None:
        import numpy as np
        from sklearn.feature_extraction import DictVectorizer
        from sklearn.kernel_ridge import KernelRidge

        from llmops_assets.lib.answering import shipped

        texts, labels = taught_by(known)
        self._vectorizer = DictVectorizer(sparse=False, dtype=np.float32)
        found = [features(text) for text in texts]
        often = Counter(name for of in found for name in of)
        # A word of one example says nothing of others.
        self._vectorizer.fit([{name: 1.0 for name in of if often[name] >= SEEN} for of in found])
        counts = Counter(labels)
        weight = np.array([len(labels) / len(counts) / counts[label] for label in labels])
        wanted = np.array([[1.0 if label == kind else -1.0 for kind in KINDS] for label in labels])
        self._mean = np.average(wanted, axis=0, weights=weight)
        self._model: Any = KernelRidge(alpha=RIDGE, kernel="rbf", gamma=WIDTH)
        rows = self._rows(shipped.embed(embedder, texts), found)
        self._model.fit(rows, wanted - self._mean, sample_weight=weight)

    def weights(self, embedder: "Embeds", texts: Sequence[str]) -> list[dict[Kind, float]]:
        """The kinds of each sentence with their weights, which add up to 1; by the embedder that it was fitted with."""
        import numpy as np

        result: list[dict[Kind, float]] = []
        for start in range(0, len(texts), 2048):
            batch = texts[start : start + 2048]
            rows = self._rows(embedder.embed(batch), [features(text) for text in batch])
            values = self._model.predict(rows) + self._mean
            powers = np.exp(SHARPNESS * values)
            shares = powers / powers.sum(axis=1, keepdims=True)
            result += [dict(zip(KINDS, map(float, row), strict=True)) for row in shares]
        return result

    def _rows(self, vectors: "np.ndarray", found: Sequence[dict[str, float]]) -> "np.ndarray":
        import numpy as np

        return np.hstack([self._vectorizer.transform(found), np.float32(MEANING) * vectors])


def classifier(embedder: "Embeds", known: Iterable[Example] | None = None) -> Classifier:
    """The classifier of those examples (None: the ones that ship), fitted once in a process for equal examples.

    Nothing is stored: another version of the code is another process.
    """
    learned = examples() if known is None else tuple(known)
    key = embedder.digest, hash_json([astuple(example) for example in learned])
    with _FITTING:
        if key not in _FITTED:
            while len(_FITTED) >= KEPT:
                _FITTED.pop(next(iter(_FITTED)))
            _FITTED[key] = Classifier(embedder, learned)
        return _FITTED[key]


KEPT = 2
"""Classifiers that a process keeps; each holds its examples' rows (about 30 MB)."""
_FITTED: dict[tuple[str, str], Classifier] = {}
_FITTING = threading.Lock()
