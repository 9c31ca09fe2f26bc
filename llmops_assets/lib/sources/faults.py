"""Why a source, a file or a row cannot be used. A fault says what is wrong, where, and what to do; never what a
customer wrote."""

from typing import Any

from llmops_assets.lib.errors import LlmopsError


class SourceError(LlmopsError, ValueError):
    """A source cannot be used; the message names file, row and column and what to do."""


class UnfinishedError(SourceError):
    """A file ends in the middle of a text: it is still being written, or was not copied whole."""


class UndecidedError(SourceError):
    """The dates of a file can have the day first or the month: somebody must say which."""


class RowFault(ValueError):
    """A row cannot be used; `at` adds to its place (a column, a character), `left_out` counts as in a row."""

    def __init__(self, reason: str, at: str = "", text: str = "", left_out: tuple[tuple[str, int], ...] = ()) -> None:
        super().__init__(reason)
        self.reason, self.at, self.text, self.left_out = reason, at, text, left_out


class Unseen(RowFault):
    """A row that was not for the customer, or of which nobody knows it: nothing of it is shown."""


def shortened(value: Any) -> str:
    """Enough of a value to find it, too little to be an address or a name."""
    text = str(value)
    return repr(text if len(text) <= 12 else f"{text[:9]}…")
