"""What an archive holds, before anything of it is taken: counted file by file, with what is left out and why.

Nothing is kept of a text but what is counted of it; reasons name columns and places, never what a customer wrote.
"""

import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from llmops_assets.lib.labelling.languages import language
from llmops_assets.lib.sources.faults import SourceError, UndecidedError
from llmops_assets.lib.sources.reading import identity
from llmops_assets.lib.sources.rows import RawRow, Rejected
from llmops_assets.lib.wording import many

SAMPLED = 300
"""Rows of a file whose language is looked at."""
SHOWN = 8
"""Reasons that are shown of a file."""
UNKNOWN = "?"


@dataclass
class FileSurvey:
    """What one file holds; with a `fault` it cannot be used as a whole."""

    name: str
    layout: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    unread: Sequence[str] = ()
    """Columns of plain rows that nothing is taken from."""
    rows: int = 0
    undated: int = 0
    days: Counter[date] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    scripts: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    places: dict[str, str] = field(default_factory=dict)
    cut: Counter[str] = field(default_factory=Counter)
    """Messages and parts of texts that are in no row (private, bot, quoted mail), by reason."""
    fault: str = ""
    undecided: bool = False
    counted_with: str = ""
    """Another file whose conversations go on in this one: everything is counted there."""
    keys: array = field(default_factory=lambda: array("q"), repr=False)


def survey(found: FileSurvey, items: Iterable[tuple[date, RawRow | Rejected]]) -> FileSurvey:
    """Count what is in a file; a SourceError on the way becomes its fault."""
    try:
        for day, item in items:
            found.cut.update(dict(item.left_out))
            if isinstance(item, Rejected):
                kind = re.sub(r"'[^']*'|\b\d[\d-]*\b", "…", item.reason)
                found.left_out[kind] += 1
                found.places.setdefault(kind, item.place)
                continue
            found.rows += 1
            found.days[day] += 1
            found.undated += item.time is None
            found.keys.append(identity(item))
            if found.rows <= SAMPLED:
                found.languages[language(item.question, UNKNOWN)] += 1
                found.scripts[script(item.question)] += 1
    except SourceError as error:
        found.fault, found.undecided = str(error), isinstance(error, UndecidedError)
    return found


def script(text: str) -> str:
    """The script of most letters of a text as Unicode names it (`Latin`), "?" without letters."""
    found = Counter(unicodedata.name(c, UNKNOWN).split()[0].title() for c in text[:200] if c.isalpha())
    return found.most_common(1)[0][0] if found else UNKNOWN


def doubles(files: Sequence[FileSurvey]) -> int:
    """Rows that are there already, in the same file or in another one."""
    import numpy as np

    keys = np.concatenate([np.zeros(0, np.int64), *(np.frombuffer(f.keys, np.int64) for f in files if not f.fault)])
    return len(keys) - len(np.unique(keys))


def usable(files: Sequence[FileSurvey]) -> bool:
    """Whether there are rows, and no file is without use."""
    return any(file.rows for file in files) and not any(file.fault for file in files)


def lines(files: Sequence[FileSurvey]) -> list[str]:
    """The survey for a person to read."""
    told = [line for file in files for line in _lines(file)]
    good = [file for file in files if not file.fault]
    days = {day for file in good for day in file.days}
    left_out = sum(file.left_out.total() for file in good)
    told.append(
        f"in all: {len(good)} of {len(files)} files can be used, {many(sum(file.rows for file in good), 'row')} on "
        f"{many(len(days), 'day')}, {left_out} left out, {doubles(files)} there twice"
    )
    return told


def _lines(file: FileSurvey) -> list[str]:
    unread = [f"  not read: {', '.join(file.unread)}"] if file.unread else []
    if file.fault:
        return [file.fault if file.fault.startswith(file.name) else f"{file.name}: {file.fault}", *unread]
    columns = ", ".join(f"{ours}={theirs}" for ours, theirs in file.columns.items())
    layout = "rows" if file.layout == "rows" else f"conversations ({file.layout})"
    told = [f"{file.name}: {layout}; columns {columns or 'none'}"]
    if file.counted_with:
        return [f"{told[0]}; its messages are counted with {file.counted_with}, since conversations go over files"]
    told += unread
    if file.days:
        told.append(f"  {many(file.rows, 'row')} on {many(len(file.days), 'day')}, {_spanned(file.days)}")
        told.append(f"  languages: {_counted(file.languages)}; scripts: {_counted(file.scripts)}")
    if file.undated:
        told.append(f"  without a time: {many(file.undated, 'row')}, whose day is the file's, or spread over days")
    if file.cut:
        told.append(f"  left out of conversations: {_counted(file.cut)}")
    if file.left_out:
        told.append(f"  left out: {file.left_out.total()}")
        told += [
            f"    {many(n, 'row')}: {kind} (first: {file.places[kind]})" for kind, n in file.left_out.most_common(SHOWN)
        ]
    return told


def _spanned(days: Iterable[date]) -> str:
    """The first and the last day; of one day only that."""
    first, last = min(days), max(days)
    return str(first) if first == last else f"{first} to {last}"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common(SHOWN))
