"""The interaction log of an installation, opened when it is first asked."""

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmops_assets.gateway.interaction_log import InteractionLog


class InstalledLog:
    """What the graph reads of the gateway's log, behind a SQLAlchemy URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def interactions(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Interactions with start <= time < end in order of time, with rating, reason and correction."""
        return self._opened.interactions(start, end)

    def odd_feedback(self, start: datetime, end: datetime) -> dict[str, int]:
        """How much feedback of start <= time < end is about no interaction, or dated before its answer."""
        return self._opened.odd_feedback(start, end)

    def beside(self, start: datetime, releases: Sequence[str]) -> list[dict[str, Any]]:
        """What happened since `start` in conversations with these releases, in order of time: no text of anybody."""
        return self._opened.beside(start, releases)

    def audit(self, action: str, detail: str, *, once: str = "") -> dict[str, Any]:
        """Append an entry to the audit chain, or give back the one of this action that begins with `once`."""
        return self._opened.audit(action, detail, once=once)

    def last_audit(self, actions: Sequence[str], beginning: str) -> dict[str, Any] | None:
        """The newest audit entry of these actions whose detail begins so, or None."""
        return self._opened.last_audit(actions, beginning)

    def audit_entry(self, number: int) -> dict[str, Any] | None:
        """The audit entry of a number, or None."""
        return self._opened.audit_entry(number)

    def audit_entries(self, action: str) -> list[dict[str, Any]]:
        """The audit entries of an action, oldest first."""
        return [entry for entry in self._opened.audit_entries() if entry["action"] == action]

    def audit_head(self) -> dict[str, Any] | None:
        """The last audit entry, or None where there is none."""
        return self._opened.audit_head()

    def broken_audit_entry(self) -> int | None:
        """Number of the first audit entry that does not follow from the one before it; None when the chain holds."""
        return self._opened.broken_audit_entry()

    def close(self) -> None:
        """Give back its connections, if it was ever opened."""
        if "_opened" in self.__dict__:
            self._opened.close()

    @functools.cached_property
    def _opened(self) -> "InteractionLog":
        from llmops_assets.gateway.interaction_log import InteractionLog

        return InteractionLog(self.url)
