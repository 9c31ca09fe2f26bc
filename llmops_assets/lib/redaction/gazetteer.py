"""Names, towns and ordinary words of many countries, as Faker's locales list them (listing.py); nothing of them is
stored here."""

import contextlib
import functools
import json
import subprocess
import sys
from collections.abc import Generator, Set
from pathlib import Path
from typing import NamedTuple

from llmops_assets.lib.redaction import listing
from llmops_assets.lib.redaction.words import ALSO_WORDS, AMBIGUOUS_GIVEN_NAMES, COMMON_WORDS, MYTHS, PLACES

LISTING_SECONDS = 120.0
_NOT_TELLING = COMMON_WORDS | ALSO_WORDS | AMBIGUOUS_GIVEN_NAMES | PLACES | MYTHS


class Names(NamedTuple):
    """Lower-case names in the Latin alphabet."""

    given: Set[str]
    family: Set[str]


class _Lists(NamedTuple):
    """Names with a bit for each of `locales` that lists them: a set for each locale would be several times the
    memory."""

    given: dict[str, int]
    family: dict[str, int]
    locales: tuple[str, ...]
    towns: frozenset[str]
    words: dict[str, tuple[str, ...]]


def names() -> Names:
    """All of them; a second when first asked."""
    return Names(_lists().given.keys(), _lists().family.keys())


def telling(word: str, language: str = "") -> bool:
    """Whether a word alone tells of a person: a given name of four letters and more that is no word or place we know;
    of a language's countries, or of any."""
    lower = word.lower()
    if len(lower) < 4 or lower in _NOT_TELLING:
        return False
    listed = _lists().given.get(lower, 0)
    return bool(listed & _countries(language) if language else listed)


def spread(name: str) -> int:
    """In how many countries' lists a given name stands: a ware is rather called Luna than Thandiwe."""
    return _lists().given.get(name, 0).bit_count()


def towns() -> frozenset[str]:
    """Lower-case names of towns, regions and countries of one word, of which some are people's names too."""
    return _lists().towns


def words(language: str) -> frozenset[str]:
    """Lower-case ordinary words of a language ("de"): some hundreds to thousands; none where no list is of it."""
    return frozenset(_lists().words.get(language, ()))


def by_locale() -> dict[str, Names]:
    """Names by Faker's locale ("de_AT"), those that write them in the Latin alphabet."""
    kinds = (_lists().given, _lists().family)
    return {
        locale: Names(*(frozenset(name for name, bits in kind.items() if bits >> number & 1) for kind in kinds))
        for number, locale in enumerate(_lists().locales)
    }


_hidden: frozenset[str] = frozenset()


@contextlib.contextmanager
def without(left_out: frozenset[str]) -> Generator[None]:
    """Until the end none of the lists holds these lower-case names: what learns from the lists must meet names that are
    in none."""
    global _hidden
    before, _hidden = _hidden, left_out
    _lists.cache_clear()
    try:
        yield
    finally:
        _hidden = before
        _lists.cache_clear()


def is_hidden(name: str) -> bool:
    """Whether a lower-case name is left out now."""
    return name in _hidden


@functools.cache
def _countries(language: str) -> int:
    """The bits of a language's countries."""
    return sum(1 << number for number, locale in enumerate(_lists().locales) if locale.startswith(f"{language}_"))


@functools.cache
def _lists() -> _Lists:
    # By its path and without its folder on the import path, in which modules have names that others have too.
    command = [sys.executable, "-P", str(Path(listing.__file__))]
    told = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=LISTING_SECONDS).stdout)
    # Some hundred different numbers stand beside tens of thousands of names.
    alike: dict[int, int] = {}
    given, family = (
        {name: alike.setdefault(bits, bits) for name, bits in told[kind].items() if name not in _hidden}
        for kind in ("given", "family")
    )
    spoken = {language: tuple(listed) for language, listed in told["words"].items()}
    return _Lists(given, family, tuple(told["locales"]), frozenset(told["towns"]), spoken)
