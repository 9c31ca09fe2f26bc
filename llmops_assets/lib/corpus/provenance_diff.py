"""Which conversations came into a dataset, went from it or changed, between two of its commits.

Rows are matched by their provenance id (`<source>/<day>/<row id>`, with the augmentation method of a variant), not by
position or content, so that a reworded answer shows as a change and not as one row gone and one come.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Change = Literal["came", "went", "changed"]
COMPARED = ("question", "answer", "kind")
"""Columns whose difference makes a row changed. Passages are left out: a new article moves them in most rows."""


@dataclass(frozen=True)
class RowChange:
    """One row that differs: its provenance id, and both sides of what changed ("" on the side without the row)."""

    change: Change
    provenance: str
    columns: tuple[str, ...]
    before: str
    after: str


@dataclass(frozen=True)
class DatasetDiff:
    """Counts of all changes, and the first of them in order of change and provenance."""

    counts: dict[str, int]
    rows: tuple[RowChange, ...]


def compare(
    before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]], *, limit: int = 100
) -> DatasetDiff:
    """The difference of two states of a dataset; rows need `provenance`, `method` and the compared columns.

    The n-th row of an equal id is compared with the n-th one of the other side.
    """
    old, new = _keyed(before), _keyed(after)
    changes = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        columns = [c for c in COMPARED if was is None or now is None or was[c] != now[c]]
        if not columns:
            continue
        change: Change = "came" if was is None else "went" if now is None else "changed"
        shown = [c for c in columns if c != "kind"] or columns
        changes.append(RowChange(change, _name(key), tuple(columns), _text(was, shown), _text(now, shown)))
    counts = Counter(change.change for change in changes)
    order = {"changed": 0, "came": 1, "went": 2}
    ordered = sorted(changes, key=lambda c: (order[c.change], c.provenance))
    return DatasetDiff({name: counts[name] for name in ("came", "went", "changed")}, tuple(ordered[:limit]))


def _keyed(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, int], Mapping[str, Any]]:
    seen: Counter[tuple[str, str]] = Counter()
    result = {}
    for row in rows:
        key = (row["provenance"], row["method"])
        result[(*key, seen[key])] = row
        seen[key] += 1
    return result


def _name(key: tuple[str, str, int]) -> str:
    provenance, method, _ = key
    return f"{provenance} ({method})" if method else provenance


def _text(row: Mapping[str, Any] | None, columns: Sequence[str]) -> str:
    return "" if row is None else " → ".join(str(row[column]) for column in columns)
