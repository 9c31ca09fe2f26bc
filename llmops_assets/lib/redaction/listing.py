"""Writes the names, towns and ordinary words of Faker's locales as JSON: run by gazetteer.py as a process of its own,
since the library holds thirty times what is taken of it for as long as it is loaded (https://faker.readthedocs.io)."""

import json
import pkgutil
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from typing import Any

LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+(?:['-][A-Za-z\u00c0-\u024f\u1e00-\u1eff]+)*")
_TOWNS = ("cities", "city_names", "countries", "states", "counties", "towns", "departments", "districts", "provinces",
          "regions", "places", "municipalities")  # fmt: skip
_NOT_NAMES = ("format", "prefix", "suffix", "pair", "romanized_format")


def main() -> None:
    """`given` and `family` as name to a number with a bit for each of `locales` that lists it, `towns`, and `words` by
    language."""
    locales: list[str] = []
    found: dict[str, dict[str, int]] = {"given": {}, "family": {}}
    for locale, provider in providers("person"):
        names = names_of(provider)
        if names["given"] and names["family"]:
            for kind, listed in names.items():
                for name in listed:
                    found[kind][name] = found[kind].get(name, 0) | 1 << len(locales)
            locales.append(locale)
    words: dict[str, set[str]] = defaultdict(set)
    for locale, provider in providers("lorem"):
        words[locale.partition("_")[0]].update(word.lower() for word in provider.word_list)
    spoken = {language: sorted(listed) for language, listed in words.items()}
    json.dump({**found, "locales": locales, "towns": sorted(towns()), "words": spoken}, sys.stdout)


def providers(kind: str) -> Iterator[tuple[str, Any]]:
    """(locale, provider) of Faker's providers of a kind."""
    package = import_module(f"faker.providers.{kind}")
    for module in pkgutil.iter_modules(package.__path__):
        yield module.name, import_module(f"{package.__name__}.{module.name}").Provider


def names_of(provider: Any) -> dict[str, set[str]]:
    """Lower-case given and family names of a locale, those that are written in the Latin alphabet."""
    found: dict[str, set[str]] = {"given": set(), "family": set()}
    for attribute in dir(provider):
        listed = getattr(provider, attribute)
        if not isinstance(listed, tuple | list | dict) or any(word in attribute for word in _NOT_NAMES):
            continue
        kind = "given" if "first" in attribute else "family" if "last" in attribute else None
        if kind is not None:
            lower = (name.lower() for name in listed if isinstance(name, str))
            found[kind].update(name for name in lower if LATIN.fullmatch(name))
    return found


def towns() -> set[str]:
    """Lower-case names of towns, regions and countries of one word."""
    found: set[str] = set()
    for _, provider in providers("address"):
        for attribute in _TOWNS:
            for town in getattr(provider, attribute, ()):
                name = town[-1] if isinstance(town, tuple) else town
                if isinstance(name, str) and LATIN.fullmatch(name):
                    found.add(name.lower())
    return found


if __name__ == "__main__":
    main()
