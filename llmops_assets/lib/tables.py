"""The tables of the lake: their columns, and Parquet bytes that are equal for equal rows."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from llmops_assets.lib.hashing import hash_json

TEXT = pa.string()
CONVERSATIONS = pa.schema(
    [
        ("row_id", TEXT),
        ("conversation", TEXT),
        ("turn", pa.int16()),
        ("source", TEXT),
        ("day", TEXT),
        ("time", TEXT),
        ("subject", TEXT),
        ("question", TEXT),
        ("answer", TEXT),
        ("intent", TEXT),
        ("rating", pa.int8()),
        ("correction", TEXT),
        ("lawful_basis", TEXT),
        ("purpose", TEXT),
        ("licence", TEXT),
        ("region", TEXT),
        ("retain_until", TEXT),
    ]
)
LABELLED = (
    CONVERSATIONS.append(pa.field("predicted_intent", TEXT))
    .append(pa.field("intent_confidence", pa.float32()))
    .append(pa.field("language", TEXT))
    .append(pa.field("sentiment", TEXT))
    .append(pa.field("resolution", TEXT))
    .append(pa.field("answer_quality", pa.float32()))
    .append(pa.field("answer_reasons", pa.list_(TEXT)))
    .append(pa.field("label_source", TEXT))
)
QUARANTINE = pa.schema([("row_id", TEXT), ("source", TEXT), ("place", TEXT), ("reason", TEXT), ("text", TEXT)])
TRAINING = pa.schema(
    [
        ("row_id", TEXT),
        ("kind", TEXT),
        ("article", TEXT),
        ("question", TEXT),
        ("passages", pa.list_(TEXT)),
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
    ]
)
PAIRS = pa.schema([("row_id", TEXT), ("question", TEXT), ("chosen", TEXT), ("rejected", TEXT), ("source", TEXT)])
CORRECTIONS = pa.schema(
    [("row_id", TEXT), ("question", TEXT), ("answer", TEXT), ("served", TEXT), ("article", TEXT), ("rating", pa.int8())]
)
REFERENCE = pa.schema([("row_id", TEXT), ("day", TEXT), ("question", TEXT), ("intent", TEXT)])
DROPPED = pa.schema([("row_id", TEXT), ("question", TEXT), ("reason", TEXT)])
ANSWERS = pa.schema(
    [
        ("id", TEXT),
        ("slice", TEXT),
        ("question", TEXT),
        ("reference", TEXT),
        ("answer", TEXT),
        ("path", TEXT),
        ("article", TEXT),
        ("right", pa.bool_()),
        ("seconds", pa.float32()),
    ]
)
PROBES = pa.schema(
    [("id", TEXT), ("kind", TEXT), ("question", TEXT), ("answer", TEXT), ("path", TEXT), ("passed", pa.bool_())]
)
INTERACTIONS = pa.schema(
    [
        ("id", TEXT),
        ("time", TEXT),
        ("release_id", TEXT),
        ("subject", TEXT),
        ("conversation", TEXT),
        ("question", TEXT),
        ("answer", TEXT),
        ("path", TEXT),
        ("article", TEXT),
        ("similarity", pa.float32()),
        ("latency_seconds", pa.float32()),
        ("input_tokens", pa.int32()),
        ("output_tokens", pa.int32()),
        ("status", pa.int16()),
        ("rating", pa.int8()),
        ("reason", TEXT),
        ("correction", TEXT),
    ]
)

Row = Mapping[str, Any]
ROW_GROUP = 10_000
"""Rows of a row group: what a reader of a large table holds at a time."""


class Writer:
    """A Parquet file written row by row, holding one row group at a time. The file is whole after `close`."""

    def __init__(self, path: Path, schema: pa.Schema, row_group: int = ROW_GROUP) -> None:
        self.rows = 0
        self._schema, self._row_group = schema, row_group
        self._held: list[Row] = []
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", store_schema=False)

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
        self._writer.write_table(to_table(self._held, self._schema))
        self._held = []


def batches(
    file: IO[bytes] | Path, columns: Sequence[str] | None = None, size: int = ROW_GROUP
) -> Iterator[list[dict]]:
    """The rows of a Parquet file in pieces of at most `size`, in order; all columns, or those named."""
    for batch in pq.ParquetFile(file).iter_batches(size, columns=columns, use_threads=False):
        yield batch.to_pylist()


def to_parquet(rows: Sequence[Row], schema: pa.Schema) -> bytes:
    """Parquet bytes of `to_table`."""
    buffer = io.BytesIO()
    pq.write_table(to_table(rows, schema), buffer, compression="zstd", store_schema=False)
    return buffer.getvalue()


def to_table(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """Rows in their order; missing values of text columns become "", of lists [], of others null."""
    missing = {f.name: "" if f.type == TEXT else [] if pa.types.is_list(f.type) else None for f in schema}
    columns = [[row.get(name, default) for row in rows] for name, default in missing.items()]
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def from_parquet(data: bytes) -> list[dict[str, Any]]:
    """Rows of Parquet bytes."""
    # One thread: these tables are small, and a process that ends while Arrow's threads start aborts now and then.
    return pq.ParquetFile(io.BytesIO(data)).read(use_threads=False).to_pylist()


def digest(rows: Iterable[Row], columns: Sequence[str] | None = None) -> str:
    """sha256 of rows' content, whatever their order: of all columns, where what comes after may depend on any."""
    told = rows if columns is None else ([row[column] for column in columns] for row in rows)
    return hash_json(sorted(hash_json(row) for row in told))
