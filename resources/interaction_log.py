"""The interaction log of an installation, opened when it is first asked."""

import functools
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

    @functools.cached_property
    def _opened(self) -> "InteractionLog":
        from llmops_assets.gateway.interaction_log import InteractionLog

        return InteractionLog(self.url)
