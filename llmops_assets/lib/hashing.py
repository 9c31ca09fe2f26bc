"""Content hashes of bytes, files and JSON values. One spelling each, so that equal content has equal names."""

import hashlib
import json
from pathlib import Path
from typing import IO, Any


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, UTF-8 kept, NaN refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def hash_json(value: Any) -> str:
    """sha256 (64 hex digits) of a value's canonical JSON."""
    return hash_bytes(canonical_json(value).encode())


def hash_bytes(data: bytes) -> str:
    """sha256 (64 hex digits) of bytes."""
    return hashlib.sha256(data).hexdigest()


def hash_stream(source: IO[bytes]) -> str:
    """sha256 (64 hex digits) of what a binary file still holds, read in pieces."""
    digest = hashlib.sha256()
    while piece := source.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def hash_file(path: Path) -> str:
    """sha256 (64 hex digits) of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
