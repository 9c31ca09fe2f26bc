"""The key that signs releases, and the public keys that are trusted: PEM files, made, followed and revoked here.

A file of trusted keys holds one PEM block after the other, as a bundle of certificates does. The lines before a block
say of which day the key is, and whether it was revoked; a revoked key stays in the file, so that what it signed is
refused by name and not as a stranger's.
"""

import contextlib
import functools
import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from llmops_assets.lib.errors import LlmopsError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

BLOCK = re.compile(r"-----BEGIN PUBLIC KEY-----\n.+?-----END PUBLIC KEY-----\n?", re.DOTALL)
SHOWN = 12
"""Hexadecimal digits of a key's id that people see."""


class KeyFileError(LlmopsError):
    """A file of keys is missing or holds something else; the message says which and what to do."""


@dataclass(frozen=True)
class SigningKey:
    """A private key on the curve P-256."""

    private: "EllipticCurvePrivateKey"

    @functools.cached_property
    def public(self) -> str:
        """The public half as PEM."""
        from cryptography.hazmat.primitives import serialization as s

        public = self.private.public_key()
        return public.public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def id(self) -> str:
        """sha256 of the public half's PEM, as Model Signing names a key."""
        return key_id(self.public)

    def sign(self, data: bytes) -> bytes:
        """The ECDSA signature (DER, SHA-256); equal data have equal signatures (RFC 6979)."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        return self.private.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    @classmethod
    def new(cls) -> "SigningKey":
        """A new key."""
        from cryptography.hazmat.primitives.asymmetric import ec

        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def read(cls, file: Path) -> "SigningKey":
        """The key in a PEM file. KeyFileError."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        try:
            private = serialization.load_pem_private_key(file.read_bytes(), None)
        except FileNotFoundError:
            raise KeyFileError(f"{file}: there is no signing key; `llmops signing show` makes one") from None
        except (OSError, ValueError, TypeError) as error:
            raise KeyFileError(f"{file} holds no private key in PEM without a password ({error})") from error
        if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
            raise KeyFileError(f"{file} holds a key of another kind than ECDSA on the curve P-256 (prime256v1)")
        return cls(private)

    def write(self, file: Path, *, new: bool) -> None:
        """Put it into a file that only its owner reads; `new` refuses (FileExistsError) to replace one."""
        from cryptography.hazmat.primitives import serialization as s

        pem = self.private.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
        _put(file, pem, 0o600, new=new)


@dataclass(frozen=True)
class TrustedKey:
    """A public key whose signatures count, or counted."""

    id: str
    pem: str
    since: str = ""
    """Day it came; empty where the file does not say."""
    revoked: str = ""
    """Day from which it counts no more; empty: it counts."""

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether the key signed the data."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        try:
            _public(self.pem).verify(signature, data, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


TrustedKeys = Mapping[str, TrustedKey]
"""Id to key, in the order of the file."""


def key_id(pem: str) -> str:
    """sha256 (64 hexadecimal digits) of a public key's PEM."""
    return hashlib.sha256(pem.encode()).hexdigest()


def read_trusted(file: Path) -> TrustedKeys:
    """The keys in a file of trusted ones. KeyFileError when it is missing, empty, or holds something else."""
    try:
        text = file.read_text()
    except FileNotFoundError:
        raise KeyFileError(
            f"{file}: there are no trusted keys yet; `llmops signing sign` makes the first one and signs what serves"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{file}: the trusted keys cannot be read ({error})") from error
    found: dict[str, TrustedKey] = {}
    end = 0
    for block in BLOCK.finditer(text):
        said = dict(re.findall(r"^# (since|revoked) (\S+)$", text[end : block.start()], re.MULTILINE))
        end = block.end()
        pem = _normal(block.group(), file)
        found[key_id(pem)] = TrustedKey(key_id(pem), pem, said.get("since", ""), said.get("revoked", ""))
    if not found:
        raise KeyFileError(f"{file} holds no public key in PEM")
    return found


def write_trusted(file: Path, keys: TrustedKeys) -> None:
    """Replace a file of trusted keys; a reader sees the old one or the new one."""
    blocks = []
    for key in keys.values():
        said = [f"# {word} {day}\n" for word, day in (("since", key.since), ("revoked", key.revoked)) if day]
        blocks.append("".join((f"# key {key.id[:SHOWN]}\n", *said, key.pem)))
    _put(file, "".join(blocks).encode(), 0o644, new=False)


def first_key(private: Path, trusted: Path, today: date) -> SigningKey:
    """The key in `private`, made where there is none yet; `trusted` is begun with it where that file is missing.

    KeyFileError where keys are trusted already and the private key is gone: a new one is the act of a person.
    """
    if not private.exists():
        if trusted.exists():
            raise KeyFileError(f"{private}: the signing key is gone; `llmops signing rotate` makes the next one")
        # Of two processes that make one, the first wins.
        with contextlib.suppress(FileExistsError):
            SigningKey.new().write(private, new=True)
    key = SigningKey.read(private)
    if not trusted.exists():
        write_trusted(trusted, {key.id: TrustedKey(key.id, key.public, since=str(today))})
    return key


def rotate(private: Path, trusted: Path, today: date) -> SigningKey:
    """A new key in place of the one that signed; what the old one signed stays trusted."""
    key = SigningKey.new()
    before = read_trusted(trusted) if trusted.exists() else {}
    # Trusted first: interrupted between the two, the old key goes on signing.
    write_trusted(trusted, {**before, key.id: TrustedKey(key.id, key.public, since=str(today))})
    key.write(private, new=False)
    return key


def revoke(trusted: Path, name: str, today: date) -> TrustedKey:
    """End a trusted key, by its id or the beginning of it: what it signed is refused from now on. KeyFileError."""
    keys = read_trusted(trusted)
    found = [key for key in keys.values() if name and key.id.startswith(name)]
    if len(found) != 1:
        known = ", ".join(key.id[:SHOWN] for key in keys.values())
        raise KeyFileError(f"{name!r} is {'no' if not found else 'more than one'} trusted key; there are {known}")
    ended = TrustedKey(found[0].id, found[0].pem, found[0].since, found[0].revoked or str(today))
    write_trusted(trusted, {**keys, ended.id: ended})
    return ended


@functools.lru_cache(maxsize=32)
def _public(pem: str) -> "EllipticCurvePublicKey":
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    public = serialization.load_pem_public_key(pem.encode())
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise ValueError("another kind of key than ECDSA on the curve P-256 (prime256v1)")
    return public


def _normal(pem: str, file: Path) -> str:
    """The one PEM text of a public key, from which its id is made."""
    from cryptography.hazmat.primitives import serialization as s

    try:
        return _public(pem).public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo).decode()
    except ValueError as error:
        raise KeyFileError(f"{file} holds a public key that cannot be used ({error})") from error


def _put(file: Path, data: bytes, mode: int, *, new: bool) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
        if new:
            os.link(unfinished, file)
        else:
            os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)
