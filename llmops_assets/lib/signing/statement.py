"""The signature over a folder of files: an in-toto statement in a DSSE envelope in a Sigstore bundle, as text.

It is what `model_signing sign key` writes, and `model_signing verify key` reads
(https://github.com/sigstore/model-transparency; DSSE: https://github.com/secure-systems-lab/dsse). Only the one
spelling of a bundle is read: base64 and JSON say the same thing in many ways, and a changed byte shall be seen.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops_assets.lib.signing.keys import SigningKey

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://model_signing/signature/v1.0"
SERIALIZATION = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}
SHA256 = re.compile(r"[0-9a-f]{64}")


class StatementError(ValueError):
    """A signature is not of the form that is read; the message says where."""


@dataclass(frozen=True)
class Statement:
    """Of which folder a signature speaks, and what each of its files hashes to."""

    subject: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class Envelope:
    """A signature as it lies in its file: who is said to have signed, what, and the signature itself."""

    key: str
    payload: bytes
    signature: bytes


def write(statement: Statement, key: SigningKey, ignored: str) -> bytes:
    """The signature's file; `ignored` is its own name in the folder, which it cannot hash."""
    resources = [
        {"name": name, "algorithm": "sha256", "digest": digest} for name, digest in sorted(statement.files.items())
    ]
    said = {
        "_type": STATEMENT,
        "subject": [{"name": statement.subject, "digest": {"sha256": _root(resources)}}],
        "predicateType": PREDICATE,
        "predicate": {"serialization": {**SERIALIZATION, "ignore_paths": [ignored]}, "resources": resources},
    }
    payload = json.dumps(said, separators=(",", ":")).encode()
    return _text(Envelope(key.id, payload, key.sign(encoded(payload))))


def encoded(payload: bytes) -> bytes:
    """What is signed: the payload with its type and length before it (DSSE's pre-authentication encoding)."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def read_envelope(data: bytes) -> Envelope:
    """What lies in a signature's file. StatementError unless it is written in the one spelling."""
    try:
        bundle = json.loads(data)
        wrapped = bundle["dsseEnvelope"]
        found = Envelope(
            bundle["verificationMaterial"]["publicKey"]["hint"],
            base64.b64decode(wrapped["payload"], validate=True),
            base64.b64decode(wrapped["signatures"][0]["sig"], validate=True),
        )
    except (ValueError, LookupError, TypeError, binascii.Error, RecursionError) as error:
        raise StatementError(f"it is no signature of Model Signing 1.0 ({type(error).__name__})") from error
    if not isinstance(found.key, str) or _text(found) != data:
        raise StatementError("it is written in another way than Model Signing 1.0 does")
    return found


def read_payload(payload: bytes) -> Statement:
    """What a verified payload says. StatementError where it says it in another way, or says more."""
    said = _mapping(json.loads(payload), "the statement", ("_type", "subject", "predicateType", "predicate"))
    if (said["_type"], said["predicateType"]) != (STATEMENT, PREDICATE):
        raise StatementError(f"it is a statement of another kind: {said['predicateType']}")
    if not isinstance(said["subject"], list) or len(said["subject"]) != 1:
        raise StatementError("it does not speak of one folder")
    subject = _mapping(said["subject"][0], "the subject", ("name", "digest"))
    predicate = _mapping(said["predicate"], "the predicate", ("serialization", "resources"))
    serialization = dict(_mapping(predicate["serialization"], "the serialization", None))
    # Which files are left out is not the signature's to say: every one in the folder must be named.
    serialization.pop("ignore_paths", None)
    if serialization != SERIALIZATION:
        raise StatementError("it hashes files in another way than one by one with sha256")
    files: dict[str, str] = {}
    for entry in predicate["resources"]:
        resource = _mapping(entry, "a file", ("name", "algorithm", "digest"))
        if resource["algorithm"] != "sha256" or not SHA256.fullmatch(resource["digest"]):
            raise StatementError(f"{resource['name']} has no sha256")
        if resource["name"] in files:
            raise StatementError(f"{resource['name']} is named twice")
        files[resource["name"]] = resource["digest"]
    if subject["digest"] != {"sha256": _root(predicate["resources"])}:
        raise StatementError("its digest is not that of its files")
    return Statement(subject["name"], files)


def _text(envelope: Envelope) -> bytes:
    signature = {"sig": base64.b64encode(envelope.signature).decode(), "keyid": ""}
    bundle = {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": envelope.key}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(envelope.payload).decode(),
            "payloadType": PAYLOAD,
            "signatures": [signature],
        },
    }
    return json.dumps(bundle, separators=(",", ":")).encode()


def _root(resources: list[Any]) -> str:
    """sha256 over the files' digests in their order, by which Model Signing names the whole."""
    return hashlib.sha256(b"".join(bytes.fromhex(entry["digest"]) for entry in resources)).hexdigest()


def _mapping(value: Any, name: str, fields: tuple[str, ...] | None) -> Mapping[str, Any]:
    """A JSON object with exactly these fields (None: any). StatementError."""
    if not isinstance(value, dict):
        raise StatementError(f"{name} is no JSON object")
    if fields is not None and (unknown := sorted(value.keys() - set(fields))):
        raise StatementError(f"{name} has a field that nobody knows: {', '.join(unknown)}")
    if fields is not None and (missing := [field for field in fields if field not in value]):
        raise StatementError(f"{name} lacks {', '.join(missing)}")
    return value
