"""Where conversations come from: the entries of `sources` in settings.yaml, and what each of them opens.

A kind is one entry here and one Source beside it. A Source of your own needs neither: kind `python` names its class.
"""

import importlib
import os
import re
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmops_assets.lib.sources import Shape, Source, SourceError
from resources.sources.files import TOLERANCE, Files, Spread


class Entry(BaseModel):
    """What the entries of all kinds have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="goes before the ids of its rows: never change it")
    mapping: dict[str, str] = Field({}, description="our column -> the source's column, where names differ")
    tags: dict[str, str] = Field(
        {}, description="lawful_basis, purpose, licence, region, retain_until of rows that carry none of their own"
    )

    def shape(self, latest: datetime | None = None) -> Shape:
        """How rows of this source become ours."""
        return Shape(name=self.name, mapping=self.mapping, tags=self.tags, latest=latest)


class FilesEntry(Entry):
    """Files on this machine or in object storage: rows, chats, tickets, conversations or documents."""

    kind: Literal["files"]
    url: str = Field(description="path of a file or folder, or an fsspec URL such as s3://bucket/folder")
    format: str = Field("", description="jsonl, json, csv, parquet, md or html where endings do not say it")
    encoding: str = Field("", description="of text files that are neither UTF-8 nor marked UTF-16")
    options: dict[str, Any] = Field({}, description="fsspec storage options; $NAME is taken from the environment")
    first_day: date | None = Field(None, description="rows without a time are spread over days from here on")
    days: int = Field(14, ge=1, description="over how many days they are spread")


class SqlEntry(Entry):
    """A table or query of a SQL database."""

    kind: Literal["sql"]
    url: str = Field(description="SQLAlchemy URL; $NAME is taken from the environment")
    table: str = ""
    query: str = ""
    watermark: str = Field("", description="column that every insert and update raises; none: the time")

    @model_validator(mode="after")
    def _one_of_two(self) -> "SqlEntry":
        if bool(self.table) == bool(self.query):
            raise ValueError("give either a table or a query")
        return self


class HuggingFaceEntry(Entry):
    """A Hugging Face dataset."""

    kind: Literal["huggingface"]
    dataset: str = Field(description="a folder that save_to_disk wrote, or an id on the hub")
    split: str = "train"
    config: str = ""
    day: date | None = Field(None, description="of rows without a time")


class InteractionsEntry(Entry):
    """The gateway's interaction log: well rated and corrected answers."""

    kind: Literal["interactions"]
    url: str = Field("", description="SQLAlchemy URL; none: the installation's own log")


class PythonEntry(Entry):
    """A Source of your own: called with name, shape and options."""

    kind: Literal["python"]
    factory: str = Field(pattern=r"^[\w.]+:\w+$", description="module:Class")
    options: dict[str, Any] = {}


SourceEntry = Annotated[
    FilesEntry | SqlEntry | HuggingFaceEntry | InteractionsEntry | PythonEntry, Field(discriminator="kind")
]


def open_source(entry: SourceEntry, *, home: Path, log_url: str, now: datetime) -> Source:
    """The source of an entry. Nothing is connected to until it is asked. SourceError when it cannot be made."""
    shape = entry.shape(now + TOLERANCE)
    if isinstance(entry, FilesEntry):
        return Files(
            entry.name,
            entry.url,
            entry.shape(),
            form=entry.format,
            encoding=entry.encoding,
            spread=Spread(first_day=entry.first_day, days=entry.days),
            options={name: _filled(value) for name, value in entry.options.items()},
            index=home / "sources" / f"{entry.name}.json",
        )
    if isinstance(entry, SqlEntry):
        from resources.sources.sql import Sql

        url = _filled(entry.url)
        return Sql(entry.name, url, shape, table=entry.table, query=entry.query, watermark=entry.watermark)
    if isinstance(entry, HuggingFaceEntry):
        from resources.sources.huggingface import HuggingFace

        return HuggingFace(entry.name, entry.dataset, shape, split=entry.split, config=entry.config, day=entry.day)
    if isinstance(entry, InteractionsEntry):
        from resources.sources.interactions import Interactions

        return Interactions(entry.name, _filled(entry.url) or log_url, shape)
    module, _, name = entry.factory.partition(":")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SourceError(f"source {entry.name}: {entry.factory} cannot be imported ({error})") from None
    return factory(entry.name, shape, **entry.options)


def _filled(value: Any) -> Any:
    """A text with $NAME replaced by the environment's; SourceError where it has none."""
    if not isinstance(value, str):
        return value

    def of(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise SourceError(f"{found[0]} is named in settings.yaml but not set in the environment")
        return os.environ[found[1]]

    return re.sub(r"\$([A-Z_][A-Z0-9_]*)", of, value)


__all__ = ["Files", "SourceEntry", "Spread", "open_source"]
