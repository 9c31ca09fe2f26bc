"""In which script and language conversations are written, and who here reads them: what redaction can be trusted with.

A name in a language that nothing here reads is passed over in silence by any redaction, so what is written in one is
counted, and kept aside by the policy `UNREAD`.
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from llmops_assets.lib.labelling import languages
from llmops_assets.lib.redaction import models, scripts

Reader = Literal["model", "rules", "cues", "nothing"]
"""A language model of its own; word lists and cues of ours; cues of introductions only; nothing."""
READ: tuple[Reader, ...] = ("model", "rules")
FEWEST_WORDS = 8
"""Words below which a text in the Latin alphabet is not said to be of a language without rules: it may be names."""


class Written(NamedTuple):
    """Script and two-letter language of a conversation ("" and "" without letters), and who reads it."""

    script: str
    language: str
    reader: Reader

    @property
    def read(self) -> bool:
        """Whether names in it are found as in English."""
        return self.reader in READ

    @property
    def name(self) -> str:
        """As it is counted: `Greek, el, read by cues`."""
        return f"{self.script}, {self.language}, read by {self.reader}" if self.script else "no letters"


def written(texts: Sequence[str]) -> Written:
    """How a conversation is written: by the text that is hardest to read."""
    found = [_written(text) for text in texts if text]
    hardest = ("nothing", "cues", "rules", "model")
    together = " ".join(texts)
    if not found or all(one.read for one in found):
        return _written(together)
    return min(found, key=lambda one: hardest.index(one.reader))


def _written(text: str) -> Written:
    read = models.installed_languages()
    script = scripts.script_of(text)
    if script == "":
        return Written("", "", "rules")
    if script != "Latin":
        language = scripts.LANGUAGES.get(script, "?")
        reader: Reader = "model" if language in read else "cues" if scripts.has_cues(script) else "nothing"
        return Written(script, language, reader)
    language = models.marked_language(text)
    if not language and len(re.findall(r"[^\W\d_]{2,}", text)) >= FEWEST_WORDS:
        language = languages.language(text)
        if language not in models.LANGUAGES and language not in read:
            return Written(script, language, "nothing")
    language = language or "en"
    return Written(script, language, "model" if language in read else "rules")
