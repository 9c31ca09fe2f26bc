"""What files of conversations hold, told before anything is ingested: nothing is written.

Counting is `lib.sources.survey`, reading `resources.sources`; here they meet.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llmops_assets.lib.sources import RowFault, Shape, SourceError, layout_of
from llmops_assets.lib.sources.survey import FileSurvey, lines, survey, usable
from llmops_assets.lib.sources.visibility import is_flag
from resources import home_folder
from resources.conversations import Conversations
from resources.sources import Files, Spread
from resources.workspace import Settings, SettingsError, Workspace


def check(path: Path | None, given: dict[str, Any]) -> tuple[list[str], bool]:
    """What is in a file or folder, read with the settings of this installation and what is given over them; without a
    path in its own files. Lines to show, and whether every file can be used."""
    workspace = Workspace(home_folder())
    settings = workspace.settings.model_copy(update=given)
    if path is not None:
        sources = [archive(path, settings)]
    else:
        sources = [source for source in Conversations(workspace).sources() if isinstance(source, Files)]
        if not sources:
            raise SettingsError(f"no files to look at: name one, or put some into {workspace.home / 'inbox'}")
    found = [file for source in sources for file in surveyed(source)]
    if not found:
        raise SourceError(f"{sources[0].url}: holds no files")
    return lines(found), usable(found)


def archive(path: Path, settings: Settings) -> Files:
    """A file or folder as the source that these settings would make of it, without an index."""
    shape = Shape(
        mapping=settings.mapping,
        agents=settings.agents,
        time_zone=settings.time_zone,
        date_order=settings.date_order,
    )
    spread = Spread(first_day=settings.first_day, days=settings.days)
    form, encoding = settings.source_format, settings.source_encoding
    return Files("archive", str(path), shape, form=form, encoding=encoding, spread=spread)


def surveyed(source: Files) -> Sequence[FileSurvey]:
    """Every file of a source, counted; what is wrong with one stops no other. SourceError when there are none."""
    found = []
    together = [file for file, reason in source.listing().items() if not reason and of_messages(source, file)]
    for file, reason in source.listing().items():
        name = source.label(file)
        if reason:
            found.append(FileSurvey(name, fault=reason))
            continue
        layout, columns, unread = shown_layout(source, file)
        if file in together[1:]:
            found.append(FileSurvey(name, layout, columns, unread, counted_with=source.label(together[0])))
            continue
        items = source.dated_together(together) if file in together else source.dated(file)
        found.append(survey(FileSurvey(name, layout, columns, unread), items))
    return found


def of_messages(source: Files, file: str) -> bool:
    """Whether a file's conversations may go on in others; one that is broken in its beginning or end is for itself."""
    try:
        return source.is_of_messages(file) and all(True for _ in source.records(file))
    except SourceError:
        return False


def shown_layout(source: Files, file: str) -> tuple[str, dict[str, str], list[str]]:
    """Layout, columns, and columns that are not read, of a file's first record that can be read; none where there is
    no such record."""
    try:
        for _, record in source.records(file):
            if not isinstance(record, RowFault):
                layout, columns = layout_of(record, source.shape)
                read = {*columns.values(), *filter(is_flag, record)} if layout == "rows" else set(record)
                return layout, columns, [name for name in record if name not in read]
    except (RowFault, SourceError):
        return "", {}, []  # Reading the whole file says why.
    return "", {}, []
