"""Who asks: the bearer key of a request becomes a `Caller`, which says what its requests may do."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from llmops_assets.gateway.errors import RequestError

ANONYMOUS = "anonymous"


@dataclass(frozen=True)
class Caller:
    """A client of the gateway: an application, not the person it asks for.

    `may_replay`: its requests may name the time they are of, for traffic of past days.
    """

    name: str
    may_replay: bool = False

    def person(self, user: str) -> str:
        """Who a request is of, before it becomes a pseudonym: the `user` it names, else one for all unnamed."""
        return user or ANONYMOUS


class Callers:
    """The callers that a gateway knows. `keys` are the accepted bearer keys; none: open, for a loopback address."""

    def __init__(self, keys: Sequence[str] = (), *, may_replay: bool = False) -> None:
        self._keys = tuple(key.encode() for key in keys)
        self._may_replay = may_replay

    def authenticate(self, authorization: str) -> Caller:
        """The caller of an `Authorization` header; RequestError 401 without a known key where keys are set."""
        if not self._keys:
            return Caller(ANONYMOUS, self._may_replay)
        scheme, _, given = authorization.partition(" ")
        # Every key is compared, so that the time taken does not tell which one is near.
        matches = [hmac.compare_digest(given.strip().encode(), key) for key in self._keys]
        if scheme.lower() != "bearer" or not any(matches):
            raise RequestError(401, "give a valid key: Authorization: Bearer <key>", code="invalid_api_key")
        return Caller(f"key {matches.index(True) + 1}", self._may_replay)
