"""What another wording of a text must not change: its numbers, placeholders, product names and whether it negates.

Augmentation drops a variant that changes them; deduplication keeps two texts apart that differ in them.
"""

import re
from dataclasses import dataclass

PLACEHOLDER = re.compile(r"<[A-Z_]+_\d+>")
_NUMBER = re.compile(r"(?<![^\W\d_])(?<!\d)\d+(?:[.,:]\d+)*")
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?:…]\W*$")
_NEGATION = re.compile(
    r"""\b(?:no|not|never|none|nothing|nobody|nowhere|neither|nor|without|w/o|cannot|[a-z]+n['’]t|cant|wont|aint
    |(?:do|does|did|is|are|was|were|has|have|had|could|should|would)nt
    |nicht|nichts|kein(?:e|en|em|er)?|nie|niemals|ohne|nunca|sin|nada|tampoco|pas|jamais|sans|rien|aucune?)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_PRONOUNS = frozenset({"I", "I'm", "I'd", "I've", "I'll", "I’m", "I’d", "I’ve", "I’ll", "OK"})


@dataclass(frozen=True)
class Facts:
    """Numbers, placeholders and names (lower case) of a text, and whether it negates."""

    numbers: frozenset[str]
    placeholders: frozenset[str]
    names: frozenset[str]
    negated: bool


def facts(text: str) -> Facts:
    """The facts of a text in a Latin alphabet.

    A name is a word with a digit, or one with a capital that does not begin a sentence. A text all in capitals has no
    names of the second kind: nothing sets them off.
    """
    placeholders = frozenset(PLACEHOLDER.findall(text))
    plain = PLACEHOLDER.sub(" ", text)
    shouted = not any(c.islower() for c in plain)
    names = set()
    for match in _WORD.finditer(plain):
        word = match.group()
        begins = (
            match.start() == 0 or not plain[: match.start()].strip() or _SENTENCE_END.search(plain[: match.start()])
        )
        capital = any(c.isupper() for c in word) and not shouted and not begins and word not in _PRONOUNS
        if capital or (any(c.isdigit() for c in word) and not word.isdigit()):
            names.add(word.lower())
    return Facts(numbers(text), placeholders, frozenset(names), negates(plain))


def numbers(text: str) -> frozenset[str]:
    """The numbers of a text as they are written, outside of placeholders."""
    return frozenset(_NUMBER.findall(PLACEHOLDER.sub(" ", text)))


def negates(text: str) -> bool:
    """Whether a text carries a negation (English, with its chat spellings; German, Spanish, French)."""
    return _NEGATION.search(text) is not None


def changed_fact(text: str, variant: str) -> str | None:
    """Which fact of a text its variant lost, added or turned round; None when all of them survive."""
    before, after = facts(text), facts(variant)
    if before.numbers != after.numbers:
        return "a number changed"
    if before.placeholders != after.placeholders:
        return "a placeholder changed"
    said = {word.lower() for word in _WORD.findall(variant)}
    if before.names - said:
        return "a name changed"
    return "a negation changed" if before.negated != after.negated else None
