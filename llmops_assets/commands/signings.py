"""The keys that sign releases: shown, followed, revoked; releases signed again. Every act stands in the audit log."""

import contextlib
import json
from collections.abc import Generator, Sequence
from datetime import UTC, datetime

import dagster as dg
from rich.console import Console
from rich.table import Table

from llmops_assets.evaluation import evidence
from llmops_assets.handover import serving
from llmops_assets.lib import bom, signing
from llmops_assets.lib.errors import LlmopsError
from llmops_assets.lib.gate import GateError
from llmops_assets.lib.hashing import canonical_json, hash_stream
from llmops_assets.lib.judging import approvals
from llmops_assets.lib.records import GateDecision, Release
from llmops_assets.lib.records.evaluation import RULES_VERSION
from llmops_assets.lib.signing import keys
from resources import home_folder, open_lake, open_target
from resources.deployment_target.base import read_seal
from resources.interaction_log import InstalledLog
from resources.lake.base import Lake, NotFoundError
from resources.signer import Signer
from resources.use_case import UseCaseFiles
from resources.wiring import open_signer
from resources.workspace import Workspace

SIGNED, ROTATED, REVOKED = "release signed", "signing key rotated", "signing key revoked"
"""Actions' names in the audit log."""


def show(console: Console) -> None:
    """The key that signs and the keys that are trusted; the first one is made where there is none."""
    _, signer = _keys()
    own = signer.key()
    console.print(f"releases are signed by {signer.private}, trusted are the keys in {signer.trusted}", highlight=False)
    table = Table("key", "since", "state")
    for key in signer.keys().values():
        state = f"revoked on {key.revoked}" if key.revoked else "signs" if key.id == own.id else "trusted"
        table.add_row(key.id[: keys.SHOWN], key.since, state)
    console.print(table)


def rotate(console: Console) -> None:
    """Make the next key; what the one before signed stays good."""
    workspace, signer = _keys()
    key = keys.rotate(signer.private, signer.trusted, datetime.now(UTC).date())
    with _log(workspace) as log:
        log.audit(ROTATED, canonical_json({"key": key.id}))
    console.print(f"{key.id[: keys.SHOWN]} signs from now on; older keys are trusted until `llmops signing revoke`")


def revoke(name: str, console: Console) -> None:
    """End a key: what it signed is not loaded any more; what serves already serves on."""
    workspace, signer = _keys()
    key = keys.revoke(signer.trusted, name, datetime.now(UTC).date())
    with _log(workspace) as log:
        log.audit(REVOKED, canonical_json({"key": key.id}))
    console.print(f"{key.id[: keys.SHOWN]} is revoked, what it signed is refused: `llmops signing sign` signs it anew")


def sign(names: Sequence[str], reason: str, console: Console) -> None:
    """Verify releases again (none: the one that serves and the one before) and sign them; the target is told."""
    workspace, signer = _keys()
    lake = open_lake(workspace)
    wanted = list(names) or serving_and_before(lake)
    target = open_target(workspace, lake=lake)
    with _log(workspace) as log:
        for name in wanted:
            key = sign_again(lake, signer, log, name, workspace, reason)
            console.print(f"{name} is verified, and signed by {key[: keys.SHOWN]}", highlight=False)
    if target.is_running() and target.status().live in (None, *wanted):
        console.print(f"{target.renew().live} serves", highlight=False)


def serving_and_before(lake: Lake) -> list[str]:
    """The release that serves by the graph's record, and the one before it. LlmopsError when nothing was deployed."""
    with dg.DagsterInstance.get() as instance:
        live = serving.recorded(instance, lake)
    if live is None:
        raise LlmopsError("nothing was deployed yet: there is no release to sign")
    return [name for name in (live.release.release_id, live.deployment.previous) if name]


def sign_again(lake: Lake, signer: Signer, log: InstalledLog, name: str, workspace: Workspace, reason: str) -> str:
    """Verify a release from what is stored of it and sign it. The key's id. LlmopsError, with nothing signed.

    In this order: it was released; its files in the lake have the hashes of its manifest; the gate's decision is about
    it, and lets it pass or a person's word in the audit log does; the decision follows once more from the stored
    answers, by the policy that it names. What earlier rules decided cannot be computed again: that takes a reason.
    """
    try:
        release = serving.published(lake, name)
    except NotFoundError:
        raise LlmopsError(f"{name} was never released: `llmops releases list` shows those that were") from None
    manifest = release.manifest
    for file in (manifest.engine_model, manifest.adapter, manifest.knowledge_index):
        if file is not None:
            with lake.open(file.ref.commit, file.ref.path) as source:
                if hash_stream(source) != file.sha256:
                    raise LlmopsError(f"{name} is not signed: {file.ref} is not the file that its manifest names")
    told = evidence.files(lake, release.gate)
    decision = GateDecision.model_validate_json(told[evidence.DECISION])

    def allowed(found: GateDecision) -> None:
        approvals.insist(found, release.approval, None)
        if release.approval is not None:
            entry = log.audit_entry(release.approval.entry)
            approvals.insist_recorded(release.approval, entry, log.broken_audit_entry())

    if decision.candidate != name:
        raise GateError(f"{name} is not signed: the gate decided about {decision.candidate}")
    if decision.rules == RULES_VERSION:
        case = UseCaseFiles(workspace.settings).read().model_copy(update={"gate": decision.policy})
        evidence.verified(lake, release, case, decision.incumbent, allowed)
    else:
        allowed(decision)
        if not reason:
            raise GateError(
                f"{name} was judged by version {decision.rules} of the gate's rules, these are version "
                f"{RULES_VERSION}: it cannot be judged again. Build anew, or sign it on your word with --reason"
            )
    bill = _bill(lake, release)
    sealed = signing.sealed(manifest, bill, told, release.approval, signer.sign)
    with lake.transaction(f"Sign {name}", {"release": name}, name="signing") as transaction:
        for file, data in sealed.items():
            transaction.put(f"{serving.folder_of(name)}/{file}", data)
    key = signing.insist_sealed(read_seal(lake, name), manifest, signer.keys())
    again = decision.rules == RULES_VERSION
    log.audit(SIGNED, canonical_json({"release": name, "key": key, "judged_again": again, "reason": reason}))
    return key


def _bill(lake: Lake, release: Release) -> bytes:
    """The bill of materials that was made with a release; one without its packages where there was none."""
    with contextlib.suppress(NotFoundError, ValueError, LookupError):
        stored = lake.get("main", f"{serving.folder_of(release.release_id)}/{signing.BOM}")
        (digest,) = json.loads(stored)["metadata"]["component"]["hashes"]
        if digest["content"] == release.manifest.content_hash:
            return stored
    made = bom.bill(release.manifest, release.tuned, release.training, None, None)
    return canonical_json(made).encode()


def _keys() -> tuple[Workspace, Signer]:
    workspace = Workspace(home_folder())
    # Settings that cannot be read leave no key behind.
    _ = workspace.settings
    return workspace, open_signer(workspace)


@contextlib.contextmanager
def _log(workspace: Workspace) -> Generator[InstalledLog]:
    log = InstalledLog(workspace.log_url)
    try:
        yield log
    finally:
        log.close()
