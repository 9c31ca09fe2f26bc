"""The audit log of an installation: whether its chain holds, and its entries for whoever keeps them elsewhere."""

import json

from llmops_assets.gateway.interaction_log import GENESIS, InteractionLog
from llmops_assets.lib.errors import LlmopsError
from resources import home_folder
from resources.workspace import Workspace


def verify(head: str) -> tuple[int, str]:
    """How many entries there are, and the hash of the last. LlmopsError where one does not follow from the one before
    it, or where none has the hash `head` ("": not asked), which somebody kept elsewhere: then its end was cut off."""
    log = _log()
    try:
        broken, entries = log.broken_audit_entry(), log.audit_entries()
    finally:
        log.close()
    if broken is not None:
        raise LlmopsError(f"entry {broken} of the audit log does not follow from the one before it: it was changed")
    hashes = [entry["hash"] for entry in entries]
    if head and head not in hashes:
        raise LlmopsError(f"no entry has the hash {head}: the audit log's end was cut off, or it was written anew")
    return len(entries), hashes[-1] if hashes else GENESIS


def export() -> None:
    """Print every entry, the oldest first, as a JSON object a line."""
    log = _log()
    try:
        for entry in log.audit_entries():
            print(json.dumps(entry))
    finally:
        log.close()


def _log() -> InteractionLog:
    workspace = Workspace(home_folder())
    workspace.home.mkdir(parents=True, exist_ok=True)
    return InteractionLog(workspace.log_url)
