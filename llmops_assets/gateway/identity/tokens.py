"""JSON Web Tokens of identity providers become callers: signature, issuer, audience and time are right, or nobody is
let in (RFC 7519, 8725 and 9068).

The algorithm is the provider's, never the token's choice, and the key must be of its kind: neither `alg: none` nor a
public key taken for a shared secret proves anything.
"""

import hashlib
import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llmops_assets.gateway.identity.jwks import Jwk, Jwks, KeysError
from llmops_assets.gateway.identity.providers import IdentityProvider
from llmops_assets.gateway.identity.quotas import Allowance
from llmops_assets.gateway.identity.roles import Role

MOST_CHARACTERS = 16_384
MOST_OWNER = 200
FRESH_SECONDS = 60.0
"""How long a token that was verified is known without verifying it again; never beyond its own end."""
REMEMBERED = 4096
PERSON = "jwt-"
"""What the names of tokens' subjects begin with."""
TYPES = ("jwt", "at+jwt", "application/at+jwt")
KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
"""First letters of an algorithm to the kind of its key."""


@dataclass(frozen=True)
class Identity:
    """Who a token is of: a pseudonym of its subject, the application or team, and what it may."""

    name: str
    owner: str
    role: Role
    allowance: Allowance


class TokenError(Exception):
    """A token proves nothing. `name` is whose it is, where its signature is right; `status` 403: it has no role."""

    def __init__(self, message: str, *, name: str = "", status: int = 401) -> None:
        super().__init__(message)
        self.name = name
        self.status = status


def looks_like_one(token: str) -> bool:
    """Whether a text has the form of a signed token: three parts."""
    return token.count(".") == 2


class Tokens:
    """Verifies tokens of several providers. Safe for several threads."""

    def __init__(
        self,
        providers: tuple[IdentityProvider, ...],
        *,
        keys: Callable[[IdentityProvider], Jwks] = lambda provider: Jwks(provider.jwks_url),
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._providers = {provider.issuer: (provider, keys(provider)) for provider in providers}
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Identity]] = {}

    def __bool__(self) -> bool:
        return bool(self._providers)

    def verify(self, token: str) -> Identity:
        """Whose a token is. TokenError says why nobody's."""
        # A token itself is kept nowhere.
        digest = hashlib.sha256(token.encode()).hexdigest()
        with self._lock:
            until, known = self._known.get(digest, (0.0, None))
        if known is not None and self._clock() < until:
            return known
        identity, ends = self._read(token)
        with self._lock:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[digest] = self._clock() + min(FRESH_SECONDS, ends - self._now()), identity
        return identity

    def _read(self, token: str) -> tuple[Identity, float]:
        import jwt

        if len(token) > MOST_CHARACTERS:
            raise TokenError("the token is too long")
        try:
            head = jwt.get_unverified_header(token)
            issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except (jwt.PyJWTError, ValueError, TypeError):
            raise TokenError("the token cannot be read") from None
        if not isinstance(issuer, str) or issuer not in self._providers:
            raise TokenError("the token is of another issuer")
        provider, keys = self._providers[issuer]
        if (
            str(head.get("typ", "jwt")).lower() not in TYPES
            or "crit" in head
            or head.get("alg") not in provider.algorithms
        ):
            raise TokenError("the token is of a kind that is not taken")
        key = _key(keys, head)
        try:
            # Times and audience are looked at below, by a clock that can be set, once it is known whose it is.
            claims = json.loads(jwt.PyJWS().decode(token, key, [head["alg"]]))
        except (jwt.PyJWTError, ValueError, TypeError):
            raise TokenError("the token's signature is not its issuer's") from None
        name = _name(issuer, claims)
        ends = self._ends(provider, claims, name)
        return _identity(provider, claims, name), ends

    def _ends(self, provider: IdentityProvider, claims: Mapping[str, Any], name: str) -> float:
        """When the token ends, in Unix seconds with its leeway. TokenError where it is not for here and now."""
        audience = claims.get("aud")
        if provider.audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenError("the token is for another audience", name=name)
        ends, begins, made = (_time(claims.get(claim), name) for claim in ("exp", "nbf", "iat"))
        if ends is None:
            raise TokenError("the token has no end", name=name)
        moment, leeway = self._now(), provider.leeway_seconds
        if moment >= ends + leeway:
            raise TokenError("the token has expired", name=name)
        if any(start is not None and moment < start - leeway for start in (begins, made)):
            raise TokenError("the token is not valid yet", name=name)
        return ends + leeway


def _key(keys: Jwks, head: Mapping[str, Any]) -> Any:
    """The one key that may have signed."""
    import jwt

    kid, algorithm = head.get("kid"), head["alg"]
    try:
        found = [key for key in keys.find(kid if isinstance(kid, str) else None) if _fits(key, algorithm)]
    except KeysError as error:
        raise TokenError(str(error)) from None
    if len(found) != 1:
        raise TokenError("the token is signed by no key that its issuer has")
    try:
        return jwt.PyJWK(dict(found[0]), algorithm=algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, LookupError):
        raise TokenError("the issuer's key cannot be read") from None


def _fits(key: Jwk, algorithm: str) -> bool:
    """Whether a key is for signatures of an algorithm."""
    return (
        key.get("kty") == KINDS[algorithm[:2]]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
    )


def _name(issuer: str, claims: Mapping[str, Any]) -> str:
    """Pseudonym of a token's subject, which is often a person."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise TokenError("the token names no subject")
    return PERSON + hashlib.sha256("\n".join((issuer, subject)).encode()).hexdigest()[:24]


def is_person(caller: str) -> bool:
    """Whether a caller's name is the pseudonym of a token's subject, and not the id of a key."""
    return caller.startswith(PERSON)


def _identity(provider: IdentityProvider, claims: Mapping[str, Any], name: str) -> Identity:
    owner = _at(claims, provider.owner_claim)
    if not isinstance(owner, str) or not owner.strip() or len(owner) > MOST_OWNER:
        raise TokenError(f"the token names no owner in {provider.owner_claim!r}", name=name)
    given = _at(claims, provider.groups_claim)
    groups = given if isinstance(given, list) else [given]
    role = next((role for group, role in provider.roles.items() if group in groups), None)
    if role is None:
        raise TokenError("no group of this token has a role here: ask for one", name=name, status=403)
    return Identity(name, owner.strip(), role, provider.allowance)


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, or by a path of names where none has that very name."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if not isinstance(found, Mapping) else None


def _time(value: object, name: str) -> float | None:
    """A time of a claim in Unix seconds. JSON as Python reads it knows numbers that are none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TokenError("the token's times cannot be read", name=name)
    return float(value)
