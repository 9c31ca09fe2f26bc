"""The seal of a release: the small files that are signed with it, its signature, and the order of the checks.

Sealed are `manifest.json` (prompt, thresholds, guard policy and the hashes of the rest), `bom.json`, the gate's
evidence, and a person's word where one let it pass; signed with them are the files of the model and the index.
"""

import json
from collections.abc import Callable, Collection, Mapping

from llmops_assets.lib.gate import GateError
from llmops_assets.lib.hashing import canonical_json, hash_bytes
from llmops_assets.lib.judging import approvals
from llmops_assets.lib.records import Approval, GateDecision, ReleaseManifest
from llmops_assets.lib.signing.keys import SHOWN, TrustedKeys
from llmops_assets.lib.signing.statement import Statement, StatementError, encoded, read_envelope, read_payload

SIGNATURE = "model.sig"
MANIFEST, BOM = "manifest.json", "bom.json"
DECISION, APPROVAL = "evidence/decision.json", "evidence/approval.json"
SEALED = (MANIFEST, BOM, DECISION, "evidence/report.json", "evidence/safety.json", APPROVAL)
"""Small files of every release. The approval of one that the gate let pass by itself is the JSON value null."""
WEIGHTS = frozenset(("model.gguf", "adapter.gguf"))
"""What a gateway does not need whose upstreams answer."""
REFUSED = "release refused"
"""The action's name in the audit log."""


class RefusedError(Exception):
    """A release is not served, because of one of its files; `release` and `file` name it."""

    def __init__(self, release: str, file: str, told: str) -> None:
        super().__init__(f"{release}: {told}")
        self.release, self.file = release, file


def refusal(error: RefusedError) -> str:
    """What the audit log keeps of a refusal."""
    return canonical_json({"release": error.release, "file": error.file, "reason": str(error)})


def model_files(manifest: ReleaseManifest) -> dict[str, str]:
    """Names of the large files in a release's folder, each with the sha256 that its manifest names."""
    files = {"model.gguf": manifest.engine_model.sha256 if manifest.engine_model else manifest.base.digest}
    if manifest.adapter is not None:
        files["adapter.gguf"] = manifest.adapter.sha256
    if manifest.knowledge_index is not None:
        files["index.zip"] = manifest.knowledge_index.sha256
    return files


def sealed(
    manifest: ReleaseManifest,
    bom: bytes,
    evidence: Mapping[str, bytes],
    word: Approval | None,
    sign: Callable[[str, Mapping[str, str]], bytes],
) -> dict[str, bytes]:
    """The small files of a release, with its signature; `evidence` is the gate's, by its names in the lake."""
    small = {
        MANIFEST: manifest.text().encode(),
        BOM: bom,
        **{f"evidence/{name}": data for name, data in evidence.items()},
        APPROVAL: word.model_dump_json().encode() if word else b"null",
    }
    hashes = {file: hash_bytes(data) for file, data in small.items()}
    return {**small, SIGNATURE: sign(manifest.release_id, {**hashes, **model_files(manifest)})}


def insist_sealed(found: Mapping[str, bytes], manifest: ReleaseManifest, trusted: TrustedKeys) -> str:
    """Id of the key that signed a release whose large files have the hashes of its manifest. RefusedError.

    In this order: the signature (`insist_signed`); every file that it names is one of the release's, and the other way
    round, with the same hash (`insist_same`); the manifest is this one; the gate's evidence is about this release
    (`insist_judged`).
    """
    name = manifest.release_id
    key, statement = insist_signed(found.get(SIGNATURE), name, trusted)
    small = {file: hash_bytes(data) for file, data in found.items() if file != SIGNATURE}
    insist_same(statement, {**small, **model_files(manifest)})
    if found.get(MANIFEST) != manifest.text().encode():
        raise RefusedError(name, MANIFEST, f"{MANIFEST} is not the manifest of this release")
    insist_judged(found, name)
    return key


def insist_signed(data: bytes | None, name: str, trusted: TrustedKeys) -> tuple[str, Statement]:
    """Id of the key that signed a release, and what it signed. RefusedError, in this order of checks:

    there is a signature; it is of the known form, byte for byte; a key made it that is trusted and was not revoked; it
    is that key's over this payload; the payload is a statement of the known form; it speaks of this release.
    """
    if data is None:
        raise RefusedError(name, SIGNATURE, f"it is not signed: `llmops signing sign {name}` verifies and signs it")
    try:
        envelope = read_envelope(data)
    except StatementError as error:
        raise RefusedError(name, SIGNATURE, f"{SIGNATURE} cannot be read: {error}") from error
    shown, key = envelope.key[:SHOWN], trusted.get(envelope.key)
    if key is None:
        raise RefusedError(
            name, SIGNATURE, f"{SIGNATURE} was made by the key {shown}, which is not among the trusted ones"
        )
    if key.revoked:
        raise RefusedError(
            name,
            SIGNATURE,
            f"{SIGNATURE} was made by the key {shown}, which was revoked on {key.revoked}: `llmops signing sign "
            f"{name}` verifies it again and signs it anew",
        )
    if not key.verifies(envelope.signature, encoded(envelope.payload)):
        raise RefusedError(name, SIGNATURE, f"{SIGNATURE} is no signature of the key {shown} over what it says")
    try:
        statement = read_payload(envelope.payload)
    except (StatementError, ValueError, TypeError, LookupError) as error:
        raise RefusedError(name, SIGNATURE, f"{SIGNATURE} cannot be read: {error}") from error
    if statement.subject != name:
        raise RefusedError(name, SIGNATURE, f"{SIGNATURE} is that of {statement.subject}")
    return envelope.key, statement


def insist_same(statement: Statement, found: Mapping[str, str], absent: Collection[str] = ()) -> None:
    """RefusedError unless the files that are there (name to sha256) are those that were signed, no more and no less.

    Those of `absent` may be missing.
    """
    name = statement.subject
    for file in sorted(statement.files.keys() - found.keys() - set(absent)):
        raise RefusedError(name, file, f"{file} is missing, which was signed with it")
    for file in sorted(found.keys() - statement.files.keys()):
        raise RefusedError(name, file, f"{file} was not signed with it")
    for file, digest in sorted(found.items()):
        if statement.files[file] != digest:
            raise RefusedError(name, file, f"{file} is not the file that was signed")


def insist_judged(files: Mapping[str, bytes], name: str) -> None:
    """RefusedError unless the signed evidence is about this release, and the gate or a person let it pass."""
    for file in SEALED:
        if file not in files:
            raise RefusedError(name, file, f"{file} is missing, with which a release is signed")
    try:
        decision = GateDecision.model_validate_json(files[DECISION])
        said = json.loads(files[APPROVAL])
        word = None if said is None else Approval.model_validate(said)
        if decision.candidate != name:
            raise GateError(f"it is about {decision.candidate}")
        approvals.insist(decision, word, None)
    except (ValueError, GateError) as error:
        told = " ".join(str(error).split())
        raise RefusedError(name, DECISION, f"{DECISION} does not let it pass: {told}") from error
