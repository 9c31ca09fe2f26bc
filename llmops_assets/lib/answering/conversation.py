"""A conversation as it is read: who said what."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Said:
    """One turn of a conversation that holds text."""

    speaker: Literal["user", "assistant"]
    text: str
