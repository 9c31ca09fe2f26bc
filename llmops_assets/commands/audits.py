"""The audit log of an installation: whether its chain holds, and its entries for whoever keeps them elsewhere."""

import json

from llmops_assets.gateway.interaction_log import InteractionLog
from llmops_assets.lib.errors import LlmopsError
from resources import home_folder
from resources.workspace import Workspace


def verify() -> int:
    """How many entries there are. LlmopsError where one does not follow from the one before it."""
    log = _log()
    try:
        broken, entries = log.broken_audit_entry(), log.audit_entries()
    finally:
        log.close()
    if broken is not None:
        raise LlmopsError(f"entry {broken} of the audit log does not follow from the one before it: it was changed")
    return len(entries)


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
