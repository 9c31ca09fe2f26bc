"""How much a caller may ask: requests and tokens a minute, tokens a day. Kept in the process that answers.

Tokens are reserved before an answer is made and settled with what it really took, however it ends; what runs at a time
can therefore never take more than was left, however requests interleave. A minute is a token bucket
(https://en.wikipedia.org/wiki/Token_bucket): a caller that was quiet may ask a minute's worth at once.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from llmops_assets.gateway.errors import GatewayError

MINUTE = 60.0


class QuotaError(GatewayError):
    """A caller has asked as much as it may for now; `retry_after` seconds later it may again."""

    status = 429
    kind = "rate_limit_error"
    code = "rate_limit_exceeded"

    def __init__(self, message: str, retry_after: float, code: str = "rate_limit_exceeded") -> None:
        self.retry_after = max(1, math.ceil(retry_after))
        self.code = code
        super().__init__(f"{message}: try again in {self.retry_after} s")


@dataclass(frozen=True)
class Allowance:
    """What a key may ask; None: as much as it wants. Tokens are those that the engine reads and writes."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None


UNLIMITED = Allowance()


class _Bucket:
    """What is left of a limit a minute; it fills up evenly."""

    def __init__(self, limit: int, now: float) -> None:
        self.limit = limit
        self.left = float(limit)
        self._filled = now

    def take(self, amount: float, now: float) -> float:
        """Take an amount, or none and return the seconds until it will be there."""
        self.fill(now)
        if self.left >= amount:
            self.left -= amount
            return 0.0
        return (amount - self.left) * MINUTE / self.limit

    def fill(self, now: float) -> None:
        self.left = min(self.limit, self.left + (now - self._filled) * self.limit / MINUTE)
        self._filled = now


class _Spent:
    """What a caller has taken."""

    def __init__(self, allowance: Allowance, now: float) -> None:
        self.allowance = allowance
        self.requests = _Bucket(allowance.requests_per_minute, now) if allowance.requests_per_minute else None
        self.tokens = _Bucket(allowance.tokens_per_minute, now) if allowance.tokens_per_minute else None
        self.day = date.min
        self.today = 0


class Reservation:
    """Tokens that are set aside for one answer."""

    def __init__(self, settle: Callable[[int], None]) -> None:
        self._settle: Callable[[int], None] | None = settle

    def settle(self, taken: int) -> None:
        """Give back what the answer did not take; a second time changes nothing."""
        settle, self._settle = self._settle, None
        if settle is not None:
            settle(taken)


class Quotas:
    """What every caller has left. `spent_on` (caller, day) is what one took of a day before this process counted.

    Safe for several threads.
    """

    def __init__(
        self,
        spent_on: Callable[[str, date], int] = lambda caller, day: 0,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._spent_on = spent_on
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._callers: dict[str, _Spent] = {}

    def request(self, caller: str, allowance: Allowance) -> None:
        """Count a request; QuotaError where it is one too many this minute."""
        with self._lock:
            spent = self._of(caller, allowance)
            wait = spent.requests.take(1, self._clock()) if spent.requests else 0.0
        if wait:
            raise QuotaError(f"this key may ask {allowance.requests_per_minute} times a minute", wait)

    def reserve(self, caller: str, allowance: Allowance, tokens: int) -> Reservation:
        """Set tokens aside for an answer; QuotaError where there are not as many left.

        An answer that could take more than a whole limit reserves all of it: it runs alone, and is answered.
        """
        if allowance.tokens_per_minute is None and allowance.tokens_per_day is None:
            return Reservation(lambda taken: None)
        with self._lock:
            spent = self._of(caller, allowance)
            self._turn(caller, spent)
            of_day = min(tokens, allowance.tokens_per_day or tokens)
            if allowance.tokens_per_day is not None and spent.today + of_day > allowance.tokens_per_day:
                said = f"this key may take {allowance.tokens_per_day} tokens a day"
                raise QuotaError(said, self._until_midnight(), "insufficient_quota")
            of_minute = min(tokens, allowance.tokens_per_minute or tokens)
            if spent.tokens and (wait := spent.tokens.take(of_minute, self._clock())):
                raise QuotaError(f"this key may take {allowance.tokens_per_minute} tokens a minute", wait)
            spent.today += of_day
            day = spent.day

        def settle(taken: int) -> None:
            with self._lock:
                if spent.tokens:
                    spent.tokens.fill(self._clock())
                    spent.tokens.left = min(spent.tokens.limit, spent.tokens.left + of_minute - taken)
                if spent.day == day:
                    spent.today += taken - of_day

        return Reservation(settle)

    def _of(self, caller: str, allowance: Allowance) -> _Spent:
        known = self._callers.get(caller)
        if known is None or known.allowance != allowance:
            known = self._callers[caller] = _Spent(allowance, self._clock())
        return known

    def _turn(self, caller: str, spent: _Spent) -> None:
        """Begin a new day (UTC)."""
        today = self._now().date()
        if spent.day != today:
            spent.day, spent.today = today, self._spent_on(caller, today)

    def _until_midnight(self) -> float:
        moment = self._now()
        return 86_400 - (moment.hour * 3600 + moment.minute * 60 + moment.second)
