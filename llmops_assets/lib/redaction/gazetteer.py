"""Names, towns and ordinary words of many countries, as Faker's locales list them (https://faker.readthedocs.io);
nothing of them is stored here."""

import contextlib
import functools
import pkgutil
import re
from collections import Counter
from collections.abc import Generator, Iterator
from importlib import import_module
from typing import Any, NamedTuple

from llmops_assets.lib.redaction.words import ALSO_WORDS, AMBIGUOUS_GIVEN_NAMES, COMMON_WORDS, MYTHS, PLACES

LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+(?:['-][A-Za-z\u00c0-\u024f\u1e00-\u1eff]+)*")
_NOT_TELLING = COMMON_WORDS | ALSO_WORDS | AMBIGUOUS_GIVEN_NAMES | PLACES | MYTHS
_TOWNS = ("cities", "city_names", "countries", "states", "counties", "towns", "departments", "districts", "provinces",
          "regions", "places", "municipalities")  # fmt: skip
_NOT_NAMES = ("format", "prefix", "suffix", "pair", "romanized_format")


class Names(NamedTuple):
    """Lower-case names in the Latin alphabet."""

    given: frozenset[str]
    family: frozenset[str]


@functools.cache
def names() -> Names:
    """All of them; half a second when first asked."""
    given: set[str] = set()
    family: set[str] = set()
    for each in by_locale().values():
        given |= each.given
        family |= each.family
    return Names(frozenset(given), frozenset(family))


def telling(word: str, language: str = "") -> bool:
    """Whether a word alone tells of a person: a given name of four letters and more that is no word or place we know;
    of a language's countries, or of any."""
    lower = word.lower()
    if len(lower) < 4 or lower in _NOT_TELLING:
        return False
    return lower in (given_in(language) if language else names().given)


@functools.cache
def spread() -> dict[str, int]:
    """In how many countries' lists a given name stands: a ware is rather called Luna than Thandiwe."""
    return dict(Counter(name for each in by_locale().values() for name in each.given))


@functools.cache
def given_in(language: str) -> frozenset[str]:
    """Given names of the countries of a language ("de")."""
    return frozenset().union(*(each.given for locale, each in by_locale().items() if locale.startswith(f"{language}_")))


_hidden: frozenset[str] = frozenset()


@contextlib.contextmanager
def without(left_out: frozenset[str]) -> Generator[None]:
    """Until the end none of the lists holds these lower-case names: what learns from the lists must meet names that are
    in none."""
    global _hidden
    before, _hidden = _hidden, left_out
    _forget()
    try:
        yield
    finally:
        _hidden = before
        _forget()


def _forget() -> None:
    for cached in (names, given_in, by_locale, spread):
        cached.cache_clear()


@functools.cache
def by_locale() -> dict[str, Names]:
    """Names by Faker's locale ("de_AT"), those that write them in the Latin alphabet."""
    return {locale: Names(each.given - _hidden, each.family - _hidden) for locale, each in _listed().items()}


def _providers(kind: str) -> Iterator[tuple[str, Any]]:
    """(locale, provider) of Faker's providers of a kind."""
    package = import_module(f"faker.providers.{kind}")
    for module in pkgutil.iter_modules(package.__path__):
        yield module.name, import_module(f"{package.__name__}.{module.name}").Provider


@functools.cache
def towns() -> frozenset[str]:
    """Lower-case names of towns, regions and countries of one word, of which some are people's names too."""
    found: set[str] = set()
    for _, provider in _providers("address"):
        for attribute in _TOWNS:
            for town in getattr(provider, attribute, ()):
                name = town[-1] if isinstance(town, tuple) else town
                if isinstance(name, str) and LATIN.fullmatch(name):
                    found.add(name.lower())
    return frozenset(found)


@functools.cache
def words(language: str) -> frozenset[str]:
    """Lower-case ordinary words of a language ("de"): some hundreds to thousands; none where no list is of it."""
    found: set[str] = set()
    for locale, provider in _providers("lorem"):
        if locale.startswith(f"{language}_"):
            found.update(word.lower() for word in provider.word_list)
    return frozenset(found)


@functools.cache
def _listed() -> dict[str, Names]:
    found = {}
    for locale, provider in _providers("person"):
        given: set[str] = set()
        family: set[str] = set()
        for attribute in dir(provider):
            listed = getattr(provider, attribute)
            if not isinstance(listed, tuple | list | dict) or any(word in attribute for word in _NOT_NAMES):
                continue
            into = given if "first" in attribute else family if "last" in attribute else None
            if into is not None:
                lower = (name.lower() for name in listed if isinstance(name, str))
                into.update(name for name in lower if LATIN.fullmatch(name))
        if given and family:
            found[locale] = Names(frozenset(given), frozenset(family))
    return found
