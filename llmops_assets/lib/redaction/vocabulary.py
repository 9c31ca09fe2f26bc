"""Which words are ordinary English: what is none of them, behind a cue, is a name in whatever letters.

The words are those of WordNet that spaCy's English pipelines carry for their lemmatizer
(https://spacy.io/api/lemmatizer#lookups); nothing is stored here. Names among them are told apart by words.py.
"""

import functools
import importlib
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llmops_assets.lib.redaction import gazetteer, models
from llmops_assets.lib.redaction.words import COMMON_WORDS, FAMILY_NAMES, GIVEN_NAMES

_ENDINGS = (("ies", "y"), ("es", ""), ("es", "e"), ("s", ""), ("ed", ""), ("ed", "e"), ("ing", ""), ("ing", "e"),
            ("er", ""), ("er", "e"), ("ers", ""), ("ly", ""), ("ier", "y"), ("ily", "y"), ("n't", ""),
            ("less", ""), ("ness", ""), ("ful", ""), ("able", ""), ("able", "e"))  # fmt: skip


def ordinary(word: str) -> bool:
    """Whether a lower-case word is an ordinary English one; given names that WordNet knows of people are not."""
    if word in COMMON_WORDS:
        return True
    if word in _NAMES:
        return False
    return listed(word.removesuffix("'s"))


@functools.lru_cache(maxsize=50_000)
def listed(word: str) -> bool:
    """Whether a lower-case word is in the vocabulary, in whatever form; names may be."""
    known = english()
    if word in known:
        return True
    for ending, instead in _ENDINGS:
        if len(word) > len(ending) + 2 and word.endswith(ending):
            stem = word[: -len(ending)] + instead
            if stem in known or stem in COMMON_WORDS or (stem[-1:] == stem[-2:-1] and stem[:-1] in known):
                return True
    return "-" in word and all(listed(part) for part in word.split("-") if part)


@functools.lru_cache(maxsize=50_000)
def misspelt(word: str) -> bool:
    """Whether a lower-case word of five letters and more is one slip away from an ordinary one: a letter too many,
    too few, another one, or two that changed places (http://norvig.com/spell-correct.html)."""
    if len(word) < 5 or ordinary(word):
        return False
    halves = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    letters = "abcdefghijklmnopqrstuvwxyz"
    slips = [left + right[1:] for left, right in halves if right]
    slips += [left + right[1] + right[0] + right[2:] for left, right in halves if len(right) > 1]
    slips += [left + c + right[1:] for left, right in halves if left and right for c in letters]
    slips += [left + c + right for left, right in halves if left for c in letters]
    return any(ordinary(slip) for slip in slips)


class Words:
    """A set of words as their hashes in order: a tenth of a frozenset's memory. One in 10 ** 14 words that are not in
    it is taken for one that is."""

    def __init__(self, words: Iterable[str]) -> None:
        self._hashes = array("q", sorted({hash(word) for word in words}))

    def __contains__(self, word: str) -> bool:
        place = bisect_left(self._hashes, hash(word))
        return place < len(self._hashes) and self._hashes[place] == hash(word)

    def __len__(self) -> int:
        return len(self._hashes)


def frequency(word: str, language: str) -> float:
    """How often a lower-case word is used in a language, as the power of ten of its uses in a thousand million words
    (Zipf's scale: 3 to 8); 0 for a rarer one, for one that is hidden from the lists of names, and in a language without
    a list (https://github.com/rspeer/wordfreq)."""
    return 0.0 if gazetteer.is_hidden(word) else _frequencies(language).get(word, 0.0)


@functools.cache
def _frequencies(language: str) -> dict[str, float]:
    import wordfreq

    # The small lists: 20,000 to 30,000 words each, some 5 MB; the large ones need 40 MB a language.
    if language not in wordfreq.available_languages("small"):
        return {}
    # Words in a bin are as many hundredths below the highest frequency as its place says.
    bins = wordfreq.get_frequency_list(language, "small")
    return {word: 9 - place / 100 for place, words in enumerate(bins) for word in words}


@functools.cache
def english() -> Words:
    """Lower-case words of the installed English pipeline; none where it brings no table of them."""
    folder = models.installed_models().get("en")
    table = folder / "lemmatizer" / "lookups" / "lookups.bin" if folder else Path("missing")
    if not table.exists():
        return Words(())
    import srsly

    tables: Any = srsly.read_msgpack(table)
    found: set[str] = set()
    for name in ("lemma_index", "lemma_exc"):
        for words in tables.get(name, {}).values():
            found.update(words)
    return Words(word for word in found if re.fullmatch(r"[a-z'-]+", word))


@functools.cache
def foreign(language: str) -> frozenset[str]:
    """Lower-case words of a language other than English that are no names: its commonest, as spaCy lists them
    (https://spacy.io/usage/linguistic-features#stop-words), and Faker's. None of English or of no language."""
    if language in ("", "en") or language not in models.LANGUAGES:
        return frozenset()
    with models.bare_spacy():
        stop_words: Any = importlib.import_module(f"spacy.lang.{language}.stop_words")
    return (frozenset(stop_words.STOP_WORDS) | gazetteer.words(language)) - GIVEN_NAMES


_NAMES = (GIVEN_NAMES | FAMILY_NAMES) - COMMON_WORDS
