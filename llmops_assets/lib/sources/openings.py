"""Patterns that are asked only where a text begins as they do: most texts are no mail, and must cost little.

How everything begins that a pattern matches is read off the pattern itself, so a table of phrases has no second list
beside it that could be forgotten.
"""

import re
from collections.abc import Iterable

SIZE = 12
"""Letters of a beginning that are compared."""
_GATE = 3
"""Letters by which most texts are told apart already."""
_MOST = 4000
"""Beginnings of one pattern; with more of them the pattern is asked always."""
_QUANTIFIER = re.compile(r"[?*+]\??|\{\d*(?:,\d*)?\}\??")


class Starts:
    """The first letters of texts, for telling in a moment that a text is none of them."""

    def __init__(self, begins: Iterable[str]) -> None:
        self.begins = frozenset(begins)
        self._gate = frozenset(begin[:_GATE] for begin in self.begins if len(begin) >= _GATE)
        self._short = frozenset(begin for begin in self.begins if len(begin) < _GATE)
        self._lengths = sorted({len(begin) for begin in self.begins if len(begin) >= _GATE})

    def may(self, text: str) -> bool:
        """Whether a text begins so, white space and case aside; False is certain."""
        start = text[:SIZE]
        if start[:1].isspace():
            start = text.lstrip()[:SIZE]
        # Without regard to case some letters are others: `re` reads the long s as s.
        if not start.isascii():
            return True
        start = start.lower()
        if start[:1] in self._short or start[:2] in self._short or "" in self._short:
            return True
        if start[:_GATE] in self._gate:
            for length in self._lengths:
                if start[:length] in self.begins:
                    return True
        return False


class Opening:
    """A pattern for the beginning of a text, white space before it aside."""

    def __init__(self, pattern: str) -> None:
        self.pattern = re.compile(pattern, re.IGNORECASE)
        self.starts = Starts(beginnings(re.sub(r"^\\s(?:\*|\{0,\d+\})", "", pattern)))

    def match(self, text: str) -> re.Match[str] | None:
        """As `re.Pattern.match`."""
        return self.pattern.match(text) if self.starts.may(text) else None


def beginnings(pattern: str) -> frozenset[str]:
    """The first letters (at most SIZE, ASCII, small) of all that a pattern matches without regard to case.

    A shorter one may be followed by anything; "" says that nothing is known.
    """
    found, end = _alternatives(pattern, 0)
    if end != len(pattern):
        raise ValueError(f"{pattern[:40]!r}: a parenthesis closes that was not opened")
    # What begins with another letter is always asked, whatever stands here.
    known = {begin for begin, _ in found if begin.isascii()}
    return frozenset(known) if len(known) <= _MOST else frozenset(("",))


Begun = set[tuple[str, bool]]
"""Letters, and whether more of them may be known."""


def _alternatives(pattern: str, place: int) -> tuple[Begun, int]:
    """What stands up to the parenthesis that closes, and where that is."""
    found: Begun = set()
    branch: Begun = {("", True)}
    while place < len(pattern) and pattern[place] != ")":
        if pattern[place] == "|":
            found |= branch
            branch, place = {("", True)}, place + 1
            continue
        part, place = _part(pattern, place)
        quantifier = _QUANTIFIER.match(pattern, place)
        if quantifier:
            place = quantifier.end()
            part = _repeated(part, quantifier[0])
        branch = _followed(branch, part)
    return found | branch, place


def _part(pattern: str, place: int) -> tuple[Begun, int]:
    """One letter, class or group of a pattern, and where it ends."""
    letter = pattern[place]
    if letter == "(":
        head = re.compile(r"\((?:\?(?::|P<\w+>|[=!]|<[=!]))?").match(pattern, place)
        assert head is not None
        inside, end = _alternatives(pattern, head.end())
        ahead = head[0] not in ("(", "(?:") and not head[0].startswith("(?P")
        return ({("", True)} if ahead else inside), end + 1
    if letter == "[":
        end = pattern.index("]", place + 2 if pattern[place + 1] != "^" else place + 3)
        letters = pattern[place + 1 : end]
        plain = not letters.startswith("^") and "\\" not in letters and "-" not in letters[1:-1]
        return ({(one.lower(), True) for one in letters} if plain else {("", False)}), end + 1
    if letter == "\\":
        escaped = pattern[place + 1]
        if escaped in "bB":
            return {("", True)}, place + 2
        return ({("", False)} if escaped.isalnum() else {(escaped, True)}), place + 2
    if letter in "^$":
        return {("", letter == "^")}, place + 1
    return ({("", False)} if letter == "." else {(letter.lower(), True)}), place + 1


def _repeated(part: Begun, quantifier: str) -> Begun:
    """A part that comes as often as a quantifier says."""
    optional = quantifier[0] in "?*" or quantifier.startswith(("{0", "{,"))
    once = quantifier[0] == "?"
    found = part if once else {(begin, False) for begin, _ in part}
    return found | {("", True)} if optional else found


def _followed(branch: Begun, part: Begun) -> Begun:
    """A part behind what has been read; what is long enough, or not known any further, stays as it is."""
    done = {one for one in branch if not one[1] or len(one[0]) >= SIZE}
    longer = {((begin + more)[:SIZE], goes_on) for begin, _ in branch - done for more, goes_on in part}
    found = done | longer
    return found if len(found) <= _MOST else {("", False)}
