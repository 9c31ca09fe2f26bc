"""The tables of the lake: their columns, and Parquet bytes that are equal for equal rows."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from llmops_assets.lib.hashing import hash_json

if TYPE_CHECKING:
    import pyarrow as pa

TEXT, TEXTS, FLOAT = "string", "list<string>", "float"
"""Arrow's names of column types (https://arrow.apache.org/docs/python/api/datatypes.html), beside int8 and the like."""
Columns = tuple[tuple[str, str], ...]
"""Name and type of every column of a table."""
CONVERSATIONS: Columns = (
    ("row_id", TEXT),
    ("conversation", TEXT),
    ("turn", "int16"),
    ("source", TEXT),
    ("day", TEXT),
    ("time", TEXT),
    ("subject", TEXT),
    ("question", TEXT),
    ("answer", TEXT),
    ("intent", TEXT),
    ("rating", "int8"),
    ("correction", TEXT),
    ("lawful_basis", TEXT),
    ("purpose", TEXT),
    ("licence", TEXT),
    ("region", TEXT),
    ("retain_until", TEXT),
)
LABELLED: Columns = (
    *CONVERSATIONS,
    ("predicted_intent", TEXT),
    ("intent_confidence", FLOAT),
    ("language", TEXT),
    ("sentiment", TEXT),
    ("resolution", TEXT),
    ("answer_quality", FLOAT),
    ("answer_reasons", TEXTS),
    ("label_source", TEXT),
)
QUARANTINE: Columns = (("row_id", TEXT), ("source", TEXT), ("place", TEXT), ("reason", TEXT), ("text", TEXT))
TRAINING: Columns = (
    ("row_id", TEXT),
    ("kind", TEXT),
    ("article", TEXT),
    ("question", TEXT),
    ("history", TEXTS),
    ("passages", TEXTS),
    ("answer", TEXT),
    ("parent", TEXT),
    ("method", TEXT),
    ("source", TEXT),
    ("provenance", TEXT),
    ("lawful_basis", TEXT),
    ("purpose", TEXT),
    ("licence", TEXT),
    ("region", TEXT),
    ("retain_until", TEXT),
)
PAIRS: Columns = (("row_id", TEXT), ("question", TEXT), ("chosen", TEXT), ("rejected", TEXT), ("source", TEXT))
CORRECTIONS: Columns = (
    ("row_id", TEXT),
    ("question", TEXT),
    ("answer", TEXT),
    ("served", TEXT),
    ("article", TEXT),
    ("rating", "int8"),
    ("author", TEXT),
    ("release", TEXT),
)
HELD_BACK: Columns = (*CORRECTIONS, ("reasons", TEXTS), ("doubt", FLOAT))
REFERENCE: Columns = (("row_id", TEXT), ("day", TEXT), ("question", TEXT), ("intent", TEXT))
DROPPED: Columns = (("row_id", TEXT), ("question", TEXT), ("reason", TEXT))
ANSWERS: Columns = (
    ("id", TEXT),
    ("slice", TEXT),
    ("question", TEXT),
    ("answer", TEXT),
    ("path", TEXT),
    ("article", TEXT),
    ("seconds", FLOAT),
)
PROBES: Columns = (("id", TEXT), ("kind", TEXT), ("question", TEXT), ("answer", TEXT), ("path", TEXT))
INTERACTIONS: Columns = (
    ("id", TEXT),
    ("time", TEXT),
    ("release_id", TEXT),
    ("subject", TEXT),
    ("conversation", TEXT),
    ("question", TEXT),
    ("answer", TEXT),
    ("path", TEXT),
    ("turn", "int32"),
    ("caller", TEXT),
    ("owner", TEXT),
    ("guards", TEXT),
    ("article", TEXT),
    ("similarity", FLOAT),
    ("latency_seconds", FLOAT),
    ("input_tokens", "int32"),
    ("output_tokens", "int32"),
    ("cached_seconds", FLOAT),
    ("status", "int16"),
    ("rating", "int8"),
    ("reason", TEXT),
    ("correction", TEXT),
)

TRAINING_ROWS = "data/training_dataset/rows.parquet"
"""Where a published training dataset lies, at the commit of its tag."""
TRAINING_TAG = "training-dataset-"

Row = Mapping[str, Any]
ROW_GROUP = 10_000
"""Rows of a row group: what a reader of a large table holds at a time."""


class Writer:
    """A Parquet file written row by row, holding one row group at a time. The file is whole after `close`."""

    def __init__(self, path: Path, columns: Columns, row_group: int = ROW_GROUP) -> None:
        self.rows = 0
        import pyarrow.parquet as pq

        self._columns, self._row_group = columns, row_group
        self._held: list[Row] = []
        self._writer = pq.ParquetWriter(path, schema(columns), compression="zstd", store_schema=False)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, row: Row) -> None:
        """Append a row; missing values of text columns become "", of others null."""
        self._held.append(row)
        self.rows += 1
        if len(self._held) == self._row_group:
            self._flush()

    def close(self) -> None:
        """Write what is held and the file's end."""
        if self._held:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(to_table(self._held, self._columns))
        self._held = []


def batches(
    file: IO[bytes] | Path, columns: Sequence[str] | None = None, size: int = ROW_GROUP
) -> Iterator[list[dict]]:
    """The rows of a Parquet file in pieces of at most `size`, in order; all columns, or those named."""
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(file).iter_batches(size, columns=columns, use_threads=False):
        yield batch.to_pylist()


def to_parquet(rows: Sequence[Row], columns: Columns) -> bytes:
    """Parquet bytes of `to_table`."""
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(to_table(rows, columns), buffer, compression="zstd", store_schema=False)
    return buffer.getvalue()


def to_table(rows: Sequence[Row], columns: Columns) -> "pa.Table":
    """Rows in their order; missing values of text columns become "", of lists [], of others null."""
    import pyarrow as pa

    missing = {name: {TEXT: "", TEXTS: []}.get(kind) for name, kind in columns}
    values = [[row.get(name, default) for row in rows] for name, default in missing.items()]
    wanted = schema(columns)
    return pa.Table.from_arrays([pa.array(v, f.type) for v, f in zip(values, wanted, strict=True)], schema=wanted)


def schema(columns: Columns) -> "pa.Schema":
    """Arrow's schema of a table."""
    import pyarrow as pa

    return pa.schema(
        [(name, pa.list_(pa.string()) if kind == TEXTS else pa.type_for_alias(kind)) for name, kind in columns]
    )


def from_parquet(data: bytes) -> list[dict[str, Any]]:
    """Rows of Parquet bytes."""
    import pyarrow.parquet as pq

    # One thread: these tables are small, and a process that ends while Arrow's threads start aborts now and then.
    return pq.ParquetFile(io.BytesIO(data)).read(use_threads=False).to_pylist()


def digest(rows: Iterable[Row], columns: Sequence[str] | None = None) -> str:
    """sha256 of rows' content, whatever their order: of all columns, where what comes after may depend on any."""
    told = rows if columns is None else ([row[column] for column in columns] for row in rows)
    return hash_json(sorted(hash_json(row) for row in told))
