"""The language of a text, or the use case's where the text is too short or too ambiguous to tell.

py3langid (naive Bayes over byte n-grams, no network) restricted to a set of languages.
"""

import functools
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LANGUAGES = tuple("ar de el en es fr he hi it ja ko nl pl pt ru sv tr uk zh".split())
"""What is told apart. Close neighbours (Danish and Norwegian beside Swedish) would cost short texts."""
MINIMUM_CONFIDENCE = 0.5
_SILENT = re.compile(r"<[A-Z_]+_?\d*>|\{\{.*?\}\}|https?://\S+|\S+@\S+|[\d#$€£%/\\*_+=|-]+")
"""Placeholders, addresses and numbers say nothing about the language."""


@functools.cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    all_languages = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    all_languages.set_languages(LANGUAGES)
    # One of its own for these: the other keeps the weights of every language, seven times as many.
    return LanguageIdentifier(
        all_languages.nb_ptc,
        all_languages.nb_pc,
        all_languages.nb_classes,
        all_languages.tk_nextmove,
        all_languages.tk_output,
        norm_probs=True,
        tk_row=all_languages.tk_row,
    )


@functools.lru_cache(maxsize=8192)
def language(text: str, default: str = "en") -> str:
    """Two-letter code of a text's language; `default` below two words (of an alphabet) or without a clear winner."""
    spoken = _SILENT.sub(" ", text)
    latin = [word for word in spoken.split() if any("LATIN" in unicodedata.name(c, "") for c in word)]
    other = any(c.isalpha() and "LATIN" not in unicodedata.name(c, "") for c in spoken)
    if len(latin) < 2 and not other:
        return default
    code, confidence = _identifier().classify(spoken)
    return code if confidence >= MINIMUM_CONFIDENCE else default
