"""An answer in its sentences: lines are broken first, then sentences within them; a list of steps stays together."""

import re
from dataclasses import dataclass

_ABBREVIATIONS = (
    "mr mrs ms dr prof st no nr nos approx incl excl etc e.g i.e z.b d.h bzw ca inkl evtl tel art fig max min vs inc "
    "ltd co ref jan feb mar apr jun jul aug sep sept oct nov dec mo tue wed thu fri sat sun p.m a.m hr fr mme sra sr "
    "uvm"
).split()
_END = re.compile(
    r"(?<=[.!?…])[\"')\]]*(?:\s+|$)|(?<=[!?…])(?=[A-ZÀ-Ý¿¡])|(?<=[\U0001F300-\U0001FAFF\u2600-\u27BF\ufe0f])\s+"
)
_MONTH = re.compile(
    r"(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zé]*\b|januar|février|enero", re.IGNORECASE
)
_ITEM = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•·–]|[a-h]\))\s+")
_ABBREVIATED = re.compile(
    rf"(?:^|[\s(])(?:{'|'.join(map(re.escape, _ABBREVIATIONS))}|[A-Z]|\d{{1,2}}(?:\.\d{{1,2}})?)\.$", re.IGNORECASE
)


@dataclass(frozen=True)
class Sentence:
    """A sentence with its line and, where it is a step or an item, the list it belongs to (numbered from 1)."""

    text: str
    line: int
    list: int = 0


def sentences(text: str) -> list[Sentence]:
    """The sentences of a text, in order; an item of a list is one sentence. Empty lines belong to none."""
    found: list[Sentence] = []
    lists, inside = 0, False
    for number, line in enumerate(text.splitlines()):
        if not line.strip():
            continue
        if _ITEM.match(line):
            lists += not inside
            inside = True
            found.append(Sentence(line.strip(), number, lists))
            continue
        inside = False
        found += [Sentence(part, number) for part in split(line)]
    return found


def split(line: str) -> list[str]:
    """The sentences of one line: ended by a mark, not by an abbreviation, an initial or the day of a date."""
    parts, start = [], 0
    for match in _END.finditer(line):
        piece = line[start : match.start()]
        after = line[match.end() :]
        if piece.endswith(".") and _ABBREVIATED.search(piece) and _goes_on(piece, after):
            continue
        if piece.strip():
            parts.append(line[start : match.end()].strip())
        start = match.end()
    if line[start:].strip():
        parts.append(line[start:].strip())
    return parts


def _goes_on(piece: str, after: str) -> bool:
    """Whether a sentence goes on after an abbreviation: in small letters, with a number, a name or a month."""
    if after[:1].islower() or after[:1].isdigit():
        return True
    if re.search(r"\d\.$", piece):
        return _MONTH.match(after) is not None
    return re.search(r"(?:^|\s)(?:mr|mrs|ms|dr|prof|st|no|nr|[A-Z])\.$", piece, re.IGNORECASE) is not None


def joined(parts: list[Sentence]) -> str:
    """Sentences as a text again: those of a line with spaces, items of a list each on its line."""
    result = ""
    last: Sentence | None = None
    for part in parts:
        if last is not None:
            result += "\n" if part.list or last.list else " "
        result += part.text
        last = part
    return result
