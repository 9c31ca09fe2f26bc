"""The redactor of an installation: its key, its use case's identifiers, and what the company itself published."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import dagster as dg

from llmops_assets.gateway.upstreams.premises import stays
from llmops_assets.lib.records import UseCase
from resources.chat_endpoint import ChatEndpoint
from resources.use_case import UseCaseFiles
from resources.workspace import ReaderEndpoint, SettingsError

if TYPE_CHECKING:
    from llmops_assets.lib.redaction import Redactor
    from llmops_assets.lib.redaction.readers import Reader


class Redactors:
    """Makes the redactor of a use case; the key behind pseudonyms is in `key_file`, or in the environment.

    `model` is the folder of an English spaCy pipeline that finds names instead of the installed one, `endpoint` that of
    a language model that looks for them too.
    """

    def __init__(
        self, key_file: Path, files: UseCaseFiles, model: Path | None = None, endpoint: ReaderEndpoint | None = None
    ) -> None:
        self._key_file = key_file
        self._files = files
        self._model = model
        self._endpoint = endpoint

    def of(self, case: UseCase) -> "Redactor":
        """The redactor with a use case's identifiers. SettingsError when the key cannot be used."""
        from llmops_assets.lib.redaction import SUBJECT_KEY_VARIABLE, Redactor, load_subject_keys

        given = dg.EnvVar(SUBJECT_KEY_VARIABLE).get_value()
        try:
            newest, *older = load_subject_keys(self._key_file, given)
        except ValueError as error:
            raise SettingsError(f"{SUBJECT_KEY_VARIABLE if given else self._key_file}: {error}") from None
        model = str(self._model) if self._model is not None else ""
        return Redactor(
            case.identifiers,
            newest,
            allow=self.public_words(case),
            old_keys=older,
            model=model,
            reader=self._reader(case),
        )

    def _reader(self, case: UseCase) -> "Reader | None":
        """The model behind the endpoint. SettingsError when texts with personal data would leave the premises."""
        if self._endpoint is None:
            return None
        from llmops_assets.lib.redaction.readers import PromptedReader

        url = self._endpoint.url
        host = urlsplit(url).hostname
        if host is None or not stays(host):
            told = f"redaction_endpoint: {url} is not on the premises, and what it reads is not redacted yet"
            if case.data_must_stay_on_premises:
                raise SettingsError(f"{told}; the use case says that data must stay (data_must_stay_on_premises)")
            if not self._endpoint.data_may_leave:
                raise SettingsError(f"{told}: say `data_may_leave: true` beside it, or name another one")
        key = dg.EnvVar(self._endpoint.key_variable).get_value("") if self._endpoint.key_variable else ""
        endpoint = ChatEndpoint(
            url, self._endpoint.model, key or "", timeout_seconds=self._endpoint.timeout_seconds, max_tokens=512
        )
        return PromptedReader(endpoint.ask, self._endpoint.model, self._endpoint.at_once)

    def public_words(self, case: UseCase) -> list[str]:
        """Names and addresses in the published answers, which redaction leaves alone."""
        from llmops_assets.lib.redaction import public_words

        articles = self._files.articles(date.max)
        texts = [text for a in articles for text in (a.title, a.answer, *a.questions)]
        return public_words([case.company.title(), case.handover, *texts])
