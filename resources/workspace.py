"""The folder an installation lives in, and its settings: where conversations come from, which model, which ports.

What other resources need from the disk comes from here; nothing here talks to another system.
"""

import contextlib
import functools
import shutil
import tempfile
import uuid
from collections.abc import Generator, Iterator
from datetime import UTC, date, timedelta
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmops_assets.lib.embedding import CachedEmbedder, Embedder, find_embedder_folder
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.labelling.labelfiles import Label, kept_labels
from llmops_assets.lib.records import Article, UseCase
from llmops_assets.lib.redaction import Redactor, load_subject_key, public_words
from llmops_assets.lib.sources import READERS, RawRow, SourceError, read_rows
from llmops_assets.samples import generator


class SettingsError(ValueError):
    """settings.yaml cannot be used; the message says what and where."""


class Settings(BaseModel):
    """`settings.yaml` of an installation; every field has a working default (the sample)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Path | None = Field(None, description="a file or a folder of conversations; none: <home>/inbox")
    source_format: str = Field("", description="jsonl, csv or parquet where a file's ending does not say it")
    mapping: dict[str, str] = Field({}, description="our column -> the file's column, where names differ")
    first_day: date | None = Field(
        None, description="rows without a time (or with `replay`) are spread over days from here on"
    )
    days: int = Field(14, ge=1, description="over how many days rows are spread")
    replay: bool = Field(False, description="spread rows over the days even when they carry a time")
    use_case: Path | None = Field(None, description="YAML; none: the sample's")
    knowledge: Path | None = Field(None, description="YAML list of articles; none: the sample's")
    knowledge_from_conversations: bool = Field(False, description="make articles out of the conversations instead")
    new_topic_intent: str = Field("", description="intent that arrives on `new_topic_day` (a demonstration's)")
    new_topic_day: date | None = None
    max_articles: int = Field(80, ge=1, description="articles made out of conversations, largest groups first")
    limit: int | None = Field(
        None,
        ge=1,
        description="at most so many rows of a file, evenly spaced, and an eighth of it of the new topic; none: all",
    )
    base_model: str = Field("smollm2-135m-instruct", description="wheel model, folder or hub id")
    dagster_port: int = Field(3000, ge=1, le=65535)
    gateway_port: int = Field(8730, ge=1, le=65535)
    mlflow_port: int = Field(8740, ge=1, le=65535)
    lake_port: int = Field(8750, ge=1, le=65535)
    mlflow_uri: str = Field("", description="tracking server; none: a SQLite file in the home")
    log_url: str = Field("", description="SQLAlchemy URL of the interaction log; none: SQLite in the home")


class Workspace:
    """An installation's folder (`home`) and what its settings name."""

    def __init__(self, home: Path) -> None:
        self.home = home

    @functools.cached_property
    def settings(self) -> Settings:
        """The settings, read once. SettingsError names the field that does not fit."""
        file = self.home / "settings.yaml"
        if not file.exists():
            return Settings()
        try:
            return Settings.model_validate(yaml.safe_load(file.read_text()) or {})
        except (ValidationError, yaml.YAMLError) as error:
            raise SettingsError(f"{file}: {error}") from error

    def write_settings(self, settings: Settings) -> None:
        """Replace settings.yaml."""
        self.home.mkdir(parents=True, exist_ok=True)
        unfinished = self.home / f".settings-{uuid.uuid4().hex}"
        unfinished.write_text(yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False))
        unfinished.replace(self.home / "settings.yaml")
        self.__dict__.pop("settings", None)

    # -- places -------------------------------------------------------------------------------------------------

    @property
    def subject_key(self) -> Path:
        """File of the key behind subjects' pseudonyms."""
        return self.home / "keys" / "subject.key"

    @property
    def embeddings(self) -> Path:
        """File of known embeddings."""
        return self.home / "embeddings.db"

    @property
    def labels_folder(self) -> Path:
        """Folder of the labels that people gave."""
        return self.home / "labels"

    @property
    def log_url(self) -> str:
        """SQLAlchemy URL of the interaction log."""
        return self.settings.log_url or f"sqlite:///{(self.home / 'interactions.db').resolve()}"

    @contextlib.contextmanager
    def scratch(self) -> Generator[Path]:
        """A temporary folder, removed at the end whatever happens."""
        parent = self.home / "scratch"
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    # -- what the settings name ---------------------------------------------------------------------------------

    def use_case(self) -> UseCase:
        """The use case. SettingsError when the file does not fit."""
        if self.settings.use_case is None:
            return generator.load_use_case("own_data" if self.settings.knowledge_from_conversations else "use_case")
        try:
            return UseCase.model_validate(yaml.safe_load(self.settings.use_case.read_text()))
        except (OSError, ValidationError, yaml.YAMLError) as error:
            raise SettingsError(f"{self.settings.use_case}: {error}") from error

    def articles(self, day: date) -> tuple[Article, ...]:
        """The trusted articles available on a day; none where they are made out of conversations."""
        if self.settings.knowledge_from_conversations:
            return ()
        if self.settings.knowledge is None:
            return generator.articles_on(day)
        try:
            rows = yaml.safe_load(self.settings.knowledge.read_text())
            articles = [Article.model_validate(row) for row in rows]
        except (OSError, ValidationError, yaml.YAMLError, TypeError) as error:
            raise SettingsError(f"{self.settings.knowledge}: {error}") from error
        return tuple(a for a in articles if a.available_from is None or a.available_from <= day)

    def general_pairs(self) -> tuple[tuple[str, str], ...]:
        """Everyday questions and answers, replayed in training against forgetting."""
        return generator.load_phrasebook().general

    def out_of_scope(self, part: str) -> tuple[str, ...]:
        """Questions a person must answer: `train` to calibrate on, `held_out` to evaluate with."""
        return generator.load_phrasebook().out_of_scope[part]

    def embedder(self) -> CachedEmbedder:
        """The sentence embedder with its cache."""
        return CachedEmbedder(Embedder(find_embedder_folder()), self.embeddings)

    def labels(self) -> dict[str, Label]:
        """Row id to the label that people (or a measured model) gave: `llmops labels import`."""
        return kept_labels(self.labels_folder)

    def public_words(self) -> list[str]:
        """Names and addresses in the published answers, which redaction leaves alone."""
        use_case = self.use_case()
        texts = [text for a in self.articles(date.max) for text in (a.title, a.answer, *a.questions)]
        return public_words([use_case.company.title(), *texts])

    def redactor(self) -> Redactor:
        """The redactor with the use case's identifiers."""
        return Redactor(self.use_case().identifiers, load_subject_key(self.subject_key), allow=self.public_words())

    # -- conversations ------------------------------------------------------------------------------------------

    def source_files(self) -> list[Path]:
        """The files conversations are read from, in order of their names."""
        source = self.settings.source or self.home / "inbox"
        if source.is_dir():
            return sorted(p for p in source.iterdir() if p.suffix in READERS and not p.name.startswith("."))
        return [source] if source.exists() else []

    def conversations(self, day: date) -> Iterator[RawRow]:
        """The conversations of a day, not redacted. A file named after another day is not opened."""
        for file in self.source_files():
            named = _day_in_name(file)
            if named is not None:
                if named == day:
                    yield from read_rows(file, self.settings.mapping, self.settings.source_format)
                continue
            yield from (row for row, its_day in self.with_days(file) if its_day == day)

    def source_days(self) -> list[date]:
        """Days that have conversations, in order."""
        days: set[date] = set()
        for file in self.source_files():
            named = _day_in_name(file)
            days.update([named] if named else [its_day for _, its_day in self.with_days(file)])
        return sorted(days)

    def with_days(self, file: Path) -> Iterator[tuple[RawRow, date]]:
        """Rows with their day: of their time, or spread evenly: by time where all have one, else by hash.

        The order of a file without times says nothing of time (it is often sorted by topic, which would look like
        drift every day). An intent that only begins on `new_topic_day` is spread over the days from there on, all
        others over all days.
        """
        settings = self.settings
        rows = list(read_rows(file, settings.mapping, settings.source_format))
        if settings.limit is not None:
            # The new topic comes on a few days only: thinned like the rest it would hardly be seen on any of them.
            arriving = [row for row in rows if self._arrives(row)]
            rows = _thinned([row for row in rows if not self._arrives(row)], settings.limit)
            rows += _thinned(arriving, settings.limit // 8)
        timed = [row.time is not None for row in rows]
        if all(timed) and not settings.replay:
            yield from ((row, row.time.date()) for row in rows if row.time is not None)
            return
        if settings.first_day is None:
            number = timed.index(False) + 1
            raise SourceError(f"{file}, row {number}: has no time; add one, or set first_day in settings.yaml")
        last = settings.first_day + timedelta(days=settings.days - 1)
        new = [row for row in rows if self._arrives(row)]
        old = [row for row in rows if not self._arrives(row)]
        for group, first in ((old, settings.first_day), (new, settings.new_topic_day or settings.first_day)):
            span = (last - first).days + 1
            ordered = sorted(group, key=_by_time if all(timed) else _shuffled)
            for position, row in enumerate(ordered):
                yield row, first + timedelta(days=position * span // len(group))

    def _arrives(self, row: RawRow) -> bool:
        """Whether a row is about the topic that only begins on `new_topic_day`."""
        settings = self.settings
        return bool(row.intent and row.intent == settings.new_topic_intent and settings.new_topic_day)


def _thinned(rows: list[RawRow], limit: int) -> list[RawRow]:
    """At most so many of the rows, evenly spaced."""
    count = min(limit, len(rows))
    return [rows[position * len(rows) // count] for position in range(count)]


def _by_time(row: RawRow) -> str:
    assert row.time is not None
    return f"{row.time.astimezone(UTC).isoformat(timespec='microseconds')} {row.number:012d}"


def _shuffled(row: RawRow) -> str:
    return hash_json([row.id, row.question])


def _day_in_name(file: Path) -> date | None:
    """The day in a file name such as conversations-2026-03-02.jsonl."""
    try:
        return date.fromisoformat(file.stem[-10:])
    except ValueError:
        return None
