"""The folder an installation lives in, and its settings: where conversations come from, which model, which ports.

Settings and places only; what is made of them are the other resources. Nothing here talks to another system.
"""

import contextlib
import functools
import shutil
import tempfile
import uuid
from collections.abc import Generator
from datetime import date
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from llmops_assets.gateway.identity.providers import IdentityProvider, IdentityProviders
from llmops_assets.gateway.identity.spending import BudgetSettings
from llmops_assets.gateway.upstreams.settings import Upstream, UpstreamPolicy, UpstreamSettings
from llmops_assets.gateway.vllm.settings import VLLMSettings
from llmops_assets.lib.errors import LlmopsError, in_a_sentence
from llmops_assets.lib.judging.runners import RunnerSettings
from resources.notifier import AlertSettings
from resources.sources.entries import DateOrder, SourceEntry

INBOX = "inbox"
"""Name of the source that `source` (or the folder inbox) is; its rows keep the ids of their files."""


class SettingsError(LlmopsError, ValueError):
    """settings.yaml cannot be used; the message says what and where."""


class ReaderEndpoint(BaseModel):
    """An OpenAI-compatible endpoint whose model reads conversations for names before they are redacted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="such as http://127.0.0.1:8000/v1", pattern=r"^https?://[^/]+")
    model: str = Field(description="the name the endpoint knows it by", min_length=1)
    key_variable: str = Field("", description="environment variable that holds its key; none: no key is sent")
    at_once: int = Field(8, ge=1, le=256, description="texts that are asked about at the same time")
    timeout_seconds: float = Field(60.0, gt=0, description="for one answer")
    data_may_leave: bool = Field(
        False, description="the address is not on the premises, and unredacted texts may be sent there all the same"
    )


class Settings(BaseModel):
    """`settings.yaml` of an installation; every field has a working default (the sample)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: tuple[SourceEntry, ...] = Field((), description="where conversations come from: docs/extending.md")
    source: Path | None = Field(None, description="a file or a folder of conversations; none: <home>/inbox")
    source_format: str = Field("", description="jsonl, csv or parquet where a file's ending does not say it")
    source_encoding: str = Field("", description="of text files that are neither UTF-8 nor marked UTF-16")
    mapping: dict[str, str] = Field({}, description="our column -> the file's column, where names differ")
    agents: tuple[str, ...] = Field(
        (), description="ids, addresses, domains (@shop.example) or roles that answer, where the file does not say it"
    )
    time_zone: str = Field("", description="of times without an offset, and of days, such as Europe/Berlin; none: UTC")
    date_order: DateOrder = Field("", description="of dates like 03/02/2026; none: what the file's other dates tell")
    first_day: date | None = Field(
        None, description="rows without a time (or with `replay`) are spread over days from here on"
    )
    days: int = Field(14, ge=1, description="over how many days rows are spread")
    replay: bool = Field(False, description="spread rows over the days even when they carry a time")
    use_case: Path | None = Field(None, description="YAML; none: the sample's")
    knowledge: Path | None = Field(
        None, description="articles: YAML, or Markdown, HTML, CSV, a folder; none: the sample's"
    )
    dialogues: Path | None = Field(
        None, description="YAML: conversations with what their last turn should get, for the eval suite; none: no such"
    )
    slices: Path | None = Field(
        None, description="folder with a YAML or JSONL file per slice of the eval suite; none: no such slices"
    )
    scorers: dict[str, str] = Field({}, description="slice of that folder -> what grades it; none: what it expects")
    probes: Path | None = Field(
        None, description="folder with a CSV or JSONL file per kind of further safety probes; none: only our own"
    )
    runners: tuple[RunnerSettings, ...] = Field(
        (), description="red teams and benchmarks that are installed apart and ask every candidate: docs/extending.md"
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
    redaction_model: Path | None = Field(
        None,
        description="folder of an English spaCy pipeline that finds names in conversations; none: the installed one",
    )
    redaction_endpoint: ReaderEndpoint | None = Field(
        None,
        description="a language model that looks for names in conversations too; none: the installed readers alone",
    )
    dagster_port: int = Field(3000, ge=1, le=65535)
    gateway_port: int = Field(8730, ge=1, le=65535)
    mlflow_port: int = Field(8740, ge=1, le=65535)
    lake_port: int = Field(8750, ge=1, le=65535)
    evidently_port: int = Field(8760, ge=1, le=65535)
    mlflow_uri: str = Field("", description="tracking server; none: a SQLite file in the home")
    upstreams: tuple[Upstream, ...] = Field(
        (), description="who generates answers in place of the embedded engine: docs/gateway.md; none: that one"
    )
    upstream_policy: UpstreamPolicy = Field(
        UpstreamPolicy(), description="what is done when upstreams fail or are slow"
    )
    vllm: VLLMSettings | None = Field(
        None, description="vLLM as the embedded engine: docs/gateway.md; none: llama.cpp is it"
    )
    budgets: BudgetSettings = Field(BudgetSettings(), description="of money a day, by key, team and in all")
    identity_providers: tuple[IdentityProvider, ...] = Field(
        (), description="whose tokens let callers in beside keys: docs/gateway.md"
    )
    log_url: str = Field("", description="SQLAlchemy URL of the interaction log; none: SQLite in the home")
    log_format: Literal["text", "json"] = Field(
        "text", description="of the gateway's process: json adds a line per request"
    )
    otlp_endpoint: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="OTLP receiver (http://127.0.0.1:4318) that the gateway sends traces to; none: nothing is traced",
    )
    cache_answers: int = Field(0, ge=0, description="answers that the gateway remembers to give again; 0: none")
    cache_seconds: float = Field(3600.0, gt=0, description="how long one is remembered")
    budget_per_day: float = Field(0.0, ge=0, description="money that a day's answers may cost, for alerts; 0: no limit")
    alerts: AlertSettings = Field(AlertSettings(), description="who is told when something goes wrong: docs/guide.md")

    @field_validator("identity_providers")
    @classmethod
    def _issuers_differ(cls, providers: tuple[IdentityProvider, ...]) -> tuple[IdentityProvider, ...]:
        return IdentityProviders(providers=providers).providers

    @field_validator("runners")
    @classmethod
    def _each_once(cls, runners: tuple[RunnerSettings, ...]) -> tuple[RunnerSettings, ...]:
        kinds = [runner.kind for runner in runners]
        if twice := sorted({kind for kind in kinds if kinds.count(kind) > 1}):
            raise ValueError(f"{twice[0]} is named twice: give one runner all its tasks")
        return runners

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, entries: tuple[SourceEntry, ...]) -> tuple[SourceEntry, ...]:
        names = [INBOX, *(entry.name for entry in entries)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two sources are named {twice[0]!r} ({INBOX!r} is the name of `source`)")
        return entries

    def upstreams_for(self, *, on_premises: bool) -> UpstreamSettings:
        """The upstreams together, held to whether customers' data must stay on the premises. SettingsError."""
        try:
            return UpstreamSettings(
                upstreams=self.upstreams, policy=self.upstream_policy, budgets=self.budgets, on_premises=on_premises
            )
        except ValidationError as error:
            raise SettingsError(f"upstreams: {in_a_sentence(error)}") from error


def what_is_wrong(error: Exception) -> str:
    """Why a YAML file cannot be read as what it should be, on one line without the file's name."""
    if isinstance(error, ValidationError):
        return in_a_sentence(error)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1} is no YAML: {error.problem}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())


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
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise SettingsError(f"{file}: {what_is_wrong(error)}") from error

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
    def gateway_key(self) -> Path:
        """File of the key by which the installation asks its own gateway."""
        return self.home / "keys" / "gateway.key"

    @property
    def embeddings(self) -> Path:
        """File of known embeddings."""
        return self.home / "embeddings.db"

    @property
    def labels_folder(self) -> Path:
        """Folder of the labels that people gave."""
        return self.home / "labels"

    @property
    def articles_folder(self) -> Path:
        """Folder of the articles that editors wrote for findings."""
        return self.home / "articles"

    @property
    def feedback_folder(self) -> Path:
        """Folder of what people decided on feedback that was held back."""
        return self.home / "feedback"

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
