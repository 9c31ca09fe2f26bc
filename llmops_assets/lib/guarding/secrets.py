"""Keys and passwords in what the assistant says: an answer never needs one.

The recognisers are those of redaction (lib/redaction/credentials.py), which masks secrets that a customer tells before
anything reads them. An answer is stopped instead, because a key in it came from nowhere good.
"""

from llmops_assets.lib.redaction.credentials import RECOGNISERS
from llmops_assets.lib.redaction.spans import fold, resolve


def found(text: str) -> list[tuple[int, int]]:
    """Where secrets stand in a text: characters [start, end), in order, not overlapping."""
    read = fold(text)
    spans = (read.original(span) for recogniser in RECOGNISERS for span in recogniser.find(read))
    return [(span.start, span.end) for span in resolve(spans, text)]


def masked(text: str) -> str:
    """A text with dots in place of its secrets."""
    for start, end in reversed(found(text)):
        text = f"{text[:start]}•••{text[end:]}"
    return text
