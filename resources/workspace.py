"""The folder an installation lives in, and its settings: where conversations come from, which model, which ports.

What other resources need from the disk comes from here; nothing here talks to another system.
"""

import contextlib
import functools
import shutil
import tempfile
import uuid
from collections.abc import Generator, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from llmops_assets.lib.embedding import CachedEmbedder, Embedder, find_embedder_folder
from llmops_assets.lib.hashing import hash_json
from llmops_assets.lib.labelling.labelfiles import Label, kept_labels
from llmops_assets.lib.records import Article, UseCase
from llmops_assets.lib.sources import RawRow, Rejected, Shape, Source, SourceError, articles_of, resolved
from llmops_assets.samples import generator
from resources.sources import Files, SourceEntry, Spread, open_source

if TYPE_CHECKING:
    from llmops_assets.lib.redaction import Redactor

INBOX = "inbox"
"""Name of the source that `source` (or the folder inbox) is; its rows keep the ids of their files."""


class SettingsError(ValueError):
    """settings.yaml cannot be used; the message says what and where."""


class Settings(BaseModel):
    """`settings.yaml` of an installation; every field has a working default (the sample)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: tuple[SourceEntry, ...] = Field((), description="where conversations come from: docs/extending.md")
    source: Path | None = Field(None, description="a file or a folder of conversations; none: <home>/inbox")
    source_format: str = Field("", description="jsonl, csv or parquet where a file's ending does not say it")
    mapping: dict[str, str] = Field({}, description="our column -> the file's column, where names differ")
    first_day: date | None = Field(
        None, description="rows without a time (or with `replay`) are spread over days from here on"
    )
    days: int = Field(14, ge=1, description="over how many days rows are spread")
    replay: bool = Field(False, description="spread rows over the days even when they carry a time")
    use_case: Path | None = Field(None, description="YAML; none: the sample's")
    knowledge: Path | None = Field(
        None, description="articles: YAML, or Markdown, HTML, CSV, a folder; none: the sample's"
    )
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

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, entries: tuple[SourceEntry, ...]) -> tuple[SourceEntry, ...]:
        names = [INBOX, *(entry.name for entry in entries)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two sources are named {twice[0]!r} ({INBOX!r} is the name of `source`)")
        return entries


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
        if self.settings.knowledge.suffix not in (".yaml", ".yml"):
            return articles_of(self.settings.knowledge)
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
        from llmops_assets.lib.redaction import public_words

        use_case = self.use_case()
        texts = [text for a in self.articles(date.max) for text in (a.title, a.answer, *a.questions)]
        return public_words([use_case.company.title(), *texts])

    def redactor(self) -> "Redactor":
        """The redactor with the use case's identifiers."""
        from llmops_assets.lib.redaction import SUBJECT_KEY_VARIABLE, Redactor, load_subject_keys

        given = dg.EnvVar(SUBJECT_KEY_VARIABLE).get_value()
        try:
            newest, *older = load_subject_keys(self.subject_key, given)
        except ValueError as error:
            raise SettingsError(f"{SUBJECT_KEY_VARIABLE if given else self.subject_key}: {error}") from None
        return Redactor(self.use_case().identifiers, newest, allow=self.public_words(), old_keys=older)

    # -- conversations ------------------------------------------------------------------------------------------

    def sources(self) -> list[Source]:
        """The sources that the settings name, in their order; none of them: the inbox, once there is one."""
        settings = self.settings
        found: list[Source] = []
        inbox = settings.source or self.home / "inbox"
        if settings.source is not None or (not settings.sources and inbox.exists()):
            spread = Spread(
                first_day=settings.first_day,
                days=settings.days,
                replay=settings.replay,
                new_intent=settings.new_topic_intent,
                new_day=settings.new_topic_day,
                limit=settings.limit,
            )
            shape, index = Shape(mapping=settings.mapping), self.home / "sources" / f"{INBOX}.json"
            found.append(Files(INBOX, str(inbox), shape, form=settings.source_format, spread=spread, index=index))
        now = datetime.now(UTC)
        found += [open_source(entry, home=self.home, log_url=self.log_url, now=now) for entry in settings.sources]
        return found

    def source_days(self) -> list[date]:
        """Days that have conversations, in order."""
        return sorted({day for source in self.sources() for day in source.changed_since("").days})

    def state(self, day: date) -> str:
        """A name of what all sources hold of a day: equal names, equal conversations."""
        return hash_json([[source.name, source.state(day)] for source in self.sources()])

    def read(self, day: date) -> Iterator[RawRow | Rejected]:
        """The conversations of a day from all sources, not redacted, and what cannot be one; every id once."""
        for source in self.sources():
            yield from resolved(functools.partial(source.read, day))

    def conversations(self, day: date) -> Iterator[RawRow]:
        """The conversations of a day, strictly: SourceError on the first that cannot be used."""
        for source in self.sources():
            for item in source.read(day):
                if isinstance(item, Rejected):
                    raise SourceError(f"{item.place}: {item.reason}")
                yield item
