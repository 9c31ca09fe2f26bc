"""What the Dagster UI shows of a result: counts as tables, pictures, and links to where a person can look on.

Counts, ids and links only: a customer's words stand in the lake, where erasure reaches them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from llmops_assets.lib import charts
from llmops_assets.lib.records import LakeRef
from resources.lake.base import Lake


def table(rows: Iterable[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """Rows as a table; an empty one when there are none."""
    records = [dg.TableRecord(dict(row)) for row in rows]
    columns = [dg.TableColumn(name) for name in (records[0].data if records else ("none",))]
    return dg.MetadataValue.table(records, dg.TableSchema(columns))


def counted(name: str, counts: Mapping[str, int], of: str = "rows", *, by_name: bool = False) -> dg.TableMetadataValue:
    """A line per value with its count, most frequent first; `by_name` in the order of the values."""
    ranked = sorted(counts.items(), key=lambda entry: (0 if by_name else -entry[1], entry[0]))
    return table({name: value, of: count} for value, count in ranked)


def shares(counts: Counter[str], rows: int) -> dg.TableMetadataValue:
    """Values with their rows and share, most frequent first."""
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return table({"value": value, "rows": count, "share": round(count / rows, 4)} for value, count in ranked)


def bars(title: str, counts: Mapping[str, int]) -> dg.MarkdownMetadataValue:
    """A bar for each of the largest counts."""
    return dg.MetadataValue.md(charts.bars(title, counts))


def lines(title: str, curves: Mapping[str, Iterable[float]]) -> dg.MarkdownMetadataValue:
    """Curves over their steps, in one picture."""
    return dg.MetadataValue.md(charts.lines(title, {name: list(values) for name, values in curves.items()}))


def pairs(title: str, values: Mapping[str, Mapping[str, float]]) -> dg.MarkdownMetadataValue:
    """Two or three shares (0 to 1) beside each other for every name."""
    return dg.MetadataValue.md(charts.pairs(title, values))


def intervals(title: str, rows: Iterable[charts.Interval]) -> dg.MarkdownMetadataValue:
    """Differences with their intervals and margins, in one picture."""
    return dg.MetadataValue.md(charts.intervals(title, list(rows)))


def bullets(sentences: Iterable[str]) -> dg.MarkdownMetadataValue:
    """Sentences as a list."""
    return dg.MetadataValue.md("\n".join(f"- {sentence}" for sentence in sentences))


def address(lake: Lake, ref: LakeRef) -> dg.MetadataValue:
    """Where a person can look at something in the lake: a link, or the ref where the lake has no pages."""
    link = lake.link(ref)
    return dg.MetadataValue.text(str(ref)) if link is None else dg.MetadataValue.url(link)
