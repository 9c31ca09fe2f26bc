"""A small linear classifier of texts: logistic regression over words, runs of words, pieces of words and cues.

Fitted in seconds on lines that ship with the package, read in tens of microseconds a sentence, without a model to
download. A long text is read in windows and is as likely as its likeliest window, since one sentence is enough for an
attack and a thousand harmless ones must not hide it.
"""

import functools
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

WINDOW = 240
"""Characters of a window: about as long as the longer lines that it is fitted on."""
SHORTEST = 12
"""Characters of a sentence that says something alone."""
MOST_WINDOWS = 60
"""Windows that are read of a text; of longer ones the first and the last."""
PIECE = 4
"""Characters of the pieces of words, which find their word through a typing error."""
STRENGTH = 6.0
"""Inverse regularisation."""
SMALLEST = 0.02
"""Weights nearer to zero are not stored."""
_WORD = re.compile(r"[\w']+|[<>\[\]{}|#!?]")
_END = re.compile(r"(?<=[.!?…])\s+|\n+")

CUE = 1.0
"""Value of a cue that is found."""


class Cue(NamedTuple):
    """A pattern that stands for itself: an own feature where it is found. It is looked for only in texts that hold one
    of `words`, in lower case, or in all where there are none."""

    words: frozenset[str]
    pattern: "re.Pattern[str]"


Cues = Mapping[str, Cue]


class Linear:
    """The fitted classifier. `kinds` names what it tells apart from harmless texts, `weights` holds for each feature
    the weights of those kinds in their order, `rows` the digest of the lines that it was fitted on."""

    def __init__(
        self, kinds: Sequence[str], weights: Mapping[str, Sequence[float]], bias: Sequence[float], cues: Cues, rows: str
    ) -> None:
        self.kinds = tuple(kinds)
        self.rows = rows
        self._weights = {name: tuple(values) for name, values in weights.items()}
        self._bias = tuple(bias)
        self._cues = dict(cues)

    @classmethod
    def fit(
        cls, texts: Sequence[str], told: Sequence[str], cues: Cues, kinds: Sequence[str], rows: str = ""
    ) -> "Linear":
        """Fitted on texts and the kind of each; what is of none of `kinds` is harmless. All kinds weigh the same."""
        import numpy as np
        from scipy.sparse import csr_matrix
        from sklearn.linear_model import LogisticRegression

        read = [features(text, cues) for text in texts]
        often = Counter(name for row in read for name in row)
        names = {name: at for at, name in enumerate(sorted(name for name, times in often.items() if times > 1))}
        kept = [{name: value for name, value in row.items() if name in names} for row in read]
        cells = [names[name] for row in kept for name in row]
        values = [value for row in kept for value in row.values()]
        ends = np.cumsum([0, *(len(row) for row in kept)])
        matrix = csr_matrix((np.array(values), np.array(cells), ends), shape=(len(kept), len(names)))
        weights, bias = np.zeros((len(names), len(kinds))), []
        for at, kind in enumerate(kinds):
            model = LogisticRegression(C=STRENGTH, class_weight="balanced", solver="liblinear", random_state=0)
            model.fit(matrix, np.array([one == kind for one in told]))
            weights[:, at] = model.coef_[0]
            bias.append(float(model.intercept_[0]))
        return cls(kinds, {name: weights[at].tolist() for name, at in names.items()}, bias, cues, rows)

    @classmethod
    def read(cls, stored: str, cues: Cues) -> "Linear":
        """What `stored` gave."""
        about = json.loads(stored)
        return cls(about["kinds"], about["weights"], about["bias"], cues, about["rows"])

    def stored(self) -> str:
        """Itself as JSON, without its cues and without weights that change nothing."""
        weights = {
            name: [round(value, 3) for value in values]
            for name, values in sorted(self._weights.items())
            if max(abs(value) for value in values) >= SMALLEST
        }
        about: dict[str, Any] = {"rows": self.rows, "kinds": self.kinds, "bias": [round(b, 3) for b in self._bias]}
        # One feature a line, so that a diff shows what was learned anew.
        rows = ",\n".join(f"{json.dumps(name, ensure_ascii=False)}: {values}" for name, values in weights.items())
        return f'{json.dumps(about)[:-1]}, "weights": {{\n{rows}\n}}}}\n'

    def likely(self, text: str) -> dict[str, float]:
        """How likely a text is of each kind (0 to 1), by its likeliest window."""
        best = [-math.inf] * len(self.kinds)
        for window in windows(text):
            best = [max(pair) for pair in zip(best, self._scores(window), strict=True)]
        return dict(zip(self.kinds, map(_share, best), strict=True))

    def _scores(self, window: str) -> list[float]:
        scores = list(self._bias)
        weights = self._weights
        for name, value in features(window, self._cues).items():
            found = weights.get(name)
            if found is not None:
                for at, weight in enumerate(found):
                    scores[at] += value * weight
        return scores


def features(text: str, cues: Cues) -> dict[str, float]:
    """Words and runs of up to three, pieces of words, each group of unit length together; and the cues found."""
    read = _read(text)
    found = {
        f"={name}": CUE
        for name, cue in cues.items()
        if not (cue.words and cue.words.isdisjoint(read)) and cue.pattern.search(text)
    }
    return {**read, **found} if found else read


@functools.lru_cache(maxsize=64)
def _read(text: str) -> dict[str, float]:
    """The features that are the same for every classifier; several read a text one after the other."""
    words = _WORD.findall(text.lower().replace("’", "'"))
    runs = {*words, *map(" ".join, pairwise(words))}
    runs.update(map(" ".join, zip(words, words[1:], words[2:], strict=False)))
    pieces: set[str] = set()
    for word in set(words):
        if len(word) >= PIECE - 1:
            padded = f"_<{word}>"
            pieces.update(padded[at : at + PIECE] for at in range(1, len(padded) - PIECE + 1))
    found = dict.fromkeys(runs, 1 / math.sqrt(len(runs) or 1))
    found.update(dict.fromkeys(("_" + piece for piece in pieces), 0.7 / math.sqrt(len(pieces) or 1)))
    return found


def windows(text: str) -> Collection[str]:
    """A text in sentences that are joined as far as they fit, and, where they are not too many, each of them alone."""
    parts = sentences(text)
    if len(parts) < 2 and len(text) <= WINDOW:
        return (text,)
    made = list(joined(parts))
    alone = [part for part in parts if SHORTEST <= len(part) <= WINDOW and part not in made]
    if len(made) + len(alone) <= MOST_WINDOWS:
        return (*made, *alone)
    half = MOST_WINDOWS // 2
    return made if len(made) <= MOST_WINDOWS else (*made[:half], *made[-half:])


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, none of them empty."""
    return [part.strip() for part in _END.split(text) if part.strip()]


def joined(parts: Iterable[str]) -> Iterator[str]:
    """Windows of sentences."""
    held = ""
    for sentence in parts:
        for start in range(0, len(sentence), WINDOW):
            part = sentence[start : start + WINDOW]
            if held and len(held) + len(part) >= WINDOW:
                yield held
                held = ""
            held = f"{held} {part}".strip()
    if held:
        yield held


def _share(score: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))
