"""The conversations of an installation, from all of its sources, and the labels that people gave them."""

import functools
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from llmops_assets.lib.hashing import hash_json
from resources.workspace import INBOX, Workspace

if TYPE_CHECKING:
    from llmops_assets.lib.labelling.labelfiles import Label
    from llmops_assets.lib.sources import RawRow, Rejected, Source


class Conversations:
    """Rows by day from every source that the settings name: not redacted, never to be stored as they are."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def sources(self) -> "list[Source]":
        """The sources in the order of the settings; where they name none, the inbox, once there is one."""
        from llmops_assets.lib.sources import Shape
        from resources.sources import Files, Spread, open_source

        settings, home = self._workspace.settings, self._workspace.home
        found: list[Source] = []
        inbox = settings.source or home / INBOX
        if settings.source is not None or (not settings.sources and inbox.exists()):
            spread = Spread(
                first_day=settings.first_day,
                days=settings.days,
                replay=settings.replay,
                new_intent=settings.new_topic_intent,
                new_day=settings.new_topic_day,
                limit=settings.limit,
            )
            shape = Shape(mapping=settings.mapping, agents=settings.agents)
            index = home / "sources" / f"{INBOX}.json"
            found.append(Files(INBOX, str(inbox), shape, form=settings.source_format, spread=spread, index=index))
        now, log_url = datetime.now(UTC), self._workspace.log_url
        found += [open_source(entry, home=home, log_url=log_url, now=now) for entry in settings.sources]
        return found

    def days(self) -> list[date]:
        """Days that have conversations, in order."""
        return sorted({day for source in self.sources() for day in source.changed_since("").days})

    def state(self, day: date) -> str:
        """A name of what all sources hold of a day: equal names, equal conversations."""
        return hash_json([[source.name, source.state(day)] for source in self.sources()])

    def read(self, day: date) -> "Iterator[RawRow | Rejected]":
        """The conversations of a day from all sources, and what cannot be one; every id once."""
        from llmops_assets.lib.sources import resolved

        for source in self.sources():
            yield from resolved(functools.partial(source.read, day))

    def rows(self, day: date) -> "Iterator[RawRow]":
        """The conversations of a day, strictly: SourceError on the first that cannot be used."""
        from llmops_assets.lib.sources import Rejected, SourceError

        for source in self.sources():
            for item in source.read(day):
                if isinstance(item, Rejected):
                    raise SourceError(f"{item.place}: {item.reason}")
                yield item

    def labels(self) -> "dict[str, Label]":
        """Row id to the label that people (or a measured model) gave: `llmops labels import`."""
        from llmops_assets.lib.labelling.labelfiles import kept_labels

        return kept_labels(self._workspace.labels_folder)
