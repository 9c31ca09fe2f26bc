"""From an entry of settings.yaml to the source it names."""

import importlib
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from llmops_assets.lib.sources import Source, SourceError
from resources.sources.entries import FilesEntry, HuggingFaceEntry, InteractionsEntry, SourceEntry, SqlEntry
from resources.sources.files import TOLERANCE, Files, Spread


def open_source(entry: SourceEntry, *, home: Path, log_url: str, now: datetime) -> Source:
    """The source of an entry. Nothing is connected to until it is asked. SourceError when it cannot be made."""
    shape = entry.shape(now + TOLERANCE)
    if isinstance(entry, FilesEntry):
        return Files(
            entry.name,
            entry.url,
            entry.shape(),
            form=entry.format,
            encoding=entry.encoding,
            spread=Spread(first_day=entry.first_day, days=entry.days),
            options={name: _filled(value) for name, value in entry.options.items()},
            index=home / "sources" / f"{entry.name}.json",
        )
    if isinstance(entry, SqlEntry):
        from resources.sources.sql import Sql

        url = _filled(entry.url)
        return Sql(entry.name, url, shape, table=entry.table, query=entry.query, watermark=entry.watermark)
    if isinstance(entry, HuggingFaceEntry):
        from resources.sources.huggingface import HuggingFace

        return HuggingFace(entry.name, entry.dataset, shape, split=entry.split, config=entry.config, day=entry.day)
    if isinstance(entry, InteractionsEntry):
        from resources.sources.interactions import Interactions

        return Interactions(entry.name, _filled(entry.url) or log_url, shape)
    module, _, name = entry.factory.partition(":")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SourceError(f"source {entry.name}: {entry.factory} cannot be imported ({error})") from None
    return factory(entry.name, shape, **entry.options)


def _filled(value: Any) -> Any:
    """A text with $NAME replaced by the environment's; SourceError where it has none."""
    if not isinstance(value, str):
        return value

    def of(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise SourceError(f"{found[0]} is named in settings.yaml but not set in the environment")
        return os.environ[found[1]]

    return re.sub(r"\$([A-Z_][A-Z0-9_]*)", of, value)
