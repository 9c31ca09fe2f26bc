"""Conversations from any support system: files of many formats, read row by row, and the contract of a source.

What is read here is not redacted yet: callers hold a row only until the redactor has seen it. Systems that are asked
over a network are in resources/sources. Why it is so: docs/decisions/sources.md.
"""

from llmops_assets.lib.sources.contract import Changes, Source, changes, states_of
from llmops_assets.lib.sources.formats import READERS, Input
from llmops_assets.lib.sources.reading import (
    NO_TIME,
    Block,
    articles_of,
    block_items,
    check,
    dated,
    pieces,
    read_rows,
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
    RowFault,
    Shape,
    SourceError,
    content_id,
    time_of,
)

__all__ = [
    "COLUMNS",
    "MAX_TEXT",
    "NO_TIME",
    "READERS",
    "TAGS",
    "Block",
    "Changes",
    "Input",
    "RawRow",
    "Rejected",
    "RowFault",
    "Shape",
    "Source",
    "SourceError",
    "articles_of",
    "block_items",
    "changes",
    "check",
    "content_id",
    "dated",
    "pieces",
    "read_rows",
    "resolved",
    "rows_of",
    "scan",
    "states_of",
    "stem",
    "time_of",
]
