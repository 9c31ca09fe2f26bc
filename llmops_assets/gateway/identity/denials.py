"""Who was not let in, in the audit log: at once the first time, then once a minute with how often it was."""

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from llmops_assets.gateway.identity.tokens import is_person

EVERY_SECONDS = 60.0
MOST = 1000
"""Different denials of a minute that are told apart; more of them are one entry."""


class Audits(Protocol):
    """Appends an entry to the audit log (InteractionLog.audit)."""

    def __call__(self, action: str, detail: str, /, *, subject: str) -> object:
        """`subject` is the pseudonym of whom it is about, "" for nobody."""
        ...


Denial = tuple[str, str, int]
"""Caller or "unknown", route, status."""


class Denials:
    """Writes denials by `audit`. A flood of them fills no log; none is lost in the counts.

    What came after the first of a minute is told with the next denial after it, or by `flush`. A log that cannot be
    written keeps nobody from being refused.
    """

    def __init__(self, audit: Audits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._audit = audit
        self._clock = clock
        self._lock = threading.Lock()
        self._written: dict[Denial, float] = {}
        self._since: Counter[Denial] = Counter()

    def __call__(self, caller: str, route: str, status: int) -> None:
        """Tell of one denial. A token is never told, only the id of a key that was known once."""
        denial: Denial = (caller, route, status)
        with self._lock:
            now = self._clock()
            due = self._due(now)
            if denial not in self._written and len(self._written) >= MOST:
                denial = ("several", "", status)
            if denial in self._written:
                self._since[denial] += 1
            else:
                self._written[denial] = now
                due[denial] += 1
        self._tell(due)

    def flush(self) -> None:
        """Tell of everything that was not told yet."""
        with self._lock:
            due, self._since = self._since, Counter()
        self._tell(due)

    def _due(self, now: float) -> Counter[Denial]:
        """What was not told of minutes that are over, which are forgotten."""
        due: Counter[Denial] = Counter()
        for denial in [known for known, told in self._written.items() if now - told >= EVERY_SECONDS]:
            del self._written[denial]
            if times := self._since.pop(denial, 0):
                due[denial] = times
        return due

    def _tell(self, denials: Counter[Denial]) -> None:
        for (caller, route, status), times in denials.items():
            told = {"caller": caller, "route": route, "status": status, "times": times}
            with contextlib.suppress(Exception):
                # The subject of an identity provider's token is a person, a key is an application.
                self._audit("denied", json.dumps(told), subject=caller if is_person(caller) else "")
