"""Given and family names of many countries, as Faker's locales list them (https://faker.readthedocs.io); nothing of
them is stored here."""

import functools
import pkgutil
import re
from importlib import import_module
from typing import NamedTuple

from llmops_assets.lib.redaction.words import ALSO_WORDS, AMBIGUOUS_GIVEN_NAMES, COMMON_WORDS, MYTHS, PLACES

LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+(?:['-][A-Za-z\u00c0-\u024f\u1e00-\u1eff]+)*")
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
    if len(lower) < 4 or lower in COMMON_WORDS | ALSO_WORDS | AMBIGUOUS_GIVEN_NAMES | PLACES | MYTHS:
        return False
    return lower in (given_in(language) if language else names().given)


@functools.cache
def given_in(language: str) -> frozenset[str]:
    """Given names of the countries of a language ("de")."""
    return frozenset().union(*(each.given for locale, each in by_locale().items() if locale.startswith(f"{language}_")))


@functools.cache
def by_locale() -> dict[str, Names]:
    """Names by Faker's locale ("de_AT"), those that write them in the Latin alphabet."""
    import faker.providers.person as people

    found = {}
    for module in pkgutil.iter_modules(people.__path__):
        provider = import_module(f"{people.__name__}.{module.name}").Provider
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
            found[module.name] = Names(frozenset(given), frozenset(family))
    return found
