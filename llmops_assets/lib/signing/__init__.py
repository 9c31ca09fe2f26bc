"""Signed releases: whose keys sign, the signature over a release's files, and the order in which it is verified.

The format is that of OpenSSF Model Signing 1.0, so `model_signing verify` reads it too: docs/decisions/signing.md.
"""

from llmops_assets.lib.signing.keys import KeyFileError, SigningKey, TrustedKeys, first_key, read_trusted
from llmops_assets.lib.signing.seal import (
    APPROVAL,
    BOM,
    DECISION,
    MANIFEST,
    REFUSED,
    SEALED,
    SIGNATURE,
    WEIGHTS,
    RefusedError,
    insist_judged,
    insist_same,
    insist_sealed,
    insist_signed,
    model_files,
    refusal,
    sealed,
)
from llmops_assets.lib.signing.statement import Statement

__all__ = [
    "APPROVAL",
    "BOM",
    "DECISION",
    "MANIFEST",
    "REFUSED",
    "SEALED",
    "SIGNATURE",
    "WEIGHTS",
    "KeyFileError",
    "RefusedError",
    "SigningKey",
    "Statement",
    "TrustedKeys",
    "first_key",
    "insist_judged",
    "insist_same",
    "insist_sealed",
    "insist_signed",
    "model_files",
    "read_trusted",
    "refusal",
    "sealed",
]
