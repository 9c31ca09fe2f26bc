"""The tables of the lake: their columns, and Parquet bytes that are equal for equal rows."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llmops_assets.lib.hashing import hash_json

TEXT = pa.string()
CONVERSATIONS = pa.schema(
    [
        ("row_id", TEXT),
        ("conversation", TEXT),
        ("source", TEXT),
        ("day", TEXT),
        ("time", TEXT),
        ("subject", TEXT),
        ("question", TEXT),
        ("answer", TEXT),
        ("intent", TEXT),
        ("rating", pa.int8()),
        ("correction", TEXT),
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
QUARANTINE = pa.schema([("row_id", TEXT), ("source", TEXT), ("reason", TEXT)])
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


def to_table(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """Rows in their order; missing values of text columns become "", of others null."""
    filled = [
        {f.name: row.get(f.name, "" if f.type == TEXT else [] if pa.types.is_list(f.type) else None) for f in schema}
        for row in rows
    ]
    return pa.Table.from_pylist(filled, schema=schema)


def to_parquet(rows: Sequence[Row], schema: pa.Schema) -> bytes:
    """Parquet bytes of `to_table`."""
    buffer = io.BytesIO()
    pq.write_table(to_table(rows, schema), buffer, compression="zstd", store_schema=False)
    return buffer.getvalue()


def from_parquet(data: bytes) -> list[dict[str, Any]]:
    """Rows of Parquet bytes."""
    return pq.read_table(io.BytesIO(data)).to_pylist()


def digest(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """sha256 of rows' content in some columns, whatever their order."""
    return hash_json(sorted(hash_json([row[column] for column in columns]) for row in rows))
