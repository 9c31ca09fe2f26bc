"""Who asks: the key of a request, or a token of an identity provider, becomes a `Caller`, which says what it may do."""

import hashlib
import hmac
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from llmops_assets.gateway.errors import RequestError
from llmops_assets.gateway.identity.denials import Denials
from llmops_assets.gateway.identity.keys import Key, KeyStore, is_token
from llmops_assets.gateway.identity.quotas import UNLIMITED, Allowance
from llmops_assets.gateway.identity.roles import ANONYMOUS, MAY, Role, Scope
from llmops_assets.gateway.identity.tokens import TokenError, Tokens, looks_like_one

FRESH_SECONDS = 2.0
"""How long a key that was looked up is known without looking again: so long a revoked one may still be let in."""
REMEMBERED = 4096
"""Tokens that are known without looking them up, wrong ones too."""

_TRYING: frozenset[Scope] = frozenset(("preview",))


@dataclass(frozen=True)
class Caller:
    """A client of the gateway: an application, not the person it asks for.

    `name` is its key's id, `allowance` how much it may ask, `owner` whom the key is for: several keys of one owner are
    one application.
    """

    name: str
    role: Role = "caller"
    scopes: frozenset[Scope] = field(default_factory=frozenset)
    allowance: Allowance = UNLIMITED
    owner: str = ""

    def may(self, scope: Scope) -> bool:
        """Whether its role, or the way it came in, allows something."""
        return scope in MAY[self.role] or scope in self.scopes

    @property
    def may_replay(self) -> bool:
        """Whether its requests may name the time they are of, for traffic of past days."""
        return self.may("replay")

    def person(self, user: str) -> str:
        """Who a request is of, before it becomes a pseudonym: the `user` it names, else one for all unnamed."""
        return user or ANONYMOUS


class Callers:
    """The callers that a gateway knows, by the keys of a store and by the installation's own.

    `open`: where the store holds no key at all, everybody is let in as a caller who may also try releases: for a
    loopback address. `replay`: whoever is let in may name the time of a request. `own` is the key by which the
    installation itself asks; "": it has none. `denied` is told of everyone who is not let in. `tokens` are those of
    identity providers: with any, nobody is let in without a key or a token.
    """

    def __init__(
        self,
        store: KeyStore | None = None,
        *,
        own: str = "",
        open: bool = True,
        replay: bool = False,
        denied: Denials | None = None,
        tokens: Tokens | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._tokens = tokens or Tokens(())
        self._own = own.encode()
        self._open = open
        self._clock = clock
        self._denied = denied or Denials(lambda action, detail, *, subject: None)
        self._more: frozenset[Scope] = frozenset(("replay",) if replay else ())
        self._anonymous = Caller(ANONYMOUS, "caller", self._more | _TRYING, owner=ANONYMOUS)
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Key | None]] = {}
        self._locked = (0.0, False)

    def authenticate(self, authorization: str, route: str = "") -> Caller:
        """The caller of an `Authorization` header; RequestError 401 where it names no valid key and one is needed, 403
        where a token of an identity provider has no role here."""
        scheme, _, given = authorization.partition(" ")
        token = given.strip() if scheme.lower() == "bearer" else ""
        if self._own and hmac.compare_digest(token.encode(), self._own):
            return Caller("installation", "admin", self._more, owner="installation")
        if not self.closed:
            return self._anonymous
        if self._tokens and looks_like_one(token):
            return self._of_token(token, route)
        key = self._find(token)
        if key is None or not key.valid(datetime.now(UTC)):
            self._denied(key.id if key else "unknown", route, 401)
            raise RequestError(401, "give a valid key: Authorization: Bearer <key>", code="invalid_api_key")
        return Caller(key.id, key.role, self._more, key.allowance, key.owner)

    def _of_token(self, token: str, route: str) -> Caller:
        try:
            found = self._tokens.verify(token)
        except TokenError as error:
            self._denied(error.name or "unknown", route, error.status)
            code = "invalid_token" if error.status == 401 else "insufficient_permissions"
            raise RequestError(error.status, str(error), code=code) from None
        return Caller(found.name, found.role, self._more, found.allowance, found.owner)

    def allow(self, caller: Caller, scope: Scope, route: str = "") -> None:
        """RequestError 403 where a caller's role does not allow what its request wants."""
        if not caller.may(scope):
            self._denied(caller.name, route, 403)
            said = f"this key's role ({caller.role}) does not allow {scope!r}: ask for another key"
            raise RequestError(403, said, code="insufficient_permissions")

    def still(self, caller: Caller, scope: Scope) -> Caller | None:
        """A caller as it is now, who asked before; None where it would not be let in any more for this.

        A token of an identity provider is not asked for again: what it was let in for is finished.
        """
        if caller.name == ANONYMOUS:
            return None if self.closed else caller
        if self._store is not None and (key := self._store.get(caller.name)) is not None:
            if not key.valid(datetime.now(UTC)):
                return None
            caller = Caller(key.id, key.role, self._more, key.allowance, key.owner)
        return caller if caller.may(scope) else None

    def close(self) -> None:
        """Tell of what was not told yet."""
        self._denied.flush()

    @property
    def closed(self) -> bool:
        """Whether a key is needed."""
        return not self._open or bool(self._tokens) or self._needs_key()

    def _needs_key(self) -> bool:
        """Whether a key was ever made; looked up again until one was."""
        if self._store is None:
            return False
        looked, there = self._locked
        if not there and self._clock() - looked > FRESH_SECONDS:
            self._locked = self._clock(), self._store.any()
        return self._locked[1]

    def _find(self, token: str) -> Key | None:
        if self._store is None or not is_token(token):
            return None
        # A token itself is kept nowhere.
        name = hashlib.sha256(token.encode()).hexdigest()
        with self._lock:
            looked, key = self._known.get(name, (-FRESH_SECONDS, None))
        if self._clock() - looked < FRESH_SECONDS:
            return key
        key = self._store.find(token)
        with self._lock:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[name] = self._clock(), key
        return key
