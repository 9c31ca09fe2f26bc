"""What the tables of cues leave open, learned: sentences of our own in several voices, their form and their meaning.

A logistic regression over the features of a sentence and its embedding, fitted in about a second whenever it is
needed: there is no stored model that could be older than the examples (voices/, one file per voice).
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, get_args

from llmops_assets.lib.markup import untagged
from llmops_assets.lib.teaching.cuts import without_blocks
from llmops_assets.lib.teaching.features import features
from llmops_assets.lib.teaching.kinds import Kind
from llmops_assets.lib.teaching.sentences import sentences

if TYPE_CHECKING:
    import numpy as np

Embed = Callable[[Sequence[str]], "np.ndarray"]
"""Texts to unit vectors (n, d)."""
MEANING = 3.0
"""Weight of the embedding beside the features of form."""
SEEN = 2
"""Examples that a feature must be found in."""
SURE = 0.6
"""Probability of "general" that a sentence needs, set on the voices that ship, each left out in turn."""
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
        if example.label not in get_args(Kind):
            raise ValueError(
                f"label {example.label!r} of {example.answer!r}: expected one of {', '.join(get_args(Kind))}"
            )
        yield example


class Classifier:
    """Kind of a sentence, learned from those examples that are one sentence."""

    def __init__(self, embed: Embed, known: Iterable[Example]) -> None:
        from sklearn.feature_extraction import DictVectorizer
        from sklearn.linear_model import LogisticRegression

        self._embed = embed
        texts, labels = [], []
        for example in known:
            body = sentences(without_blocks(untagged(example.answer))[0])
            if len(body) == 1:
                texts.append(body[0].text)
                labels.append(example.label)
        self._vectorizer = DictVectorizer(sparse=False)
        found = [features(text) for text in texts]
        often = Counter(name for of in found for name in of)
        # A word of one example says nothing of others.
        self._vectorizer.fit([{name: 1.0 for name in of if often[name] >= SEEN} for of in found])
        # Plain dense rows: a few hundred examples, and a batch of sentences at a time.
        self._model: Any = LogisticRegression(C=1.0, max_iter=1000, class_weight="balanced")
        self._model.fit(self._rows(texts), labels)

    def kinds(self, texts: Sequence[str]) -> list[Kind]:
        """The kind of each sentence: general where that is `SURE` enough, else the likelier of the others."""
        found: list[Kind] = []
        names = list(self._model.classes_)
        for start in range(0, len(texts), 2048):
            batch = texts[start : start + 2048]
            for row in self._model.predict_proba(self._rows(batch)):
                of = dict(zip(names, row, strict=True))
                if of.get("general", 0.0) >= SURE:
                    found.append("general")
                else:
                    found.append("personal" if of.get("personal", 0.0) >= of.get("empty", 0.0) else "empty")
        return found

    def _rows(self, texts: Sequence[str]) -> "np.ndarray":
        import numpy as np

        shape = self._vectorizer.transform([features(text) for text in texts])
        return np.hstack([np.asarray(shape, np.float32), MEANING * self._embed(texts)])
