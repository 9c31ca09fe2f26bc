"""The key that signs this installation's releases, and the keys whose signatures it trusts; made on first use."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from llmops_assets.lib.signing import SIGNATURE, SigningKey, Statement, TrustedKeys, first_key, read_trusted
from llmops_assets.lib.signing.keys import KeyFileError
from llmops_assets.lib.signing.statement import write


class Signer:
    """A file with the private key, and one with the public keys that are trusted."""

    def __init__(self, private: Path, trusted: Path) -> None:
        self.private, self.trusted = private, trusted

    def key(self) -> SigningKey:
        """The key that signs. KeyFileError when it cannot be used, or is not among the trusted ones."""
        key = first_key(self.private, self.trusted, datetime.now(UTC).date())
        found = self.keys().get(key.id)
        if found is None or found.revoked:
            what = "was revoked" if found else "is not trusted"
            raise KeyFileError(
                f"the key in {self.private} {what} by {self.trusted}: what it signs would be refused; "
                "`llmops signing rotate` makes the next one"
            )
        return key

    def keys(self) -> TrustedKeys:
        """The keys that are trusted, the revoked ones too."""
        return read_trusted(self.trusted)

    def sign(self, release_id: str, files: Mapping[str, str]) -> bytes:
        """The signature of a release over its files (name to sha256), as it lies beside them."""
        return write(Statement(release_id, files), self.key(), SIGNATURE)
