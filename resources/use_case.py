"""What the company wrote: its use case and its trusted articles, or the sample's."""

from datetime import date
from typing import TYPE_CHECKING

import yaml

from llmops_assets.lib.records import Article, Dialogue, UseCase
from resources.workspace import Settings, SettingsError, what_is_wrong

if TYPE_CHECKING:
    from llmops_assets.lib.slices import Slice


class UseCaseFiles:
    """The files that settings.yaml names as `use_case`, `knowledge`, `dialogues` and `slices`.

    Only the asset `use_case` reads the first.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def read(self) -> UseCase:
        """The use case. SettingsError when the file does not fit."""
        from llmops_assets.samples import generator

        file = self._settings.use_case
        if file is None:
            return generator.load_use_case("own_data" if self._settings.knowledge_from_conversations else "use_case")
        try:
            return UseCase.model_validate(yaml.safe_load(file.read_text()))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise SettingsError(f"use_case: {file}: {what_is_wrong(error)}") from error

    def dialogues(self) -> tuple[Dialogue, ...]:
        """The conversations that the eval suite asks; the sample's where its articles are served, else those named."""
        from llmops_assets.samples import generator

        file = self._settings.dialogues
        if file is None:
            own = self._settings.knowledge_from_conversations or self._settings.knowledge is not None
            return () if own else generator.load_dialogues()
        try:
            return tuple(Dialogue.model_validate(row) for row in yaml.safe_load(file.read_text()) or ())
        except (OSError, ValueError, yaml.YAMLError, TypeError) as error:
            raise SettingsError(f"dialogues: {file}: {what_is_wrong(error)}") from error

    def slices(self) -> "tuple[Slice, ...]":
        """The slices of the eval suite that somebody wrote down; the sample's where its articles are served, else those
        of the folder that is named. SliceError tells what is wrong with which line."""
        from llmops_assets.lib.slices import read_folder
        from llmops_assets.samples import generator

        folder, scorers = self._settings.slices, self._settings.scorers
        if folder is not None:
            return read_folder(folder, scorers)
        if scorers:
            raise SettingsError(f"scorers: {min(scorers)}: there are no slices: name their folder as `slices`")
        own = self._settings.knowledge_from_conversations or self._settings.knowledge is not None
        return () if own else read_folder(generator.SLICES, generator.SCORERS)

    def articles(self, day: date) -> tuple[Article, ...]:
        """The trusted articles available on a day; none where they are made out of conversations."""
        from llmops_assets.lib.sources import articles_of
        from llmops_assets.samples import generator

        file = self._settings.knowledge
        if self._settings.knowledge_from_conversations:
            return ()
        if file is None:
            return generator.articles_on(day)
        if file.suffix not in (".yaml", ".yml"):
            return articles_of(file)
        try:
            articles = [Article.model_validate(row) for row in yaml.safe_load(file.read_text())]
        except (OSError, ValueError, yaml.YAMLError, TypeError) as error:
            raise SettingsError(f"knowledge: {file}: {what_is_wrong(error)}") from error
        return tuple(a for a in articles if a.available_from is None or a.available_from <= day)
