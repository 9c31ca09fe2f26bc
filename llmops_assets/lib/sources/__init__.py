"""Conversations from any support system: files of many formats, read row by row, and the contract of a source.

What is read here is not redacted yet: callers hold a row only until the redactor has seen it. Systems that are asked
over a network are in resources/sources. Why it is so: docs/decisions/sources.md.
"""

from llmops_assets.lib.sources.contract import Changes, Fault, Source, changes, joined, states_of, told
from llmops_assets.lib.sources.faults import RowFault, SourceError, UndecidedError, UnfinishedError
from llmops_assets.lib.sources.formats import READERS, Input
from llmops_assets.lib.sources.reading import (
    NO_TIME,
    Block,
    articles_of,
    block_items,
    check,
    dated,
    dated_by,
    identity,
    layout_of,
    pieces,
    read_rows,
    records_of,
    resolved,
    rows_of,
    scan,
    stem,
)
from llmops_assets.lib.sources.rows import (
    COLUMNS,
    MAX_TEXT,
    TAGS,
    RawRow,
    Rejected,
    Shape,
    content_id,
    proposal,
    remedy,
    told_names,
)
from llmops_assets.lib.sources.times import Clock, Order, is_local, time_of, written_dates

__all__ = [
    "COLUMNS",
    "MAX_TEXT",
    "NO_TIME",
    "READERS",
    "TAGS",
    "Block",
    "Changes",
    "Clock",
    "Fault",
    "Input",
    "Order",
    "RawRow",
    "Rejected",
    "RowFault",
    "Shape",
    "Source",
    "SourceError",
    "UndecidedError",
    "UnfinishedError",
    "articles_of",
    "block_items",
    "changes",
    "check",
    "content_id",
    "dated",
    "dated_by",
    "identity",
    "is_local",
    "joined",
    "layout_of",
    "pieces",
    "proposal",
    "read_rows",
    "records_of",
    "remedy",
    "resolved",
    "rows_of",
    "scan",
    "states_of",
    "stem",
    "time_of",
    "told",
    "told_names",
    "written_dates",
]
