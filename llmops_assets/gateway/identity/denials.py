"""Who was not let in, in the audit log: once a minute for each caller, route and status, with how often before."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable

EVERY_SECONDS = 60.0
MOST = 1000
"""Different denials that are told apart; more of them in a minute are one entry."""


class Denials:
    """Writes denials by `audit` (action, detail). A flood of them fills no log; none is lost in the counts."""

    def __init__(self, audit: Callable[[str, str], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._audit = audit
        self._clock = clock
        self._lock = threading.Lock()
        self._written: dict[tuple[str, str, int], float] = {}
        self._since: Counter[tuple[str, str, int]] = Counter()

    def __call__(self, caller: str, route: str, status: int) -> None:
        """Tell of one denial. A token is never told, only the id of a key that was known once."""
        key = (caller, route, status)
        with self._lock:
            if key not in self._written and len(self._written) >= MOST:
                key = ("several", "", status)
            now, before = self._clock(), self._written.get(key)
            self._since[key] += 1
            if before is not None and now - before < EVERY_SECONDS:
                return
            self._written[key], times = now, self._since.pop(key)
        told = {"caller": key[0], "route": key[1], "status": status, "times": times}
        self._audit("denied", json.dumps(told))
