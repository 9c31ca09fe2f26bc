"""A circuit breaker: a server that keeps failing is left alone for a while, then tried by one request.

https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker. Pure: it is told what came of attempts, and
knows nothing of servers.
"""

import time
from collections.abc import Callable
from enum import StrEnum

LONGEST_REST = 60.0
"""Seconds that a server is left alone at most."""


class State(StrEnum):
    """`closed`: asked as ever. `open`: left alone. `half_open`: tried by one request at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Event(StrEnum):
    """What moves a breaker."""

    FAILURES = "failures"
    RESTED = "rested"
    SUCCESS = "success"
    FAILURE = "failure"


TRANSITIONS = {
    (State.CLOSED, Event.FAILURES): State.OPEN,
    (State.OPEN, Event.RESTED): State.HALF_OPEN,
    (State.HALF_OPEN, Event.SUCCESS): State.CLOSED,
    (State.HALF_OPEN, Event.FAILURE): State.OPEN,
}


class Attempt:
    """One request that was let through. What came of it is said once; a second time changes nothing."""

    def __init__(self, breaker: "Breaker", era: int) -> None:
        self._breaker = breaker
        self._era = era
        self._open = True

    def succeeded(self) -> None:
        """It was answered."""
        self._end(self._breaker._succeeded)

    def failed(self) -> None:
        """The server failed."""
        self._end(self._breaker._failed)

    def dropped(self) -> None:
        """It ended in a way that tells nothing of the server."""
        self._end(self._breaker._dropped)

    def _end(self, tell: Callable[[int], None]) -> None:
        if self._open:
            self._open = False
            tell(self._era)


class Breaker:
    """Opens after `failures` in a row, for `rest` seconds, twice as long each time that its trial fails.

    Not for several threads.
    """

    def __init__(self, failures: int, rest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = failures
        self._rest = rest
        self._clock = clock
        self._state = State.CLOSED
        # Attempts of before the last change tell nothing about the state after it.
        self._era = 0
        self._failures = 0
        self._trying = False
        self._opened = 0
        self._until = 0.0

    @property
    def state(self) -> State:
        """Where it stands now."""
        if self._state is State.OPEN and self._clock() >= self._until:
            self._move(Event.RESTED)
        return self._state

    @property
    def rests(self) -> float:
        """Seconds until a request is let through again; 0: now, or as soon as a trial ends."""
        return max(0.0, self._until - self._clock()) if self.state is State.OPEN else 0.0

    @property
    def lets_through(self) -> bool:
        """Whether a request would be let through now."""
        return self.state is State.CLOSED or (self.state is State.HALF_OPEN and not self._trying)

    def admit(self) -> Attempt | None:
        """Let a request through; None where the server is to be left alone."""
        if not self.lets_through:
            return None
        self._trying = self.state is State.HALF_OPEN
        return Attempt(self, self._era)

    def _succeeded(self, era: int) -> None:
        if era != self._era:
            return
        self._failures = 0
        if self._state is State.HALF_OPEN:
            self._opened = 0
            self._move(Event.SUCCESS)

    def _failed(self, era: int) -> None:
        if era != self._era:
            return
        self._failures += 1
        if self._state is State.HALF_OPEN:
            self._move(Event.FAILURE)
        elif self._failures >= self._most:
            self._move(Event.FAILURES)

    def _dropped(self, era: int) -> None:
        if era == self._era:
            self._trying = False

    def _move(self, event: Event) -> None:
        self._state = TRANSITIONS[self._state, event]
        self._era += 1
        self._failures, self._trying = 0, False
        if self._state is State.OPEN:
            self._until = self._clock() + min(self._rest * 2**self._opened, max(self._rest, LONGEST_REST))
            self._opened = min(self._opened + 1, 32)
