"""Identity providers as an installation configures them: whose tokens are taken, for whom, and what groups may do."""

import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from llmops_assets.gateway.addresses import is_loopback
from llmops_assets.gateway.identity.quotas import Allowance
from llmops_assets.gateway.identity.roles import Role
from llmops_assets.gateway.upstreams.premises import unreachable

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by a private key. `none` and the symmetric ones, whose key would be a secret that everybody may read, are
no choice."""


class IdentityProvider(BaseModel):
    """One issuer of JSON Web Tokens (OpenID Connect, RFC 7519 and 9068)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(min_length=1, max_length=500, description="the claim `iss` of its tokens, letter by letter")
    audience: str = Field(min_length=1, max_length=500, description="what the claim `aud` must name: this gateway")
    jwks_url: str = Field(description="address of its public keys (RFC 7517)")
    algorithms: tuple[Algorithm, ...] = Field(("RS256",), min_length=1, description="by which it signs")
    owner_claim: str = Field("azp", min_length=1, description="claim that names the application or team; not a person")
    groups_claim: str = Field("groups", min_length=1, description="claim with groups; realm_access.roles goes deeper")
    roles: dict[str, Role] = Field(
        min_length=1, description="group to role; of several groups the one that stands first here counts"
    )
    leeway_seconds: float = Field(30.0, ge=0, le=300, description="that clocks may differ")
    requests_per_minute: int | None = Field(None, ge=1, description="of each subject")
    tokens_per_minute: int | None = Field(None, ge=1, description="of each subject")
    tokens_per_day: int | None = Field(None, ge=1, description="of each subject")

    @field_validator("jwks_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError("is no address") from None
        if parts.scheme not in ("http", "https") or not host or parts.username is not None or unreachable(host):
            raise ValueError("give an address such as https://login.example.com/keys")
        if re.search(r"[\s\\#]|[^\x21-\x7e]", url):
            raise ValueError("an address holds no blanks")
        if parts.scheme == "http" and not is_loopback(host):
            raise ValueError("keys that come unencrypted are anybody's: use https")
        return url

    @property
    def allowance(self) -> Allowance:
        """How much each subject may ask."""
        return Allowance(self.requests_per_minute, self.tokens_per_minute, self.tokens_per_day)


class IdentityProviders(BaseModel):
    """All providers of an installation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    providers: tuple[IdentityProvider, ...] = ()

    @model_validator(mode="after")
    def _issuers_differ(self) -> Self:
        issuers = [one.issuer for one in self.providers]
        if len(set(issuers)) < len(issuers):
            raise ValueError("two identity providers have one issuer")
        return self
