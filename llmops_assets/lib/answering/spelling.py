"""Typing errors taken back: a word that nobody knows becomes the knowledge base's that is one or two slips away.

Only for looking up: what a customer wrote is what is answered, logged and shown to the engine. A slip is a letter too
many, too few, another one, or two that changed places (optimal string alignment).
"""

import re
from collections import Counter
from collections.abc import Iterable

from llmops_assets.lib.redaction.spans import PLACEHOLDER
from llmops_assets.lib.redaction.vocabulary import listed
from llmops_assets.lib.redaction.words import COMMON_WORDS

SHORTEST = 3
"""Letters of the shortest word that is corrected."""
ONE_SLIP = 4
"""Words of so many letters may be one slip away, longer ones two."""
_LETTERS = re.compile(r"[^\W\d_]+")
_WORD = re.compile(rf"{PLACEHOLDER.pattern}|(?P<word>[^\W\d_]+)")


class Speller:
    """Corrects towards the words of `texts`. Right as they are: those, and what an English word list knows."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._counts = Counter(word for text in texts for word in _LETTERS.findall(text.lower()))
        self._candidates = [word for word in self._counts if len(word) >= SHORTEST]
        self._known: dict[str, str] = {}

    def corrected(self, text: str) -> str:
        """The text with its unknown words corrected, where a word is near enough."""
        return _WORD.sub(lambda match: self._word(match[0]) if match["word"] else match[0], text)

    def _word(self, written: str) -> str:
        word = written.lower()
        if len(word) < SHORTEST or word in self._counts or word in COMMON_WORDS or listed(word):
            return written
        if (known := self._known.get(word)) is None:
            known = self._nearest(word)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[word] = known
        return known

    def _nearest(self, word: str) -> str:
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        most = 1 if len(word) <= ONE_SLIP else 2
        found = process.extract(word, self._candidates, scorer=OSA.distance, score_cutoff=most, limit=None)

        def rank(candidate: "tuple[str, float, int]") -> tuple[float, bool, bool, int, str]:
            other, slips, _ = candidate
            # Letters that changed places are what hasty fingers do, and the first letter is seldom wrong.
            return slips, sorted(other) != sorted(word), other[0] != word[0], -self._counts[other], other

        return min([(str(other), float(slips), 0) for other, slips, _ in found], key=rank)[0] if found else word


REMEMBERED = 10_000
"""Unknown words whose correction is remembered."""
