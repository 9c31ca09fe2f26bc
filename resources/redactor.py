"""The redactor of an installation: its key, its use case's identifiers, and what the company itself published."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from llmops_assets.lib.records import UseCase
from resources.use_case import UseCaseFiles
from resources.workspace import SettingsError

if TYPE_CHECKING:
    from llmops_assets.lib.redaction import Redactor


class Redactors:
    """Makes the redactor of a use case; the key behind pseudonyms is in `key_file`, or in the environment.

    `model` is the folder of an English spaCy pipeline that finds names instead of the installed one.
    """

    def __init__(self, key_file: Path, files: UseCaseFiles, model: Path | None = None) -> None:
        self._key_file = key_file
        self._files = files
        self._model = model

    def of(self, case: UseCase) -> "Redactor":
        """The redactor with a use case's identifiers. SettingsError when the key cannot be used."""
        from llmops_assets.lib.redaction import SUBJECT_KEY_VARIABLE, Redactor, load_subject_keys

        given = dg.EnvVar(SUBJECT_KEY_VARIABLE).get_value()
        try:
            newest, *older = load_subject_keys(self._key_file, given)
        except ValueError as error:
            raise SettingsError(f"{SUBJECT_KEY_VARIABLE if given else self._key_file}: {error}") from None
        model = str(self._model) if self._model is not None else ""
        return Redactor(case.identifiers, newest, allow=self.public_words(case), old_keys=older, model=model)

    def public_words(self, case: UseCase) -> list[str]:
        """Names and addresses in the published answers, which redaction leaves alone."""
        from llmops_assets.lib.redaction import public_words

        articles = self._files.articles(date.max)
        texts = [text for a in articles for text in (a.title, a.answer, *a.questions)]
        return public_words([case.company.title(), case.handover, *texts])
