"""Texts without personal data, or none at all: what the gateway asks of a redactor and how it fails closed."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from llmops_assets.gateway.errors import RedactionError


class Redacts(Protocol):
    """What the gateway needs of a redactor (llmops_assets.lib.redaction.Redactor)."""

    def redact(self, texts: Sequence[str]) -> list[str]:
        """Texts of one conversation without personal data."""
        ...

    def leaks(self, text: str) -> list[str]:
        """Entities that are certainly personal data and still stand in a text."""
        ...

    def subject(self, raw: str) -> str:
        """Pseudonym of a person."""
        ...


async def clear(redactor: Redacts, texts: Sequence[str]) -> list[str]:
    """Texts of one conversation, redacted and looked through again.

    RedactionError when the redactor fails, whatever the reason, or when a redacted text still shows personal data.
    """
    return await asyncio.to_thread(cleared, redactor, texts)


def cleared(redactor: Redacts, texts: Sequence[str]) -> list[str]:
    """The same, for a thread of one's own."""
    try:
        redacted = redactor.redact(texts)
        clean = len(redacted) == len(texts) and not any(redactor.leaks(text) for text in redacted)
    except Exception:
        raise RedactionError from None
    if not clean:
        raise RedactionError
    return redacted
