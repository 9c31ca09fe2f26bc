"""Upstreams as an installation configures them: data, read from settings.yaml and handed to the gateway as JSON."""

import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from llmops_assets.gateway.identity.spending import BudgetSettings, Price
from llmops_assets.gateway.upstreams.premises import stays, unreachable
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.records import ReleaseManifest

EMBEDDED = "embedded"
"""The address of the engine that the gateway brings itself."""
ALL = "*"
"""The entry of `models` for every release that has none of its own."""
OURS = {
    *("model", "messages", "prompt", "stream", "stream_options", "n", "stop", "response_format"),
    *("max_tokens", "max_completion_tokens", "temperature"),
}
"""Fields of a request that no setting changes."""
_PLACES = ("release", "adapter")
_PLACE = re.compile(r"\{([^{}]*)\}")
Seconds = Annotated[float, Field(gt=0, le=600)]


class UpstreamConfigError(LlmopsError):
    """Upstreams that cannot be used as they are configured; the message says which, why, and what to do."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Upstream(_Data):
    """One server that speaks OpenAI's protocol, or the embedded engine (`url: embedded`)."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="what metrics and pages call it")
    url: str = Field(description="address up to and with /v1, such as http://127.0.0.1:8000/v1; or `embedded`")
    key: str = Field("", description="$NAME of the environment variable that holds its key; none: it needs no key")
    models: dict[str, str] = Field(
        {},
        description="what it calls our model: id of a release, digest of an adapter, `*`, or for a release without one "
        "the name of its base model, to the name there, in which {release} and {adapter} are filled in",
    )
    api: Literal["chat", "completions"] = Field(
        "chat",
        description="`chat`: it renders the prompt by its own template; `completions`: it is sent as in training",
    )
    limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    body: dict[str, Any] = Field({}, description="fields added to every request, such as {repetition_penalty: 1.05}")
    context: int = Field(4096, ge=256, description="tokens of prompt and answer together")
    currency_per_million_input_tokens: float = Field(0.0, ge=0, le=1e6, description="its price, for budgets")
    currency_per_million_output_tokens: float = Field(0.0, ge=0, le=1e6, description="its price, for budgets")
    weight: float = Field(1.0, gt=0, description="share of the requests among upstreams of the same order")
    order: int = Field(0, ge=0, description="lower ones are asked first, others where those fail")
    connect_seconds: Seconds = 5.0
    read_seconds: Seconds = Field(30.0, description="to the first piece of an answer, and from one to the next")
    answer_seconds: Seconds = Field(120.0, description="to the whole answer")
    start_seconds: float = Field(
        0.0, ge=0, le=7200, description="that it may take to have a release's model: one that is fetched or loaded yet"
    )
    may_leave_premises: bool = Field(
        False, description="it may stand elsewhere although the use case says data_must_stay_on_premises"
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if url == EMBEDDED:
            return url
        try:
            parts = urlsplit(url)
            port, host = parts.port, parts.hostname or ""
        except ValueError:
            raise ValueError("is no address") from None
        if parts.scheme not in ("http", "https") or not host or port == 0:
            raise ValueError("give an address such as https://host:8000/v1, or `embedded`")
        if parts.query or parts.fragment or re.search(r"[\s\\]|[^\x21-\x7e]", url):
            raise ValueError("an address ends with its path, such as /v1, and holds no blanks")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a key stands in no address: name its environment variable in `key`")
        if unreachable(host):
            raise ValueError(f"{host} is no address of a server")
        return url.rstrip("/")

    @field_validator("key")
    @classmethod
    def _is_a_variable(cls, key: str) -> str:
        if key and not re.fullmatch(r"\$[A-Za-z_][A-Za-z0-9_]*", key):
            raise ValueError("name the environment variable that holds the key, as $NAME; a key itself stands nowhere")
        return key

    @field_validator("models")
    @classmethod
    def _places_are_known(cls, models: dict[str, str]) -> dict[str, str]:
        for name in models.values():
            if not name.strip() or any(place not in _PLACES for place in _PLACE.findall(name)):
                raise ValueError("a model's name is a text with {release} and {adapter} at most")
        return models

    @field_validator("body")
    @classmethod
    def _adds_only(cls, body: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(OURS & body.keys()):
            raise ValueError(f"{taken[0]!r} is the gateway's to say: `body` adds fields")
        return body

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.url == EMBEDDED:
            if self.key or self.models or self.body:
                raise ValueError("the embedded engine has no key, models or body")
            return self
        if not self.models:
            raise ValueError("name its model: models: {'*': <name>}")
        if self.key and self.url.startswith("http://") and not stays(self.host):
            raise ValueError(f"the key would go to {self.host} unencrypted: use https")
        return self

    @property
    def embedded(self) -> bool:
        """Whether it is the engine that the gateway brings itself."""
        return self.url == EMBEDDED

    @property
    def host(self) -> str:
        """Name or address of its machine."""
        return urlsplit(self.url).hostname or ""

    @property
    def variable(self) -> str:
        """The environment variable that holds its key, "" where it needs none."""
        return self.key.removeprefix("$")

    def model_of(self, manifest: ReleaseManifest) -> str:
        """What it calls a release's model. UpstreamConfigError where it has no name for it."""
        # By its base model's name a tuned release would be answered without its adapter.
        known = (manifest.release_id, manifest.adapter_digest or manifest.base.name, ALL)
        name = next((self.models[key] for key in known if key and key in self.models), "")
        filled = {"release": manifest.release_id, "adapter": manifest.adapter_digest}
        if not name or any(not filled[place] for place in _PLACE.findall(name)):
            what = (
                f"{manifest.release_id}, which has no adapter" if not manifest.adapter_digest else manifest.release_id
            )
            raise UpstreamConfigError(f"upstream {self.name} has no name for {what}: add one to its `models`")
        return _PLACE.sub(lambda place: filled[place[1]], name)


class UpstreamPolicy(_Data):
    """What is done when upstreams fail or are slow."""

    attempts: int = Field(4, ge=1, le=20, description="that are made for an answer before its first piece, in all")
    pause_seconds: float = Field(0.2, ge=0, le=10, description="before the second round, at random up to it; doubles")
    patience_seconds: float = Field(2.0, ge=0, le=60, description="that busy upstreams (Retry-After) are waited for")
    hedge_after_seconds: float | None = Field(
        None, gt=0, le=60, description="without a first piece, after which another one is asked as well; none: never"
    )
    failures: int = Field(5, ge=1, le=1000, description="in a row after which an upstream is left alone")
    rest_seconds: Seconds = Field(5.0, description="that it is left alone, twice as long each time up to a minute")


class UpstreamSettings(_Data):
    """All upstreams of an installation. None at all: the embedded engine alone answers."""

    upstreams: tuple[Upstream, ...] = ()
    policy: UpstreamPolicy = UpstreamPolicy()
    budgets: BudgetSettings = BudgetSettings()
    on_premises: bool = Field(False, description="the use case's data_must_stay_on_premises")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        names = [one.name for one in self.upstreams]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two upstreams are named {twice[0]}")
        if sum(one.embedded for one in self.upstreams) > 1:
            raise ValueError("there is one embedded engine: name it once")
        if self.budgets.limits and not any(price.of(1000, 1000) for price in self.prices.values()):
            raise ValueError("budgets need prices: give an upstream its currency_per_million_output_tokens")
        for one in self.upstreams:
            if not one.embedded and self.kept_here(one) and not stays(one.host, named=True):
                raise ValueError(
                    f"upstream {one.name} stands at {one.host}, and the use case says data_must_stay_on_premises: take "
                    "one in your own network, or say `may_leave_premises: true` for it"
                )
        return self

    @property
    def prices(self) -> dict[str, Price]:
        """Name of an upstream, "" for the embedded engine, to what its tokens cost."""
        fields = tuple(Price.model_fields)
        return {
            "" if one.embedded else one.name: Price(**{name: getattr(one, name) for name in fields})
            for one in self.upstreams
        }

    def kept_here(self, upstream: Upstream) -> bool:
        """Whether an upstream may be reached in the installation's own network only."""
        return self.on_premises and not upstream.may_leave_premises
