"""The entries of `sources` in settings.yaml: what a person may write for each kind of source."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from llmops_assets.lib.sources import Shape


class Entry(BaseModel):
    """What the entries of all kinds have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="goes before the ids of its rows: never change it")
    mapping: dict[str, str] = Field({}, description="our column -> the source's column, where names differ")
    tags: dict[str, str] = Field(
        {}, description="lawful_basis, purpose, licence, region, retain_until of rows that carry none of their own"
    )
    agents: tuple[str, ...] = Field(
        (), description="ids, addresses, domains (@shop.example) or roles that answer, where the source does not say it"
    )

    def shape(self, latest: datetime | None = None) -> "Shape":
        """How rows of this source become ours."""
        from llmops_assets.lib.sources import Shape

        return Shape(name=self.name, mapping=self.mapping, tags=self.tags, latest=latest, agents=self.agents)


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
