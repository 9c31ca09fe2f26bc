"""The audit log of an installation: whether its chain holds, its entries for whoever keeps them elsewhere, and how a
person is erased without breaking it."""

import json
import os

from llmops_assets.gateway.interaction_log import GENESIS, InteractionLog
from llmops_assets.handover import anchors
from llmops_assets.lib.errors import LlmopsError
from resources import home_folder, open_lake
from resources.workspace import Workspace


def verify(head: str) -> tuple[int, str, int]:
    """How many entries there are, the hash of the last, and how many of them the lake vouches for.

    LlmopsError where one does not follow from the one before it, or where the end that the lake knows, or the hash
    `head` ("": not asked) that somebody kept elsewhere, is none of theirs: then the end was cut off, or all of it was
    written anew.
    """
    workspace = Workspace(home_folder())
    log = _log()
    try:
        broken, entries = log.broken_audit_entry(), log.audit_entries(sealed=True)
    finally:
        log.close()
    if broken is not None:
        raise LlmopsError(f"entry {broken} of the audit log does not follow from the one before it: it was changed")
    hashes = [entry["hash"] for entry in entries]
    if head and head not in hashes:
        raise LlmopsError(f"no entry has the hash {head}: the audit log's end was cut off, or it was written anew")
    anchor = anchors.read(open_lake(workspace))
    if anchor is not None:
        anchors.insist(anchor, entries)
    return len(entries), hashes[-1] if hashes else GENESIS, anchor.number if anchor else 0


def export(*, readable: bool) -> None:
    """Print every entry, the oldest first, as a JSON object a line.

    What is about a person stays under that person's key, so that it is erased elsewhere too, unless it shall be
    `readable`: then the hashes of those entries are not of what is printed.
    """
    log = _log()
    try:
        for entry in log.audit_entries(sealed=not readable):
            print(json.dumps(entry))
    finally:
        log.close()


def erase(person: str, by: str) -> dict[str, int]:
    """Delete what the log's database holds of a person, named as in `user` or by a pseudonym; rows of each kind."""
    from llmops_assets.lib.redaction.subjects import SUBJECT_KEY_VARIABLE, load_subject_keys, pseudonym

    # Settings that cannot be read are told before a key is made.
    log = _log()
    try:
        keys = load_subject_keys(Workspace(home_folder()).subject_key, os.environ.get(SUBJECT_KEY_VARIABLE))
        return log.erase([person, *(pseudonym(key, person) for key in keys)], by)
    finally:
        log.close()


def _log() -> InteractionLog:
    workspace = Workspace(home_folder())
    workspace.home.mkdir(parents=True, exist_ok=True)
    return InteractionLog(workspace.log_url)
