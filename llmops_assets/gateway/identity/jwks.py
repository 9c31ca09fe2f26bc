"""The public keys of an identity provider, fetched when they are needed and kept for a while (RFC 7517).

A key that is not known may be new: the set is fetched again for it, but not more often than tokens with invented key
ids could make it. Where the provider does not answer, what was known goes on for an hour.
"""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

LIFE_SECONDS = 300.0
COOLDOWN_SECONDS = 15.0
STALE_SECONDS = 3600.0
FETCH_SECONDS = 5.0
MOST_BYTES = 1 << 18

Jwk = Mapping[str, Any]


class KeysError(Exception):
    """No keys can be had."""


class _Unfollowed(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl) -> None:
        """A redirect is an answer that holds no keys."""


def fetch(url: str) -> list[Jwk]:
    """The keys at an address. KeysError where there is no set of keys; no redirect is followed, no proxy used."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Unfollowed())
    try:
        with opener.open(url, timeout=FETCH_SECONDS) as response:
            keys = json.loads(response.read(MOST_BYTES))["keys"]
            return [key for key in keys if isinstance(key, dict)]
    except (OSError, ValueError, LookupError, TypeError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise KeysError(f"no keys at {url}: {type(error).__name__}") from error


class Jwks:
    """The keys of one provider. Safe for several threads, of which one fetches at a time."""

    def __init__(
        self,
        url: str,
        *,
        get: Callable[[str], list[Jwk]] = fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._get = get
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: list[Jwk] = []
        self._fetched = self._tried = float("-inf")

    def find(self, kid: str | None) -> list[Jwk]:
        """The keys of an id, all without one; none where there is no such key. KeysError where none can be had."""
        with self._lock:
            if self._clock() - self._fetched >= LIFE_SECONDS or not self._named(kid):
                self._renew()
            return self._named(kid)

    def _named(self, kid: str | None) -> list[Jwk]:
        return [key for key in self._keys if kid is None or key.get("kid") == kid]

    def _renew(self) -> None:
        now = self._clock()
        if now - self._tried >= COOLDOWN_SECONDS:
            self._tried = now
            try:
                self._keys = self._get(self._url)
                self._fetched = now
            except KeysError:
                if now - self._fetched >= STALE_SECONDS:
                    self._keys = []
        if not self._keys:
            raise KeysError("the identity provider's keys cannot be had")
