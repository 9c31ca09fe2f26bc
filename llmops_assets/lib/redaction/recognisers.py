"""All recognisers that are a pattern with a condition, in the order in which they are tried."""

from llmops_assets.lib.redaction import credentials, identifiers, mailboxes
from llmops_assets.lib.redaction.spans import Recogniser

RECOGNISERS: tuple[Recogniser, ...] = (
    *credentials.RECOGNISERS,
    *mailboxes.RECOGNISERS,
    *identifiers.RECOGNISERS,
)
"""Where one more kind of personal data is to be found, its module's table is added here."""
