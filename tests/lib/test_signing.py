"""Signatures and keys: the order of the checks, each with its own words; no byte of a bundle outside of them."""

import json
import random
import shutil
import stat
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from gateway_support import Files
from signing_support import KEY, judged, seal_of, trusted_file

from llmops_assets.gateway.bundle import Bundle, load_bundle, write_bundle
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.signing import (
    DECISION,
    SIGNATURE,
    KeyFileError,
    RefusedError,
    SigningKey,
    Statement,
    first_key,
    insist_sealed,
    read_trusted,
)
from llmops_assets.lib.signing.keys import TrustedKey, revoke, rotate, write_trusted
from llmops_assets.lib.signing.statement import encoded, read_envelope, write
from resources.signer import Signer

TODAY = date(2026, 3, 2)
TRUSTED = {KEY.id: TrustedKey(KEY.id, KEY.public)}
OTHER = SigningKey.new()


@pytest.fixture
def files(tmp_path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def bundle(files, tmp_path) -> Bundle:
    """A signed bundle of every part."""
    manifest = files.manifest(model=b"weights of the model", adapter=files.add(b"weights of the adapter"))
    return files.put(tmp_path, manifest)


def refused(folder: Path, trusted=None) -> RefusedError:
    with pytest.raises(RefusedError) as error:
        load_bundle(folder, trusted=trusted or TRUSTED)
    assert str(error.value).startswith(f"{folder.name}: ")
    return error.value


# -- a bundle ---------------------------------------------------------------------------------------------------------


def test_what_was_signed_is_loaded_and_says_by_whom(bundle):
    assert load_bundle(bundle.folder, trusted=TRUSTED).signed_by == KEY.id
    assert load_bundle(bundle.folder).signed_by == ""


@pytest.mark.slow
def test_a_thousand_single_bytes_are_changed_and_every_one_is_refused(bundle):
    """Evenly over the files, so that the small ones, where a change may be without effect, are hit everywhere."""
    chance = random.Random(1)
    paths = [path for path in sorted(bundle.folder.rglob("*")) if path.is_file()]
    assert len(paths) == 10
    through = []
    for turn in range(1000):
        path = paths[turn % len(paths)]
        data = path.read_bytes()
        at = chance.randrange(len(data))
        changed = bytes([data[at] ^ (1 << chance.randrange(8))])
        path.write_bytes(data[:at] + changed + data[at + 1 :])
        try:
            load_bundle(bundle.folder, trusted=TRUSTED)
        except RefusedError as error:
            named = error.file == path.relative_to(bundle.folder).as_posix()
            assert named or path.name == SIGNATURE
        else:
            through.append((path.name, at))
        path.write_bytes(data)
    assert through == []
    assert load_bundle(bundle.folder, trusted=TRUSTED)


def test_every_byte_of_the_signature_counts(bundle):
    """The last digits of base64, spaces and the order of fields included: one spelling is read."""
    path = bundle.folder / SIGNATURE
    data = path.read_bytes()
    sample = {*range(0, len(data), 7), *range(len(data) - 120, len(data))}
    for at in sorted(sample):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert refused(bundle.folder).file == SIGNATURE
    path.write_bytes(data + b"\n")
    assert "written in another way" in str(refused(bundle.folder))


def swap(folder: Path) -> None:
    (folder / "adapter.gguf").rename(folder / "x")
    (folder / "index.zip").rename(folder / "adapter.gguf")
    (folder / "x").rename(folder / "index.zip")


def link(folder: Path) -> None:
    shutil.move(folder / "index.zip", folder.parent / "index.zip")
    (folder / "index.zip").symlink_to(folder.parent / "index.zip")


def unknown_field(folder: Path) -> None:
    file = folder / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "trust_me": True}))


DAMAGES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no signature": (lambda f: (f / SIGNATURE).unlink(), SIGNATURE, "it is not signed: `llmops signing sign r-"),
    "an empty signature": (lambda f: (f / SIGNATURE).write_bytes(b""), SIGNATURE, "model.sig cannot be read"),
    "a file too many": (lambda f: (f / "extra.py").touch(), "extra.py", "extra.py was not signed with it"),
    "one too many below": (lambda f: (f / "evidence/x").touch(), "evidence/x", "evidence/x was not signed with it"),
    "a file too few": (lambda f: (f / "index.zip").unlink(), "index.zip", "index.zip is missing, which was signed"),
    "no evidence": (lambda f: (f / DECISION).unlink(), DECISION, "evidence/decision.json is missing, which was signed"),
    "two swapped": (swap, "adapter.gguf", "adapter.gguf is not the file that was signed"),
    "a link": (link, "index.zip", "index.zip is no plain file"),
    "cut off": (lambda f: (f / "model.gguf").write_bytes(b"wei"), "model.gguf", "model.gguf is not the file that was"),
    "a field more": (unknown_field, "manifest.json", "manifest.json is not the file that was signed"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damage_is_refused_in_its_own_words(bundle, damage):
    harm, file, told = DAMAGES[damage]
    harm(bundle.folder)
    error = refused(bundle.folder)
    assert error.file == file
    assert told in str(error)


def test_the_signature_of_another_release_is_no_signature_of_this_one(files, bundle, tmp_path):
    other = files.put(tmp_path, files.manifest("two"))
    shutil.copy(other.folder / SIGNATURE, bundle.folder)
    assert str(refused(bundle.folder)).endswith(f"model.sig is that of {other.release_id}")


def test_a_strangers_key_and_a_revoked_one_are_refused_each_by_name(bundle, tmp_path):
    stranger = read_trusted(trusted_file(tmp_path / "theirs.pem", OTHER))
    told = str(refused(bundle.folder, stranger))
    assert f"made by the key {KEY.id[:12]}, which is not among the trusted ones" in told
    revoked = read_trusted(trusted_file(tmp_path / "ours.pem", KEY, OTHER, revoked={KEY.id: "2026-03-02"}))
    assert f"{KEY.id[:12]}, which was revoked on 2026-03-02: `llmops signing sign" in str(
        refused(bundle.folder, revoked)
    )


def test_who_names_a_trusted_key_must_have_signed_with_it(bundle):
    forged = read_envelope((bundle.folder / SIGNATURE).read_bytes())
    text = write(Statement(bundle.release_id, {}), OTHER, SIGNATURE).decode().replace(OTHER.id, KEY.id)
    (bundle.folder / SIGNATURE).write_text(text)
    assert f"model.sig is no signature of the key {KEY.id[:12]}" in str(refused(bundle.folder))
    assert forged.key == KEY.id


# -- what is signed ---------------------------------------------------------------------------------------------------


def test_a_signature_is_the_same_every_time_and_over_type_and_length_too(files):
    manifest = files.manifest()
    assert seal_of(manifest) == seal_of(manifest)
    assert encoded(b"{}") == b"DSSEv1 28 application/vnd.in-toto+json 2 {}"


def said(payload: dict, **changes) -> dict:
    return {**payload, **changes}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda p: said(p, extra=1), "the statement has a field that nobody knows: extra"),
        (lambda p: said(p, predicateType="https://elsewhere"), "it is a statement of another kind"),
        (lambda p: said(p, subject=p["subject"] * 2), "it does not speak of one folder"),
        (lambda p: said(p, predicate={**p["predicate"], "more": 1}), "the predicate has a field that nobody knows"),
        (lambda p: said(p, predicate={**p["predicate"], "serialization": {"method": "shards"}}), "hashes files in"),
        (lambda p: said(p, predicate={**p["predicate"], "resources": p["predicate"]["resources"] * 2}), "named twice"),
        (lambda p: said(p, predicate={**p["predicate"], "resources": []}), "its digest is not that of its files"),
    ],
)
def test_even_who_has_the_key_cannot_say_it_in_another_way(files, change, told, monkeypatch):
    manifest = files.manifest()
    seal = seal_of(manifest)
    payload = json.loads(read_envelope(seal[SIGNATURE]).payload)
    made = json.dumps(change(payload)).encode()
    from llmops_assets.lib.signing.statement import Envelope, _text

    seal[SIGNATURE] = _text(Envelope(KEY.id, made, KEY.sign(encoded(made))))
    with pytest.raises(RefusedError, match=told):
        insist_sealed(seal, manifest, TRUSTED)


def test_signed_evidence_must_be_about_the_release_and_let_it_pass(files):
    manifest = files.manifest()
    name = manifest.release_id
    for told, evidence in (
        ("it is about r-other", judged("r-other")),
        ("the gate stopped", judged(name, passed=False, status="blocked", reasons=("worse on faq",))),
    ):
        with pytest.raises(RefusedError, match=rf"{DECISION} does not let it pass: {told}"):
            insist_sealed(seal_of(manifest, evidence=evidence), manifest, TRUSTED)


def test_a_seal_goes_with_no_other_manifest(files):
    manifest = files.manifest()
    changed = manifest.model_copy(update={"handover": "Somebody will help."})
    with pytest.raises(RefusedError, match=f"model.sig is that of {manifest.release_id}"):
        insist_sealed(seal_of(manifest), changed, TRUSTED)


def test_a_candidate_without_a_seal_gets_it_when_it_is_released(files, tmp_path):
    manifest = files.manifest()
    folder = write_bundle(tmp_path, manifest, files.fetch, files.base).folder
    assert refused(folder).file == SIGNATURE
    assert files.put(tmp_path, manifest).folder == folder
    assert load_bundle(folder, trusted=TRUSTED)
    # An earlier version's log of the engine, say: what is brought anew has nothing beside what was signed.
    (folder / "engine.log").touch()
    assert refused(folder).file == "engine.log"
    assert files.put(tmp_path, manifest).folder == folder
    assert load_bundle(folder, trusted=TRUSTED)
    newer = seal_of(manifest, OTHER)
    write_bundle(tmp_path, manifest, files.fetch, files.base, newer)
    assert load_bundle(folder, trusted={OTHER.id: TrustedKey(OTHER.id, OTHER.public)}).signed_by == OTHER.id


# -- keys -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def signer(tmp_path) -> Signer:
    return Signer(tmp_path / "keys/signing.key", tmp_path / "keys/trusted.pem")


def test_the_first_key_is_made_once_and_only_its_owner_reads_it(signer):
    key = signer.key()
    assert stat.S_IMODE(signer.private.stat().st_mode) == 0o600
    assert signer.key().id == key.id
    assert list(signer.keys()) == [key.id]
    assert sorted(p.name for p in signer.private.parent.iterdir()) == ["signing.key", "trusted.pem"]


def test_after_a_rotation_the_new_key_signs_and_the_old_one_is_trusted(signer, files):
    manifest = files.manifest()
    before = signer.key()
    old = seal_of(manifest, before)
    now = rotate(signer.private, signer.trusted, TODAY)
    assert signer.key().id == now.id != before.id
    assert stat.S_IMODE(signer.private.stat().st_mode) == 0o600
    assert insist_sealed(old, manifest, signer.keys()) == before.id
    assert insist_sealed(seal_of(manifest, now), manifest, signer.keys()) == now.id
    revoke(signer.trusted, before.id[:8], TODAY)
    with pytest.raises(RefusedError, match="revoked on 2026-03-02"):
        insist_sealed(old, manifest, signer.keys())
    assert insist_sealed(seal_of(manifest, now), manifest, signer.keys()) == now.id


def test_a_key_that_is_not_trusted_signs_nothing(signer):
    signer.key()
    revoke(signer.trusted, signer.key().id, TODAY)
    with pytest.raises(KeyFileError, match=r"was revoked by .*: what it signs would be refused"):
        signer.key()
    write_trusted(signer.trusted, TRUSTED)
    with pytest.raises(KeyFileError, match="is not trusted by"):
        signer.key()
    signer.private.unlink()
    with pytest.raises(KeyFileError, match="the signing key is gone; `llmops signing rotate`"):
        signer.key()


@pytest.mark.parametrize("name", ["", "zz"])
def test_only_one_key_of_that_name_is_revoked(signer, name):
    signer.key()
    with pytest.raises(KeyFileError, match="is no trusted key; there are"):
        revoke(signer.trusted, name, TODAY)


def block(curve: ec.EllipticCurve) -> str:
    public = ec.generate_private_key(curve).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "there are no trusted keys yet; `llmops signing sign` makes the first one"),
        ("", "holds no public key in PEM"),
        (block(ec.SECP384R1()), "another kind of key than ECDSA on the curve P-256"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "a public key that cannot be used"),
    ],
)
def test_a_file_of_keys_that_cannot_be_used_is_named(tmp_path, text, told):
    file = tmp_path / "trusted.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(KeyFileError, match=told) as error:
        read_trusted(file)
    assert str(file) in str(error.value)
    assert isinstance(error.value, LlmopsError)


def test_a_private_key_of_another_kind_is_told(tmp_path):
    (tmp_path / "key").write_text("no key")
    with pytest.raises(KeyFileError, match="holds no private key in PEM"):
        first_key(tmp_path / "key", tmp_path / "trusted.pem", TODAY)
