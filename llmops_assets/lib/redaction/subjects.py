"""Keyed pseudonyms of the people behind rows, and the key they come from.

A pseudonym is HMAC-SHA-256 (RFC 2104) of the person's id under a secret key: the same everywhere under one key, and
not to be guessed from a list of ids without it. Rotation: docs/decisions/redaction.md.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

KEY_BYTES = 32
SUBJECT_KEY_VARIABLE = "LLMOPS_SUBJECT_KEY"
"""The environment variable that callers take a key or a ring of keys from."""


def pseudonym(key: bytes, raw: str) -> str:
    """Pseudonym of a person's id under a key; case and surrounding space do not count."""
    if not key:
        raise ValueError("a redactor without a key makes no pseudonyms: give it one from load_subject_key()")
    digest = hmac.new(key, raw.strip().lower().encode(), hashlib.sha256).hexdigest()
    return f"s-{digest[:16]}"


def load_subject_keys(path: Path, given: str | None = None) -> tuple[bytes, ...]:
    """The key ring, newest first: `given` may name older keys behind the newest, separated by commas."""
    if given and "," in given:
        return tuple(parse_key(part) for part in given.split(",") if part.strip())
    return (load_subject_key(path, given),)


def load_subject_key(path: Path, given: str | None = None) -> bytes:
    """The 32-byte secret behind subjects' pseudonyms.

    `given` is a key its owner keeps elsewhere, as 64 hexadecimal digits or base64; it is used as it is and not
    written (of a ring, the first). Without it the key lies in the file `path`, made on first use and readable by its
    owner only. ValueError when either is no 32-byte key; the message shows nothing of it.
    """
    if given:
        return parse_key(given.split(",")[0])
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        try:
            # Linking fails when another process was first, whose key must then be used.
            os.link(unfinished, path)
        except FileExistsError:
            pass
        finally:
            unfinished.unlink()
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} is not a 32-byte key: restore it from a backup (a new one breaks all pseudonyms)")
    return key


def parse_key(text: str) -> bytes:
    """A key written as 64 hexadecimal digits or as base64 (standard or URL-safe) of 32 bytes."""
    written = text.strip()
    if re.fullmatch(r"[0-9a-fA-F]{64}", written):
        return bytes.fromhex(written)
    try:
        padded = written.rstrip("=") + "=" * (-len(written.rstrip("=")) % 4)
        key = base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(
            f"the subject key given has {len(written)} characters and is neither 64 hexadecimal digits nor base64 of "
            "32 bytes: make one with `openssl rand -hex 32`"
        )
    return key
